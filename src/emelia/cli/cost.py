"""What a study will cost, said before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emelia import console
from emelia.results import read_results
from emelia.storage import ensure_writable
from emelia.text import about, counted

if TYPE_CHECKING:
    from emelia.learn.study.forecast import Pace
    from emelia.learn.study.tasks import Task
    from emelia.learn.training.hardware import Hardware


def tell_cost(
    tasks: Sequence[Task], shorter: Sequence[Task], folder: Path, jobs: int, hardware: Hardware
) -> float:
    """Print how many trainings there are and, of a long study, what they and less would take.

    Args:
        shorter: those that `--quick` would train less of; empty where it is given.

    Returns:
        Seconds that the trainings not finished yet will take, roughly; 0 where it is not known.
    """
    from emelia.learn.study.forecast import WORTH, passes, shortened

    ensure_writable(folder)  # before a measurement that takes seconds
    finished = {cell.key for cell in read_results(folder / "results.jsonl")}
    left = [task for task in tasks if task.key not in finished]
    told = (
        counted(len({task.recipe.name for task in tasks}), "recipe"),
        counted(len({task.fold.name for task in tasks}), "fold"),
        counted(len({task.seed for task in tasks}), "seed"),
    )
    console.say(f"{counted(len(tasks), 'training')}: {' x '.join(told)}.")
    if passes(left) < WORTH:
        return 0.0
    paces = _measured(left, hardware)
    jobs = min(jobs, len(left))
    expected = _seconds(left, paces) / jobs
    console.say(
        f"About {about(expected)}, {jobs} at a time, as measured on a few clips; early stopping "
        "may end trainings sooner. What is finished is kept if you stop."
    )
    less = [
        f"--recipes {name} about {about(_seconds(own, paces) / jobs)}"
        for name, own in _by_recipe(left).items()
    ]
    if shorter and paces.keys() >= _by_recipe(shorter).keys():
        less.insert(0, f"--quick about {about(shortened(shorter, paces) / jobs)}")
    if len(less) > 1:
        console.say(f"Less would take: {'; '.join(less)}.")
    return expected


def _measured(tasks: Sequence[Task], hardware: Hardware) -> dict[str, Pace]:
    """The pace of each recipe, its first training measured."""
    from emelia.learn.study.forecast import pace

    first = {name: own[0] for name, own in _by_recipe(tasks).items()}
    paces = {}
    with console.Progress() as progress:
        progress.start("measuring", len(first))
        for done, (name, task) in enumerate(first.items(), 1):
            paces[name] = pace(task, hardware)
            progress.step("measuring", done)
        progress.finish("measuring")
    return paces


def _seconds(tasks: Sequence[Task], paces: dict[str, Pace]) -> float:
    return sum(paces[task.recipe.name].of(task) for task in tasks)


def _by_recipe(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.recipe.name, []).append(task)
    return found
