"""What is kept of a source: of groups of its clips, how many there are and where they lie in sum.

A group holds the clips that lie nearest to the same two emotions of the model's space, in the same
order, or those that somebody has told the emotion of. Sums are integers, in units of 1/65536, so
that sources that are put together are the same in whatever order clips came. No sound can be made
of them again; they do tell how a voice or room differs from others.

C classes, K coordinates.
"""

from __future__ import annotations

import threading
from hashlib import sha256
from json import dumps
from typing import Self

import numpy as np
from numpy.typing import NDArray

from emelia.config import Card
from emelia.errors import ConfigError, ModelError
from emelia.source_offset import Space, estimate

FEWEST = 3  # clips below which nothing is changed: their mean is mostly chance
HALF_LIFE = 100.0  # clips of a stream after which one counts half; about five minutes of speech
UNIT = 2**16  # of counts and sums
FARTHEST = 1e6  # a coordinate beyond it is taken for this; 1 is the spread of clips
KNOWN = -1  # the first of a group's two classes, where somebody has told the second
Group = tuple[int, int]


class SourceProfile:
    """Sums over the clips of a source, for one model; any number of threads may use it.

    Attributes:
        model: name of the model whose space it is in.
        recipe_digest: of the recipe of that model.
        labels: its emotions.
        digest: of its space, which a training from the same recipe may change.
        groups: counts and sums (1 + K,) in units of 1/65536, by group.
    """

    def __init__(self, card: Card) -> None:
        """Begin with no clips.

        Raises:
            ModelError: the model cannot be adapted.
        """
        if not card.adaptation:
            raise ModelError(
                f"{card.name}: this model cannot be adapted to a source, its file does not tell "
                "how. Choose one that can (`emelia models`), or export it again from its run."
            )
        self.model, self.recipe_digest, self.labels = card.name, card.recipe_digest, card.labels
        self.digest = space_digest(card)
        self.groups: dict[Group, NDArray[np.int64]] = {}
        self._space = Space.of(card.adaptation)
        self._offset: NDArray[np.float32] | None = None
        self._lock = threading.RLock()

    @property
    def size(self) -> int:
        """How many coordinates a place has (K)."""
        return len(self._space.variances)

    @property
    def clips(self) -> int:
        """How many clips there are; those that are half forgotten count half."""
        with self._lock:
            return round(sum(int(sums[0]) for sums in self.groups.values()) / UNIT)

    @property
    def enough(self) -> bool:
        """Whether there are enough of them to change answers."""
        return self.clips >= FEWEST

    def copy(self) -> Self:
        """A source that goes on from this one and leaves it as it is."""
        other = object.__new__(type(self))
        with self._lock:
            other.__dict__ = {**self.__dict__, "_lock": threading.RLock()}
            other.groups = {group: sums.copy() for group, sums in self.groups.items()}
        return other

    def add(
        self,
        place: NDArray[np.floating],
        emotion: str = "",
        *,
        weight: float = 1.0,
        half_life: float = 0.0,
    ) -> None:
        """Take a clip.

        Args:
            place: its coordinates (K,).
            emotion: what somebody has told it shows; empty where nobody has.
            weight: as how many clips it counts, such as a window that shares sound with others.
            half_life: clips after which one counts half, for a source that changes; 0 for never.

        Raises:
            ConfigError: the model does not know the emotion.
        """
        group = self._known(emotion) if emotion else self._nearest(place)
        near = np.clip(place.astype(np.float64), -FARTHEST, FARTHEST)
        added = np.rint(weight * UNIT * np.concatenate([[1.0], near])).astype(np.int64)
        with self._lock:
            if half_life:
                self._forget(0.5 ** (weight / half_life))
            self._add(group, added)

    def merge(self, other: SourceProfile) -> None:
        """Take all clips of another one, of the same model."""
        for group, sums in other.copy().groups.items():
            with self._lock:
                self._add(group, sums)

    def offset(self) -> NDArray[np.float32]:
        """The offset (K,) of the source; 0 where its clips are too few."""
        with self._lock:
            if self._offset is None:
                self._offset = self._estimate().astype(np.float32)
            return self._offset

    def _add(self, group: Group, sums: NDArray[np.int64]) -> None:
        self.groups[group] = self.groups.get(group, 0) + sums
        self._offset = None

    def _forget(self, kept: float) -> None:
        faded = {group: np.rint(kept * sums).astype(np.int64) for group, sums in
                 self.groups.items()}  # fmt: skip
        self.groups = {group: sums for group, sums in faded.items() if sums[0] > 0}

    def _estimate(self) -> NDArray[np.float64]:
        if not self.enough:
            return np.zeros(self.size)
        groups = sorted(self.groups)  # sums of floats hang on the order
        sums = np.array([self.groups[group] for group in groups], np.float64)
        known = np.array([second if first == KNOWN else -1 for first, second in groups])
        return estimate(self._space, sums[:, 1:] / sums[:, :1], sums[:, 0] / UNIT, known)

    def _nearest(self, place: NDArray[np.floating]) -> Group:
        """The two classes whose means are nearest, where no offset is known."""
        distances = np.square(place - self._space.means).sum(1)
        order: list[int] = np.argsort(distances, kind="stable").tolist()
        return order[0], order[1]

    def _known(self, emotion: str) -> Group:
        if emotion not in self.labels:
            raise ConfigError(
                f"known: {emotion!r} is no emotion of {self.model}; expected one of "
                f"{', '.join(self.labels)}."
            )
        return KNOWN, self.labels.index(emotion)


def space_digest(card: Card) -> str:
    """What tells the space of a model from all others."""
    known = {name: card.adaptation[name] for name in ("means", "variances")}
    return sha256(dumps(known).encode()).hexdigest()[:16]
