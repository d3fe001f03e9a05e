"""What makes a confidence worth something: temperature, and the threshold for `unsure`.

All is made from the logits that a run folder keeps. Temperature and threshold are chosen on
validation clips; test clips are only counted. N clips, C classes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia import metrics
from emelia.errors import RunError
from emelia.text import percent

WANTED = 0.75  # share of the accepted answers that should be right
FEWEST = 0.2  # share of the answers that must be accepted
_RANGE = (0.05, 20.0)  # of temperatures
Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What a network said of the clips of one part."""

    ids: tuple[str, ...]  # N of them, as are the other names
    corpora: tuple[str, ...]  # empty names where there is but one
    speakers: tuple[str, ...]
    genders: tuple[str, ...]  # empty names where nobody says
    truth: metrics.Labels  # (N,)
    logits: Logits  # (N, C)

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """(N, C)."""
        scaled = self.logits / temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def only(self, places: Sequence[int] | NDArray[np.int64]) -> Answers:
        """Those at some places, in their order."""
        given = (self.ids, self.corpora, self.speakers, self.genders)
        ids, corpora, speakers, genders = (tuple(own[i] for i in places) for own in given)
        kept = np.asarray(places, dtype=np.int64)
        return Answers(ids, corpora, speakers, genders, self.truth[kept], self.logits[kept])


def read_answers(folder: Path, classes: int) -> dict[str, Answers]:
    """Read the validation and test answers of a run folder.

    Raises:
        RunError: there are none, or they are damaged.
    """
    path = folder / "answers.json"
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        return {name: answers_of(parts[name], classes) for name in ("validation", "test")}
    except FileNotFoundError:
        raise RunError(
            f"{folder}: has no answers.json, so nothing tells what its confidence is worth; an "
            "earlier version made it. Train it again with `emelia train`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"{path}: damaged ({error}). Train it again with `emelia train`.") from None


def answers_of(records: Sequence[Mapping[str, Any]], classes: int) -> Answers:
    """Gather the records of clips; ValueError where one is damaged or the network diverged."""
    truth = np.array([record["truth"] for record in records], dtype=np.int64)
    logits = np.array([record["logits"] for record in records], dtype=np.float64)
    if logits.shape != (len(records), classes) or not np.isfinite(logits).all():
        raise ValueError(f"logits {logits.shape}, expected {(len(records), classes)} numbers")
    if not 0 <= truth.min(initial=classes) <= truth.max(initial=0) < classes:
        raise ValueError("no clips, or a truth that is no class")
    keys = ("id", "corpus", "speaker", "gender")
    names = (tuple(str(r.get(key, "")) for r in records) for key in keys)
    ids, corpora, speakers, genders = names
    return Answers(ids, corpora, speakers, genders, truth, logits)


def choosing(answers: Answers, left_out: str) -> Answers:
    """Of validation answers those that choose temperature and threshold: all, once each.

    Where corpora were left out (`train.selection_groups`), each is to tell what the next one may be
    like, so their clips are repeated in turn until all corpora have as many.
    """
    if left_out != "corpora":
        return answers
    names = np.array(answers.corpora)
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    most = max(map(len, members))
    return answers.only(np.concatenate([np.resize(own, most) for own in members]))


def temperature(answers: Answers) -> float:
    """By what to divide logits so that the truth is likeliest (Guo et al. 2017).

    Where every answer is right it is 1: any smaller one is likelier, so they tell nothing.
    """
    if (answers.logits.argmax(axis=1) == answers.truth).all():
        return 1.0
    low, high = map(math.log, _RANGE)
    best = _lowest(lambda heat: float(losses(answers, math.exp(heat)).mean()), low, high)
    return round(math.exp(best), 4)


def losses(answers: Answers, temperature: float) -> NDArray[np.float64]:
    """Negative log-likelihood of each clip's truth (N,), in nats."""
    truth = np.arange(len(answers.truth)), answers.truth
    return np.asarray(-np.log(answers.probabilities(temperature)[truth].clip(1e-300)))


def _lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest, by golden section."""
    ratio = (math.sqrt(5) - 1) / 2
    while high - low > 1e-6:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return (low + high) / 2


@dataclass(frozen=True)
class Threshold:
    """The confidence below which an answer is `unsure`."""

    limit: float
    rule: str  # one sentence: how it was chosen, on what
    reached: bool  # whether as many of the accepted validation answers are right as was asked for


def threshold(answers: Answers, temperature: float, wanted: float = WANTED) -> Threshold:
    """Choose it on validation answers, so that a share `wanted` of the accepted ones is right.

    Where none does, it is the median confidence, and the rule says so.
    """
    chances = answers.probabilities(temperature)
    curve = metrics.risk_coverage(answers.truth, chances)
    enough = curve.coverage >= FEWEST
    good = curve.confidence[enough & (curve.accuracy >= wanted)]
    asked, share = f"{100 * wanted:g} % of the accepted validation answers", 100 * FEWEST
    if good.size:
        rule = (
            f"The lowest confidence at which {asked} are right, with at least {share:g} % accepted."
        )
        return Threshold(_floor(float(good[-1])), rule, True)
    rule = (
        f"The median confidence on validation clips: {asked} were to be right with at least "
        f"{share:g} % accepted, but no confidence gives more than "
        f"{percent(curve.accuracy[enough].max())} %."
    )
    return Threshold(_floor(float(np.median(chances.max(axis=1)))), rule, False)


def _floor(value: float) -> float:
    """Four decimals, never above: what was accepted stays accepted."""
    return math.floor(value * 1e4) / 1e4
