"""The clips that are stressed: drawn evenly, single or joined, each with other people's voices."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from zlib import crc32

import numpy as np

from emelia.audio import Wave, resample
from emelia.config import SAMPLE_RATE
from emelia.corpora.records import UNKNOWN_SPEAKER, Utterance
from emelia.corpora.scan import decode_again
from emelia.robustness.conditions.condition import Around, Condition
from emelia.robustness.conditions.voice import joined

VOICES = 5  # that talk in the background
_MOST_CLIPS = 400  # that follow each other, where they are short and come again
_MOST_JOINED = 24  # different clips that follow each other, about 60 s


@dataclass(frozen=True)
class Case:
    """One clip of the test, or several of one speaker and emotion to be joined.

    Attributes:
        clips: that it is made of.
        voices: clips of other speakers, for a background of talk.
        number: among the cases.
    """

    clips: tuple[Utterance, ...]
    voices: tuple[Utterance, ...]
    number: int

    @property
    def id(self) -> str:
        """Of its first clip."""
        return self.clips[0].id


def drawn(clips: Sequence[Utterance], most: int, seed: int) -> list[Utterance]:
    """At most so many clips, in the order they came in, drawn evenly.

    Corpora take turns and, in each, emotions; of an emotion a clip is drawn of the speaker who has
    been drawn least.
    """
    rng = np.random.default_rng((seed, 1))
    left: dict[str, dict[str, list[Utterance]]] = defaultdict(lambda: defaultdict(list))
    for place in rng.permutation(len(clips)).tolist():
        left[clips[place].corpus][clips[place].emotion].append(clips[place])
    turns = {name: deque(sorted(own)) for name, own in sorted(left.items())}
    times: Counter[tuple[str, str]] = Counter()
    taken: set[int] = set()
    while len(taken) < min(most, len(clips)):
        for corpus in [name for name, own in turns.items() if own][: most - len(taken)]:
            emotion = turns[corpus].popleft()
            own = left[corpus][emotion]
            clip = min(own, key=lambda one: times[one.corpus, one.speaker])
            own.remove(clip)
            times[corpus, clip.speaker] += 1
            taken.add(id(clip))
            if own:
                turns[corpus].append(emotion)
    return [clip for clip in clips if id(clip) in taken]


def single(clips: Sequence[Utterance], of: Sequence[Utterance], seed: int) -> list[Case]:
    """A case for each clip, with voices of others of the corpus."""
    return [Case((clip,), _voices(clip, of, seed), number) for number, clip in enumerate(clips)]


def in_groups(clips: Sequence[Utterance], most: int, seed: int) -> list[Case]:
    """At most so many cases of all clips of one speaker and emotion, to be joined.

    Speakers that nobody knows cannot be told apart, so their clips are left out. Where a group has
    too few clips for a length they come again.
    """
    groups: dict[tuple[str, str, str], list[Utterance]] = defaultdict(list)
    for clip in clips:
        if clip.speaker != UNKNOWN_SPEAKER:
            groups[clip.corpus, clip.emotion, clip.speaker].append(clip)
    rng = np.random.default_rng((seed, 2))
    firsts = [own[0] for own in groups.values()]
    chosen = {id(one) for one in drawn(firsts, most, seed)}
    cases: list[Case] = []
    for own in groups.values():
        if id(own[0]) in chosen:
            order = rng.permutation(len(own))[:_MOST_JOINED]
            cases.append(Case(tuple(own[place] for place in order), (), len(cases)))
    return cases


def changed(case: Case, condition: Condition, seed: int) -> Wave:
    """The sound of a case under a condition: float32 (T,) at 16 kHz.

    Raises:
        AudioError: a recording cannot be read.
    """
    wave = joined_to(case, condition.joined) if condition.joined else read(case.clips[0])
    # The levels of a category have the same noise, so that they differ in nothing else.
    mark = crc32(f"{seed}/{condition.category}/{case.id}".encode())
    around = Around(
        np.random.default_rng(mark), lambda: [read(one) for one in case.voices], case.number
    )
    return np.asarray(condition.change(wave, around), np.float32)


def joined_to(case: Case, seconds: float) -> Wave:
    """The clips of a case one after the other until they last so long: float32 (T,) at 16 kHz.

    Raises:
        AudioError: a recording cannot be read.
    """
    again = islice(cycle(case.clips), _MOST_CLIPS)
    return joined((read(clip) for clip in again), seconds)


def read(clip: Utterance) -> Wave:
    """The sound of a clip: float32 (T,) at 16 kHz.

    Raises:
        AudioError: its recording cannot be read, or has changed since the corpus was read.
    """
    return resample(*decode_again(clip))


def seconds(cases: Sequence[Case], plain: dict[str, float], condition: Condition) -> float:
    """How long the sounds of a condition last in all, from how long the clips are."""
    if condition.joined:
        return condition.joined * len(cases)
    return sum(plain.get(case.id, 3.0) + condition.lengthens for case in cases)


def _voices(clip: Utterance, of: Sequence[Utterance], seed: int) -> tuple[Utterance, ...]:
    others = [one for one in of if one.speaker != clip.speaker and one.corpus == clip.corpus]
    others = others or [one for one in of if one is not clip] or [clip]
    rng = np.random.default_rng((seed, crc32(clip.id.encode())))
    places = rng.choice(len(others), min(VOICES, len(others)), replace=False)
    return tuple(others[place] for place in places.tolist())


def length_of(clip_seconds: float) -> str:
    """The group of a length, for tables."""
    if clip_seconds < 2:
        return "under 2 s"
    return "2 to 4 s" if clip_seconds < 4 else "4 s and over"


def seconds_of(clip: Utterance) -> float:
    """How long a clip lasts, in seconds.

    Raises:
        AudioError: its recording cannot be read.
    """
    return len(read(clip)) / SAMPLE_RATE
