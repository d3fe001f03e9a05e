"""A finished training once more: its data, recipe and parts, read back from its run folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emelia.config import recipe_from
from emelia.corpora import Corpus, Utterance, read_corpus
from emelia.corpora.reading.joining import join
from emelia.corpora.records import PARTS, Fold
from emelia.errors import ConfigError, RunError
from emelia.results import Cell
from emelia.results.finding_cells import cells_at

if TYPE_CHECKING:
    from emelia.learn.study.tasks import StudyData, Task
    from emelia.learn.study.warm_start import EarlierRun

Reading = Callable[[str], Corpus]  # of a place


def cell_of_run(folder: Path) -> Cell:
    """The result of a run folder, or of the folder of one cell of a study.

    Raises:
        RunError: there is none, or the folder is a whole study.
    """
    cells = cells_at(folder)
    if len(cells) > 1:
        raise RunError(
            f"{folder}: holds {len(cells)} trainings; expected one. Name a folder in its cells/."
        )
    return cells[0]


def task_again(folder: Path, corpus: str = "", read: Reading | None = None) -> Task:
    """The task of a finished training, of the same recordings in the same parts.

    Args:
        folder: a run folder, or that of a cell of a study.
        corpus: where the corpora lie now, the added ones last; as the run tells where empty.
        read: reads a place; `read_corpus` with the classes of the run by default.

    Raises:
        RunError: the run is not finished, or does not tell what is needed.
        CorpusError: a corpus or recording is not there any more, or has changed.
    """
    from emelia.learn.study.tasks import StudyData, Task
    from emelia.learn.study.warm_start import read_about

    cell, about = cell_of_run(folder), read_about(folder / "run.json")
    try:
        fields = [one.name for one in dataclasses.fields(StudyData)]
        data = StudyData(**{name: about[name] for name in fields if name in about})
        recipe = recipe_from(dict(cell.settings))
        fold = _fold(about, _clips(data, corpus, read or _read(cell)))
    except ConfigError as error:
        raise RunError(
            f"{folder}: was made with settings this version does not know ({error})"
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{folder}/run.json: damaged, or of an earlier emelia ({error}).") from None
    init, teacher = (_earlier(about.get(name)) for name in ("start", "teacher"))
    task = Task(data, recipe, fold, dict(cell.audit), cell.seed, init, teacher)
    if task.key != cell.key:
        raise RunError(
            f"{folder}: its settings, or the runs it began with or learnt from, are not those it "
            "was made with, so that it cannot be repeated."
        )
    return task


def _read(cell: Cell) -> Reading:
    return lambda place: read_corpus(place, emotions=cell.classes, complete=False)


def _clips(data: StudyData, corpus: str, read: Reading) -> dict[str, Utterance]:
    """All clips of the corpora of a run by id, those of added corpora as in training."""
    main = len(data.places) - len(data.added)
    own = ["demo"] if data.demo else list(data.places)
    given = [corpus] if not corpus or os.path.exists(corpus) else corpus.split("+")
    places = given if corpus else own
    if main < 1 or len(places) != len(own):
        raise RunError(
            f"{len(places)} corpora; the run has {len(own)}. Join their places by +: those it was "
            "tested with, then those added to training."
        )
    corpora = [read(place) for place in places]
    joined = corpora[0] if main == 1 else join(corpora[:main])
    if joined.digest != data.corpus_digest:
        raise RunError(
            f"{joined.name}: has other recordings, labels or speakers than the training had. Where "
            "it lies elsewhere now, or was read with options, name it after the run, with them."
        )
    more = join(corpora[main:]).utterances if data.added else ()
    return {clip.id: clip for clip in (*joined.utterances, *more)}


def _fold(about: Mapping[str, Any], clips: Mapping[str, Utterance]) -> Fold:
    """The parts of a run; a recording that is another one now is an error."""
    parts = {part: about["parts"][part] for part in PARTS}
    lacking = [one for ids in parts.values() for one in ids if one not in clips]
    heard = set(about["heard"])
    learnt = [one for part in PARTS[:2] for one in parts[part] if one in clips]
    changed = [one for one in learnt if clips[one].digest not in heard]
    for ids, what in ((lacking, "are not there any more"), (changed, "have changed since")):
        if ids:
            raise RunError(f"{len(ids)} recordings of the run {what}, {ids[0]} among them.")
    return Fold(str(about["fold"]), *(tuple(clips[one] for one in parts[part]) for part in PARTS))


def _earlier(told: Mapping[str, Any] | None) -> EarlierRun | None:
    """The run that a training began with, or learnt from."""
    if not told:
        return None
    from emelia.learn.study.warm_start import read

    found = read(Path(told["place"]))
    return dataclasses.replace(found, name=told["name"])
