"""Sentences on the calibration of a run, measured on the test clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emelia import console, metrics
from emelia.errors import RunError
from emelia.learn.export.card_figures import confidence
from emelia.learn.export.temperature import for_calibration, read_answers, temperature, threshold
from emelia.results import Calibration


def tell_confidence(
    run: Path, classes: Sequence[str], answers: Sequence[Mapping[str, Any]], left_out: str
) -> None:
    """Print calibration error, Brier score, AURC and coverage, calibrated as an export would be.

    Args:
        run: folder whose validation answers give temperature and threshold.
        answers: records with speaker, truth and probabilities.
        left_out: `train.selection_groups` of its recipe.
    """
    try:
        validation = read_answers(run, len(classes))["validation"]
    except RunError as error:
        console.warn(f"nothing is said of its confidence: {error}")
        return
    chose = for_calibration(validation, left_out)
    heat = temperature(chose)
    limit = threshold(chose, heat).limit
    chances = np.array([answer["probabilities"] for answer in answers], np.float64)
    worth = Calibration(
        np.array([answer["truth"] for answer in answers]),
        chances[None],
        metrics.with_temperature(chances, heat)[None],
        [str(answer["speaker"]) for answer in answers],
        (heat,),
    )
    found = confidence(worth, limit)
    console.say(_calibration(found, heat))
    console.say(_coverage(found, limit, worth.risk))


def _calibration(found: Mapping[str, Any], heat: float) -> str:
    low, high, perfect = (100 * v for v in (*found["ece_interval"], found["ece_perfect"]))
    (first, ece), (before, brier) = found["ece"], found["brier"]
    return (
        f"ECE {100 * ece:.1f} % ({low:.1f} to {high:.1f}; {perfect:.1f} would be perfect), Brier "
        f"score {brier:.3f}; without its temperature of {heat:g} they are {100 * first:.1f} % and "
        f"{before:.3f}."
    )


def _coverage(found: Mapping[str, Any], limit: float, risk: float) -> str:
    right = found["accepted_accuracy"]
    told = "" if right is None else f", and {100 * right:.1f} % of these are right"
    return (
        f"AURC {100 * found['aurc']:.1f} % ({100 * risk:.1f} if confidence told nothing). At the "
        f"run's threshold of {limit:g} it accepts {100 * found['accepted']:.1f} % of the "
        f"answers{told}."
    )
