"""Temperatures of a study's trainings, thresholds that are asked for, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import fake_study
import numpy as np
import pytest
from numpy.typing import NDArray

from emelia import metrics
from emelia.config import FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.config.thresholds import Thresholds
from emelia.corpora import read_corpus
from emelia.corpora.splits.scheme import make_split
from emelia.errors import RunError
from emelia.learn.export.calibrate import by_emotion, threshold
from emelia.learn.export.card_figures import figures
from emelia.learn.export.temperature import Answers, answers_of, read_answers, temperature
from emelia.learn.study import cell as cells
from emelia.learn.study.cell import run_cell
from emelia.learn.study.tasks import tasks
from emelia.results import Cell, Study, read_results, studies
from emelia.show.card.failures import failures
from emelia.show.report import confidence_section, plots_calibration

ROOT = Path(__file__).parents[3]
OLD = fake_study.study(fake_study.loso(fake_study.utterances()), ["variable-3"], [0, 1])


def heated(given: Sequence[Cell], heats: Sequence[float]) -> Study:
    """The same study with temperatures, in turn."""
    made = [replace(cell, temperature=heats[i % len(heats)]) for i, cell in enumerate(given)]
    return studies(made)[0]


def answers(size: int = 3000, scale: float = 1.0, seed: int = 0) -> Answers:
    """Answers whose truth is drawn from their own softmax; logits then grown by a factor."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.standard_normal((size, 3))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (rng.random((size, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    names = tuple(str(i % 8) for i in range(size))
    sexes = tuple("female" if i % 2 else "male" for i in range(size))
    return Answers(names, ("",) * size, names, sexes, truth, scale * logits)


# A training's temperature


