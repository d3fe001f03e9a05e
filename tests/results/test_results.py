"""Cells on disk, and their figures compared with scikit-learn, SciPy and arithmetic."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_study
import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from emelia.errors import RunError
from emelia.metrics import interval
from emelia.results import Architecture, Cell, Layer, read_results, studies, summarise

CLIPS = fake_study.utterances()
LOSO = fake_study.loso(CLIPS)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return fake_study.study(LOSO)


def write(path: Path, cells: Sequence[Cell], tail: str = "") -> Path:
    path.write_text("".join(f"{cell.to_json()}\n" for cell in cells) + tail, encoding="utf-8")
    return path


def said(cells: Sequence[Cell], recipe: str, seed: int) -> tuple[list[int], list[int]]:
    """Truth and predictions of a seed, read from the raw records."""
    clips = [
        (p["truth"], int(np.argmax(p["probabilities"])))
        for cell in cells
        if (cell.recipe, cell.seed) == (recipe, seed)
        for p in cell.predictions
    ]
    return [truth for truth, _ in clips], [guess for _, guess in clips]


# On disk


def test_a_cell_comes_back_from_its_line_as_it_was(cells: list[Cell]) -> None:
    line = cells[0].to_json()
    assert "\n" not in line
    assert Cell.from_json(line) == cells[0]


def test_a_line_of_a_later_version_is_read(cells: list[Cell]) -> None:
    values = json.loads(cells[0].to_json()) | {"calibration": {"temperature": 1.3}}
    assert Cell.from_json(json.dumps(values)) == cells[0]


def test_a_line_without_the_later_fields_is_read(cells: list[Cell]) -> None:
    values = json.loads(cells[0].to_json())
    del values["demo"], values["folds"]
    assert Cell.from_json(json.dumps(values)) == replace(cells[0], folds=0)


LAYER = {"name": "linear", "shape": [5], "parameters": 5, "sees": None}


def test_the_layers_of_a_network_come_back_from_their_line(cells: list[Cell]) -> None:
    assert cells[0].architecture is None, "as of a line that has none"
    layers = Layer("convolution", (4, 8, 8), 40, (3, 3)), Layer("linear", (5,), 5)
    made = Architecture(layers, (1, 16, 16))
    cell = replace(cells[0], layers=made.records())
    again = Cell.from_json(cell.to_json())
    assert again.architecture == made and (made.parameters, made.sees) == (45, (3, 3))


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda v: _without(v, "seed", "audit"), "has no audit, seed"),
        (lambda v: v | {"predictions": []}, "expected"),
        (lambda v: v | {"predictions": [{"id": "a"}]}, "wrong kind"),
        (lambda v: v | {"predictions": 3}, "wrong kind"),
        (lambda v: v | {"classes": ["anger"]}, "expected"),
        (lambda v: v | {"best_epoch": 99}, "best epoch 99 of 40"),
        (lambda v: v | {"best_epoch": "last"}, "wrong kind"),
        (lambda v: v | {"history": [{}]}, "without loss"),
        (lambda v: v | {"predictions": [p | {"truth": 7} for p in v["predictions"]]}, "truth"),
        (lambda v: v | {"layers": [{"name": "linear"}]}, "wrong kind"),
        (lambda v: v | {"layers": [LAYER, LAYER]}, "layers begin with 'linear'"),
        (lambda v: v | {"layers": [LAYER | {"name": "input"}]}, "expected 'input' and more"),
        (lambda v: v | {"layers": [LAYER | {"sees": [1, 2, 3]}]}, "wrong kind"),
        (lambda v: [v], "expected a JSON object, got list"),
    ],
)
def test_what_is_no_cell_is_told(cells: list[Cell], spoil: Any, complaint: str) -> None:
    with pytest.raises(RunError, match=complaint):
        Cell.from_json(json.dumps(spoil(json.loads(cells[0].to_json()))))


def test_results_are_read_from_a_file_or_its_folder(tmp_path: Path, cells: list[Cell]) -> None:
    path = write(tmp_path / "results.jsonl", cells[:3])
    assert read_results(path) == read_results(tmp_path) == tuple(cells[:3])


def test_no_file_is_no_cells(tmp_path: Path) -> None:
    assert read_results(tmp_path / "results.jsonl") == ()


def test_a_half_last_line_is_passed_over(tmp_path: Path, cells: list[Cell]) -> None:
    path = write(tmp_path / "results.jsonl", cells[:2], tail=cells[2].to_json()[:500])
    assert read_results(path) == tuple(cells[:2])


def test_a_damaged_line_is_named(tmp_path: Path, cells: list[Cell]) -> None:
    path = write(tmp_path / "results.jsonl", cells[:2], tail='{"key": "0a\n')
    with pytest.raises(RunError, match=r"results\.jsonl, line 3: not JSON .*Delete the line"):
        read_results(path)
    other = tmp_path / "notes.txt"
    other.write_text("hello\n")
    with pytest.raises(RunError, match=r"line 1: not JSON .*Is this a study's results\.jsonl\?"):
        read_results(other)


WRONG = (None, True, 1.5, -1, 10**30, "x", [], {}, [None], {"a": None}, [[]], "nan")


def mutants(value: Any, depth: int = 3) -> Iterator[Any]:
    """The value with each part replaced by each wrong one, as an edited file may have it."""
    yield from WRONG
    if depth and isinstance(value, dict):
        for name, inside in value.items():
            yield {k: v for k, v in value.items() if k != name}
            yield from ({**value, name: new} for new in mutants(inside, depth - 1))
    elif depth and isinstance(value, list) and value:
        yield from ([new, *value[1:]] for new in mutants(value[0], depth - 1))


def test_a_value_of_a_wrong_kind_anywhere_is_an_error_of_one_line_or_harmless(
    cells: list[Cell],
) -> None:
    whole, refused = json.loads(cells[0].to_json()), 0
    tried = list(mutants(whole))
    assert len(tried) > 1000
    for number, values in enumerate(tried):
        try:
            cell = Cell.from_json(json.dumps(values))
        except RunError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        if number % 9 == 0:  # all of them would take a minute
            assert studies([cell]) and summarise([cell]) and cell.calibrated.size
    assert refused > 300


# Figures


def test_figures_are_the_mean_over_seeds_of_pooled_folds(cells: list[Cell]) -> None:
    row = summarise(cells)[0]
    seeds = [said(cells, row.recipe, seed) for seed in (0, 1)]
    accuracies = [accuracy_score(*clips) for clips in seeds]
    uars = [balanced_accuracy_score(*clips) for clips in seeds]
    assert len(seeds[0][0]) == len(CLIPS) == len(row.truth)
    assert row.accuracy == pytest.approx(np.mean(accuracies))
    assert row.uar == pytest.approx(np.mean(uars))
    assert row.macro_f1 == pytest.approx(np.mean([f1_score(*c, average="macro") for c in seeds]))
    assert row.accuracy_spread == pytest.approx(np.std(accuracies, ddof=1))


def test_one_seed_has_no_spread() -> None:
    row = summarise(fake_study.study(LOSO, ["emelia"], [0]))[0]
    assert row.accuracy_spread is None


def test_size_and_time_are_those_of_the_cells(cells: list[Cell]) -> None:
    row = summarise(cells)[1]
    own = [cell for cell in cells if cell.recipe == "emelia"]
    assert row.recipe == "emelia"
    assert row.parameters == 116_261
    assert row.seconds == pytest.approx(np.mean([cell.seconds for cell in own]))
    assert row.validation_uar == pytest.approx(
        np.mean([cell.history[cell.best_epoch - 1]["validation_uar"] for cell in own])
    )


def test_the_order_of_lines_and_clips_does_not_matter(cells: list[Cell]) -> None:
    shuffled = [replace(cell, predictions=cell.predictions[::-1]) for cell in reversed(cells)]
    assert {r.recipe: (r.uar, r.uar_interval, r.per_speaker) for r in summarise(shuffled)} == {
        r.recipe: (r.uar, r.uar_interval, r.per_speaker) for r in summarise(cells)
    }


def test_a_cell_that_is_there_twice_counts_once(cells: list[Cell]) -> None:
    assert summarise([*cells, cells[0]]) == summarise(cells)


def test_of_a_cell_that_is_there_twice_the_first_counts(cells: list[Cell]) -> None:
    """Where a later one says otherwise, the figures stay those that were told before."""
    wrong = tuple(
        {**p, "probabilities": list(np.eye(5)[(p["truth"] + 1) % 5])} for p in cells[0].predictions
    )
    assert summarise([*cells, replace(cells[0], predictions=wrong)]) == summarise(cells)
    assert summarise([replace(cells[0], predictions=wrong), *cells]) != summarise(cells)


def test_the_interval_is_drawn_by_speaker_from_six_on(cells: list[Cell]) -> None:
    row = summarise(cells)[0]
    assert row.accuracy_interval.clustered
    assert row.accuracy_interval.low < row.accuracy < row.accuracy_interval.high
    assert row.uar_interval == interval(row.truth, row.predicted, row.speakers, "uar")
    five = fake_study.loso(fake_study.utterances(speakers=5))
    assert summarise(fake_study.study(five))[0].uar_interval.too_narrow


def test_speakers_have_their_own_clips_and_accuracy(cells: list[Cell]) -> None:
    row = summarise(cells)[0]
    right = [
        p["truth"] == int(np.argmax(p["probabilities"]))
        for cell in cells
        if cell.recipe == row.recipe
        for p in cell.predictions
        if p["speaker"] == "4"
    ]
    assert len(right) == 60  # 5 emotions, 6 sentences, 2 seeds
    assert row.per_speaker["4"] == (30, pytest.approx(np.mean(right)))


def test_the_confusion_matrix_adds_up_all_seeds(cells: list[Cell]) -> None:
    row = summarise(cells)[0]
    assert row.confusion.sum(axis=1).tolist() == [72] * 5  # 36 clips a class, 2 seeds
    assert np.trace(row.confusion) / row.confusion.sum() == pytest.approx(row.accuracy)


def test_a_network_that_diverged_still_has_figures(cells: list[Cell]) -> None:
    lost = [
        replace(c, predictions=tuple({**p, "probabilities": [np.nan] * 5} for p in c.predictions))
        for c in cells[:6]
    ]
    read = [Cell.from_json(cell.to_json()) for cell in lost]
    assert summarise(read)[0].uar == pytest.approx(0.2)


# What is complete, and what may be compared


def test_a_recipe_without_a_finished_seed_is_incomplete(cells: list[Cell]) -> None:
    whole, part = summarise(cells[:-7])  # one fold short of one seed
    assert whole.complete
    assert not part.complete
    assert (len(part.cells), part.expected) == (5, 6)
    assert studies(cells[:-7])[0].pairs == ()


def test_the_best_recipe_is_a_complete_one(cells: list[Cell]) -> None:
    (study,) = studies(cells[:-7])
    assert study.rows[1].uar > study.rows[0].uar  # better, but of five folds
    assert study.best == study.rows[0]
    (study,) = studies(cells)
    assert study.best == study.rows[1]


def test_the_best_recipe_has_the_highest_uar_not_the_highest_accuracy(cells: list[Cell]) -> None:
    """One that answers the commonest emotion alone is often right, and no better than chance."""
    common = [cell for cell in cells if cell.recipe == cells[0].recipe]
    kept = [{**p, "truth": 0 if i % 10 else 1} for i, p in enumerate(common[0].predictions)]

    def answering(name: str, *answers: int) -> Cell:
        told = tuple(
            {**p, "probabilities": list(np.eye(5)[answers[min(i % 10, 1)]])}
            for i, p in enumerate(kept)
        )
        return replace(
            common[0], recipe=name, recipe_digest=name, predictions=told, folds=1, fold="1"
        )

    answers = {"common": (0, 0), "fair": (1, 1), "right": (1, 0)}
    (study,) = studies([answering(name, *own) for name, own in answers.items()])
    by_name = {row.recipe: row for row in study.rows}
    assert by_name["common"].accuracy > 0.85 > 0.2 > by_name["fair"].accuracy
    assert study.best == by_name["right"]
    (study,) = studies([answering("common", 0, 0), half_right(answering, kept)])
    assert study.best and study.best.recipe == "half"
    assert study.best.accuracy < by_name["common"].accuracy


def half_right(answering: Any, kept: list[dict[str, Any]]) -> Cell:
    """Right on all of the rare emotion and on two thirds of the common one: UAR 83 %."""
    cell: Cell = answering("half", 1, 0)
    told = tuple(
        {**p, "probabilities": list(np.eye(5)[2])} if p["truth"] == 0 and i % 3 == 0 else p
        for i, p in enumerate(cell.predictions)
    )
    return replace(cell, predictions=told)


def test_an_unfinished_seed_changes_no_figure(cells: list[Cell]) -> None:
    one_seed = [cell for cell in cells if cell.seed == 0]
    begun = summarise([*one_seed, *(cell for cell in cells if cell.seed == 1 and cell.fold < "4")])
    for row, alone in zip(begun, summarise(one_seed), strict=True):
        assert (row.seeds, row.uar, row.uar_interval) == ((0,), alone.uar, alone.uar_interval)
        assert (len(row.cells), row.expected) == (9, 12)


def test_of_unfinished_seeds_the_one_with_most_folds_is_shown(cells: list[Cell]) -> None:
    begun = [c for c in cells if c.fold < ("3" if c.seed else "5") and c.recipe == "emelia"]
    (row,) = summarise([replace(cell, seed=1 - cell.seed) for cell in begun])
    assert {cell.seed for cell in row.counted[0]} == {1} and len(row.counted[0]) == 4


def test_folds_are_counted_from_what_is_there_if_the_writer_did_not_say(cells: list[Cell]) -> None:
    untold = [replace(cell, folds=0) for cell in cells[:-1]]
    assert [(row.folds, row.seeds) for row in summarise(untold)] == [(6, (0, 1)), (6, (0,))]


def test_other_splits_corpora_and_lists_are_other_studies(cells: list[Cell]) -> None:
    other = fake_study.study(fake_study.at_random(CLIPS))
    changed = [replace(cell, corpus_digest="4567cdef") for cell in cells]
    relisted = [replace(cell, protocol="Other speakers.") for cell in cells]
    found = studies([*cells, *other, *changed, *relisted])
    assert [len(study.rows) for study in found] == [2, 2, 2, 2]
    assert [len(study.pairs) for study in found] == [1, 1, 1, 1]


def test_cells_of_folds_that_were_made_otherwise_are_another_study(cells: list[Cell]) -> None:
    """As where a column of the corpus's table was filled in and the folds made anew."""
    before = [replace(cell, division="before") for cell in cells]
    after = [replace(cell, division="after", key=f"{cell.key}b") for cell in cells]
    found = studies([*before, *after])
    assert [{cell.division for row in s.rows for cell in row.cells} for s in found] == [
        {"before"}, {"after"},
    ]  # fmt: skip


