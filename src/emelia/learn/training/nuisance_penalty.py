"""A larger penalty on the directions in which speakers and corpora differ.

N clips, D features, G groups. Differences between groups are measured within each class, so that
differences between emotions do not count. It is nuisance attribute projection (Solomonoff,
Campbell, Boardman 2005), but soft: directions are penalised and not removed.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emelia.corpora import Utterance

STRENGTHS = (1.0, 4.0)  # candidates; at 1 a variance of one doubles the penalty
Array = NDArray[np.float32]


def offsets(x: Array, labels: NDArray[np.int64], utterances: Sequence[Utterance]) -> Array:
    """Offsets of speakers from their corpus and of corpora from their mean: (N, D) to (G, D).

    The sum of their squares is the variance between speakers plus that between corpora. A corpus
    of a single speaker gives no rows, nor does a single corpus.
    """
    corpora = [u.corpus for u in utterances]
    speakers = [(u.corpus, u.speaker) for u in utterances]
    of_speakers = _offsets(x, labels, speakers, corpora)
    of_corpora = _offsets(x, labels, corpora, [""] * len(corpora))
    return np.concatenate([of_speakers, of_corpora])


def damping(offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal directions (D, K) and the share (K,) to remove along them, of offsets (G, D).

    An L2 penalty on weights for features after `damp` is, for the features before, one that grows
    along each direction by the variance of the offsets.
    """
    _, size, directions = torch.linalg.svd(offsets, full_matrices=False)
    return directions.T, 1 - (1 + size.square()).rsqrt()


def damp(x: Tensor, damping: tuple[Tensor, Tensor]) -> Tensor:
    """Features or weights (N, D), damped along directions: x (1 + S)^-1/2, S the covariance."""
    directions, loss = damping
    return x - (x @ directions * loss) @ directions.T


def _offsets(
    x: Array, labels: NDArray[np.int64], groups: Sequence[Hashable], within: Sequence[Hashable]
) -> Array:
    """Offsets (G, D) of groups from the mean of the groups that share the value of `within`."""
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
    """Offset (D,) of each group from the mean of all groups, averaged over its classes."""
    means = [
        {label: x[place][labels[place] == label].mean(0) for label in np.unique(labels[place])}
        for place in groups
    ]
    known = {label for mean in means for label in mean}
    centres = {k: np.mean([mean[k] for mean in means if k in mean], 0) for k in known}
    return [np.mean([mean[k] - centres[k] for k in mean], 0) for mean in means]
