"""What Python programs hand to `predict` is taken where it is plain, and else named in one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import RATE, voice
from listeners import hiss, talk
from toy_model import write_toy

from emelia.errors import AudioError, ConfigError
from emelia.use.answer import Prediction
from emelia.use.recognizer import Recognizer, load

WAVE = voice(140, 3, 0)


class Tensor:
    """Stands for a tensor of torch: an array-like with gradients."""

    def __init__(self, *, attached: bool = True) -> None:
        self._attached = attached

    def detach(self) -> Tensor:
        return Tensor(attached=False)

    def cpu(self) -> Tensor:
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        assert not self._attached
        return WAVE


class AudioDecoder:
    """Stands for the decoder of torchcodec that `datasets` gives."""

    def get_all_samples(self) -> Any:
        return type("Samples", (), {"data": WAVE[None], "sample_rate": RATE})()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    return load(write_toy(tmp_path_factory.mktemp("model") / "toy.onnx"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    soundfile.write(path, WAVE, RATE, "FLOAT")
    return path


SAMPLES: dict[str, Callable[[], tuple[Any, int | None]]] = {
    "a list": lambda: (WAVE.tolist(), RATE),
    "a list of lists": lambda: ([WAVE.tolist(), WAVE.tolist()], RATE),
    "a tensor": lambda: (Tensor(), RATE),
    "a masked array": lambda: (np.ma.masked_array(WAVE), RATE),
    "a rate of numpy": lambda: (WAVE, np.int64(RATE)),
    "a whole rate": lambda: (WAVE, float(RATE)),
    "as librosa": lambda: ((WAVE, RATE), None),
    "as gradio": lambda: ((RATE, (WAVE * 32767).astype(np.int16)), None),
    "as datasets": lambda: ({"array": WAVE, "sampling_rate": RATE, "path": "x.wav"}, None),
    "as pipelines": lambda: ({"raw": WAVE, "sampling_rate": RATE}, None),
    "as torchcodec": lambda: (AudioDecoder(), None),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_samples_are_taken_in_every_plain_shape(asked: Recognizer, kind: str) -> None:
    source, rate = SAMPLES[kind]()
    want, got = asked.predict(WAVE, RATE), asked.predict(source, rate)
    assert got.seconds == want.seconds
    assert got.probabilities == pytest.approx(want.probabilities, abs=1e-3)


FILES: dict[str, Callable[[Path], Any]] = {
    "a path as text": str,
    "bytes": Path.read_bytes,
    "a bytearray": lambda path: bytearray(path.read_bytes()),
    "a memoryview": lambda path: memoryview(path.read_bytes()),
    "a dict with bytes": lambda path: {"bytes": path.read_bytes(), "path": "elsewhere.wav"},
    "a dict with a path": lambda path: {"bytes": None, "path": str(path)},
}


@pytest.mark.parametrize("kind", FILES)
def test_files_are_taken_in_every_plain_shape(asked: Recognizer, clip: Path, kind: str) -> None:
    (got,) = asked.predict_many([FILES[kind](clip)])
    want = asked.predict(clip)
    assert isinstance(got, Prediction) and got.probabilities == want.probabilities


def test_an_open_file_and_a_home_folder_are_taken(
    asked: Recognizer, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = asked.predict(clip).probabilities
    with clip.open("rb") as file:
        assert asked.predict(file).probabilities == want
    monkeypatch.setenv("HOME", str(clip.parent))
    assert asked.predict("~/clip.wav").probabilities == want
    assert asked.timeline("~/clip.wav").seconds == 3


def test_a_timeline_takes_samples_too(asked: Recognizer, clip: Path) -> None:
    want = asked.timeline(clip)
    as_dict = {"array": WAVE, "sampling_rate": RATE}
    for source in ((WAVE, RATE), as_dict, memoryview(clip.read_bytes())):
        got = asked.timeline(source)
        assert got.seconds == want.seconds
        assert [s.to_dict() for s in got.segments] == [s.to_dict() for s in want.segments]


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "None: expected a path, the bytes of a file, samples with rate="),
    "a number": (7, "7: expected a path"),
    "an empty dict": ({}, "dict with the keys none: expected a path"),
    "another dict": ({"audio": 1}, "dict with the keys audio: expected a path"),
    "text in a list": (["a.wav", "b.wav"], "samples without a rate|expected samples"),
    "samples without rate": (WAVE, "samples without a rate; give it in Hz"),
    "a pair of text": (("a", "b"), "samples without a rate|expected samples"),
    "ragged lists": (([[0.1], [0.1, 0.2]], RATE), "no samples .*expected a path"),
    "masked samples": ((np.ma.masked_less(WAVE, 0), RATE), "some samples are masked"),
    "a rate of text": ((WAVE, "16000"), "samples without a rate|expected|no samples"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_recording_is_one_line_in_its_place(
    asked: Recognizer, clip: Path, kind: str
) -> None:
    source, text = REFUSED[kind]
    error, answer = asked.predict_many([source, clip])
    assert isinstance(error, AudioError) and isinstance(answer, Prediction)
    assert "\n" not in str(error)
    with pytest.raises((AudioError, ConfigError), match=text):
        asked.predict(source)


@pytest.mark.parametrize("rate", ["16000", 16000.5, True])
def test_a_rate_is_a_whole_number(asked: Recognizer, rate: Any) -> None:
    with pytest.raises(ConfigError, match=r"expected whole Hz, as in rate=16000\."):
        asked.predict(WAVE, rate)


def test_an_answer_is_printed_on_one_short_line(asked: Recognizer) -> None:
    answer = asked.predict(WAVE, RATE)
    assert str(answer).startswith(answer.in_words()) and len(str(answer)) < 80
    assert "\n" not in repr(answer) and "array" not in repr(answer)


def test_a_recognizer_can_be_sent_to_another_process(asked: Recognizer) -> None:
    sent = pickle.loads(pickle.dumps(asked))
    assert sent.predict(WAVE, RATE).probabilities == asked.predict(WAVE, RATE).probabilities
    assert (sent.emotions, sent.threshold) == (asked.emotions, asked.threshold)


# Channels

REST = np.zeros_like(WAVE)
CALL = np.stack([np.append(WAVE, REST), np.append(REST, voice(220, 3, 1))], axis=1)


def test_each_channel_is_answered_by_its_name(asked: Recognizer) -> None:
    told = asked.predict(CALL, RATE, channel="each")
    assert list(told) == ["left", "right"]
    for name, answer in told.items():
        alone = asked.predict(CALL, RATE, channel=name)  # type: ignore[call-overload]
        assert answer.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        assert not answer.warnings
    assert "channels differ" in asked.predict(CALL, RATE).warnings[0]
    assert list(asked.predict(WAVE, RATE, channel="each")) == ["mono"]
    with pytest.raises(ConfigError, match="channel: 'up'"):
        asked.predict(WAVE, RATE, channel="up")  # type: ignore[call-overload]


def test_many_and_timelines_have_channels_too(asked: Recognizer, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    call = np.stack([np.append(talk(0, 3), hiss(4)), np.append(hiss(4), talk(0, 3))], axis=1)
    soundfile.write(path, call, RATE)
    (told,) = asked.predict_many([path], channel="each")
    assert isinstance(told, dict) and list(told) == ["left", "right"]
    found = asked.timeline(path, channel="each")
    assert [one.path for one in found.values()] == [f"{path} [left]", f"{path} [right]"]
    assert found["left"].segments[-1].end < 4 < found["right"].segments[0].end
    assert all(one.seconds == 7 for one in found.values())
    assert "channels differ" in asked.timeline(path).to_dict()["warnings"][0]
