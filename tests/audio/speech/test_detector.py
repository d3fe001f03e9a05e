"""Speech is found in speech, and in nothing else, with few questions to the detector."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import SUPPORT
from listeners import RATE, cuts, hiss, talk
from numpy.typing import NDArray
from vowels import vowels

from emelia.audio import decode, resample
from emelia.audio.speech import detector as speech
from emelia.audio.speech.detector import FRAME_SECONDS, SpeechGate, has_speech
from emelia.errors import AudioError

Wave = NDArray[np.float32]
SECONDS = 3
TIME = np.arange(SECONDS * RATE) / RATE


class Counting:
    """The detector, and how often it was asked."""

    def __init__(self) -> None:
        self.questions = 0
        self._detector = speech._new_detector()

    def reset(self) -> None:
        self._detector.reset()

    def process_samples(self, samples: Sequence[float]) -> float:
        self.questions += 1
        return self._detector.process_samples(samples)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """Count the questions."""
    counting = Counting()
    monkeypatch.setattr(speech, "_detector", lambda: counting)
    monkeypatch.setattr(speech, "_new_detector", lambda: counting)
    return counting


def noise(colour: float) -> Wave:
    """Noise whose power falls with frequency to this exponent: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(len(TIME)))
    spectrum /= np.maximum(1, np.arange(len(spectrum))) ** (colour / 2)
    sound = np.fft.irfft(spectrum, len(TIME))
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)


def tone(hz: float, on: float = 1.0) -> Wave:
    """A tone, sounding for a share of every half second."""
    place = (2 * TIME) % 1
    return np.asarray(np.where(place < on, 0.5 * np.sin(2 * np.pi * hz * TIME), 0), np.float32)


STEADY = {
    "nothing": np.zeros(0, np.float32),
    "three samples": np.full(3, 0.1, np.float32),
    "silence": np.zeros(RATE, np.float32),
    "one level": np.full(RATE, 0.3, np.float32),
    "the last bit": np.round(hiss(SECONDS, 0.6)) / 32768,
    "white noise": noise(0),
    "pink noise": noise(1),
    **{f"tone of {hz} Hz": tone(hz) for hz in (60, 100, 150, 180, 200, 250, 440, 1000, 5000)},
}
MOVING = {
    "hum": np.asarray(sum(tone(50 * k) / k for k in (1, 2, 3, 5)), np.float32),
    "brown noise": noise(2),
    "bursts of noise": noise(0) * (tone(1, on=0.3) != 0),
    "clicks": np.asarray(np.random.default_rng(2).random(len(TIME)) < 0.0005, np.float32),
    "dialling": tone(697, on=0.4) + tone(1209, on=0.4),
    "a siren": np.asarray(0.5 * np.sin(2 * np.pi * (200 + 100 * TIME) * TIME), np.float32),
    **{f"beeps of {hz} Hz": tone(hz, on=0.5) for hz in (150, 180, 200, 300, 500, 1000, 2000)},
}


@pytest.mark.parametrize("name", STEADY)
def test_what_is_steady_never_reaches_the_detector(name: str, detector: Counting) -> None:
    assert not has_speech(STEADY[name])
    assert detector.questions == 0


@pytest.mark.parametrize("name", MOVING)
def test_what_moves_but_is_no_speech_is_refused(name: str, detector: Counting) -> None:
    assert not has_speech(MOVING[name])
    assert detector.questions < 2 * SECONDS / FRAME_SECONDS


@pytest.mark.parametrize("level", [1.0, 0.1, 1e-3])
def test_speech_is_speech_at_any_level(level: float) -> None:
    assert has_speech(vowels(2.0) * np.float32(level))


OFFSETS = [0.1, 0.3, -0.5]


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("level", [0.3, 0.01])
def test_an_offset_changes_nothing(offset: float, level: float) -> None:
    spoken = np.float32(level) * talk(1, 2, 1, 2, 1)
    plain, moved = SpeechGate(), SpeechGate()
    assert has_speech(spoken + np.float32(offset))
    decisions = np.array(plain.feed(spoken) + plain.flush())
    found = np.array(moved.feed(spoken + np.float32(offset)) + moved.flush())
    assert (found == decisions).mean() > 0.97 and found.any()


@pytest.mark.parametrize("offset", OFFSETS)
def test_an_offset_is_no_speech(offset: float, detector: Counting) -> None:
    steps = np.repeat(np.array([0, offset, 0, offset / 2], np.float32), SECONDS * RATE)
    assert not has_speech(np.full(SECONDS * RATE, offset, np.float32))
    assert not has_speech(hiss(3) + np.float32(offset))
    assert not has_speech(steps)


def test_the_search_stops_at_the_first_speech(detector: Counting) -> None:
    assert has_speech(vowels(20.0))
    assert detector.questions < 20