def test_cells_that_do_not_tell_their_folds_belong_to_the_only_ones_told(
    cells: list[Cell],
) -> None:
    told = [replace(cell, division="now") for cell in cells[6:]]
    assert len(studies([*cells[:6], *told])) == 1
    other = [replace(cell, division="other") for cell in cells]
    assert len(studies([*cells[:6], *told, *other])) == 3


def test_two_recipes_of_one_name_are_told_apart(cells: list[Cell]) -> None:
    changed = [replace(cell, recipe_digest="abcd0123") for cell in cells[:12]]
    assert [row.recipe for row in summarise([*cells, *changed])] == [
        f"variable-3 ({fake_study.RECIPES['variable-3'].digest})",
        "emelia",
        "variable-3 (abcd0123)",
    ]


def test_pairs_are_tested_on_the_first_seed_both_have() -> None:
    cells = fake_study.study(LOSO, ["variable-3"], [0, 1]) + fake_study.study(LOSO, ["emelia"], [1])
    (pair,) = studies(cells)[0].pairs
    truth, a = said(cells, "variable-3", 1)
    _, b = said(cells, "emelia", 1)
    only_a = sum(t == x != y for t, x, y in zip(truth, a, b, strict=True))
    only_b = sum(t == y != x for t, x, y in zip(truth, a, b, strict=True))
    assert (pair.first, pair.second, pair.seed) == ("variable-3", "emelia", 1)
    assert (pair.clips, pair.only_first, pair.only_second) == (len(CLIPS), only_a, only_b)
    assert pair.p == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
    assert pair.adjusted == pair.p  # a single pair has nothing to correct


