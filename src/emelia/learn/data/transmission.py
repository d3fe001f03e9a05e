"""What lies between a mouth and a file: rooms, other talk, microphones, telephones, codecs.

A waveform is float32 (T,) at 16 kHz. Corpora differ in these things, and the recordings of
strangers do even more, so copies that are changed in this way keep a network from learning them.
Each change is a function of its draws alone. None needs more than NumPy, SciPy, soxr and
libsndfile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import signal

from emelia.audio.corruption.filters import convolve, pass_band
from emelia.audio.corruption.filters import respond as with_response
from emelia.audio.corruption.lossy import through_file
from emelia.audio.corruption.mixing import add_at_snr, clip_peaks
from emelia.config import SAMPLE_RATE, AugmentConfig

Wave = NDArray[np.float32]
Generator = np.random.Generator

TELEPHONE = 8000  # Hz, the sampling rate of a telephone line
_SHARES = {"telephone": 0.4, "band": 0.2, "codec": 0.3}  # of copies that are sent somewhere
_CLIPPED = 0.2  # of copies with a microphone, those whose amplifier is overdriven
_RESPONSE = np.array([0, 100, 250, 600, 1500, 3500, 6000, 8000])  # Hz, where gains are drawn
_DEVIATION, _MOST = 5.0, 12.0  # dB, of those gains
_DIRECT = (-4.0, 12.0)  # dB that direct sound is stronger than the rest of a room
_VOICES = 5  # that talk in the background


@dataclass(frozen=True, slots=True)
class Transmission:
    """What is done to one copy of a waveform; None leaves it as it is."""

    speed: float | None
    reverberation: float | None  # s, until the sound of the room has fallen by 60 dB
    babble_db: float | None  # that other talk is quieter
    sent: bool
    seed: int


def draw(config: AugmentConfig, seed: int) -> Transmission:
    """Draw the changes of one copy; a method that is off draws, too."""
    rng = np.random.default_rng((seed, 2))  # a stream apart from those of other changes

    def maybe(ends: tuple[float, float]) -> float | None:
        chosen, value = rng.random() < config.probability, float(rng.uniform(*ends))
        return value if chosen and ends[0] < ends[1] else None

    speed, time, babble = (
        maybe(ends) for ends in (config.speed_rate, config.reverberation_s, config.babble_snr_db)
    )
    sent = rng.random() < config.probability and config.transmission
    return Transmission(speed, time, babble, sent, int(rng.integers(2**32)))


def before_noise(wave: Wave, drawn: Transmission) -> Wave:
    """What comes before the noise of a recording: the voice's speed and the room (T',)."""
    rng = np.random.default_rng((drawn.seed, 0))
    if drawn.speed is not None:
        wave = change_speed(wave, drawn.speed)
    if drawn.reverberation is not None:
        wave = reverberate(wave, drawn.reverberation, rng)
    return wave


def after_noise(wave: Wave, drawn: Transmission) -> Wave:
    """What comes after: other talk, the microphone, the line and the codec (T,)."""
    rng = np.random.default_rng((drawn.seed, 1))
    if drawn.babble_db is not None:
        wave = add_babble(wave, drawn.babble_db, rng)
    return send(wave, rng) if drawn.sent else wave


def change_speed(wave: Wave, rate: float) -> Wave:
    """Play a waveform `rate` times as fast, pitch and formants with it: (T / rate,)."""
    return np.asarray(soxr.resample(wave, SAMPLE_RATE * rate, SAMPLE_RATE), np.float32)


def reverberate(wave: Wave, seconds: float, rng: Generator) -> Wave:
    """Put a waveform into a room whose sound falls by 60 dB in `seconds`.

    The response is the statistical model of Polack (1988): noise that decays exponentially, the
    high frequencies faster, after the direct sound. Its length stays.
    """
    size = max(2, round(seconds * SAMPLE_RATE))
    time = np.arange(size) / SAMPLE_RATE
    tail = rng.standard_normal(size) * 10 ** (-3 * time / seconds)
    dull = signal.lfilter(*signal.butter(1, rng.uniform(2000, 6000), fs=SAMPLE_RATE), tail)
    share = np.minimum(1, 2 * time / seconds)
    tail = (1 - share) * tail + share * dull
    tail[: SAMPLE_RATE // 500] = 0  # the nearest wall is 30 cm away
    tail *= 10 ** (-rng.uniform(*_DIRECT) / 20) / max(1e-9, float(np.sqrt(np.square(tail).sum())))
    tail[0] = 1
    return convolve(wave, tail)


def add_babble(wave: Wave, snr_db: float, rng: Generator) -> Wave:
    """Add the talk of several voices, `snr_db` below the power of the clip.

    They are the clip itself, backwards and at other speeds: nobody else has to be there, and
    nothing can be understood.
    """
    babble = np.zeros(len(wave), np.float32)
    for rate in rng.uniform(0.7, 1.4, _VOICES):
        voice = change_speed(wave[::-1], float(rate))
        babble += np.resize(np.roll(voice, int(rng.integers(len(voice)))), len(wave))
    return add_at_snr(wave, babble, snr_db)


def send(wave: Wave, rng: Generator) -> Wave:
    """Record with some microphone, perhaps too loudly, and send over some line (T,)."""
    wave = respond(wave, rng)
    if rng.random() < _CLIPPED:
        wave = clip_peaks(wave, float(rng.uniform(0.01, 0.4)))
    line = rng.choice([*_SHARES, "none"], p=[*_SHARES.values(), 1 - sum(_SHARES.values())])
    if line == "telephone":
        return telephone(wave, rng)
    if line == "band":
        return np.asarray(pass_band(wave, None, rng.uniform(3000, 7500)), np.float32)
    return encode(wave, rng) if line == "codec" else wave


def respond(wave: Wave, rng: Generator) -> Wave:
    """The frequency response of a microphone: random gains, smooth over frequency."""
    gains = rng.normal(0, _DEVIATION, len(_RESPONSE)).clip(-_MOST, _MOST)
    return with_response(wave, _RESPONSE, gains)


def telephone(wave: Wave, rng: Generator) -> Wave:
    """A telephone's band, about 300 to 3400 Hz, and one of its codecs."""
    band = pass_band(wave, rng.uniform(200, 350), rng.uniform(3100, 3600))
    form = [("WAV", "ULAW"), ("WAV", "GSM610"), ("AU", "G721_32")][int(rng.integers(3))]
    return through_file(band, TELEPHONE, float(rng.uniform(0.2, 0.9)), *form)


def encode(wave: Wave, rng: Generator) -> Wave:
    """A lossy codec at a low rate: Vorbis, Opus or MP3."""
    form = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")][int(rng.integers(3))]
    how = float(rng.uniform(0.8, 0.95))
    return through_file(wave, SAMPLE_RATE, 0.7, *form, compression_level=how)
