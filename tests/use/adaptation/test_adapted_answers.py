"""A recognizer gets used to a source: only when asked, from enough clips, and says what it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from toy_model import ADAPTATION, CENTRE, LABELS, SCALE, write_adaptable, write_toy

from emelia import Recognizer, load
from emelia.audio.speech.speech_runs import Run
from emelia.errors import ConfigError, ModelError
from emelia.use import pooling
from emelia.use.adaptation.profile import write_profile
from emelia.use.model import Model
from emelia.use.timeline.live import Live

RATE = 16_000
LOUDER = 0.04  # what a source adds to the mean that the toy hears
MEANS = [(row[0] + float(CENTRE)) / float(SCALE) for row in ADAPTATION["means"]]  # type: ignore[index]


@pytest.fixture(autouse=True)
def _all_is_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "speech_runs", lambda w: [Run(0, len(w))] if w.any() else [])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_adaptable(tmp_path / "toy.onnx")


@pytest.fixture
def plain(file: Path) -> Recognizer:
    return load(file)


def clip(mean: float, seconds: float = 2.0) -> tuple[NDArray[np.float64], int]:
    """Sound with a mean absolute sample, its peak at 1."""
    wave = np.linspace(0, 1, round(seconds * RATE)) ** (1 / mean - 1)
    return wave * np.where(np.arange(len(wave)) % 2, 1, -1), RATE


def collection(*counts: int, louder: float = LOUDER) -> list[tuple[NDArray[np.float64], int]]:
    """So many clips of each class, from a source."""
    return [clip(m + louder) for m, n in zip(MEANS, counts, strict=True) for _ in range(n)]


def test_the_offset_does_in_the_answer_what_it_does_in_the_graph(file: Path) -> None:
    model = Model(file)
    waves = [clip(mean)[0].astype(np.float32) for mean in (0.2, 0.4)]
    offset = np.array([5.0], np.float32)
    for heard, moved in zip(model.run(waves), model.run(waves, offset), strict=True):
        logs = heard.log_probabilities + model.readout @ offset
        expected = moved.log_probabilities
        np.testing.assert_allclose(logs - logs[0], expected - expected[0], atol=1e-4)


def test_adapting_brings_answers_back_and_tells_of_it(plain: Recognizer) -> None:
    clips = collection(6, 6, 6, 6)
    truth = np.repeat(LABELS, 6)
    before = [plain.predict(one) for one in clips]
    adapted = plain.adapt(clips)
    after = [adapted.predict(one) for one in clips]
    right = [np.mean([a.emotion == t for a, t in zip(each, truth, strict=True)])
             for each in (before, after)]  # fmt: skip
    assert right[1] > right[0]
    changed = sum(a.emotion != b.emotion for a, b in zip(after, before, strict=True))
    assert str(adapted.adaptation) == f"adapted to 24 recordings; {changed} answers changed"
    assert {a.adapted for a in after} == {24} == {adapted.adapted}
    assert after[0].to_dict()["adapted"] == 24 and "adapted" not in before[0].to_dict()
    assert (plain.source, plain.adapted, plain.threshold, adapted.threshold) == (None, 0, 0.4, 0.3)
    again = [adapted.again(one).probabilities for one in before]
    for one, other in zip(again, after, strict=True):
        assert one == pytest.approx(other.probabilities, abs=1e-6)


def test_one_emotion_alone_is_not_taken_for_the_source(plain: Recognizer) -> None:
    adapted = plain.adapt(collection(0, 0, 30, 0, louder=0.0))
    assert adapted.adaptation is not None and adapted.adaptation.changed == 0


def test_known_clips_bring_in_what_nobody_could_guess(plain: Recognizer) -> None:
    """Anger alone, made as quiet as fear: without a label nothing tells it from fear."""
    clips = collection(4, 0, 0, 0, louder=MEANS[1] - MEANS[0])
    guessed, told = plain.adapt(clips), plain.adapt([], known={"angry": clips})
    assert guessed.predict(clips[0]).emotion == "fear"
    assert told.predict(clips[0]).emotion == "anger"
    assert str(told.adaptation).startswith("adapted to 4 recordings")
    with pytest.raises(ConfigError, match="'wow' is unknown"):
        plain.adapt([], known={"wow": clips})


def test_from_too_few_recordings_answers_stay_plain_and_the_rest_is_told(
    plain: Recognizer, tmp_path: Path
) -> None:
    short, silent = clip(0.3, 0.5), (np.zeros(RATE), RATE)
    clips = [*collection(2, 0, 0, 0), short, silent, tmp_path / "none.wav"]
    adapted = plain.adapt(clips)
    assert adapted.adaptation is not None and len(adapted.adaptation.unused) == 3
    assert "2 recordings with enough speech: too few to adapt to" in str(adapted.adaptation)
    assert adapted.predict(clips[0]).to_dict() == plain.predict(clips[0]).to_dict()
    more = adapted.adapt(collection(1, 0, 0, 0))
    assert str(more.adaptation).startswith("adapted to 1 recording (and 2 before); ")


def test_chosen_emotions_thresholds_and_temperature_hold(tmp_path: Path) -> None:
    told = {**ADAPTATION, "temperature": 4.0}
    file = write_adaptable(tmp_path / "warm.onnx", adaptation=told)
    clips = collection(6, 6, 6, 6)
    some = load(file, emotions=["fear", "sadness"], threshold=0.9).adapt(clips)
    answer, full = some.predict(clips[0]), load(file).adapt(clips).predict(clips[0])
    assert some.threshold == 0.9 and answer.unsure
    assert answer.probabilities["fear"] == pytest.approx(
        full.probabilities["fear"] / (full.probabilities["fear"] + full.probabilities["sadness"])
    )
    cool = load(write_adaptable(tmp_path / "cool.onnx")).adapt(clips).predict(clips[0])
    ratio = np.log(cool.probabilities["anger"] / cool.probabilities["sadness"])
    warm = np.log(full.probabilities["anger"] / full.probabilities["sadness"])
    assert warm == pytest.approx(ratio / 4, rel=1e-3)


def test_a_profile_is_opened_with_its_model_and_refused_by_others(
    plain: Recognizer, file: Path, tmp_path: Path
) -> None:
    clips = collection(4, 4, 4, 4)
    adapted = plain.adapt(clips)
    assert adapted.source is not None
    write_profile(tmp_path / "office.json", adapted.source)
    opened = load(file, source=tmp_path / "office.json")
    assert opened.predict(clips[0]).to_dict() == adapted.predict(clips[0]).to_dict()
    with pytest.raises(ModelError, match="cannot be adapted"):
        load(write_toy(tmp_path / "other.onnx"), source=tmp_path / "office.json")
    with pytest.raises(ModelError, match="cannot be adapted"):
        load(tmp_path / "other.onnx").adapt(clips)


def test_a_stream_is_got_used_to_as_it_goes(
    plain: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning = plain.as_it_goes(window=2, hop=2)
    waves = [one[0].astype(np.float32) for one in collection(3, 3, 3, 3)]
    counts = []
    for wave in waves:
        told = learning.probabilities([wave])
        counts.append(learning.adapted)
    assert counts == [0, 0, *range(3, 13)]
    assert not np.allclose(told, plain.probabilities(waves[-1:]))
    assert learning.threshold == 0.3 and plain.adapted == 0
    with pytest.raises(ConfigError, match="window"):
        Live(plain, window=0, adapt=True)
