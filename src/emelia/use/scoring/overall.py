"""One answer to all of a timeline, for recordings that are too long for one otherwise."""

from __future__ import annotations

import numpy as np

from emelia.config.thresholds import Thresholds
from emelia.use.answer import NO_SPEECH, Prediction
from emelia.use.pooling import SHORTEST
from emelia.use.timeline.timeline import Timeline


def overall(timeline: Timeline, thresholds: Thresholds) -> Prediction:
    """The mean over all speech of a recording, without spectrogram and saliency.

    Args:
        timeline: its segments weigh as long as they last.
        thresholds: confidences below which the answer is unsure.
    """
    nothing = np.zeros((0, 0), np.float32)
    told = (timeline.seconds, float(timeline.speech), nothing, nothing.reshape(0), 0.0)
    if not timeline.speech:
        return Prediction(NO_SPEECH, 0.0, {}, False, *told, timeline.warnings)
    rows = [[s.probabilities[name] for name in timeline.emotions] for s in timeline.segments]
    lengths = [segment.end - segment.start for segment in timeline.segments]
    shares = np.average(np.array(rows, np.float64), axis=0, weights=lengths)
    shares /= shares.sum()
    best = int(shares.argmax())
    emotion, confidence = timeline.emotions[best], float(shares[best])
    return Prediction(
        emotion, confidence,
        dict(zip(timeline.emotions, shares.tolist(), strict=True)),
        thresholds.unsure(emotion, confidence) or timeline.speech < SHORTEST,
        *told, timeline.warnings,
    )  # fmt: skip
