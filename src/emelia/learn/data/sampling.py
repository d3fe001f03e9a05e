"""Which training clips are drawn how often: classes alike, corpora by size, or a share at home."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emelia.config import TrainConfig
from emelia.corpora import Utterance


class Labelled(Protocol):
    """What decides how often a clip is drawn."""

    @property
    def utterance(self) -> Utterance: ...
    @property
    def label(self) -> int: ...


def home_of(validation: Sequence[Labelled]) -> set[str]:
    """The corpora under test: those of the clips that choose the epoch."""
    return {clip.utterance.corpus for clip in validation}


def pick(
    clips: Sequence[Labelled], train: TrainConfig, home: Collection[str], rng: np.random.Generator
) -> Sequence[int]:
    """Places of all clips, or of as many drawn as the recipe asks."""
    number = train.samples_per_epoch or len(clips)
    if train.balance in ("sampling", "corpora") or _shared(clips, train.target_share, home):
        chances = draw_chances(clips, train.balance, home, train.target_share)
        return [int(i) for i in rng.choice(len(clips), number, p=chances)]
    if train.samples_per_epoch:
        return [int(i) for i in rng.choice(len(clips), number)]
    return range(len(clips))


def draw_chances(
    clips: Sequence[Labelled], balance: str, home: Collection[str] = (), home_share: float = 0.0
) -> NDArray[np.float64]:
    """The chance (N,) of each clip to be drawn: every class alike, in all or in each corpus.

    A corpus weighs as the root of its number of clips: alike would repeat a small one too
    often, by number would let a large one drown it.

    Times N they are weights, 1 on average, for a classifier that is solved and draws nothing.

    Args:
        balance: `corpora` makes classes alike in each corpus, anything else in all.
        home: names of the corpora under test, empty for a single one.
        home_share: what the clips of `home` get together, the others sharing the rest, both
            as with `corpora`; 0, or clips of one side alone, leaves it to `balance`.
    """
    if not _shared(clips, home_share, home):
        return _alike(clips, balance == "corpora")
    chances = _alike(clips, by_corpus=True)
    own = np.array([clip.utterance.corpus in home for clip in clips])
    chances[own] *= home_share / chances[own].sum()
    chances[~own] *= (1 - home_share) / chances[~own].sum()
    return chances


def _shared(clips: Sequence[Labelled], home_share: float, home: Collection[str]) -> bool:
    """Whether there are two sides to share the draws, and a share is asked for."""
    return home_share > 0 and len({clip.utterance.corpus in home for clip in clips}) == 2


def _alike(clips: Sequence[Labelled], by_corpus: bool) -> NDArray[np.float64]:
    corpora = [clip.utterance.corpus if by_corpus else "" for clip in clips]
    groups = list(zip(corpora, (clip.label for clip in clips), strict=True))
    sizes, totals = Counter(groups), Counter(corpora)
    classes = Counter(corpus for corpus, _ in sizes)
    weight = [totals[c] ** 0.5 / classes[c] / sizes[c, label] for c, label in groups]
    return np.asarray(weight, np.float64) / math.fsum(weight)
