"""Make a split of a corpus by its name; speakers are disjoint by default.

Validation data chooses the epoch, test data is used once; only `author-80-20` tests after every
epoch, as its study did. Every fold has clips in all three parts, and every class of the corpus in
its training part: a network cannot learn a class it never hears. The other two parts may lack a
class, which the audit tells.

    loso            leave one speaker out: one fold for each speaker
    folds-K         K folds with disjoint speakers, women and men in each
    loco            leave one corpus out, of joined corpora: one fold for each corpus
    language        leave one language out, of joined corpora: one fold for each language
    sentence        5 folds with disjoint sentences
    published       the fixed speakers of published figures, where there are any
    column          the parts that a table's column `split` tells, or the files of a data set
    list:FILE.toml  speakers listed in a file: train, validation and test, or folds
    founding-70-20-10   the founding document's random split; speakers and sentences shared
    random-75-25    5 random draws; speakers and sentences shared
    author-80-20    the founding study's random split; speakers and sentences shared
"""

from __future__ import annotations

import re
from collections.abc import Callable

from emelia.corpora.records import Corpus, Fold, Split
from emelia.corpora.splits import by_clip, by_corpus, by_speaker, official
from emelia.corpora.splits.audit import UNKNOWN_SPEAKERS, audit, audit_lines
from emelia.errors import EmeliaError, SplitError
from emelia.text import did_you_mean

__all__ = [
    "NAMES",
    "UNKNOWN_SPEAKERS",
    "Fold",
    "Split",
    "audit",
    "audit_lines",
    "can_split",
    "make_split",
    "possible_splits",
]

_FIXED: dict[str, Callable[[Corpus, str], Split]] = {
    "loso": by_speaker.loso,
    "loco": by_corpus.loco,
    "language": by_corpus.language,
    "sentence": by_speaker.sentence,
    "published": by_speaker.published,
    "column": official.column,
    "founding-70-20-10": by_clip.founding_document,
    "random-75-25": by_clip.random_75_25,
    "author-80-20": by_clip.author,
}
_OTHERS = tuple(name for name in _FIXED if name != "loso")
NAMES = ("loso", "folds-K", *_OTHERS, "list:FILE.toml")  # as messages and help give them


def make_split(corpus: Corpus, name: str) -> Split:
    """Split a corpus; the names are those of the module's docstring.

    Raises:
        SplitError: there is no such split, or it is not possible for this corpus; the message
            names those that are.
    """
    try:
        return _make(corpus, name)
    except SplitError as error:
        possible = possible_splits(corpus)
        remedy = f"Possible here: {', '.join(possible)}." if possible else "No split is possible."
        raise SplitError(f"{corpus.name}: {error} {remedy}") from None


def possible_splits(corpus: Corpus) -> list[str]:
    """Names of the splits that are possible for a corpus, speaker-independent ones first."""
    folds = min(5, len(corpus.speakers))
    names = ("loso", f"folds-{folds}", *_OTHERS)
    return [name for name in names if can_split(corpus, name)]


def can_split(corpus: Corpus, name: str) -> bool:
    """Whether a split is possible for a corpus."""
    try:
        _make(corpus, name)
    except EmeliaError:
        return False
    return True


def _make(corpus: Corpus, name: str) -> Split:
    if len(corpus.emotions) < 2:
        raise SplitError(
            f"has the single class {', '.join(corpus.emotions)}, so there is nothing to learn; "
            "expected two or more."
        )
    split = _maker(name)(corpus, name)
    for fold in split.folds:  # before hours of training on a fold that tells nothing
        _check(fold, corpus)
    return split


def _maker(name: str) -> Callable[[Corpus, str], Split]:
    if name in _FIXED:
        return _FIXED[name]
    if re.fullmatch(r"folds-\d{1,3}", name, re.ASCII):
        return by_speaker.speaker_folds
    if name.startswith("list:"):
        return by_speaker.listed
    hint = did_you_mean(name, NAMES, f"there are {', '.join(NAMES)}.")
    raise SplitError(f"no split is called {name!r}; {hint}")


def _check(fold: Fold, corpus: Corpus) -> None:
    for part, utterances in fold.parts().items():
        if not utterances:
            raise SplitError(f"fold {fold.name} would have no clips in its {part} part.")
    heard = {u.emotion for u in fold.train}
    if missing := [name for name in corpus.emotions if name not in heard]:
        raise SplitError(
            f"the training part of fold {fold.name} would have no {', '.join(missing)}, "
            "so that could not be learnt; --emotions chooses the classes."
        )
