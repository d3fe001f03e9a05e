"""Make training classes unequal, to measure methods against class imbalance.

Acted corpora have classes of equal size. Here training clips are left out until class sizes fall
geometrically, from all clips to 1 / R of them; validation and test parts stay the same. The choice
depends on clip ids alone: it is the same for every recipe and seed, and R = 20 keeps a part of
what R = 10 keeps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from emelia.config import digest
from emelia.corpora.records import Fold, Split, Utterance
from emelia.errors import ConfigError

_SEED = "imbalance 1"  # of the random order of classes and clips


def imbalanced(split: Split, ratio: float) -> Split:
    """Make the classes of every training part unequal; name and protocol say so.

    Args:
        ratio: how many times smaller the rarest class becomes; 1 changes nothing.

    Raises:
        ConfigError: `ratio` is below 1 or not finite.
    """
    if not 1 <= ratio < float("inf"):
        raise ConfigError(
            f"imbalance: {ratio:g}; expected 1 or more: the rarest class 1 in so many."
        )
    if ratio == 1:
        return split
    classes = _class_order(u.emotion for fold in split.folds for u in fold.train)
    return replace(
        split,
        name=f"{split.name}-imbalance-{ratio:g}",
        protocol=f"{split.protocol} Training clips left out to make classes unequal, "
        f"1 to 1/{ratio:g}: {' > '.join(classes)}.",
        folds=tuple(_thinned(fold, classes, ratio) for fold in split.folds),
    )


def _class_order(classes: Iterable[str]) -> list[str]:
    """Classes in random order: the first stays large, the last becomes the rarest."""
    return sorted(set(classes), key=_drawn)


def _thinned(fold: Fold, classes: Sequence[str], ratio: float) -> Fold:
    kept: set[str] = set()
    for place, name in enumerate(classes):
        clips = [u for u in fold.train if u.emotion == name]
        share = ratio ** (-place / max(1, len(classes) - 1))
        kept |= {u.id for u in _spread(clips)[: max(1, round(share * len(clips)))]}
    return replace(fold, train=tuple(u for u in fold.train if u.id in kept))


def _spread(clips: Iterable[Utterance]) -> list[Utterance]:
    """Clips in an order whose every beginning has about the same shares of speakers."""
    by_speaker = defaultdict(list)
    # Each speaker's clips are spread evenly over the order, then merged.
    for clip in sorted(clips, key=lambda u: _drawn(u.id)):
        by_speaker[clip.speaker].append(clip)
    places = {
        clip.id: ((number + 0.5) / len(own), _drawn(clip.id))
        for own in by_speaker.values()
        for number, clip in enumerate(own)
    }
    return sorted((c for own in by_speaker.values() for c in own), key=lambda c: places[c.id])


def _drawn(name: str) -> str:
    """Sort key of a random order that depends on the name alone."""
    return digest([_SEED, name], length=16)
