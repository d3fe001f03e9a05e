"""Conditions change a sound as they say, and by the same draw the same way.

.venv/bin/python -m pytest tests/robustness/test_conditions.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from vowels import vowels

from emelia.audio import Wave
from emelia.audio.corruption.mixing import power
from emelia.audio.decoding import content_digest, decode
from emelia.corpora.records import Utterance
from emelia.errors import ConfigError
from emelia.robustness import rooms, sounds
from emelia.robustness.cases import Case, changed, drawn, in_groups, single
from emelia.robustness.conditions import CATEGORIES, conditions
from emelia.robustness.conditions.condition import Around, Condition

RATE = 16_000  # Hz
EVERY = {one.name: one for one in conditions()}
SLOW = ("RT60 0.8", "RT60 1.2")  # rooms that take seconds to make
VOICES = [vowels(1.0, 90.0), vowels(0.7, 200.0)]


def under(name: str, wave: Wave, seed: int = 0) -> Wave:
    around = Around(np.random.default_rng(seed), lambda: VOICES, 0)
    return np.asarray(EVERY[name].change(wave, around), np.float32)


@pytest.mark.parametrize("name", [name for name in EVERY if not name.startswith(SLOW)])
def test_every_condition_gives_the_same_sound_again(name: str) -> None:
    wave = vowels(1.0)
    before = wave.copy()
    made = under(name, wave)
    assert made.dtype == np.float32 and np.isfinite(made).all() and np.abs(made).max() > 0
    assert (made == under(name, wave)).all() and (wave == before).all()
    if EVERY[name].category not in ("pauses", "length", "small"):
        assert made.shape == wave.shape
    assert len(made) / RATE <= 1 + EVERY[name].lengthens + 0.1


@pytest.mark.parametrize(
    ("name", "snr_db"),
    [("white noise 35 dB", 35), ("white noise 20 dB", 20), ("traffic 10 dB", 10),
     ("babble 20 dB", 20), ("babble 0 dB", 0), ("music 10 dB", 10), ("cough 10 dB", 10),
     ("tone of 5-7 kHz 40 dB", 40)],
)  # fmt: skip
def test_the_ratio_measured_is_the_one_asked(name: str, snr_db: float) -> None:
    wave = vowels(1.0)
    noise = under(name, wave).astype(np.float64) - wave
    assert 10 * np.log10(power(wave) / np.mean(noise**2)) == pytest.approx(snr_db, abs=0.1)


def test_levels_of_a_category_have_the_same_noise(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", vowels(1.0), RATE)
    case = Case((Utterance("a.wav", tmp_path / "a.wav", "anger", "1"),), (), 0)
    wave, loud, faint = (
        changed(case, one, 3).astype(np.float64)
        for one in (EVERY["gain -1 dB"], EVERY["white noise 10 dB"], EVERY["white noise 30 dB"])
    )
    wave *= 10 ** (1 / 20)
    np.testing.assert_allclose(loud - wave, 10 * (faint - wave), atol=1e-3)


@pytest.mark.parametrize("seconds", [0.2, 0.4])
def test_a_room_s_sound_falls_by_60_db_in_its_time(seconds: float) -> None:
    for number in range(2):
        response = rooms.response(seconds, 1.5, number)
        energy = np.cumsum(np.square(response[::-1]))[::-1]  # Schroeder 1965
        level = 10 * np.log10(energy / energy[0])
        first, last = (np.argmax(level < edge) for edge in (-5, -25))
        assert 3 * (last - first) / RATE == pytest.approx(seconds, rel=0.2)
        assert rooms.decay_time(response) == pytest.approx(seconds, rel=0.12)


def test_the_decay_of_noise_is_measured_right() -> None:
    time = np.arange(RATE) / RATE
    tail = np.random.default_rng(0).standard_normal(RATE) * 10 ** (-3 * time / 0.5)
    assert rooms.decay_time(tail) == pytest.approx(0.5, rel=0.03)


def test_traffic_falls_by_6_db_an_octave_and_music_has_no_end() -> None:
    noise = sounds.traffic(8 * RATE, np.random.default_rng(0))
    spectrum, hertz = np.abs(np.fft.rfft(noise)) ** 2, np.fft.rfftfreq(len(noise), 1 / RATE)
    low, high = (spectrum[(hertz > f) & (hertz < 2 * f)].mean() for f in (200, 1600))
    assert 10 * np.log10(low / high) / 3 == pytest.approx(6, abs=0.5)
    music = sounds.music(2 * RATE, np.random.default_rng(0))
    assert all(power(part) > 0 for part in np.split(music, 8))


def test_silence_is_added_where_it_says() -> None:
    wave = vowels(1.0)
    assert (under("500 zeros in front", wave)[500:] == wave).all()
    assert len(under("1000 samples less behind", wave)) == RATE - 1000
    assert not under("17 s of zeros behind", wave)[RATE:].any()
    paused = under("1 s of zeros in the middle", wave)
    assert len(paused) == 2 * RATE and power(paused) * 2 == pytest.approx(power(wave))
    assert len(under("first 0.5 s", wave)) == RATE // 2


def test_clips_are_joined_until_they_last_so_long(tmp_path: Path) -> None:
    clips = []
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, vowels(1.5, 120 + 20 * number), RATE)
        digest = content_digest(*decode(path))
        clips.append(Utterance(path.name, path, "anger", "1", digest=digest))
    (case,) = in_groups(clips, 5, 0)
    assert {clip.id for clip in case.clips} == {"0.wav", "1.wav", "2.wav"}
    assert len(changed(case, EVERY["joined to 10 s"], 0)) == pytest.approx(10.2 * RATE, abs=10)


def test_clips_are_drawn_evenly_and_voices_are_of_others() -> None:
    clips = [
        Utterance(f"{e}{s}{n}", Path("x"), e, s, digest=f"{e}{s}{n}")
        for e, most in (("anger", 20), ("fear", 4)) for s in "abc" for n in range(most)
    ]  # fmt: skip
    few = drawn(clips, 12, 0)
    assert len({clip.id for clip in few}) == 12 and few == drawn(clips, 12, 0)
    assert sum(clip.emotion == "fear" for clip in few) == 6
    assert {(c.emotion, c.speaker) for c in few} == {
        (e, s) for e in ("anger", "fear") for s in "abc"
    }
    assert {clip.speaker for clip in drawn(clips, 3, 0)} == set("abc")
    assert [c.id for c in few] == [c.id for c in clips if c in few]
    assert len(drawn(clips, 500, 0)) == len(clips)
    for case in single(few, clips, 0):
        assert len(case.voices) == 5
        assert case.clips[0].speaker not in {voice.speaker for voice in case.voices}


def test_conditions_are_chosen_by_category_or_name() -> None:
    assert {one.category for one in conditions()} == set(CATEGORIES)
    assert [one.name for one in conditions(["babble 20 dB"])] == ["babble 20 dB"]
    assert {one.category for one in conditions(["rooms", "length"])} == {"rooms", "length"}
    assert len({one.name for one in conditions()}) == len(conditions())
    with pytest.raises(ConfigError, match="did you mean telephone"):
        conditions(["telefone"])
    assert isinstance(conditions()[0], Condition)
