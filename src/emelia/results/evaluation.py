"""Evaluations: what a model answers for clips whose emotion is known, and the figures of that.

Shapes: N clips, C classes. Shares lie in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from emelia import metrics
from emelia.emotions import NO_SPEECH
from emelia.metrics import Interval, Labels
from emelia.results.calibration import Calibration
from emelia.results.cells import Cell
from emelia.table import data_frame
from emelia.text import counted

UNKNOWN = "unknown"  # the speaker of clips of which nobody says who speaks


@dataclass(frozen=True)
class ClipAnswer:
    """The answer for one clip.

    Attributes:
        id: of the clip in its corpus.
        truth: number of its class.
        answer: number of the class that was answered; None for `no speech`.
        probabilities: of each class, calibrated; empty where there are none.
        unsure: below the model's threshold, or too short to judge.
        uncalibrated: the probabilities before the temperature; empty where there is no other.
    """

    id: str
    truth: int
    answer: int | None
    probabilities: tuple[float, ...] = ()
    unsure: bool = False
    speaker: str = UNKNOWN
    gender: str = ""
    uncalibrated: tuple[float, ...] = ()

    @property
    def confidence(self) -> float | None:
        """The probability of the answer; None where there is none."""
        if self.answer is None or not self.probabilities:
            return None
        return self.probabilities[self.answer]


@dataclass(frozen=True)
class Evaluation:
    """The answers of one model for the clips of one corpus.

    Attributes:
        model: its name.
        corpus: its name.
        classes: names of the classes, C of them.
        answers: one for each clip, N of them.
        threshold: confidence below which an answer is unsure; None where it is not known.
        temperature: of the probabilities; 1 where they have none, or it is inside the model.
        left_out: sentences on clips that were not asked about, and why.
        warnings: sentences on what the figures are worth.
        demo: the speech is synthetic.
        cell: the training that the model comes from, whose curves a page shows.
        parts: evaluations of single networks, where `answers` are the mean of several.
        joined: evaluations of recordings of so many seconds, made of clips of one speaker and
            emotion; empty where none were asked about.
    """

    model: str
    corpus: str
    classes: tuple[str, ...]
    answers: tuple[ClipAnswer, ...]
    threshold: float | None = None
    temperature: float = 1.0
    left_out: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    demo: bool = False
    cell: Cell | None = field(default=None, repr=False)
    parts: tuple[Evaluation, ...] = field(default=(), repr=False)
    joined: Mapping[int, Evaluation] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        shares = (f"{m.title} {100 * self.scores[k]:.1f} %" for k, m in metrics.OVERALL.items())
        told = [*shares, counted(len(self.answers), "clip")]
        return f"{self.model} on {self.corpus}: {', '.join(told)}"

    @cached_property
    def truth(self) -> Labels:
        """Class numbers (N,)."""
        return np.array([one.truth for one in self.answers], np.int64)

    @cached_property
    def predicted(self) -> Labels:
        """Class numbers (N,); C, which is the truth of no clip, stands for `no speech`."""
        silent = len(self.classes)
        given = [silent if one.answer is None else one.answer for one in self.answers]
        return np.array(given, np.int64)

    @property
    def answered(self) -> tuple[str, ...]:
        """The classes and, where it was answered, `no speech`: columns of the confusion matrix."""
        return (*self.classes, *([NO_SPEECH] if self.silent else []))

    @property
    def speakers(self) -> list[str]:
        """Speaker of each clip, N of them."""
        return [one.speaker for one in self.answers]

    @cached_property
    def scores(self) -> dict[str, Any]:
        """Figures as `metrics.scores` gives them; an answer `no speech` is a wrong one."""
        return metrics.scores(self.truth, self.predicted, self.answered)

    @cached_property
    def confusion(self) -> Labels:
        """Clips by class: (C, C), or (C, C + 1) with `no speech`; rows true, columns answered."""
        return np.array(self.scores["confusion"], np.int64)[: len(self.classes)]

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of accuracy and UAR."""
        return {
            name: metrics.interval(self.truth, self.predicted, self.speakers, name)
            for name in metrics.OVERALL
        }

    @property
    def chance(self) -> float:
        """The UAR of guessing."""
        return metrics.chance(self.truth)

    @property
    def of_one_class(self) -> bool:
        """All clips are of one class, so that whoever always answers it is right."""
        return self.chance == 1

    @property
    def untested(self) -> tuple[str, ...]:
        """Classes without clips, which means over classes leave out."""
        tested = set(self.truth.tolist())
        return tuple(name for i, name in enumerate(self.classes) if i not in tested)

    @cached_property
    def per_speaker(self) -> dict[str, dict[str, float]]:
        """Number of clips, accuracy and UAR of each known speaker."""
        found = metrics.per_group(self.truth, self.predicted, self.speakers)
        return {name: own for name, own in found.items() if name != UNKNOWN}

    @property
    def silent(self) -> int:
        """How many answers are `no speech`."""
        return sum(one.answer is None for one in self.answers)

    @property
    def unsure(self) -> int:
        """How many answers are not sure."""
        return sum(one.unsure for one in self.answers)

    @cached_property
    def accepted(self) -> list[ClipAnswer]:
        """The answers that are neither unsure nor `no speech`."""
        return [one for one in self.answers if not one.unsure and one.answer is not None]

    @property
    def accepted_accuracy(self) -> float | None:
        """Share of the accepted answers that are right; None where none is accepted."""
        right = [one.answer == one.truth for one in self.accepted]
        return sum(right) / len(right) if right else None

    @cached_property
    def calibration(self) -> Calibration | None:
        """Calibration on clips with speech; None where an answer has no probabilities."""
        spoken = [one for one in self.answers if one.answer is not None]
        if not spoken or not all(one.probabilities for one in spoken):
            return None
        after = np.array([one.probabilities for one in spoken], np.float64)
        before = np.array([one.uncalibrated or one.probabilities for one in spoken], np.float64)
        truth = np.array([one.truth for one in spoken], np.int64)
        people = [one.speaker for one in spoken]
        return Calibration(truth, before[None], after[None], people, (self.temperature,))

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """Names of columns, and a row for each clip: what is true, what was answered, how sure."""
        columns = ["id", "speaker", "gender", "truth", "answer", "confidence", "unsure"]
        lines = [
            [
                one.id, one.speaker, one.gender, self.classes[one.truth],
                NO_SPEECH if one.answer is None else self.classes[one.answer],
                one.confidence, one.unsure,
                *(one.probabilities or (None,) * len(self.classes)),
            ]
            for one in self.answers
        ]  # fmt: skip
        return [*columns, *(f"p_{name}" for name in self.classes)], lines

    def to_frame(self) -> Any:
        """The answers as a pandas DataFrame, a row for each clip.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return data_frame(*self.rows())

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(str(self))}</p>"


def of_cell(cell: Cell, threshold: float | None = None) -> Evaluation:
    """The test answers of a training as an evaluation of its network."""
    answers = of_probabilities(
        cell.predictions, cell.probabilities.tolist(), cell.temperature, threshold
    )
    return Evaluation(
        cell.recipe, cell.corpus, cell.classes, answers, threshold, cell.temperature,
        demo=cell.demo, cell=cell,
    )  # fmt: skip


def of_probabilities(
    records: Sequence[Mapping[str, Any]],
    probabilities: Sequence[Sequence[float]],
    temperature: float,
    threshold: float | None,
) -> tuple[ClipAnswer, ...]:
    """Answers of a network that gives each clip probabilities (N, C), before its temperature.

    Args:
        records: id, speaker, gender and truth of each clip.
        temperature: by which they are calibrated.
        threshold: confidence below which an answer is unsure; None where none is known.
    """
    calibrated = metrics.with_temperature(probabilities, temperature)
    return tuple(
        ClipAnswer(
            str(record["id"]), int(record["truth"]), int(before.argmax()),
            tuple(map(float, after)), threshold is not None and float(after.max()) < threshold,
            str(record["speaker"]), str(record.get("gender", "")), tuple(map(float, before)),
        )
        for record, before, after in zip(
            records, np.asarray(probabilities, np.float64), calibrated, strict=True
        )
    )  # fmt: skip
