"""What a model answers under stress: clips that were changed, condition by condition.

A condition is a change of the sound, such as white noise at 20 dB. What it does is told against
the plain answers to the same clips. Shares lie in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np

from emelia import metrics
from emelia.metrics import Interval
from emelia.results.evaluation import ClipAnswer, Evaluation
from emelia.table import data_frame
from emelia.text import percent

COLUMNS = (
    "category", "condition", "clips", "accuracy", "uar", "uar_lost", "unchanged", "unsure",
    "no_speech", "ece", "confidence", "wanted", "passed",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a condition.

    Attributes:
        unchanged: least share of answers that stay; None where nothing is wanted.
        lost: most UAR that may be lost.
        accurate: the accuracy must not fall.
    """

    unchanged: float | None = None
    lost: float | None = None
    accurate: bool = False

    def __bool__(self) -> bool:
        return self.unchanged is not None or self.lost is not None or self.accurate

    def __str__(self) -> str:
        return ", ".join(
            filter(
                None,
                [
                    "" if self.unchanged is None else f"{percent(self.unchanged, 0)} % unchanged",
                    "" if self.lost is None else f"UAR lost {percent(self.lost, 0)} at most",
                    "accuracy not lower" if self.accurate else "",
                ],
            )
        )


@dataclass(frozen=True)
class Stressed:
    """The answers under one condition.

    Attributes:
        category: such as `background`.
        name: of the condition, such as `white noise 20 dB`.
        found: the answers to the changed clips, N of them.
        plain: the answers to them as they are; of joined clips those of all clips in them.
        of: for each changed clip the places of its clips in `plain`.
    """

    category: str
    name: str
    wanted: Wanted
    found: Evaluation
    plain: Evaluation
    of: tuple[tuple[int, ...], ...]

    @property
    def uar_lost(self) -> float:
        """UAR of the plain answers less that of these."""
        return float(self.plain.scores["uar"] - self.found.scores["uar"])

    @cached_property
    def same(self) -> list[float]:
        """For each changed clip the share of its plain answers that equal its own."""
        plain = [one.answer for one in self.plain.answers]
        return [
            fmean(plain[place] == one.answer for place in places)
            for one, places in zip(self.found.answers, self.of, strict=True)
        ]

    @property
    def unchanged(self) -> float:
        """Share of the answers that stay as they were, `no speech` among them."""
        return fmean(self.same)

    @property
    def unsure(self) -> float:
        """Share of the answers that are not sure."""
        return self.found.unsure / len(self.found.answers)

    @property
    def silent(self) -> float:
        """Share of the answers that are `no speech`."""
        return self.found.silent / len(self.found.answers)

    @property
    def ece(self) -> float | None:
        """Expected calibration error of the answers with speech; None where there is none."""
        return self.found.calibration.error if self.found.calibration else None

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the answers with speech; None where there is none."""
        sure = [one.confidence for one in self.found.answers if one.confidence is not None]
        return fmean(sure) if sure else None

    @property
    def passed(self) -> bool | None:
        """Whether it is as wanted; None where nothing is wanted."""
        if not self.wanted:
            return None
        tiny = 1e-9  # a share that equals the bound passes
        return (
            self.unchanged >= (self.wanted.unchanged or 0) - tiny
            and self.uar_lost <= (1 if self.wanted.lost is None else self.wanted.lost) + tiny
            and not (
                self.wanted.accurate
                and self.found.scores["accuracy"] < self.plain.scores["accuracy"] - tiny
            )
        )

    def row(self) -> list[Any]:
        """The values of `COLUMNS`."""
        scores = self.found.scores
        return [
            self.category, self.name, len(self.found.answers), scores["accuracy"], scores["uar"],
            self.uar_lost, self.unchanged, self.unsure, self.silent, self.ece, self.confidence,
            str(self.wanted), self.passed,
        ]  # fmt: skip


@dataclass(frozen=True)
class Group:
    """How the clips of one group fare: of a gender, a speaker, a language or a length.

    Attributes:
        kind: `gender`, `speaker`, `language` or `length`.
        accuracy, uar: of the plain answers, each with its interval.
        unchanged: mean share of answers that stay, over all conditions; None without conditions.
    """

    kind: str
    name: str
    clips: int
    accuracy: tuple[float, Interval]
    uar: tuple[float, Interval]
    unsure: float
    unchanged: tuple[float, Interval] | None


@dataclass(frozen=True)
class StressResults:
    """The answers of one model, plain and under every condition.

    Attributes:
        plain: to the clips as they are.
        conditions: in the order of the test.
        groups_of: for each clip id its gender, language and length, where they are known.
        failed: sentences on conditions that could not be made.
    """

    plain: Evaluation
    conditions: tuple[Stressed, ...]
    groups_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failed: tuple[str, ...] = ()

    def __str__(self) -> str:
        judged = [one for one in self.conditions if one.passed is not None]
        good = sum(bool(one.passed) for one in judged)
        return f"{self.plain}; {good} of {len(judged)} conditions passed"

    def of(self, category: str) -> list[Stressed]:
        """The conditions of a category."""
        return [one for one in self.conditions if one.category == category]

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories, in order."""
        return tuple(dict.fromkeys(one.category for one in self.conditions))

    @cached_property
    def as_they_are(self) -> Stressed:
        """The clips without any change, as if that were a condition."""
        each = tuple((place,) for place in range(len(self.plain.answers)))
        return Stressed("plain", "as they are", Wanted(), self.plain, self.plain, each)

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """Names of columns, and a row for the plain clips and for each condition."""
        return list(COLUMNS), [one.row() for one in (self.as_they_are, *self.conditions)]

    def to_frame(self) -> Any:
        """The figures as a pandas DataFrame, a row for each condition.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return data_frame(*self.rows())

    @cached_property
    def groups(self) -> list[Group]:
        """How genders, speakers, languages and lengths fare; groups that are alone are left out."""
        found = []
        for kind in ("gender", "speaker", "language", "length"):
            names = [self._group(one, kind) for one in self.plain.answers]
            if len(set(names) - {""}) > 1:
                found += [self._of_group(kind, n, names) for n in sorted(set(names) - {""})]
        return found

    def differences(self, kind: str) -> dict[str, float]:
        """The largest difference between groups of UAR, precision and recall of one class.

        Classes that a group has no clips of are not compared.
        """
        names = [self._group(one, kind) for one in self.plain.answers]
        parts = [self._part(names, name) for name in sorted(set(names) - {""})]
        return {"uar": _spread([p.scores["uar"] for p in parts])} | {
            key: max(
                _spread([p.scores["per_class"][c][key] for p in parts])
                for c in self.plain.classes
                if all(p.scores["per_class"][c]["support"] for p in parts)
            )
            for key in ("precision", "recall")
            if any(
                all(p.scores["per_class"][c]["support"] for p in parts) for c in self.plain.classes
            )
        }

    @cached_property
    def _stays(self) -> dict[str, float]:
        """For each clip the share of the conditions that leave its answer as it was."""
        shares: dict[str, list[float]] = {}
        for one in self.conditions:
            for answer, same in zip(one.found.answers, one.same, strict=True):
                shares.setdefault(answer.id, []).append(same)
        return {id_: fmean(own) for id_, own in shares.items()}

    def _group(self, answer: ClipAnswer, kind: str) -> str:
        if kind == "speaker":
            return answer.speaker if answer.speaker != "unknown" else ""
        if kind == "gender":
            return answer.gender
        return self.groups_of.get(answer.id, {}).get(kind, "")

    def _part(self, names: Sequence[str], name: str) -> Evaluation:
        own = tuple(a for a, n in zip(self.plain.answers, names, strict=True) if n == name)
        return Evaluation(self.plain.model, self.plain.corpus, self.plain.classes, own)

    def _of_group(self, kind: str, name: str, names: Sequence[str]) -> Group:
        part = self._part(names, name)
        kept = [(self._stays[a.id], a.speaker) for a in part.answers if a.id in self._stays]
        stays = None
        if kept:
            values, speakers = zip(*kept, strict=True)
            stays = (fmean(values), metrics.mean_interval(np.array(values), speakers))
        accuracy, uar = ((float(part.scores[k]), part.intervals[k]) for k in ("accuracy", "uar"))
        unsure = part.unsure / len(part.answers)
        return Group(kind, name, len(part.answers), accuracy, uar, unsure, stays)


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)
