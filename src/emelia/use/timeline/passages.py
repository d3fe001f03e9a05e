"""What a timeline comes to: how much of the speech each answer takes, and its longest passage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from emelia.use.timeline.segments import Segment

NOT_SURE = "not sure"


class Share(NamedTuple):
    """How much of the speech has one answer.

    Attributes:
        answer: an emotion, or `not sure`.
        seconds: of all its segments.
        share: of all speech, from 0 to 1.
        longest: the segment of this answer that lasts longest.
    """

    answer: str
    seconds: float
    share: float
    longest: Segment


def shares(segments: Sequence[Segment]) -> list[Share]:
    """The share of each answer in the speech, the largest first; none where nobody speaks."""
    by_answer: dict[str, list[Segment]] = {}
    for segment in segments:
        by_answer.setdefault(NOT_SURE if segment.unsure else segment.emotion, []).append(segment)
    lasting = {answer: sum(map(_seconds, own)) for answer, own in by_answer.items()}
    speech = sum(lasting.values())
    found = [
        Share(answer, lasting[answer], lasting[answer] / speech, max(own, key=_seconds))
        for answer, own in by_answer.items()
    ]
    return sorted(found, key=lambda one: -one.seconds)


def _seconds(segment: Segment) -> float:
    return segment.end - segment.start
