"""Whether what a model has learnt is kept: only where it answers held-out clips better.

Both networks answer the same clips, which neither has learnt from, with the same labels, each
after a temperature of its own that is fitted on these clips in the same way. The new one is
better where its UAR is no lower and its loss is smaller. Of few clips a single one moves the UAR
by points, and where they chose the epoch it flatters the new one: the loss, in which every
probability counts, has to agree. In both all classes count alike. Test clips have no say.
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
    """What one network's answers on held-out clips are worth."""

    right: int
    uar: float
    loss: float  # negative log-likelihood of the truth in nats, every class counting alike

    @classmethod
    def of(cls, answers: Answers) -> Figures:
        """Count and measure them."""
        found = answers.logits.argmax(axis=1)
        right = int((found == answers.truth).sum())
        loss = losses(answers, temperature(answers))
        each = [loss[answers.truth == number].mean() for number in np.unique(answers.truth)]
        return cls(right, metrics.uar(answers.truth, found), float(np.mean(each)))

    def __str__(self) -> str:
        return f"{self.right} (UAR {percent(self.uar)} %, loss {self.loss:.3f})"


@dataclass(frozen=True)
class Verdict:
    """A network as it was beside what it has become, on the same held-out clips."""

    clips: int
    before: Figures
    after: Figures

    @property
    def better(self) -> bool:
        """Whether the new one is kept."""
        return self.after.uar >= self.before.uar and self.after.loss < self.before.loss


def judge(before: Answers, after: Answers) -> Verdict:
    """Compare the answers of two networks on the same clips; ValueError where they are others."""
    if before.ids != after.ids or (before.truth != after.truth).any():
        raise ValueError("answers to different clips cannot be compared")
    return Verdict(len(after.ids), Figures.of(before), Figures.of(after))


def restricted(run: Run, classes: Sequence[str]) -> Run:
    """The same network, asked for some of its classes only, in this order."""
    if run.classes == tuple(classes):
        return run
    places = [run.classes.index(name) for name in classes]
    network = new_network(run.recipe, len(places))
    weights = dict(run.network.state_dict())
    for name in ("output.weight", "output.bias"):
        weights[name] = weights[name][places]
    network.load_state_dict(weights)
    return replace(run, classes=tuple(classes), network=network.eval())


def ask(run: Run, utterances: Sequence[Utterance], tick: Tick = lambda done: None) -> Answers:
    """What a network says of clips, of whose emotions it must know all."""
    loader, records = Loader(run.recipe, run.classes), []
    for first in range(0, len(utterances), _AT_ONCE):
        clips = loader.load(utterances[first : first + _AT_ONCE])
        records += logit_records(clips, logits(run.network, clips, len(run.classes)))
        tick(len(records))
    return answers_of(records, len(run.classes))


def as_it_was(
    start: Run, task: Task, held_out: Sequence[str], tick: Tick = lambda done: None
) -> tuple[Run, dict[str, Answers]]:
    """A network before it was taught, with the labels of a task, and its answers by part.

    Args:
        held_out: ids of the clips that are `validation`, in this order.
    """
    run = restricted(start, task.setting.classes)
    learnt = {u.id: u for u in (*task.fold.train, *task.fold.validation)}
    asked = ask(run, [*(learnt[id] for id in held_out), *task.fold.test], tick)
    first = range(len(held_out))
    rest = range(len(held_out), len(asked.ids))
    return run, {"validation": asked.only(first), "test": asked.only(rest)}


def told_of_unchanged(
    about: Mapping[str, Any], answers: Mapping[str, Answers], name: str, verdict: Verdict
) -> dict[str, Any]:
    """What is known of a network that stays as it was.

    Args:
        about: what the run folder of the taught one keeps of itself.
        name: of the model that it was and is.
    """
    said = (
        f"This is {name} as it was: of {verdict.clips} held-out clips of {about['corpus']} it is "
        f"right on {verdict.before}, and having learnt from others of them on {verdict.after}, so "
        "its weights were left as they were. Temperature, threshold and figures are of this corpus."
    )
    parts = {part: list(found.ids) for part, found in answers.items()}
    return {**about, "parts": parts, "unchanged": said}
