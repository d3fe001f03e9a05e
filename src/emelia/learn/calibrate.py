"""What a confidence is worth: temperature, the threshold for `unsure`, and figures for a card.

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
    truth: metrics.Labels  # (N,)
    logits: Logits  # (N, C)

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """(N, C)."""
        scaled = self.logits / temperature
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def read_answers(folder: Path, classes: int) -> dict[str, Answers]:
    """Read the validation and test answers of a run folder.

    Raises:
        RunError: there are none, or they are damaged.
    """
    path = folder / "answers.json"
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        return {name: _answers(parts[name], classes) for name in ("validation", "test")}
    except FileNotFoundError:
        raise RunError(
            f"{folder}: has no answers.json, so nothing tells what its confidence is worth; an "
            "earlier version made it. Train it again with `emelia train`."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"{path}: damaged ({error}). Train it again with `emelia train`.") from None


def _answers(records: Sequence[Mapping[str, Any]], classes: int) -> Answers:
    truth = np.array([record["truth"] for record in records], dtype=np.int64)
    logits = np.array([record["logits"] for record in records], dtype=np.float64)
    if logits.shape != (len(records), classes) or not np.isfinite(logits).all():
        raise ValueError(f"logits {logits.shape}, expected {(len(records), classes)} numbers")
    if not 0 <= truth.min(initial=classes) <= truth.max(initial=0) < classes:
        raise ValueError("no clips, or a truth that is no class")
    names = ([str(r.get(key, "")) for r in records] for key in ("id", "corpus", "speaker"))
    ids, corpora, speakers = map(tuple, names)
    return Answers(ids, corpora, speakers, truth, logits)


def temperature(answers: Answers) -> float:
    """By what to divide logits so that the truth is likeliest (Guo et al. 2017)."""
    truth = np.arange(len(answers.truth)), answers.truth

    def loss(log_temperature: float) -> float:
        chances = answers.probabilities(math.exp(log_temperature))
        return -float(np.log(chances[truth].clip(1e-300)).mean())

    low, high = map(math.log, _RANGE)
    return round(math.exp(_lowest(loss, low, high)), 4)


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


def threshold(answers: Answers, temperature: float) -> tuple[float, str]:
    """The confidence below which an answer is `unsure`, and the rule in a sentence."""
    chances = answers.probabilities(temperature)
    order = chances.max(axis=1).argsort()
    sure, right = chances.max(axis=1)[order], (chances.argmax(axis=1) == answers.truth)[order]
    first = np.searchsorted(sure, np.unique(sure))  # of those accepted at each confidence
    accepted, hits = len(sure) - first, right[::-1].cumsum()[::-1][first]
    good = sure[first][(hits >= WANTED * accepted) & (accepted >= FEWEST * len(sure))]
    if good.size:
        rule = (
            f"The lowest confidence at which {WANTED:.0%} of the accepted validation answers are "
            f"right, with at least {FEWEST:.0%} accepted."
        )
        return _floor(float(good[0])), rule
    rule = (
        f"The median confidence on validation clips: at none were {WANTED:.0%} of the accepted "
        f"answers right with at least {FEWEST:.0%} accepted."
    )
    return _floor(float(np.median(sure))), rule


def figures(
    answers: Answers, classes: Sequence[str], temperature: float, threshold: float
) -> dict[str, Any]:
    """Figures of one part for a card; shares, each headline as [value, low, high] of 95 %.

    Returns:
        clips, speakers, accuracy, uar, note (on the intervals), ece [before, after temperature],
        accepted and accepted_accuracy (None where nothing is), per_class, per_speaker and, where
        the clips come from several, per_corpus.
    """
    chances = answers.probabilities(temperature)
    predicted = chances.argmax(axis=1)
    accepted = chances.max(axis=1) >= threshold
    right = (predicted == answers.truth)[accepted]
    scores = metrics.scores(answers.truth, predicted, classes)
    found = {
        **_headline(answers.truth, predicted, answers.speakers),
        "ece": [
            metrics.calibration_error(answers.truth, answers.probabilities(t))
            for t in (1.0, temperature)
        ],
        "accepted": float(accepted.mean()),
        "accepted_accuracy": float(right.mean()) if right.size else None,
        "per_class": scores["per_class"],
        "per_speaker": metrics.per_group(answers.truth, predicted, answers.speakers),
    }
    names = np.array(answers.corpora)
    if len(set(answers.corpora)) > 1:
        found["per_corpus"] = {
            str(name): _headline(
                answers.truth[own := names == name],
                predicted[own],
                [s for s, here in zip(answers.speakers, own, strict=True) if here],
            )
            for name in np.unique(names)
        }
    return dict(_rounded(found))


def _headline(
    truth: metrics.Labels, predicted: metrics.Labels, speakers: Sequence[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"clips": len(truth), "speakers": len(set(speakers))}
    for name, value in (
        ("accuracy", metrics.accuracy(truth, predicted)),
        ("uar", metrics.uar(truth, predicted)),
    ):
        ends = metrics.interval(truth, predicted, speakers, name)  # type: ignore[arg-type]
        found[name] = [value, ends.low, ends.high]
        found["note"] = ends.note
    return found


def _floor(value: float) -> float:
    """Four decimals, never above: what was accepted stays accepted."""
    return math.floor(value * 1e4) / 1e4


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
