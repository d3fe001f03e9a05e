"""From what confidence on an answer is sure: one threshold, and higher ones of some emotions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Confidences below which answers are unsure.

    Attributes:
        usual: of all emotions that have none of their own.
        own: by emotion, of those that are answered too often where ordinary speech is neutral.
    """

    usual: float
    own: Mapping[str, float] = field(default_factory=dict)

    def of(self, emotion: str) -> float:
        """That of an emotion."""
        return self.own.get(emotion, self.usual)

    def unsure(self, emotion: str, confidence: float) -> bool:
        """Whether an answer is unsure."""
        return confidence < self.of(emotion)

    def accepted(
        self, classes: Sequence[str], probabilities: NDArray[np.floating]
    ) -> NDArray[np.bool_]:
        """Which answers (N,) with probabilities (N, C) are sure."""
        limits = np.array([self.of(name) for name in classes])
        return np.asarray(probabilities.max(axis=1) >= limits[probabilities.argmax(axis=1)])

    def __str__(self) -> str:
        own = ", ".join(f"{name} {limit:g}" for name, limit in sorted(self.own.items()))
        return f"{self.usual:g}" + (f" ({own})" if own else "")