def test_p_values_are_adjusted_for_the_number_of_pairs() -> None:
    pairs = studies(fake_study.study(LOSO, list(fake_study.RECIPES)))[0].pairs
    assert len(pairs) == 6
    ordered = sorted(pairs, key=lambda pair: pair.p)
    assert ordered[0].adjusted == pytest.approx(6 * ordered[0].p)
    for rank, pair in enumerate(ordered):
        assert pair.adjusted == pytest.approx(
            min(1, max((6 - r) * p.p for r, p in enumerate(ordered[: rank + 1])))
        )


def test_recipes_without_a_common_seed_are_not_compared() -> None:
    cells = fake_study.study(LOSO, ["variable-3"], [0]) + fake_study.study(LOSO, ["emelia"], [1])
    assert studies(cells)[0].pairs == ()


# What choosing on the test clips would claim


def test_the_best_test_epoch_is_the_highest_of_each_fold(cells: list[Cell]) -> None:
    fold = fake_study.at_random(CLIPS)
    peeking = fake_study.study(fold, ["variable-3"])
    row = summarise(peeking)[0]
    highest = [max(epoch["test_accuracy"] for epoch in cell.history) for cell in peeking]
    assert row.best_test_accuracy == pytest.approx(np.mean(highest))
    assert summarise(cells)[0].best_test_accuracy is None
    assert summarise(cells)[0].best_test_interval is None


