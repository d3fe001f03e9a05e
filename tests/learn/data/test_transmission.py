"""Rooms, other talk, microphones, telephones and codecs."""

from __future__ import annotations

import numpy as np
import pytest

from emelia.config import AugmentConfig
from emelia.learn.data import transmission
from emelia.learn.data.augment import augment_wave, draw_changes
from emelia.learn.data.transmission import (
    add_babble,
    change_speed,
    encode,
    respond,
    reverberate,
    send,
    telephone,
)

RATE = 16_000
EVERY = AugmentConfig(
    probability=1.0,
    noise_snr_db=(0.0, 0.0),
    pitch_semitones=(0.0, 0.0),
    stretch_rate=(1.0, 1.0),
    speed_rate=(0.9, 1.1),
    reverberation_s=(0.2, 1.0),
    babble_snr_db=(10.0, 20.0),
    transmission=True,
)


def _voice(seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * f * time) / n for n, f in enumerate((150, 900, 2500, 6000), 1))
    return (0.2 * tones * (1 + np.sin(2 * np.pi * 4 * time))).astype(np.float32)


def _band(wave: np.ndarray, low: float, high: float) -> float:
    power = np.abs(np.fft.rfft(wave)) ** 2
    lines = np.fft.rfftfreq(len(wave), 1 / RATE)
    return float(power[(lines >= low) & (lines < high)].sum() / power.sum())


def test_the_same_seed_gives_the_same_copy_and_another_one_another():
    wave = _voice()
    copies = [augment_wave(wave, EVERY, seed) for seed in (1, 1, 2)]
    assert np.array_equal(copies[0], copies[1])
    assert len(copies[2]) != len(copies[0]) or not np.array_equal(copies[2], copies[0])
    assert all(np.abs(copy).max() <= 1 and np.isfinite(copy).all() for copy in copies)


def test_new_methods_leave_what_older_ones_draw_as_it_was():
    plain = draw_changes(AugmentConfig(), 5)
    more = draw_changes(AugmentConfig(transmission=True, reverberation_s=(0.2, 1.0)), 5)
    assert (plain.semitones, plain.rate, plain.snr_db) == (more.semitones, more.rate, more.snr_db)
    assert plain.transmission.reverberation is None and not plain.transmission.sent


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_speed_moves_pitch_and_length(rate):
    time = np.arange(RATE) / RATE
    fast = change_speed(np.sin(2 * np.pi * 400 * time).astype(np.float32), rate)
    assert len(fast) == pytest.approx(RATE / rate, abs=2)
    loudest = np.abs(np.fft.rfft(fast)).argmax() * RATE / len(fast)
    assert loudest == pytest.approx(400 * rate, rel=0.01)


def test_a_room_falls_by_60_db_in_its_time():
    click = np.zeros(2 * RATE, np.float32)
    click[100] = 1
    wet = reverberate(click, 0.5, np.random.default_rng(0))[101:]
    level = [10 * np.log10(np.mean(wet[i : i + 800] ** 2)) for i in (1600, 5600)]
    # 30 dB in half its time, a little more as high frequencies fall faster.
    assert level[0] - level[1] == pytest.approx(30, abs=4)
    assert np.all(wet[round(0.55 * RATE) :] < 1e-6)


def test_other_talk_is_as_much_quieter_as_told():
    wave = _voice()
    added = add_babble(wave, 10.0, np.random.default_rng(0)) - wave
    assert 10 * np.log10(np.mean(wave**2) / np.mean(added**2)) == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_a_telephone_has_a_telephones_band(seed):
    wave = np.random.default_rng(seed).normal(0, 0.1, RATE).astype(np.float32)
    sent = telephone(wave, np.random.default_rng(seed))
    assert sent.shape == wave.shape and sent.dtype == np.float32
    assert _band(sent, 300, 3400) > 0.85


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", [respond, encode, send])
def test_what_is_sent_keeps_its_length_and_stays_near_its_sound(way, seed):
    wave = _voice()
    sent = way(wave, np.random.default_rng(seed))
    assert sent.shape == wave.shape and sent.dtype == np.float32 and np.isfinite(sent).all()
    assert np.abs(np.corrcoef(np.abs(np.fft.rfft(wave)), np.abs(np.fft.rfft(sent)))[0, 1]) > 0.5


def test_every_line_is_drawn():
    rng = np.random.default_rng(0)
    assert sum(transmission._SHARES.values()) < 1
    ends = [_band(send(_voice(0.3), rng), 5000, 8000) for _ in range(30)]
    assert min(ends) < 0.005 < max(ends)  # some without high frequencies, some with
