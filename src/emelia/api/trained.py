"""Evaluate what `train` and `study` leave: a run folder, or the best recipe of a study."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emelia.corpora import Corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.errors import RunError
from emelia.packages import require_training
from emelia.results import Row, read_results, summarise
from emelia.results.evaluation import ClipAnswer, Evaluation, of_probabilities
from emelia.text import counted

if TYPE_CHECKING:
    from emelia.learn.study.evaluation import Evaluation as OfRun
    from emelia.learn.training.runs import Run

ReadCorpus = Callable[[str | Path, Sequence[str]], Corpus]

SEEN_CLIPS = "clips left out: training or the choice of the epoch has seen them."
SAME_SPEAKERS = "training has seen other clips of these speakers: the figures flatter."
NAMELESS = (
    "who speaks is not known of every clip: training may have seen the same voices, so that the "
    "figures flatter."
)


def evaluate_runs(folder: Path, corpus: Corpus | str | Path, read: ReadCorpus) -> Evaluation:
    """Test a run, or the networks of a study's best recipe, on a corpus.

    Of a study each clip is answered by those networks that have not seen it, and their
    probabilities are averaged; `parts` has what each of them gets alone.

    Raises:
        RunError: no run or study is there, or no clip can be asked about.
        MissingExtraError: torch is not installed.
    """
    require_training("evaluating a run")
    from emelia.learn.training.runs import load_run

    folders = [folder]
    if (folder / "results.jsonl").is_file():
        folders = folders_of(best_row(folder), folder)
    runs = [load_run(one) for one in folders]
    data = corpus if isinstance(corpus, Corpus) else read(corpus, runs[0].classes)
    if len(runs) == 1:
        return _evaluate(runs[0], folders[0], data)
    return _mean([_evaluate(*two, data) for two in zip(runs, folders, strict=True)])


def best_row(study: Path) -> Row:
    """The recipe of a study with the highest UAR, of those that are complete if any is.

    Raises:
        RunError: the study has no finished training.
    """
    rows = summarise(read_results(study))
    if not rows:
        raise RunError(f"{study}: no finished training yet. `emelia study` goes on.")
    return max(rows, key=lambda row: (row.complete, row.uar))


def folders_of(row: Row, study: Path) -> list[Path]:
    """The run folders of a row's counted cells."""
    found = []
    for cell in (cell for cells in row.counted for cell in cells):
        folders = sorted((study / "cells").glob(f"*-{cell.key}"))
        if not folders:
            raise RunError(
                f"{study}: the run of {cell.recipe}, fold {cell.fold}, seed {cell.seed} is gone "
                "from cells/. Run the study again, or name another run."
            )
        found.append(folders[0])
    return found


def _evaluate(run: Run, folder: Path, corpus: Corpus) -> Evaluation:
    from emelia.learn.study.evaluation import evaluate

    found = evaluate(run, corpus)
    heat, limit, warnings = _calibrated(run, folder)
    chances = [record["probabilities"] for record in found.answers]
    answers = of_probabilities(found.answers, chances, heat, limit)
    if limit is None:  # nothing tells what these probabilities are worth
        answers = tuple(replace(one, probabilities=()) for one in answers)
    return Evaluation(
        run.recipe.name, corpus.name, run.classes, answers, limit, heat,
        left_out=_left_out(found), warnings=(*_worth(found), *warnings),
        demo=corpus.name == "demo",
    )  # fmt: skip


def _left_out(found: OfRun) -> tuple[str, ...]:
    seen = [f"{found.seen} {SEEN_CLIPS}"] if found.seen else []
    foreign = [
        f"{counted(count, 'clip')} of {emotion} left out: the run does not know it."
        for emotion, count in found.foreign.items()
    ]
    return (*seen, *foreign)


def _worth(found: OfRun) -> list[str]:
    nameless = any(answer["speaker"] == UNKNOWN_SPEAKER for answer in found.answers)
    return [SAME_SPEAKERS] * found.shared_speakers + [NAMELESS] * nameless


def _calibrated(run: Run, folder: Path) -> tuple[float, float | None, list[str]]:
    """Temperature and threshold that an export would have; a warning where nothing tells them."""
    from emelia.learn.export.calibrate import threshold
    from emelia.learn.export.temperature import for_calibration, read_answers, temperature

    try:
        validation = read_answers(folder, len(run.classes))["validation"]
    except RunError as error:
        return 1.0, None, [f"nothing is said of its confidence: {error}"]
    chose = for_calibration(validation, run.recipe.train.selection_groups)
    heat = temperature(chose)
    return heat, threshold(chose, heat).limit, []


def _mean(parts: list[Evaluation]) -> Evaluation:
    """The mean of the probabilities that several networks give each clip."""
    by_id: dict[str, list[ClipAnswer]] = defaultdict(list)
    for part in parts:
        for answer in part.answers:
            by_id[answer.id].append(answer)
    limits = [part.threshold for part in parts if part.threshold is not None]
    limit = float(np.median(limits)) if len(limits) == len(parts) else None
    answers = []
    for given in by_id.values():
        chances = np.mean([one.probabilities or one.uncalibrated for one in given], axis=0)
        best = int(chances.argmax())
        answers.append(
            replace(
                given[0], answer=best, uncalibrated=(),
                probabilities=tuple(map(float, chances)) if limit is not None else (),
                unsure=limit is not None and float(chances[best]) < limit,
            )
        )  # fmt: skip
    first = parts[0]
    note = (
        f"each clip is answered by those of {len(parts)} networks that have not seen it, and their "
        "probabilities averaged: one of them alone is usually a little less often right."
    )
    left_out = set(parts[0].left_out).intersection(*(part.left_out for part in parts))
    warnings = dict.fromkeys(text for part in parts for text in part.warnings)
    return replace(
        first, answers=tuple(answers), threshold=limit, temperature=1.0, parts=tuple(parts),
        left_out=tuple(sorted(left_out)), warnings=(*warnings, note),
    )  # fmt: skip
