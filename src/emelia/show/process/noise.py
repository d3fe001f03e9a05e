"""Measures noise reduction where the truth is known: noise is added to clean speech.

A gate lowers the background, so it raises any SNR that is estimated from its output alone, even
when it removes speech. Here the output is compared with the speech before noise was added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emelia import audio
from emelia.audio import Wave
from emelia.audio import analysis as sound
from emelia.config import SAMPLE_RATE
from emelia.corpora import Utterance
from emelia.corpora.scan import decode_again
from emelia.errors import AudioError

METHODS: dict[str, Callable[[Wave, int], Wave]] = {
    "ours": audio.reduce_noise,
    "founding study's": audio.reduce_noise_founding,
}
NOISES = ("white", "pink", "voices")
SNRS = (20.0, 10.0, 5.0)  # dB
CLEAN = "none"  # the speech itself, to see what a method takes from it
_VOICES = 6  # who speak at once in the noise of voices
_FRAME = 512  # samples, 32 ms
_LEAST, _MOST = -10.0, 35.0  # dB of a frame, as segmental SNR is usually bounded
_PERFECT = 100.0  # dB, of what was not changed at all

Samples = NDArray[np.float64]


class Task(NamedTuple):
    """A clean recording, and others from which babble noise is made."""

    clean: Utterance
    others: tuple[Utterance, ...]


@dataclass(frozen=True, slots=True)
class Gain:
    """What a noise reduction changed in a recording with added noise, in dB."""

    speaker: str
    noise: str
    snr: float  # that was mixed; inf where nothing was added
    method: str
    si_sdr: float  # gained; for clean speech, that of the output
    segmental: float  # the same of the segmental SNR


def cleanest(
    utterances: Sequence[Utterance], snrs: Sequence[float], wanted: int
) -> list[Utterance]:
    """The recordings with the least background, equally many of each speaker.

    Args:
        snrs: estimated SNR of each, in dB.
        wanted: how many at most.
    """
    by_speaker = defaultdict(list)
    order = sorted(
        range(len(utterances)), key=lambda i: (-np.nan_to_num(snrs[i]), utterances[i].id)
    )
    for place in order:
        by_speaker[utterances[place].speaker].append(utterances[place])
    each = max(1, wanted // len(by_speaker))
    return [clip for name in sorted(by_speaker) for clip in by_speaker[name][:each]][:wanted]


def tasks(clips: Sequence[Utterance]) -> list[Task]:
    """Each recording with some of other speakers; of any speaker where there is only one."""
    made = []
    for place, clip in enumerate(clips):
        rest = [*clips[place + 1 :], *clips[:place]]
        foreign = [other for other in rest if other.speaker != clip.speaker] or rest
        stride = max(1, len(foreign) // _VOICES)
        made.append(Task(clip, tuple(foreign[::stride][:_VOICES])))
    return made


def gains(task: Task) -> list[Gain] | str:
    """Measure each method on a recording with each noise; the reason as text where that fails."""
    try:
        clean = _speech(task.clean)
        voices = [_speech(other) for other in task.others]
    except AudioError as error:
        return str(error).removeprefix(f"{task.clean.path}: ")
    if not clean.any():
        return "is silent."
    rng = np.random.default_rng(int(task.clean.digest[:8] or "0", 16))
    who, found = task.clean.speaker, []
    for method, reduce in METHODS.items():
        heard = reduce(clean, SAMPLE_RATE)
        scores = si_sdr(heard, clean), segmental_snr(heard, clean)
        found.append(Gain(who, CLEAN, np.inf, method, *scores))
    for kind in NOISES:
        noise = made_noise(kind, clean.size, rng, voices)
        for snr in SNRS if noise.any() else ():
            mixed = mix(clean, noise, snr)
            before = si_sdr(mixed, clean), segmental_snr(mixed, clean)
            for method, reduce in METHODS.items():
                heard = reduce(mixed, SAMPLE_RATE)
                after = si_sdr(heard, clean), segmental_snr(heard, clean)
                gained = (a - b for a, b in zip(after, before, strict=True))
                found.append(Gain(who, kind, snr, method, *gained))
    return found


def mix(clean: Wave, noise: Samples, snr: float) -> Wave:
    """Add noise so that the whole clip has an SNR of `snr` dB."""
    scale = np.sqrt(np.mean(np.square(clean, dtype=np.float64)) / np.mean(noise**2))
    return np.asarray(clean + noise * scale * 10 ** (-snr / 20), dtype=np.float32)


def made_noise(
    kind: str, size: int, rng: np.random.Generator, voices: Sequence[Wave] = ()
) -> Samples:
    """Noise (T,): white, pink (power as 1 / f from 20 Hz on), or six voices at once."""
    if kind == "voices":
        loops = (np.resize(np.roll(v, rng.integers(v.size)), size) / _rms(v) for v in voices)
        return np.asarray(sum(loops, np.zeros(size)), dtype=np.float64)
    white = rng.standard_normal(size)
    if kind == "white":
        return white
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    return np.asarray(np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(hertz, 20.0)), size))


def si_sdr(heard: Wave, clean: Wave) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019), at most 100."""
    signal, reference = (_centred(wave) for wave in (heard, clean))
    target = reference * (signal @ reference) / (reference @ reference)
    return _ratio(float(target @ target), float(np.sum((signal - target) ** 2)))


def segmental_snr(heard: Wave, clean: Wave) -> float:
    """Mean SNR of the 32 ms in which the speech sounds, each from -10 to 35 dB."""
    size = clean.size // _FRAME * _FRAME
    if not size:
        return si_sdr(heard, clean)
    reference = clean[:size].reshape(-1, _FRAME).astype(np.float64)
    errors = heard[:size].reshape(-1, _FRAME) - reference
    power = np.mean(reference**2, axis=1)
    sounding = sound.sounding(power)
    ratios = [_ratio(p, e) for p, e in zip(power, np.mean(errors**2, axis=1), strict=True)]
    return float(np.clip(np.array(ratios)[sounding], _LEAST, _MOST).mean())


def _ratio(signal: float, error: float) -> float:
    if error <= signal * 10 ** (-_PERFECT / 10):
        return _PERFECT
    return float(max(-_PERFECT, 10 * np.log10(max(signal / error, 1e-10))))


def _speech(utterance: Utterance) -> Wave:
    return audio.remove_dc(audio.resample(*decode_again(utterance)))


def _centred(wave: Wave) -> Samples:
    return np.asarray(wave - wave.mean(dtype=np.float64), dtype=np.float64)


def _rms(wave: Wave) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64)))) or 1.0
