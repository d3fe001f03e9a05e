"""How much each finding on a corpus endangers figures of networks trained on it, 0 to 1.

What gives the answer away without the voice weighs most: people known by their microphone, one
recording under two labels, an emotion with a file format of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.show.explore.data import Exploration
from emelia.show.explore.problems import Problem
from emelia.show.explore.tables import share_of
from emelia.text import percent

FACT = 0.2  # worth knowing, endangers nothing
_LEAKS = 0.3  # share of variance from which a network can tell speakers by it
# Measures of the recording and not of the voice.
_CONDITIONS = {"snr": "SNR, the distance of speech from the background", "level": "Level"}


def recording_conditions(exploration: Exploration) -> Iterator[tuple[float, str]]:
    """Gravity and sentence of each condition of recording that goes with the speaker."""
    for name, title in _CONDITIONS.items():
        share = share_of(exploration, name, "speaker")
        if share >= _LEAKS:  # False for NaN
            yield (
                share,
                f"{title}, goes by {percent(share, 0)} % with the speaker: a network can know "
                "people by how they were recorded. Whoever is in training and in the test makes "
                "the figures flatter; only splits by speaker (such as --split loso) do not.",
            )


def of_problems(problems: Sequence[Problem]) -> float:
    """Copies may stand in training and test; other faults cost little more than their clips."""
    kinds = {problem.kind for problem in problems}
    if "label conflict" in kinds:
        return 0.9
    return 0.75 if kinds & {"identical", "encoded again"} else 0.25 if kinds else 0.05


def of_balance(exploration: Exploration) -> float:
    """The more uneven, the more accuracy flatters; with one class there is nothing to learn."""
    counts = [len(exploration.of(name)) for name in exploration.emotions]
    return 1.0 if len(counts) < 2 else 0.6 * (1 - min(counts) / max(counts))


def of_speakers(exploration: Exploration) -> float:
    """Of unknown speakers no split can be trusted; few speakers say little about others."""
    speakers = Counter(clip.utterance.speaker for clip in exploration.clips)
    if UNKNOWN_SPEAKER in speakers:
        return 0.95
    return 0.5 * incomplete(exploration, "speaker") / len(speakers)


def of_sentences(exploration: Exploration) -> float:
    """Sentences that are not said in every emotion tell it by their words."""
    sentences = {clip.utterance.sentence for clip in exploration.clips}
    return 0.0 if "" in sentences else 0.7 * incomplete(exploration, "sentence") / len(sentences)


def of_formats(exploration: Exploration) -> float:
    """A format that only some emotions have can be learnt instead of the voice."""
    kinds = list(formats(exploration).values())
    return 0.0 if all(own == kinds[0] for own in kinds) else 0.8


def formats(exploration: Exploration) -> dict[str, set[tuple[str, float]]]:
    """Formats and sampling rates of each emotion."""
    return {
        emotion: {(clip.format, clip.measures.rate) for clip in exploration.of(emotion)}
        for emotion in exploration.emotions
    }


def incomplete(exploration: Exploration, field: str) -> int:
    """How many speakers or sentences are without a clip of some emotion."""
    heard: dict[str, set[str]] = {}
    for clip in exploration.clips:
        heard.setdefault(getattr(clip.utterance, field), set()).add(clip.utterance.emotion)
    return sum(len(emotions) < len(exploration.emotions) for emotions in heard.values())