def test_folds_weigh_by_their_clips_in_the_best_test_epoch() -> None:
    one, other = fake_study.study(fake_study.at_random(CLIPS), ["variable-3"])
    small = replace(other, seed=0, fold="2", predictions=other.predictions[:9])
    row = summarise([one, small])[0]
    highest = [max(epoch["test_accuracy"] for epoch in cell.history) for cell in (one, small)]
    assert row.best_test_accuracy == pytest.approx(np.average(highest, weights=[36, 9]))


def test_one_fold_without_test_figures_leaves_no_best_test_epoch() -> None:
    one, other = fake_study.study(fake_study.at_random(CLIPS), ["variable-3"])
    blind = tuple(
        {key: value for key, value in epoch.items() if key != "test_accuracy"}
        for epoch in other.history
    )
    assert summarise([one, replace(other, history=blind)])[0].best_test_accuracy is None


def test_published_figures_are_of_the_founding_corpus_only(cells: list[Cell]) -> None:
    assert [row.published for row in summarise(cells)] == [pytest.approx(0.7438), None]
    elsewhere = [replace(cell, corpus="ravdess") for cell in cells]
    assert [row.published for row in summarise(elsewhere)] == [None, None]


def test_two_seeds_have_a_spread(cells: list[Cell]) -> None:
    for row in summarise(cells):
        low, high = sorted(row.accuracies)
        assert row.accuracy_spread == pytest.approx((high - low) / 2**0.5)


