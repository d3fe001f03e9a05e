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
from emelia.text import between, percent


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
    (first, ece), (before, brier) = found["ece"], found["brier"]
    return (
        f"ECE {percent(ece)} % ({between(*found['ece_interval'])}; "
        f"{percent(found['ece_perfect'])} would be perfect), Brier score {brier:.3f}; without its "
        f"temperature of {heat:g} they are {percent(first)} % and {before:.3f}."
    )


def _coverage(found: Mapping[str, Any], limit: float, risk: float) -> str:
    right = found["accepted_accuracy"]
    told = "" if right is None else f", and {percent(right)} % of these are right"
    return (
        f"AURC {percent(found['aurc'])} % ({percent(risk)} if confidence told nothing). At the "
        f"run's threshold of {limit:g} it accepts {percent(found['accepted'])} % of the "
        f"answers{told}."
    )
