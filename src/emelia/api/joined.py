"""Asks a model about joined clips: long recordings whose emotion is known.

Few corpora have recordings of more than some seconds, calls and meetings last minutes. So clips
of one speaker and emotion are joined, with short pauses, and asked about as one recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from emelia.config import SAMPLE_RATE
from emelia.corpora import Utterance
from emelia.errors import AudioError
from emelia.robustness.cases import Case, in_groups, joined_to
from emelia.use.answer import Prediction
from emelia.use.recognizer import Recognizer

LENGTHS = (10, 30, 60)  # s
_MOST = 24  # recordings of a length


def planned(clips: Sequence[Utterance]) -> list[Case]:
    """What is joined: fewer recordings where there are few clips, which is over soon."""
    return in_groups(clips, min(_MOST, max(4, len(clips) // 8)), 0)


def ask(
    recognizer: Recognizer, cases: Sequence[Case], threads: int, tell: Callable[[], None]
) -> Iterator[tuple[int, Utterance, Prediction]]:
    """Answers to recordings of each length.

    Args:
        recognizer: that is asked.
        cases: as `planned` gives them.
        threads: cores to use.
        tell: called after each recording.

    Yields:
        Seconds, the first clip of the recording, and the answer.
    """
    for seconds in LENGTHS:
        made: list[Case] = []
        told = recognizer.predict_many(_sounds(cases, seconds, made), threads=threads)
        for place, answer in enumerate(told):
            tell()
            if not isinstance(answer, AudioError):
                yield seconds, made[place].clips[0], answer


def _sounds(cases: Sequence[Case], seconds: int, made: list[Case]) -> Iterator[dict[str, Any]]:
    """The sound of each case that can be read; the case is noted as made."""
    for case in cases:
        try:
            sound = joined_to(case, seconds)
        except AudioError:
            continue  # its clip has been counted as left out
        made.append(case)
        yield {"array": sound, "sampling_rate": SAMPLE_RATE}