def test_classes_that_were_not_tested_are_named(cells: list[Cell]) -> None:
    kept = [
        replace(c, predictions=tuple(p for p in c.predictions if p["truth"] != 1)) for c in cells
    ]
    assert summarise(kept)[0].untested == ("disgust",)
    assert summarise(cells)[0].untested == ()


def test_only_recipes_of_the_founding_study_have_a_published_figure(cells: list[Cell]) -> None:
    untold = [replace(c, settings={**c.settings, "published": 0.0}) for c in cells]
    bare = [
        replace(c, settings={k: v for k, v in c.settings.items() if k != "published"})
        for c in cells
    ]
    assert summarise(cells)[0].published == pytest.approx(0.7438)
    assert summarise(untold)[0].published is summarise(bare)[0].published is None


def test_risk_and_sureness_are_means_over_seeds_and_clips(cells: list[Cell]) -> None:
    for row in summarise(cells):
        found = row.calibration
        assert found.risk == pytest.approx(1 - row.accuracy)
        assert found.sureness == pytest.approx(np.mean([p.max(axis=1) for p in found.after]))
        assert not found.fitted
    one = [replace(cells[0], temperature=2.0), *cells[1:]]
    assert summarise(one)[0].calibration.fitted


def test_lines_of_versions_without_a_temperature_have_none(cells: list[Cell]) -> None:
    values = json.loads(cells[0].to_json())
    del values["temperature"]
    assert Cell.from_json(json.dumps(values)).temperature == 1.0
