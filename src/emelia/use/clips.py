"""The clips that a recording gives: its channels at 16 kHz, and the speech in each."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from emelia.audio import resample
from emelia.audio.channels import EACH, channel_names, check_channel
from emelia.audio.heard import Heard
from emelia.audio.limits import check_length
from emelia.config import SAMPLE_RATE
from emelia.errors import AudioError, ConfigError, MissingExtraError
from emelia.use.inputs import Excerpt, read_excerpt
from emelia.use.pooling import Speech, find_speech
from emelia.use.waveforms import LONGEST, Source, read


class Clip(NamedTuple):
    """A decoded recording at 16 kHz: its speech, its length in seconds, what was amiss."""

    speech: Speech
    seconds: float
    warnings: tuple[str, ...]


Clips = dict[str, Clip]  # by channel; the only one is called ""


def read_clips(source: Source | Excerpt, rate: int | None, channel: str, hop: int) -> Clips:
    """Decode a recording or take its samples, and find the speech in it.

    Args:
        source: see `Recognizer.predict`.
        rate: of samples, in Hz.
        channel: one of `CHANNELS`.
        hop: samples from one frame to the next.

    Raises:
        AudioError, ConfigError, MissingExtraError: see `Recognizer.predict`.
    """
    if check_channel(channel) != EACH:
        return {"": _clip(source, rate, channel, hop)[0]}
    first, count = _clip(source, rate, "1", hop)
    others = (_clip(source, rate, str(place), hop)[0] for place in range(2, count + 1))
    return dict(zip(channel_names(count), (first, *others), strict=True))


def try_to_read(source: Source | Excerpt, channel: str, hop: int) -> Clips | AudioError:
    """As `read_clips`, but any reason why there are none is returned as an AudioError."""
    try:
        return read_clips(source, None, channel, hop)
    except AudioError as error:
        return error
    except (MissingExtraError, ConfigError) as error:  # others may need no extra
        name = source if isinstance(source, str | Path | Excerpt) else "upload"
        return AudioError(f"{name}: {error}")


def clips_in(read: Clips | AudioError) -> Collection[Clip]:
    """The clips that were read; none in place of an error."""
    return () if isinstance(read, AudioError) else read.values()


def samples_in(read: Clips | AudioError) -> int:
    """Samples of the speech in what was read."""
    return sum(clip.speech.sound.size for clip in clips_in(read))


def _clip(source: Source | Excerpt, rate: int | None, channel: str, hop: int) -> tuple[Clip, int]:
    """One channel, and how many there are."""
    heard = Heard()
    if isinstance(source, Excerpt):
        wave, rate = read_excerpt(source, channel=channel, heard=heard)
        check_length(wave.size, rate, str(source), LONGEST)
    else:
        wave, rate = read(source, rate, channel=channel, heard=heard)
    wave = resample(wave, rate)
    peak = max(wave.max(initial=0.0), -wave.min(initial=0.0))
    wave /= max(peak, 1.0)  # float files may go beyond full scale
    clip = Clip(find_speech(wave, hop), wave.size / SAMPLE_RATE, tuple(heard.warnings))
    return clip, heard.channels
