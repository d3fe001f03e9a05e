"""Whether fine-tuned weights are kept: only where held-out clips are answered better with them.

Both networks answer the same clips, which neither was trained on, with the same labels, each
after a temperature of its own that is fitted on these clips in the same way. The fine-tuned one is
kept where its UAR is no lower and its loss is smaller. A single one of few clips changes the UAR by
points, and clips that chose the epoch flatter the fine-tuned network: so the loss, in which every
probability counts, has to agree. Both weigh all classes equally. Test clips decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emelia import metrics
from emelia.corpora import Utterance
from emelia.learn.data.loader import Loader
from emelia.learn.export.temperature import Answers, answers_of, losses, temperature
from emelia.learn.study.cell import logit_records
from emelia.learn.study.tasks import Task
from emelia.learn.training.inference import logits
from emelia.learn.training.runs import Run, new_network
from emelia.text import percent

_AT_ONCE = 64  # clips between two ticks
Tick = Callable[[int], None]


@dataclass(frozen=True)
class Figures:
    """Figures of one network on held-out clips."""

    right: int  # clips
    uar: float
    loss: float  # negative log-likelihood of the truth in nats, the mean over classes

    @classmethod
    def of(cls, answers: Answers) -> Figures:
        """Those of logits, at the temperature that is best for them."""
        found = answers.logits.argmax(axis=1)
        right = int((found == answers.truth).sum())
        loss = losses(answers, temperature(answers))
        each = [loss[answers.truth == number].mean() for number in np.unique(answers.truth)]
        return cls(right, metrics.uar(answers.truth, found), float(np.mean(each)))

    def __str__(self) -> str:
        return f"{self.right} (UAR {percent(self.uar)} %, loss {self.loss:.3f})"


@dataclass(frozen=True)
class Verdict:
    """A network before and after fine-tuning, on the same held-out clips."""

    clips: int
    before: Figures
    after: Figures

    @property
    def better(self) -> bool:
        """Whether the fine-tuned one is kept."""
        return self.after.uar >= self.before.uar and self.after.loss < self.before.loss


def judge(before: Answers, after: Answers) -> Verdict:
    """Compare two networks on the same clips.

    Raises:
        ValueError: the answers are to different clips.
    """
    if before.ids != after.ids or (before.truth != after.truth).any():
        raise ValueError("answers to different clips cannot be compared")
    return Verdict(len(after.ids), Figures.of(before), Figures.of(after))


def restricted(run: Run, classes: Sequence[str]) -> Run:
    """The same network with some of its classes only, in this order."""
    if run.classes == tuple(classes):
        return run
    places = [run.classes.index(name) for name in classes]
    network = new_network(run.recipe, len(places))
    weights = dict(run.network.state_dict())
    for name in ("output.weight", "output.bias"):
        weights[name] = weights[name][places]
    network.load_state_dict(weights)
    space = run.space and run.space.of_classes(places)
    return replace(run, classes=tuple(classes), network=network.eval(), space=space)


def answers_by(
    run: Run, utterances: Sequence[Utterance], tick: Tick = lambda done: None
) -> Answers:
    """Logits of a run for clips, of which every emotion must be one of its classes.

    Args:
        tick: called with the number of clips done.
    """
    loader, records = Loader(run.recipe, run.classes), []
    for first in range(0, len(utterances), _AT_ONCE):
        clips = loader.load(utterances[first : first + _AT_ONCE])
        records += logit_records(clips, logits(run.network, clips))
        tick(len(records))
    return answers_of(records, len(run.classes))


def unchanged_run(
    init: Run, task: Task, held_out: Sequence[str], tick: Tick = lambda done: None
) -> tuple[Run, dict[str, Answers]]:
    """A run before fine-tuning, with the classes of a task, and its answers by part.

    Args:
        held_out: ids of the clips that are `validation`, in this order.
    """
    run = restricted(init, task.data.classes)
    known = {u.id: u for u in (*task.fold.train, *task.fold.validation)}
    found = answers_by(run, [*(known[id] for id in held_out), *task.fold.test], tick)
    first = range(len(held_out))
    rest = range(len(held_out), len(found.ids))
    return run, {"validation": found.only(first), "test": found.only(rest)}


def about_unchanged(
    about: Mapping[str, Any], answers: Mapping[str, Answers], name: str, verdict: Verdict
) -> dict[str, Any]:
    """`Run.about` of a network that fine-tuning left unchanged.

    Args:
        about: that of the fine-tuned one.
        name: of the model.
    """
    said = (
        f"This is {name} as it was: of {verdict.clips} held-out clips of {about['corpus']} it is "
        f"right on {verdict.before}, and having learnt from others of them on {verdict.after}, so "
        "its weights were left as they were. Temperature, threshold and figures are of this corpus."
    )
    parts = {part: list(found.ids) for part, found in answers.items()}
    return {**about, "parts": parts, "unchanged": said}
