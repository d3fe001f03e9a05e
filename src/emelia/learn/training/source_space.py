"""How much sources differ: what a model needs to be adapted to one without labels.

A source is whoever and whatever clips come from: a speaker, a room, a microphone, a language. In
the space of some directions of the pooled features a clip is taken for the mean of its class, plus
the offset of its source, plus what is left. Both latter are normal: offsets with the covariance
that the offsets of training speakers have, the rest with that within speaker and class. It is the
model of probabilistic linear discriminant analysis (Ioffe 2006) with sources in place of
identities. The coordinates are chosen so that the rest has variance 1 in each and offsets are
uncorrelated; so both covariances are a row of numbers.

N clips, D pooled features, K directions, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor

from emelia.corpora import Utterance
from emelia.learn.training.logistic import Solution
from emelia.source_offset import PSEUDO, Space, estimate

DIRECTIONS = 64  # principal components that are used, at most
_ROUNDS = 8  # of class means and offsets in turn; more change nothing
_CERTAIN = 3  # clips after which half of their mean offset is believed
_FEWEST = 10  # clips of a speaker whose offset counts
_RIDGE = 1e-3  # added variance
# Share of the variance of training speakers' offsets that a new source's is believed to have. With
# all of it ten mixed clips gain a point more, and those of one emotion are answered worse
# (docs/log.md).
CAUTION = 0.2
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SourceSpace:
    """Coordinates of pooled features, class means in them, and how much offsets vary.

    Attributes:
        centre: (D,), and `directions` (K, D): coordinates are `directions @ (x - centre)`.
        back: (D, K), from an offset in coordinates to one of pooled features.
        means: (C, K) of the classes.
        variances: (K,) of offsets, as far as they are believed; the rest has 1.
    """

    centre: Tensor
    directions: Tensor
    back: Tensor
    means: Tensor
    variances: Tensor

    def of_classes(self, places: Sequence[int]) -> SourceSpace:
        """The same space for some of its classes, in this order."""
        return replace(self, means=self.means[list(places)])


def source_space(
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    utterances: Sequence[Utterance],
    weights: NDArray[np.float64],
    classes: int,
) -> SourceSpace:
    """Estimate the space from training clips.

    Args:
        x: (N, D), pooled features of the trained network, before they are standardised.
        weights: (N,) of each clip.
        classes: C. The mean of a class without clips is that of all.
    """
    share = weights / weights.sum()
    centre = share @ x
    sources = np.unique([f"{u.corpus}/{u.speaker}" for u in utterances], return_inverse=True)[1]
    deviation = np.sqrt(share @ np.square(x - centre)) + _RIDGE
    scaled = (x - centre) / deviation
    axes = np.linalg.svd(np.sqrt(share)[:, None] * scaled, full_matrices=False)[2][:DIRECTIONS]
    z = scaled @ axes.T
    means, offsets = _means_and_offsets(z, labels, sources, share, classes)
    rest = z - means[labels] - offsets[sources]
    weight = _source_weights(sources, [u.corpus for u in utterances])
    between = (weight[:, None] * offsets).T @ offsets
    ahead, back, variances = _diagonal((share[:, None] * rest).T @ rest, between)
    tensors = (
        centre,
        ahead @ (axes / deviation),
        (axes * deviation).T @ back,
        means @ ahead.T,
        CAUTION * variances,
    )
    return SourceSpace(*(torch.from_numpy(np.asarray(one, np.float32)) for one in tensors))


def adapted(layer: Solution, space: SourceSpace, x: NDArray[np.float32]) -> Solution:
    """A linear layer for features less the offset of the source that clips (N, D) come from.

    Clips to learn from were chosen to show emotions, so that neutral is not expected of them.
    """
    means, variances = (one.double().numpy() for one in (space.means, space.variances))
    known = Space(means, variances, np.full(len(means), PSEUDO))
    places = (torch.from_numpy(x) - space.centre) @ space.directions.T
    offset = torch.from_numpy(estimate(known, places.double().numpy())).float()
    return replace(layer, mean=layer.mean + space.back @ offset)


def save_space(space: SourceSpace) -> bytes:
    """A space as the bytes of a safetensors file."""
    return save({one.name: getattr(space, one.name).contiguous() for one in fields(space)})


def load_space(data: bytes) -> SourceSpace:
    """The inverse of `save_space`.

    Raises:
        SafetensorError, TypeError: it is damaged.
    """
    return SourceSpace(**load(data))


def _means_and_offsets(
    z: Array, labels: NDArray[np.int64], sources: NDArray[np.int64], share: Array, classes: int
) -> tuple[Array, Array]:
    """Means of classes (C, K) and offsets of sources (S, K), each given the other, in turn."""
    counts = np.bincount(sources)
    means, offsets = np.zeros((classes, z.shape[1])), np.zeros((len(counts), z.shape[1]))
    for _ in range(_ROUNDS):
        for label in np.unique(labels):
            own = labels == label
            means[label] = share[own] @ (z[own] - offsets[sources[own]]) / share[own].sum()
        sums = np.zeros_like(offsets)
        np.add.at(sums, sources, z - means[labels])
        # A speaker of few clips is believed less: those may be unlike each other by chance.
        offsets = sums / (counts + _CERTAIN)[:, None]
    return means, offsets


def _source_weights(sources: NDArray[np.int64], corpora: Sequence[str]) -> Array:
    """Weight (S,) of each source among the offsets: corpora of many speakers do not decide alone.

    Speakers of few clips do not count, where others have more.
    """
    _, first = np.unique(sources, return_index=True)
    counts = np.bincount(sources)
    counted = counts >= min(_FEWEST, counts.max())
    own = np.array(corpora)[first]
    weight = np.array([counted[own == corpus].sum() or 1 for corpus in own]) ** -0.5 * counted
    return np.asarray(weight / weight.sum())


def _diagonal(within: Array, between: Array) -> tuple[Array, Array, Array]:
    """Coordinates in which `within` is 1 and `between` diagonal: ahead, back and variances."""
    ridge = _RIDGE * np.eye(len(within))
    root = np.linalg.cholesky(within + ridge)
    inverse = np.linalg.inv(root)
    variances, turned = np.linalg.eigh(inverse @ (between + ridge) @ inverse.T)
    return turned.T @ inverse, root @ turned, variances
