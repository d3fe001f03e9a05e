"""Splits that draw clips at random, as published studies did; parts share speakers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from emelia.corpora.records import Corpus, Fold, Split, Utterance
from emelia.errors import MissingExtraError, SplitError

_SEED = 42  # random_state of the founding study
_DRAWS = 5  # of random-75-25, with the seeds from _SEED on


def founding_document(corpus: Corpus, name: str) -> Split:
    """The split of the founding document: 70/20/10."""
    # Sizes from the whole, so that rounding happens once: 604 clips give 423, 121, 60.
    clips = len(corpus.utterances)
    test = round(0.1 * clips)
    rest, tested = draw(corpus.utterances, test)
    train, validation = draw(rest, round(0.2 * clips))
    protocol = (
        "70/20/10 stratified at random (random_state 42), as in the founding document; "
        "speakers and sentences are shared."
    )
    return Split(name, protocol, (_sorted_fold("1", train, validation, tested),))


def author(corpus: Corpus, name: str) -> Split:
    """The founding study's split: 80/20, tested after every epoch."""
    # The order in which the author listed the files is unknown; by name is the natural guess.
    by_name = sorted(corpus.utterances, key=lambda u: (u.path.name, u.id))
    rest, test = draw(by_name, 0.2)
    # He had no validation part, so this trains on an eighth fewer clips than he did.
    train, validation = draw(rest, len(rest) // 8)
    protocol = (
        "80/20 stratified at random (random_state 42) over files sorted by name, as its author "
        "did; an eighth of the 80 % validates; speakers and sentences are shared."
    )
    return Split(
        name, protocol, (_sorted_fold("1", train, validation, test),), tests_every_epoch=True
    )


def random_75_25(corpus: Corpus, name: str) -> Split:
    """Five random draws of 75/25.

    EmoBox (github.com/emo-box/EmoBox) has one such draw of AESDD, with 455 and 149 clips, where
    each of these has 453 and 151.
    """
    seeds = range(_SEED, _SEED + _DRAWS)
    protocol = (
        f"{_DRAWS} draws of 75/25 stratified at random (random_state {seeds[0]} to {seeds[-1]}); "
        "an eighth of the 75 % validates; speakers and sentences are shared."
    )
    folds = []
    for number, seed in enumerate(seeds, 1):
        rest, test = draw(corpus.utterances, 0.25, seed)
        train, validation = draw(rest, len(rest) // 8, seed)
        folds.append(_sorted_fold(str(number), train, validation, test))
    return Split(name, protocol, tuple(folds))


def draw(
    utterances: Sequence[Utterance], size: int | float, seed: int = _SEED
) -> tuple[list[Utterance], list[Utterance]]:
    """Draw a stratified part of the clips at random; returns the rest and the part."""
    try:
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise MissingExtraError("a random split", "scikit-learn", "train") from None
    emotions = [u.emotion for u in utterances]
    try:
        rest, part = train_test_split(
            utterances, test_size=size, stratify=emotions, random_state=seed
        )
    except ValueError:
        rarest, clips = min(Counter(emotions).items(), key=lambda item: item[1])
        raise SplitError(
            f"{len(utterances)} clips, {clips} of them {rarest}, are too few to draw some "
            "of each class at random."
        ) from None
    return rest, part


def _sorted_fold(
    name: str,
    train: Iterable[Utterance],
    validation: Iterable[Utterance],
    test: Iterable[Utterance],
) -> Fold:
    parts = (tuple(sorted(part, key=lambda u: u.id)) for part in (train, validation, test))
    return Fold(name, *parts)
