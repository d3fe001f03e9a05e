"""Conditions of where somebody speaks and over what line: background, rooms, telephones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from emelia.audio import Wave
from emelia.audio.corruption.filters import convolve, pass_band
from emelia.audio.corruption.lossy import encodes, through_ffmpeg, through_file
from emelia.audio.corruption.mixing import add_at_snr
from emelia.results.stress import Wanted
from emelia.robustness import sounds
from emelia.robustness.conditions.condition import (
    NOTHING,
    Around,
    Change,
    Condition,
    alone,
    mixed,
)
from emelia.robustness.rooms import ROOMS, response

_BACKGROUND = Wanted(unchanged=0.9, lost=0.05)
_PHONE = Wanted(unchanged=0.5, lost=0.05)
_ROOM = Wanted(unchanged=0.8)
_BAND = (300, 3400)  # Hz, of a telephone line
_RATE = 8000  # Hz, of a telephone line
_PEAK = 0.7  # at which a line is given a recording
_AMR = "libopencore_amrnb"


def background() -> Iterator[Condition]:
    """Noise, talk and music behind the voice."""
    # What it is, its levels in dB, and the level from where something is wanted.
    noises: tuple[tuple[str, Callable[[float], Change], tuple[int, ...], int], ...] = (
        ("white noise", partial(mixed, sounds.white), (30, 20, 10), 20),
        ("traffic", partial(mixed, sounds.traffic), (20, 10), 20),
        ("babble", _amid_talk, (20, 10, 0), 20),
        ("music", partial(mixed, sounds.music), (20, 10, 0), 20),
        ("cough", partial(mixed, sounds.cough), (10,), 10),
    )
    for name, change, levels, least in noises:
        for db in levels:
            wanted = _BACKGROUND if db >= least else NOTHING
            yield Condition("background", f"{name} {db} dB", change(db), wanted)


def rooms() -> Iterator[Condition]:
    """Rooms by their reverberation time, and the place in one of them."""
    for seconds in (0.2, 0.4, 0.8, 1.2):
        wanted = _ROOM if seconds < 1 else NOTHING
        yield Condition("rooms", f"RT60 {seconds:g} s at 1.5 m", _in_room(seconds, 1.5), wanted)
    yield Condition("rooms", "RT60 0.4 s at 0.5 m", _in_room(0.4, 0.5), _ROOM)
    yield Condition("rooms", "RT60 0.4 s at 3 m", _in_room(0.4, 3.0), _ROOM)


def telephone() -> Iterator[Condition]:
    """Telephone lines and calls over a laptop."""
    yield Condition("telephone", "mu-law 300-3400 Hz", alone(_on_line, "ULAW"), _PHONE)
    yield Condition("telephone", "GSM 06.10", alone(_on_line, "GSM610"), _PHONE)
    if encodes(_AMR):
        yield Condition("telephone", "AMR 12.2 kbit/s", alone(_amr), _PHONE)
    if encodes("libopus"):
        yield Condition("telephone", "laptop at 2.5 m over Opus", _laptop, _PHONE)


def _amid_talk(snr_db: float) -> Change:
    return lambda wave, around: add_at_snr(
        wave, sounds.babble(len(wave), around.rng, around.voices()), snr_db
    )


def _in_room(seconds: float, metres: float) -> Change:
    return lambda wave, around: convolve(wave, response(seconds, metres, around.number % ROOMS))


def _on_line(wave: Wave, codec: str) -> Wave:
    return through_file(pass_band(wave, *_BAND), _RATE, _PEAK, "WAV", codec)


def _amr(wave: Wave) -> Wave:
    narrow = np.asarray(pass_band(wave, *_BAND), np.float32)
    return through_ffmpeg(narrow, _RATE, _PEAK, "amr", _AMR, 12_200)


def _laptop(wave: Wave, around: Around) -> Wave:
    """Somebody across a living room from a laptop with a fan, on a call over the internet."""
    heard = _in_room(0.4, 2.5)(wave, around)
    noisy = add_at_snr(heard, sounds.traffic(len(heard), around.rng), 20)
    thin = np.asarray(pass_band(noisy, 150, None), np.float32)
    return through_ffmpeg(thin, 48_000, _PEAK, "webm", "libopus", 24_000)
