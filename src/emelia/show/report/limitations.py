"""Limitations of a study as sentences, found from the study itself."""

from __future__ import annotations

from emelia.corpora.splits.audit import UNKNOWN_SPEAKERS
from emelia.learn.study.ablations import is_solved
from emelia.metrics import FEWEST_SPEAKERS
from emelia.results import Cell, Study
from emelia.show import describe
from emelia.show.speakers import heard_before, known_speakers, nameless
from emelia.show.tables import DEMO
from emelia.show.tries import TRY, is_try
from emelia.text import counted, listed


def limitations(study: Study) -> list[str]:
    """What the figures of a study do not show, a sentence each."""
    cells = [cell for row in study.rows for cell in row.cells]
    known = [
        DEMO if study.sample.demo else "",
        TRY if is_try(study) else "",
        _heard(study),
        _nameless(study),
        _few_speakers(study),
        _untested(study),
        _few_seeds(study),
        _unfinished(study),
    ]
    chosen = [
        cell
        for cell in cells
        if cell.settings["train"].get("checkpoint", "best") == "best" and not _solved(cell)
    ]
    # Where the last epoch was the best, validation was still improving.
    last = sum(cell.best_epoch == len(cell.history) for cell in chosen)
    if last:
        known.append(
            f"In {last} of {len(chosen)} trainings the last epoch was the best: "
            "more epochs may give better figures."
        )
    return [sentence for sentence in known if sentence]


def _solved(cell: Cell) -> bool:
    recipe = describe.known(cell.settings)
    return recipe is not None and is_solved(recipe)


def _heard(study: Study) -> str:
    if not heard_before(study):
        return ""
    return (
        "Test speakers are also seen before the test, so these figures say nothing about people "
        "the network has never seen."
    )


def _nameless(study: Study) -> str:
    return UNKNOWN_SPEAKERS if nameless(study) else ""


def _few_speakers(study: Study) -> str:
    names = {name for row in study.rows for name in known_speakers(row)}
    if not names:
        return ""
    if len(names) < FEWEST_SPEAKERS:
        who = counted(len(names), "test speaker")
        return f"Only {who}: the intervals speak of other clips of the same people."
    return f"{len(names)} test speakers are a small sample of people: the intervals are rough."


def _untested(study: Study) -> str:
    names = (study.best or study.rows[0]).untested
    if not names:
        return ""
    rest = len(study.sample.classes) - len(names)
    return (
        f"No test clips of {listed(list(names))}: UAR and the other means over classes are of the "
        f"{rest} with clips."
    )


def _few_seeds(study: Study) -> str:
    single = [row.recipe for row in study.complete if len(row.seeds) == 1]
    if not single:
        return ""
    return f"One seed only for {listed(single)}: how much luck is in the training is not known."


def _unfinished(study: Study) -> str:
    names = [row.recipe for row in study.rows if not row.complete]
    return f"Not complete, and compared with nothing: {listed(names)}." if names else ""
