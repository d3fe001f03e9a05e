"""Adapts to recordings: adds them to a profile, and tells what it used and what it changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emelia.errors import AudioError
from emelia.text import counted
from emelia.use.adaptation.source import FEWEST, SourceProfile
from emelia.use.answer import Answer, Prediction
from emelia.use.inputs import Excerpt
from emelia.use.labels import label_of
from emelia.use.pooling import SHORTEST

Told = Iterable[tuple[object, Prediction | AudioError]]  # recordings and their answers


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What adapting to recordings did.

    Attributes:
        recordings: how many were used, those of known emotion with them.
        clips: how many the source has now; more where it had some before.
        changed: of the recordings, how many get another emotion than plainly.
        unused: why others were not used, a line each.
    """

    recordings: int
    clips: int
    changed: int
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.clips < FEWEST:
            return (
                f"{counted(self.clips, 'recording')} with enough speech: too few to adapt to, so "
                f"answers stay plain. Give {FEWEST} or more."
            )
        before = self.clips - self.recordings
        more = f" (and {before} before)" if before > 0 else ""
        return (
            f"adapted to {counted(self.recordings, 'recording')}{more}; "
            f"{counted(self.changed, 'answer')} changed"
        )


def learn(
    profile: SourceProfile, told: Told, known: Mapping[str, Told]
) -> tuple[list[Prediction], list[str]]:
    """Add recordings to a profile.

    Args:
        profile: takes them.
        told: plain answers to recordings of the source, and errors.
        known: those to recordings of which somebody has told the emotion, by emotion.

    Returns:
        The answers to those used, without arrays by frame, and why others were not used.

    Raises:
        ConfigError: the model does not know an emotion.
    """
    used: list[Prediction] = []
    unused: list[str] = []
    labelled = {label_of(word, profile.labels): answers for word, answers in known.items()}
    for emotion, answers in [("", told), *labelled.items()]:
        for number, (recording, answer) in enumerate(answers, 1):
            if isinstance(answer, AudioError):
                unused.append(str(answer))
            elif answer.coordinates is None or answer.speech < SHORTEST:
                named = isinstance(recording, str | Path | Excerpt)
                which = str(recording) if named else f"recording {number}"
                unused.append(f"{which}: {answer.speech:.1f} s of speech, too short to judge.")
            else:
                profile.add(answer.coordinates, emotion)
                used.append(answer.without_frames())
    return used, unused


def count_changed(before: Iterable[Answer], after: Iterable[Answer]) -> int:
    """How many answers have another emotion."""
    return sum(b.emotion != a.emotion for b, a in zip(before, after, strict=True))
