"""Temperature scaling: what logits are divided by, so that confidences are to be believed.

It is computed from the logits in a run folder. Validation clips choose it; test clips are only
evaluated. N clips, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia import metrics
from emelia.config.card import ADAPTED, UNSEEN
from emelia.errors import RunError
from emelia.text import from_json

_RANGE = (0.05, 20.0)  # of temperatures
Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Logits of a network for the clips of one part, with what is known of them."""

    ids: tuple[str, ...]  # N of them, as are the other names
    corpora: tuple[str, ...]  # empty names where there is but one
    speakers: tuple[str, ...]
    genders: tuple[str, ...]  # empty names where nobody says
    truth: metrics.Labels  # (N,)
    logits: Logits  # (N, C)

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Probabilities (N, C)."""
        scaled = self.logits / temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def only(self, places: Sequence[int] | NDArray[np.int64]) -> Answers:
        """The answers at some places, in that order."""
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
        parts = from_json(path.read_text(encoding="utf-8"))
        return {name: answers_of(parts[name], classes) for name in ("validation", "test")}
    except FileNotFoundError:
        raise RunError(
            f"{folder}: has no answers.json, so nothing tells what its confidence is worth; an "
            "earlier version made it. Train it again with `emelia train`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"{path}: damaged ({error}). Train it again with `emelia train`.") from None


def read_left_out(path: Path, classes: Sequence[str]) -> dict[str, Answers]:
    """Read answers to clips of corpora that trainings left out, and to the same clips, adapted.

    Raises:
        RunError: there are none for these classes, or they are damaged.
    """
    try:
        parts = from_json(path.read_text(encoding="utf-8"))
        if parts["classes"] != list(classes):
            raise ValueError(f"of the classes {', '.join(parts['classes'])}")
        there = [name for name in (UNSEEN, ADAPTED) if name == UNSEEN or name in parts]
        return {name: answers_of(parts[name], len(classes)) for name in there}
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"{path}: no answers to corpora left out ({error}).") from None


def answers_of(records: Sequence[Mapping[str, Any]], classes: int) -> Answers:
    """Answers of the records of clips, as `save_answers` writes them.

    Raises:
        ValueError: a record is damaged, or the network diverged.
    """
    try:
        truth = np.array([record["truth"] for record in records], dtype=np.int64)
        logits = np.array([record["logits"] for record in records], dtype=np.float64)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    if logits.shape != (len(records), classes) or not np.isfinite(logits).all():
        raise ValueError(f"logits {logits.shape}, expected {(len(records), classes)} numbers")
    if not 0 <= truth.min(initial=classes) <= truth.max(initial=0) < classes:
        raise ValueError("no clips, or a truth that is no class")
    keys = ("id", "corpus", "speaker", "gender")
    names = (tuple(str(r.get(key, "")) for r in records) for key in keys)
    ids, corpora, speakers, genders = names
    return Answers(ids, corpora, speakers, genders, truth, logits)


def for_calibration(answers: Answers, groups: str) -> Answers:
    """The validation answers that choose temperature and threshold, repeated where needed.

    Args:
        groups: `train.selection_groups`. Where these are corpora, each stands for unseen ones as
            much as any other, so clips are repeated until all corpora have as many.
    """
    if groups != "corpora":
        return answers
    names = np.array(answers.corpora)
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    most = max(map(len, members))
    return answers.only(np.concatenate([np.resize(own, most) for own in members]))


def temperature(answers: Answers) -> float:
    """The temperature that minimises the negative log-likelihood (Guo et al. 2017).

    Logits are divided by it. It is 1 where every answer is right: the smaller the temperature, the
    smaller the loss would be then, without end.
    """
    if (answers.logits.argmax(axis=1) == answers.truth).all():
        return 1.0
    low, high = map(math.log, _RANGE)
    best = _minimum(lambda log_t: float(losses(answers, math.exp(log_t)).mean()), low, high)
    return round(math.exp(best), 4)


def losses(answers: Answers, temperature: float) -> NDArray[np.float64]:
    """Negative log-likelihood of each clip's true class (N,), in nats."""
    truth = np.arange(len(answers.truth)), answers.truth
    return np.asarray(-np.log(answers.probabilities(temperature)[truth].clip(1e-300)))


def _minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function of a single minimum has it, by golden-section search."""
    ratio = (math.sqrt(5) - 1) / 2
    while high - low > 1e-6:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if function(left) < function(right):
            high = right
        else:
            low = left
    return (low + high) / 2