def test_speech_is_found_late_in_a_long_recording(detector: Counting) -> None:
    assert has_speech(np.concatenate([hiss(100), vowels(1.0), hiss(100)]))
    assert detector.questions < 60


def test_a_long_noise_costs_no_more_than_its_loudest_places(detector: Counting) -> None:
    bursts = np.tile(MOVING["bursts of noise"], 100)
    assert not has_speech(bursts)
    assert detector.questions < 1_300


def test_threads_do_not_share_a_detector() -> None:
    sounds = [vowels(1.0), MOVING["brown noise"], vowels(1.0, 200), MOVING["clicks"]]
    answers: dict[int, list[bool]] = {}

    def ask(number: int) -> None:
        answers[number] = [has_speech(sounds[number % 4]) for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [number % 2 == 0] * 5 for number in range(8)}


@pytest.mark.parametrize("first", ["", "import torch; torch.set_num_threads(2)\n"])
def test_the_detector_keeps_to_one_core_and_leaves_the_environment_alone(first: str) -> None:
    if first:
        pytest.importorskip("torch")
    code = (
        f"{first}import os, time\n"
        "before = dict(os.environ)\n"
        "from emelia.audio.speech.detector import has_speech\n"
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from vowels import vowels\n"
        "sound = vowels(1.0)\n"
        "has_speech(sound)\n"
        "assert dict(os.environ) == before\n"
        "one, all_ = time.thread_time(), time.process_time()\n"
        "for _ in range(20): has_speech(sound)\n"
        "one, all_ = time.thread_time() - one, time.process_time() - all_\n"
        "assert all_ < 1.5 * one, (one, all_)\n"
    )
    environment = {**os.environ, "OMP_THREAD_LIMIT": "7", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(SUPPORT)]
    subprocess.run(command, env=environment, check=True, timeout=60)


def test_the_gate_opens_where_somebody_speaks(detector: Counting) -> None:
    wave = talk(4, 3, 4, 2, 3)
    gate = SpeechGate()
    decisions = np.array(gate.feed(wave) + gate.flush())
    assert len(decisions) == len(wave) // 512
    time = np.arange(len(decisions)) * FRAME_SECONDS
    spoken = ((time > 4) & (time < 7)) | ((time > 11) & (time < 13))
    near = np.abs(time[:, None] - [4, 7, 11, 13]).min(axis=1) < 0.25
    assert not decisions[~spoken & ~near].any()
    assert decisions[spoken & ~near].mean() > 0.7  # some syllables are nearly silent
    assert detector.questions < 0.3 * len(decisions)


def test_the_gate_does_not_care_how_sound_is_cut() -> None:
    wave = talk(1, 2, 1.5, 1, 0.77)
    whole, gate = SpeechGate(), SpeechGate()
    expected = whole.feed(wave) + whole.flush()
    found = [decision for piece in cuts(wave, 3) for decision in gate.feed(piece)]
    assert found + gate.flush() == expected
    assert gate.flush() == []


def test_the_gate_stays_shut_before_silence_noise_and_tones(detector: Counting) -> None:
    gate = SpeechGate()
    sound = np.concatenate([np.zeros(5 * RATE, np.float32), tone(180), np.tile(noise(0), 4)])
    assert not any(gate.feed(sound))
    assert detector.questions < 100  # where noise sets in after silence it might be speech


def test_the_gate_hears_a_quiet_speaker_after_a_loud_one() -> None:
    gate = SpeechGate()
    gate.feed(talk(0, 3))
    gate.feed(hiss(3))
    assert np.mean(gate.feed(0.05 * talk(0, 3))) > 0.4


def real_clips(folder: Path, every: int) -> Iterator[tuple[Path, Wave]]:
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".flac", ".ogg"))[::every]:
        try:
            yield path, resample(*decode(path))
        except AudioError:
            continue


@pytest.mark.parametrize("name", ["aesdd", "ravdess", "emodb", "nemo"])
def test_acted_speech_is_speech(corpora: Callable[[str], Path], name: str) -> None:
    found = {p: has_speech(w) for p, w in real_clips(corpora(name), 23 if name != "nemo" else 97)}
    assert np.mean(list(found.values())) >= 0.97, [p for p, spoken in found.items() if not spoken]


def test_very_quiet_recordings_of_speech_are_speech(corpora: Callable[[str], Path]) -> None:
    folder = corpora("ravdess")
    quiet = [
        w for actor in ("Actor_09", "Actor_20") for _, w in real_clips(folder / actor, 1)
        if np.sqrt(np.square(w).mean()) < 1e-3
    ]  # fmt: skip
    assert len(quiet) >= 10
    assert all(has_speech(wave) for wave in quiet)
