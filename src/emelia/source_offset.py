"""The offset of a source, and its mix of emotions, from unlabelled clips: both at once.

In a model's space the place of a clip is taken for the mean of its emotion, plus the offset of the
source it comes from, plus what is left. Offset and rest are normal, with the variances that the
card gives. What a source's clips have in common could be either: a room, or that all of them are
sad. So the shares of the emotions are unknown too, and both are estimated by expectation
maximisation (Dempster, Laird, Rubin 1977), beginning from what is usual: ordinary speech is mostly
neutral. A source that is nearly all neutral then has an offset near that of its room, not near that
of neutral.

N clips, or groups of them that are told by their mean, C classes, K coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDS = 25  # of expectation maximisation; more change no answer
# Clips of each emotion, and of neutral, that the shares begin with. Few clips tell little of the
# shares, and what all clips of a source have in common is rather its room than an emotion: without
# so much neutral, plain announcements are answered worse for being adapted to (docs/log.md).
PSEUDO, PSEUDO_NEUTRAL = 0.1, 50.0
NEUTRAL = "neutral"
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Space:
    """Where classes lie in a model's space, and how much offsets vary; the rest has variance 1."""

    means: Array  # (C, K)
    variances: Array  # (K,)
    prior: Array  # (C,) clips of each class that the shares begin with

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> Space:
        """The space that a card's `adaptation` tells of; cards had no prior at first."""
        prior = known.get("prior", [PSEUDO] * len(known["means"]))
        numbers = (known["means"], known["variances"], prior)
        return cls(*(np.array(one, np.float64) for one in numbers))


def usual_prior(classes: Sequence[str]) -> Array:
    """Clips of each class (C,) that the shares of an unknown source begin with."""
    return np.array([PSEUDO_NEUTRAL if name == NEUTRAL else PSEUDO for name in classes])


def estimate(
    space: Space,
    places: Array,
    counts: Array | None = None,
    known: NDArray[np.int64] | None = None,
) -> Array:
    """The offset (K,) of a source; 0 where it has no clips.

    Args:
        places: (N, K), of clips or means of groups of clips.
        counts: (N,) clips in each; one each by default.
        known: (N,) the class of each where somebody has told it, -1 elsewhere; nobody by default.
    """
    offset = np.zeros(len(space.variances))
    counts = np.ones(len(places)) if counts is None else np.asarray(counts, np.float64)
    known = np.full(len(places), -1) if known is None else known
    total = counts.sum()
    if not total:
        return offset
    # Clips that somebody chose to label tell the offset, not how often their emotion is heard.
    unlabelled = np.where(known < 0, counts, 0)
    shares = space.prior / space.prior.sum()
    # The more clips there are, the less the offset is drawn to 0.
    trust = space.variances / (space.variances * total + 1)
    for _ in range(ROUNDS):
        belief = _belief(space, places - offset, shares)
        belief[known >= 0] = np.eye(len(space.means))[known[known >= 0]]
        shares = unlabelled @ belief + space.prior
        shares /= shares.sum()
        offset = trust * (counts @ (places - belief @ space.means))
    return offset


def _belief(space: Space, places: Array, shares: Array) -> Array:
    """The probability (N, C) that each clip without its offset is of each class."""
    # |place - mean|^2 without |place|^2, which is the same for all classes.
    closeness = places @ space.means.T - 0.5 * np.square(space.means).sum(1) + np.log(shares)
    powers = np.exp(closeness - closeness.max(1, keepdims=True))
    belief: Array = powers / powers.sum(1, keepdims=True)
    return belief
