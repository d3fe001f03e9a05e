"""What tells speakers and corpora apart, which a linear layer had better not listen to.

N clips, D features, G groups. How far groups lie apart is measured between clips of one class, so
that what tells emotions apart does not count. Directions in which groups differ get a larger
penalty: nuisance attribute projection (Solomonoff, Campbell, Boardman 2005), but soft.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emelia.corpora import Utterance

STRENGTHS = (1.0, 4.0)  # candidates; with 1 a variance of one doubles the penalty
Array = NDArray[np.float32]


def offsets(x: Array, labels: NDArray[np.int64], utterances: Sequence[Utterance]) -> Array:
    """How far speakers lie from their corpus and corpora from each other: (G, D) of (N, D).

    The sum of their squares is the variance between speakers plus that between corpora. No rows
    come of a corpus of a single speaker, nor of a single corpus.
    """
    corpora = [u.corpus for u in utterances]
    speakers = [(u.corpus, u.speaker) for u in utterances]
    kinds = _apart(x, labels, speakers, corpora), _apart(x, labels, corpora, [""] * len(corpora))
    return np.concatenate(kinds)


def damping(offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Directions (D, K) and what features lose along them (K,), for offsets (G, D).

    After `damp`, an even penalty is one that grows by the variance of the offsets.
    """
    _, size, directions = torch.linalg.svd(offsets, full_matrices=False)
    return directions.T, 1 - (1 + size.square()).rsqrt()


def damp(x: Tensor, damping: tuple[Tensor, Tensor]) -> Tensor:
    """Features, or weights of such (N, D), with less along the directions: x (1 + S)^-1/2."""
    directions, loss = damping
    return x - (x @ directions * loss) @ directions.T


def _apart(
    x: Array, labels: NDArray[np.int64], groups: Sequence[Hashable], within: Sequence[Hashable]
) -> Array:
    """Offsets of groups from the mean of those they are among: (G, D)."""
    members: dict[Hashable, dict[Hashable, list[int]]] = {}
    for i, (group, outer) in enumerate(zip(groups, within, strict=True)):
        members.setdefault(outer, {}).setdefault(group, []).append(i)
    rows: list[Array] = []
    for inner in members.values():
        if len(inner) > 1:
            unbiased = (len(inner) / (len(inner) - 1)) ** 0.5
            rows += [unbiased * row for row in _from_mean(x, labels, list(inner.values()))]
    found: Array = np.array(rows, np.float32).reshape(-1, x.shape[1])
    return found / np.float32(max(1, len(found)) ** 0.5)


def _from_mean(x: Array, labels: NDArray[np.int64], groups: Sequence[list[int]]) -> list[Array]:
    """How far each group lies from the mean of all, class by class; the mean over its classes."""
    means = [
        {label: x[place][labels[place] == label].mean(0) for label in np.unique(labels[place])}
        for place in groups
    ]
    known = {label for mean in means for label in mean}
    centres = {k: np.mean([mean[k] for mean in means if k in mean], 0) for k in known}
    return [np.mean([mean[k] - centres[k] for k in mean], 0) for mean in means]
