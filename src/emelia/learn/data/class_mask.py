"""The softmax of a clip over those classes alone that its corpus contains.

Where corpora are joined, one without surprise says nothing about surprise: its clips were never
asked for it. In the whole softmax each of them would still count against it. N clips, C classes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from emelia.learn.data.sampling import Labelled

_HIDDEN = -1e9  # a logit whose exponential is 0, and which times 0 is still 0


def classes_of_corpora(clips: Sequence[Labelled]) -> dict[str, set[int]]:
    """The classes of which each corpus has clips, by its name."""
    found: dict[str, set[int]] = {}
    for clip in clips:
        found.setdefault(clip.utterance.corpus, set()).add(clip.label)
    return found


def allowed(
    clips: Sequence[Labelled], known: Mapping[str, Collection[int]], classes: int
) -> Tensor:
    """Bool (N, C): whether the corpus of a clip contains a class."""
    found = torch.zeros(len(clips), classes, dtype=torch.bool)
    for row, clip in zip(found, clips, strict=True):
        row[list(known[clip.utterance.corpus])] = True
    return found


def hide(logits: Tensor, shown: Tensor) -> Tensor:
    """Logits (N, C) of which those that are not shown, bool (N, C), have no share in a softmax."""
    return logits.masked_fill(~shown, _HIDDEN)


def cross_entropy(
    logits: Tensor, targets: Tensor, shown: Tensor, weight: Tensor | None, smoothing: float
) -> Tensor:
    """Mean cross-entropy where each clip has classes of its own.

    Args:
        logits: (N, C), and `targets`, of the same shape, whose rows sum to 1. A class that a target
            asks for, as of a mixed clip or a teacher, is shown, too.
        shown: bool (N, C), the other classes that count.
        weight: (C,) of the classes, or None.
        smoothing: share of the target that is spread over the classes that are shown.
    """
    shown = shown | (targets > 0)
    spread = shown / shown.sum(1, keepdim=True)
    targets = (1 - smoothing) * targets + smoothing * spread
    return F.cross_entropy(hide(logits, shown), targets, weight=weight)
