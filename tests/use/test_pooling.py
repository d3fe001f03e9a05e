"""One answer hangs neither on the length of a recording nor on its pauses, nor does memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from listeners import RATE, hiss, talk
from memory import measured
from numpy.typing import NDArray
from toy_model import BANDS, HOP, LABELS, expected, write_toy
from vowels import vowels

from emelia import Prediction, Recognizer, load
from emelia.audio.excerpts import window_starts
from emelia.audio.speech.speech_runs import Run as Stretch
from emelia.use import moments, pooling
from emelia.use.pooling import WINDOW, find_speech

Wave = NDArray[np.float32]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def default() -> Recognizer:
    return load("default")


@pytest.fixture
def toy(tmp_path: Path) -> Recognizer:
    return load(write_toy(tmp_path / "toy.onnx"))


def shares(answer: Prediction) -> Wave:
    return np.array(list(answer.probabilities.values()), np.float32)


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE), np.float32)


def speech(seconds: float) -> Wave:
    """Speech from the first to the last sample, with a breath of silence at both ends."""
    return np.concatenate([hiss(0.2), vowels(seconds), hiss(0.2, seed=1)])


# Windows


@pytest.mark.parametrize(
    ("length", "window", "step", "starts"),
    [
        (0, 10, 1, [0]),
        (10, 10, 1, [0]),
        (11, 10, 1, [0, 1]),
        (15, 10, 1, [0, 5]),
        (16, 10, 1, [0, 3, 6]),
        (40, 10, 5, [0, 5, 10, 15, 20, 25, 30]),
    ],
)
def test_windows_are_equal_and_overlap(
    length: int, window: int, step: int, starts: list[int]
) -> None:
    assert window_starts(length, window, step) == starts


@pytest.mark.parametrize("length", [*range(64_160, 64_800, 80), 200_000, 4_800_000])
def test_windows_cover_a_sound_to_the_last_frame(length: int) -> None:
    starts = window_starts(length, 64_000, 160)
    assert starts[0] == 0 and not any(start % 160 for start in starts)
    assert abs(starts[-1] + 64_000 - length) <= 80
    gaps = np.diff(starts)
    assert ((gaps > 0) & (gaps <= 32_160)).all()


# Pooling, by its definition


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Runs of speech that a test chooses, instead of those that a detector finds."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(pooling, "speech_runs", lambda wave: [Stretch(*one) for one in found])
    return found


def test_an_answer_is_the_mean_of_the_logarithms_over_windows(
    toy: Recognizer, spoken: list[tuple[int, int]]
) -> None:
    wave = RNG.uniform(-1, 1, 10 * RATE).astype(np.float32) * np.linspace(0.1, 1, 10 * RATE) ** 2
    spoken[:] = [(0, len(wave))]
    logs = np.mean([np.log(expected(wave[s : s + WINDOW])) for s in range(0, 96_001, 32_000)], 0)
    wanted = np.exp(logs) / np.exp(logs).sum()
    answer = toy.predict(wave.astype(np.float32), RATE)
    np.testing.assert_allclose(shares(answer), wanted, atol=1e-5)
    assert answer.emotion == LABELS[wanted.argmax()]
    assert (answer.seconds, answer.speech) == (10.0, 10.0)


def test_pauses_between_runs_are_not_heard(toy: Recognizer, spoken: list[tuple[int, int]]) -> None:
    first, second = (RNG.uniform(-1, 1, RATE).astype(np.float32) for _ in range(2))
    wave = np.concatenate([silence(1), first, silence(5), second, silence(2)])
    spoken[:] = [(RATE, 2 * RATE), (7 * RATE, 8 * RATE)]
    answer = toy.predict(wave, RATE)
    np.testing.assert_allclose(shares(answer), expected(np.concatenate([first, second])), atol=1e-5)
    assert (answer.seconds, answer.speech) == (10.0, 2.0)


def test_what_was_heard_stands_where_it_was_said(
    toy: Recognizer, spoken: list[tuple[int, int]]
) -> None:
    wave = np.concatenate([silence(1), np.ones(6 * RATE, np.float32), silence(2), np.ones(RATE)])
    spoken[:] = [(RATE, 7 * RATE), (9 * RATE, 10 * RATE)]
    answer = toy.predict(wave.astype(np.float32), RATE)
    frames = len(wave) // HOP + 1
    assert answer.logmel.shape == (BANDS, frames) and answer.saliency.shape == (frames,)
    heard = np.zeros(frames, bool)
    heard[100:700] = heard[900:1000] = True
    inner = heard & np.roll(heard, 1) & np.roll(heard, -1)
    assert (answer.logmel[0, inner] > 0.5).all()
    # Against what a frame says on average the frames of a sound that never changes say nothing,
    # but where windows overlap: those are counted twice.
    assert not answer.saliency[~heard][:-1].any()
    assert abs(answer.saliency.sum()) < 1e-2
    twice = answer.saliency[inner] > 0
    assert 0 < twice.sum() < inner.sum()


def test_frames_speak_against_the_average_and_silence_not_at_all() -> None:
    hop, rng = 160, np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal(50 * hop).astype(np.float32)
    sound[20 * hop : 30 * hop] *= 0.001  # 60 dB below
    spoken = moments.speaking(sound, hop, 51)
    assert not spoken[22:28].any() and spoken[:19].all() and spoken[32:49].all()
    raw = np.stack([np.full(51, 5.0), np.arange(51.0)]).astype(np.float32)
    fair = moments.against_average(raw, spoken)
    assert not fair[:, ~spoken].any() and not fair[0].any()
    np.testing.assert_allclose(fair[1, spoken].mean(), 0, atol=1e-4)
    assert not moments.against_average(raw, np.zeros(51, bool)).any()


@pytest.mark.parametrize("before", [1, 160, 511, 3001, 40_000])
def test_the_same_samples_are_heard_after_any_pause(before: int) -> None:
    """Though the detector, which hears frames of 512 samples, finds another edge."""
    spoken = np.concatenate([silence(0.2), vowels(2.0), silence(0.2)])
    plain = find_speech(spoken, 160)
    moved = find_speech(np.concatenate([np.zeros(before, np.float32), spoken, silence(3)]), 160)
    assert [(run.start - before, run.end - before) for run in moved.runs] == list(plain.runs)
    np.testing.assert_array_equal(moved.sound, plain.sound)


def test_runs_are_heard_as_they_are_found(
    spoken: list[tuple[int, int]],
) -> None:
    spoken[:] = [(100, 1000), (1001, 1100)]
    found = find_speech(np.ones(1999, np.float32), 160)
    assert found.runs == ((100, 1000), (1001, 1100)) and len(found.sound) == 999


# Length and pauses, with a shipped model


def test_speech_of_any_length_gets_the_same_answer(default: Recognizer) -> None:
    answers = [default.predict(speech(seconds), RATE) for seconds in (4, 15, 30, 60)]
    for answer in answers[1:]:
        assert answer.emotion == answers[0].emotion
        np.testing.assert_allclose(shares(answer), shares(answers[0]), atol=0.1)


@pytest.mark.parametrize("before", [0, 2.3])
@pytest.mark.parametrize("after", [3, 7, 17])
@pytest.mark.parametrize("level", [0, 1e-3])
def test_a_pause_changes_nothing(
    before: float, after: float, level: float, default: Recognizer
) -> None:
    spoken = speech(3)
    plain = default.predict(spoken, RATE)
    padded = np.concatenate([hiss(before, level, 2), spoken, hiss(after, level, 3)])
    answer = default.predict(padded, RATE)
    assert answer.emotion == plain.emotion
    np.testing.assert_allclose(shares(answer), shares(plain), atol=0.1)
    assert answer.speech == pytest.approx(plain.speech, abs=0.3)


@pytest.mark.parametrize("pause", [silence(4), hiss(4)], ids=["zeros", "noise"])
def test_a_pause_in_the_middle_changes_little(pause: Wave, default: Recognizer) -> None:
    one, two = speech(3), speech(2)
    joined = default.predict(np.concatenate([one, two]), RATE)
    apart = default.predict(np.concatenate([one, pause, two]), RATE)
    assert apart.emotion == joined.emotion
    np.testing.assert_allclose(shares(apart), shares(joined), atol=0.15)


def test_speech_is_counted_as_a_timeline_counts_it(default: Recognizer, tmp_path: Path) -> None:
    wave = talk(2, 3, 4, 2, 5)
    soundfile.write(tmp_path / "talk.flac", wave, RATE)
    answer = default.predict(tmp_path / "talk.flac")
    assert answer.speech == pytest.approx(5, abs=0.7)
    along = default.timeline(tmp_path / "talk.flac")
    assert len(along.segments) == 2
    assert answer.speech == pytest.approx(along.speech, abs=0.5), (
        "a timeline's edges are less sharp"
    )


@pytest.mark.parametrize("offset", [0.1, 0.3])
def test_an_offset_changes_no_answer(offset: float, default: Recognizer) -> None:
    spoken = 0.3 * speech(3)
    plain, moved = (default.predict(w, RATE) for w in (spoken, spoken + np.float32(offset)))
    assert moved.emotion == plain.emotion
    np.testing.assert_allclose(shares(moved), shares(plain), atol=0.02)


# Memory

PREDICT = """
import sys
from emelia import load
answer = load(sys.argv[2]).predict(sys.argv[1])
assert answer.speech > 0.4 * answer.seconds, answer.speech
"""


@pytest.mark.parametrize("seconds", [1, 300])
@pytest.mark.parametrize("model", ["default", "best"])
def test_memory_is_bounded_at_any_length(seconds: int, model: str, tmp_path: Path) -> None:
    """Five minutes in stereo at 48 kHz: the most that has one answer."""
    rate = 48_000
    piece = np.repeat(vowels(min(seconds, 5)), 3).astype(np.float32)
    with soundfile.SoundFile(tmp_path / "long.flac", "w", rate, 2) as file:
        for _ in range(max(1, seconds // 5)):
            file.write(np.stack([piece, piece], 1))
    run, peak = measured(PREDICT, str(tmp_path / "long.flac"), model)
    assert run.returncode == 0, run.stderr
    assert peak < 400


def test_long_recordings_of_a_batch_are_heard_in_bounded_memory(tmp_path: Path) -> None:
    for number, seconds in enumerate((100, 1, 100, 100)):
        soundfile.write(tmp_path / f"{number}.flac", np.tile(vowels(5), seconds // 5 or 1), RATE)
    code = (
        "import sys; from pathlib import Path; from emelia import load\n"
        "answers = list(load().predict_many(sorted(Path(sys.argv[1]).glob('*.flac'))))\n"
        "assert len(answers) == 4 and all(a.speech > 0 for a in answers)\n"
    )
    run, peak = measured(code, str(tmp_path))
    assert run.returncode == 0, run.stderr
    assert peak < 400


# Real speech


def joined(clips: Iterator[Path], seconds: float) -> Wave:
    pieces: list[Wave] = []
    while sum(map(len, pieces)) < seconds * RATE:
        wave, rate = soundfile.read(next(clips), dtype="float32")
        assert rate == RATE
        pieces.append(wave)
    return np.concatenate(pieces)


@pytest.mark.parametrize("seconds", [15, 60])
def test_joined_clips_of_a_heard_speaker_keep_their_emotion(
    seconds: float, corpora: Callable[[str], Path], default: Recognizer
) -> None:
    """Anger of one speaker, which joined to a minute was once happiness at .98."""
    clips: list[Any] = sorted((corpora("aesdd") / "anger").glob("a* (2).flac"))
    assert default.predict(joined(iter(clips * 9), seconds), RATE).emotion == "anger"


@pytest.mark.slow
def test_a_pause_after_real_clips_changes_hardly_an_answer(
    corpora: Callable[[str], Path], default: Recognizer
) -> None:
    clips = sorted(corpora("casia").rglob("*.ogg"))[::60]
    same = 0
    for path in clips:
        wave, _ = soundfile.read(path, dtype="float32")
        plain, padded = (default.predict(w, RATE) for w in (wave, np.r_[wave, hiss(7, 1e-3)]))
        same += plain.emotion == padded.emotion
    assert same >= 0.85 * len(clips)


# Too short to judge


@pytest.mark.parametrize(
    ("seconds", "unsure"), [(0.3, True), (0.8, True), (1.0, False), (9, False)]
)
def test_less_speech_than_can_be_judged_is_unsure_however_confident(
    toy: Recognizer, spoken: list[tuple[int, int]], seconds: float, unsure: bool
) -> None:
    toy._threshold = 0.0  # any confidence is enough
    spoken.append((0, round(seconds * RATE)))
    answer = toy.predict(vowels(10.0), RATE)
    assert answer.speech == pytest.approx(seconds, abs=0.01)
    assert answer.unsure == unsure
    assert answer.in_words().startswith("not sure") == unsure