def test_a_training_fits_its_temperature_on_its_validation_clips(
    small_corpus: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []

    def fitted(given: Answers) -> float:
        seen.append(given.ids)
        return 1.7

    monkeypatch.setattr(cells, "temperature", fitted)
    corpus = read_corpus(small_corpus())
    recipe = Recipe(
        "tiny", features=FeatureConfig(mels=16), model=ModelConfig(width=2),
        train=TrainConfig(2, 0, 4, lr=0.003),
    )  # fmt: skip
    task = tasks(corpus, make_split(corpus, "loso"), [recipe], [0])[0]
    cell = run_cell(task, tmp_path, lambda done, total, facts: None)
    parts = read_answers(tmp_path, len(corpus.emotions))
    assert seen == [tuple(u.id for u in task.fold.validation)] == [parts["validation"].ids]
    assert cell.temperature == 1.7
    place = [parts["test"].ids.index(str(p["id"])) for p in cell.predictions]
    for found, heat in ((cell.probabilities, 1.0), (cell.calibrated, cell.temperature)):
        np.testing.assert_allclose(found, parts["test"].probabilities(heat)[place], atol=1e-3)
    assert Cell.from_json(cell.to_json()).temperature == 1.7
    assert parts["test"].genders == tuple(str(p["gender"]) for p in cell.predictions)


def test_a_temperature_reaches_answers_that_seemed_certain() -> None:
    """Small probabilities keep their digits on disk, so that calibration can raise them."""
    logits = np.array([[12.0, 0.0, -3.0]])
    said = np.exp(logits) / np.exp(logits).sum()
    record = {**OLD[0].predictions[0], "truth": 0,
              "probabilities": [float(f"{p:.4g}") for p in said[0]]}  # fmt: skip
    cell = replace(OLD[0], classes=("a", "b", "c"), predictions=(record,), temperature=4.0)
    want = np.exp(logits / 4) / np.exp(logits / 4).sum()
    np.testing.assert_allclose(cell.calibrated, want, atol=1e-3)
    assert cell.calibrated[0, 0] < 0.95 < cell.probabilities[0, 0]


def test_lines_of_earlier_versions_are_uncalibrated() -> None:
    values = json.loads(OLD[0].to_json())
    del values["temperature"]
    cell = Cell.from_json(json.dumps(values))
    assert cell == OLD[0] and cell.temperature == 1
    np.testing.assert_allclose(cell.calibrated, cell.probabilities, atol=3e-4)  # of rounding


@pytest.mark.parametrize("heat", [0, -1.5, float("nan"), float("inf"), "warm", None])
def test_a_line_with_a_damaged_temperature_is_refused(heat: object) -> None:
    line = json.dumps({**json.loads(OLD[0].to_json()), "temperature": heat})
    with pytest.raises(RunError, match="wrong kind"):
        Cell.from_json(line)


def test_a_temperature_changes_no_answer_of_a_study() -> None:
    before, after = heated(OLD, [1.0]).rows[0], heated(OLD, [0.4, 2.5, 1.7]).rows[0]
    assert (before.uar, before.accuracy_interval) == (after.uar, after.accuracy_interval)
    np.testing.assert_array_equal(before.confusion, after.confusion)


def test_answers_that_are_all_right_or_no_numbers_give_no_temperature() -> None:
    some = answers(200)
    perfect = replace(some, truth=some.logits.argmax(axis=1))
    assert temperature(perfect) == 1.0
    with pytest.raises(ValueError, match="expected"):
        answers_of([{"truth": 0, "logits": [float("nan"), 0.0]}], 2)


# A study's figures


def test_figures_of_a_row_are_means_over_its_seeds() -> None:
    study = heated(OLD, [2.0, 1.5])
    worth = study.rows[0].calibration
    assert worth and worth.fitted and worth.after.shape == (2, len(worth.truth), 5)
    for figure, metric in (("error", metrics.calibration_error), ("brier", metrics.brier_score)):
        for suffix, chances in (("", worth.after), ("_before", worth.before)):
            want = np.mean([metric(worth.truth, row) for row in chances])
            assert getattr(worth, figure + suffix) == pytest.approx(want)
    areas = [metrics.risk_coverage(worth.truth, row).area for row in worth.after]
    assert worth.area == pytest.approx(np.mean(areas))
    assert worth.risk == pytest.approx(1 - study.rows[0].accuracy)
    assert worth.interval.low < worth.error < worth.interval.high


def test_old_results_give_the_figures_they_gave() -> None:
    """Frozen from the cells in docs/results before there were temperatures."""
    (study,) = studies(read_results(ROOT / "docs" / "results" / "aesdd-loso.jsonl"))
    row = next(row for row in study.rows if row.recipe == "emelia")
    worth = row.calibration
    assert worth and not worth.fitted
    figures = [row.accuracy, row.uar, worth.error, worth.brier, worth.area, worth.perfect]
    want = [0.498344, 0.498181, 0.126739, 0.662, 0.356, 0.037]
    np.testing.assert_allclose(figures, want, atol=5e-4)


def test_the_table_tells_what_temperatures_changed() -> None:
    study = heated([*OLD, *(replace(c, recipe="other", recipe_digest="0") for c in OLD)], [1.0])
    plain = confidence_section.table(study)
    assert [row[-1] for row in plain.rows] == ["uncalibrated"] * 2
    assert "ECE % before" not in plain.columns and "no temperature was fitted" in plain.note
    half = [*(replace(c, temperature=1.2 + 0.1 * (c.seed)) for c in OLD),
            *(replace(c, recipe="other", recipe_digest="0") for c in OLD)]  # fmt: skip
    mixed = confidence_section.table(studies(half)[0])
    row = dict(zip(mixed.columns, mixed.rows[0], strict=True))
    worth = studies(half)[0].rows[0].calibration
    assert worth and row["temperatures"] == "1.20–1.30"
    assert row["ECE % before"] == f"{100 * worth.error_before:.1f}"
    ends = f"{100 * worth.interval.low:.1f}–{100 * worth.interval.high:.1f}"
    perfect = f"{100 * worth.perfect:.1f}"
    assert row["ECE % (95 %; perfect)"] == f"{100 * worth.error:.1f} ({ends}; {perfect})"
    other = dict(zip(mixed.columns, mixed.rows[1], strict=True))
    assert (other["Brier before"], other["temperatures"]) == ("–", "uncalibrated")


def test_the_pictures_show_curves_and_tell_them_in_words() -> None:
    study = heated(OLD, [2.0])
    worth = study.rows[0].calibration
    assert worth
    (_, caption, told), (figure, area, words) = confidence_section.pictures(study.rows[0])
    assert f"{100 * worth.error:.1f} % (" in caption and "would be perfect" in told
    assert f"{100 * worth.area:.1f} %" in area
    assert f"100 % accepted, {100 * worth.risk:.1f} % of them" in words
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    x, y = map(np.asarray, lines["answers"].get_data())
    drawn = worth.curve.coverage * worth.after[..., 0].size >= 10
    np.testing.assert_allclose(x, 100 * worth.curve.coverage[drawn])
    np.testing.assert_allclose(y, 100 * (1 - worth.curve.accuracy[drawn]))
    both = plots_calibration.reliability(worth.bins, worth.bins_before).axes[0]
    (before,) = (line for line in both.lines if line.get_label() == "uncalibrated")
    filled = [one for one in worth.bins_before if one["n"]]
    np.testing.assert_allclose(
        np.asarray(before.get_xdata()), [100 * one["confidence"] for one in filled]
    )
    (plain, _, _), _ = confidence_section.pictures(heated(OLD, [1.0]).rows[0])
    assert "uncalibrated" not in [line.get_label() for line in plain.axes[0].lines]


def test_the_conclusions_say_what_confidence_is_worth() -> None:
    row = heated(OLD, [3.0]).rows[0]
    worth = row.calibration
    assert worth
    sure, chosen = confidence_section.conclusions(row)
    gain = 100 * (worth.error_before - worth.error)
    told = f"takes away {gain:.1f} of" if gain > 0 else f"adds {-gain:.1f} points to"
    assert told in sure
    assert (
        f"surest half of the answers of variable-3 {100 * worth.curve.accuracy_at(0.5):.1f} %"
        in (chosen)
    )
    assert "uncalibrated" in confidence_section.conclusions(heated(OLD, [1.0]).rows[0])[0]
    broken = tuple({**p, "probabilities": [float("nan")] * 5} for p in OLD[0].predictions)
    lost = studies([replace(OLD[0], predictions=broken)])[0]
    assert confidence_section.conclusions(lost.rows[0]) == []
    assert confidence_section.table(lost).rows == ()


# The threshold that is asked for


@pytest.mark.parametrize("wanted", [0.7, 0.8, 0.9])
def test_the_threshold_is_the_lowest_that_gives_the_wanted_accuracy(wanted: float) -> None:
    given = answers()
    found = threshold(given, 1.0, wanted)
    chances = given.probabilities()
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == given.truth
    assert found.reached and f"{100 * wanted:g} % of the accepted" in found.rule
    assert right[sure >= found.limit].mean() >= wanted
    lower = sorted({s for s in sure if s < found.limit - 1e-4})
    assert all(right[sure >= s].mean() < wanted for s in lower[:: max(1, len(lower) // 50)])


def test_a_wanted_accuracy_holds_on_other_clips_of_the_same_kind() -> None:
    found = threshold(answers(), 1.0, 0.8)
    told = figures(answers(seed=1), ("a", "b", "c"), 1.0, found.limits)
    assert told["accepted_accuracy"] == pytest.approx(0.8, abs=0.03)
    assert 0.2 < told["accepted"] < 0.9


def test_an_accuracy_out_of_reach_is_reported() -> None:
    found = threshold(answers(), 1.0, 1.0)
    assert not found.reached
    assert "median" in found.rule and "100 % of the accepted" in found.rule
    assert "no confidence gives more than 9" in found.rule


def test_an_emotion_that_neutral_speech_is_taken_for_has_a_higher_threshold() -> None:
    """Anger is answered to half of the neutral clips, less surely than to angry ones."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 600)  # anger, neutral, sadness
    logits = 2.0 * np.eye(3)[truth] + rng.standard_normal((1800, 3)) * 0.3
    taken = np.flatnonzero(truth == 1)[::2]
    logits[taken] = [1.5, 0.0, 0.0] + rng.standard_normal((300, 3)) * 0.3
    given = Answers(("",) * 1800, ("",) * 1800, ("",) * 1800, ("",) * 1800, truth, logits)
    names = ("anger", "neutral", "sadness")
    own = by_emotion(given, 1.0, names, 0.4, 0.75)
    assert set(own) == {"anger"} and own["anger"] > 0.4
    limits, chances = Thresholds(0.4, own), given.probabilities(1.0)
    sure = limits.accepted(names, chances) & (chances.argmax(1) == 0)
    # By hand: of the sure anger, neutral clips counted as 30 % of all instead of a third.
    neutral, angry = (sure & (truth == 1)).sum() * 0.3 * 3, (sure & (truth == 0)).sum() * 0.7 * 1.5
    assert 0.75 <= angry / (angry + neutral) < 0.76
    assert by_emotion(given, 1.0, ("anger", "calm", "sadness"), 0.4, 0.75) == {}


# The card's figures and known failures


def test_figures_of_a_card_hold_confidence_and_groups() -> None:
    given = answers(400, scale=3.0)
    found = figures(given, ("a", "b", "c"), 3.0, Thresholds(0.5))
    json.dumps(found, allow_nan=False)
    assert found["ece"][1] < found["ece"][0] and found["brier"][1] < found["brier"][0]
    assert found["ece_interval"][0] < found["ece"][1] < found["ece_interval"][1]
    assert set(found["per_sex"]) == {"female", "male"}
    assert np.sum(found["confusion"]) == 400 and sum(b["n"] for b in found["reliability"]) == 400
    shares = dict(map(tuple, found["risk_coverage"]))
    assert shares[1.0] == found["accuracy"][0] and shares[0.2] > shares[1.0]
    nobody = replace(given, genders=("",) * 400)
    assert "per_sex" not in figures(nobody, ("a", "b", "c"), 3.0, Thresholds(0.5))


def told(matrix: NDArray[np.int64]) -> list[str]:
    labels = ("anger", "fear", "joy")
    truth, said = (np.repeat(where.ravel(), matrix.ravel()) for where in np.indices((3, 3)))
    names = tuple("low" if t != s else "high" for t, s in zip(truth, said, strict=True))
    given = Answers(names, ("",) * len(truth), names, ("",) * len(truth), truth, np.eye(3)[said])
    return failures(figures(given, labels, 1.0, Thresholds(0.0)), labels)


def test_known_failures_are_written_from_the_figures() -> None:
    lines = told(np.array([[8, 1, 1], [6, 3, 1], [0, 0, 10]]))
    assert lines == [
        "Emotions found in fewer than half of their clips: fear (30.0 %).",
        "Speakers with fewer than half of the answers right: low (0.0 %).",
        "Most frequent confusions: fear taken for anger (60.0 % of the fear clips, 6 of them).",
    ]
    assert told(np.diag([5, 5, 5])) == [
        "No emotion, corpus or speaker of the test clips lies under 50 %."
    ]
    assert failures({}, ("a", "b")) == []


def test_an_emotion_without_test_clips_has_not_failed() -> None:
    assert told(np.diag([5, 0, 5])) == [
        "No emotion, corpus or speaker of the test clips lies under 50 %."
    ]
