"""What a model answers: an emotion, how sure it is, and the probability of each emotion.

`Prediction` is the answer to a recording, `timeline.segments.Segment` that to a stretch of one.
Command line, server and tables write these two and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any

from emelia.emotions import NO_SPEECH as NO_SPEECH
from emelia.text import percent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of a table with a row for each recording; the probability of each emotion follows.
COLUMNS = ("path", "emotion", "confidence", "unsure", "seconds", "speech")


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """The most probable emotion, and how probable each one is.

    Attributes:
        emotion: a label of the model, or `no speech`.
        confidence: its probability, calibrated; 0 where there is no speech.
        probabilities: of all labels, adding up to 1; empty where there is no speech.
        unsure: the confidence is below the recognizer's threshold, or the speech of a recording
            too short to judge.
    """

    emotion: str
    confidence: float
    probabilities: dict[str, float]
    unsure: bool

    def __str__(self) -> str:
        return self.in_words()

    def in_words(self) -> str:
        """The answer for people: "anger 72 %", "not sure (anger 40 %)" or "no speech"."""
        if self.emotion == NO_SPEECH:
            return NO_SPEECH
        words = f"{self.emotion} {percent(self.confidence, 0)} %"
        return f"not sure ({words})" if self.unsure else words

    def _repr_html_(self) -> str:
        """The answer as a notebook shows it: a line, and a bar for each probability."""
        return f"<p>{escape(str(self))}</p>{bars(self.probabilities)}"

    def fields(self, **more: Any) -> dict[str, Any]:
        """The answer ready for JSON, with more fields before the probabilities."""
        return {
            "emotion": self.emotion,
            "confidence": round(self.confidence, 6),
            "unsure": self.unsure,
            **more,
            "probabilities": rounded(self.probabilities),
        }


@dataclass(frozen=True, eq=False, slots=True)
class Prediction(Answer):
    """The answer to one recording, with what the network saw of it.

    Attributes:
        seconds: length of the recording.
        speech: seconds of speech in it, as a timeline counts them.
        logmel: (M, F) M mel bands of F frames, as the network saw them; the lowest value where
            it was given nothing; (M, 0) where there is no speech.
        saliency: (F,) how far each frame speaks for the emotion (above 0) or against it, more
            than a frame of speech does on average, in logits; 0 where nobody speaks.
        hop: seconds from one frame to the next.
        warnings: what was amiss with the recording, one sentence each.
        adapted: how many clips of its source the answer is adapted to; 0 for a plain answer.
        coordinates: (K,) where it lies in the space of a model that can be adapted; the mean of
            its windows.
        log_probabilities: (C,) of all labels of the model, not adapted; the mean of its windows.
    """

    seconds: float
    speech: float
    logmel: NDArray[np.float32] = field(repr=False)
    saliency: NDArray[np.float32] = field(repr=False)
    hop: float
    warnings: tuple[str, ...] = ()
    adapted: int = 0
    coordinates: NDArray[np.float32] | None = field(default=None, repr=False)
    log_probabilities: NDArray[np.float64] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.in_words()}, {self.speech:.1f} of {self.seconds:.1f} s speech"

    def to_dict(self) -> dict[str, Any]:
        """All but the arrays, ready for JSON; `adapted` and warnings only where there are any."""
        told: dict[str, Any] = {"adapted": self.adapted} if self.adapted else {}
        if self.warnings:
            told["warnings"] = list(self.warnings)
        return self.fields(seconds=round(self.seconds, 3), speech=round(self.speech, 3), **told)

    def without_frames(self) -> Prediction:
        """The answer without what belongs to a frame, to be kept for thousands of recordings."""
        return replace(self, logmel=self.logmel[:, :0], saliency=self.saliency[:0])

    def row(self, emotions: Iterable[str], decimals: int) -> tuple[Any, ...]:
        """Values of `COLUMNS` after the path, then a probability for each emotion.

        Args:
            emotions: all that the model may answer; None where there is no speech.
            decimals: of the seconds.
        """
        chances = rounded(self.probabilities)
        return (
            self.emotion,
            round(self.confidence, 6),
            self.unsure,
            round(self.seconds, decimals),
            round(self.speech, decimals),
            *(chances.get(emotion) for emotion in emotions),
        )


def bars(shares: Mapping[str, float]) -> str:
    """Shares from 0 to 1 as bars in HTML, the largest first; empty for none."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td style='text-align:right'>{percent(share, 0)} %</td>"
        f"<td style='width:14em'><div style='width:{100 * share:.1f}%;height:.8em;"
        "background:#0072B2'></div></td></tr>"
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
    )
    return f"<table>{rows}</table>" if rows else ""


def rounded(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Probabilities as they are written to files: six decimals."""
    return {name: round(p, 6) for name, p in probabilities.items()}
