"""How often each training clip is drawn: by class, by corpus, or by the share of the target."""

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
    """A clip, as far as sampling needs it."""

    @property
    def utterance(self) -> Utterance: ...
    @property
    def label(self) -> int: ...


def first_of_corpora(utterances: Sequence[Utterance], most: int) -> Sequence[Utterance]:
    """So many utterances of each corpus at most, in their order.

    They are those of the smallest digests: at random, and the same in every fold and training.
    """
    members: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        members.setdefault(utterance.corpus, []).append(utterance)
    kept = {
        id(utterance)
        for own in members.values()
        for utterance in sorted(own, key=lambda one: one.digest)[:most]
    }
    return [utterance for utterance in utterances if id(utterance) in kept]


def target_corpora(validation: Sequence[Labelled]) -> set[str]:
    """Names of the corpora under test: those of the validation clips."""
    return {clip.utterance.corpus for clip in validation}


def sampled_places(
    clips: Sequence[Labelled], train: TrainConfig, target: Collection[str], rng: np.random.Generator
) -> Sequence[int]:
    """Places of the clips of an epoch: all of them, or as many drawn as the recipe asks for."""
    number = train.samples_per_epoch or len(clips)
    if train.balance in ("sampling", "corpora") or _shared(clips, train.target_share, target):
        found = sampling_probabilities(clips, train.balance, target, train.target_share)
        return [int(i) for i in rng.choice(len(clips), number, p=found)]
    if train.samples_per_epoch:
        return [int(i) for i in rng.choice(len(clips), number)]
    return range(len(clips))


def sampling_probabilities(
    clips: Sequence[Labelled],
    balance: str,
    target: Collection[str] = (),
    target_share: float = 0.0,
) -> NDArray[np.float64]:
    """Probability (N,) of each clip to be drawn: classes are balanced, in all or in each corpus.

    A corpus weighs as the square root of its number of clips: balanced, a small one would be
    repeated too often; by its number, a large one would dominate.

    Times N they are weights, 1 on average, for a linear layer, which is solved on all clips.

    Args:
        balance: `corpora` balances classes in each corpus, anything else in all.
        target: names of the corpora under test, empty for a single one.
        target_share: probability of all clips of `target` together, the others sharing the rest,
            both as with `corpora`; 0, or clips of one side alone, leaves it to `balance`.
    """
    if not _shared(clips, target_share, target):
        return _balanced(clips, balance == "corpora")
    found = _balanced(clips, by_corpus=True)
    own = np.array([clip.utterance.corpus in target for clip in clips])
    found[own] *= target_share / found[own].sum()
    found[~own] *= (1 - target_share) / found[~own].sum()
    return found


def _shared(clips: Sequence[Labelled], target_share: float, target: Collection[str]) -> bool:
    """Whether a share is asked for and there are clips of the target and of others."""
    return target_share > 0 and len({clip.utterance.corpus in target for clip in clips}) == 2


def _balanced(clips: Sequence[Labelled], by_corpus: bool) -> NDArray[np.float64]:
    corpora = [clip.utterance.corpus if by_corpus else "" for clip in clips]
    groups = list(zip(corpora, (clip.label for clip in clips), strict=True))
    sizes, totals = Counter(groups), Counter(corpora)
    classes = Counter(corpus for corpus, _ in sizes)
    weight = [totals[c] ** 0.5 / classes[c] / sizes[c, label] for c, label in groups]
    return np.asarray(weight, np.float64) / math.fsum(weight)
