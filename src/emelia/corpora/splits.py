"""Dividing a corpus into training, validation and test parts, speakers disjoint by default.

Validation data chooses the epoch; test data is looked at once, unless a split says that
it peeks. Every fold has clips in all three parts, and its training part has every class
of the corpus: a network cannot learn a class it never hears. The other two parts may
lack a class, which the audit tells.

    loso            leave one speaker out: one fold a speaker
    folds-K         K folds with disjoint speakers
    sentence        5 folds with disjoint sentences
    published       the fixed speakers others have published figures on, where there are such
    list:FILE.toml  fixed speakers of one's own: train, validation and test
    seed-70-20-10   the founding document's random split; speakers and sentences shared
    author-80-20    the founding study's random split; speakers and sentences shared
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from emelia.corpora.audit import audit, audit_lines
from emelia.corpora.utterance import PARTS, UNKNOWN_SPEAKER, Corpus, Fold, Split, Utterance
from emelia.errors import EmeliaError, MissingExtraError, SplitError

__all__ = ["Fold", "Split", "audit", "audit_lines", "make_split", "possible_splits"]

_SEED = 42  # random_state of the founding study
_SENTENCE_FOLDS = 5


def make_split(corpus: Corpus, name: str) -> Split:
    """Split a corpus; the names are those of the module's docstring.

    Raises:
        SplitError: there is no such split, or this corpus cannot give it; the message
            names those it can give.
    """
    try:
        return _make(corpus, name)
    except SplitError as error:
        possible = possible_splits(corpus)
        remedy = f"Possible here: {', '.join(possible)}." if possible else "No split is possible."
        raise SplitError(f"{corpus.name}: {error} {remedy}") from None


def possible_splits(corpus: Corpus) -> list[str]:
    """Names of the splits this corpus can give, the most honest first."""
    folds = min(5, len(corpus.speakers))
    names = ("loso", f"folds-{folds}", "sentence", "published", "seed-70-20-10", "author-80-20")
    return [name for name in names if _can_make(corpus, name)]


def _can_make(corpus: Corpus, name: str) -> bool:
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
    for fold in split.folds:
        _check(fold, corpus)
    return split


def _maker(name: str) -> Callable[[Corpus, str], Split]:
    fixed = {
        "loso": _loso,
        "sentence": _sentence,
        "published": _published,
        "seed-70-20-10": _seed_document,
        "author-80-20": _author,
    }
    if name in fixed:
        return fixed[name]
    if re.fullmatch(r"folds-\d{1,3}", name, re.ASCII):
        return _speaker_folds
    if name.startswith("list:"):
        return _listed
    names = [*fixed, "folds-K", "list:FILE.toml"]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
    raise SplitError(f"no split is called {name!r}; {hint}")


def _check(fold: Fold, corpus: Corpus) -> None:
    for part, utterances in fold.parts().items():
        if not utterances:
            raise SplitError(f"fold {fold.name} would have no clips in its {part} part.")
    heard = {u.emotion for u in fold.train}
    if missing := [name for name in corpus.emotions if name not in heard]:
        raise SplitError(
            f"the training part of fold {fold.name} would have no {', '.join(missing)}, "
            "so that could not be learnt."
        )


# Speakers disjoint


def _loso(corpus: Corpus, name: str) -> Split:
    speakers = _known_speakers(corpus)
    if len(speakers) < 3:
        raise SplitError(
            f"{name} needs three speakers (to train, to validate, to test), got {len(speakers)}."
        )
    # Where speakers are few each one kept from training costs much, so one validates. Where
    # they are many, one would be too small a sample of people to choose the epoch by.
    count = 1 if len(speakers) < 12 else round((len(speakers) - 1) / 5)
    folds = []
    for i, speaker in enumerate(speakers):
        others = [*speakers[i + 1 :], *speakers[:i]]
        folds.append(_by_speakers(corpus, speaker, others[count:], others[:count], [speaker]))
    who = "the next speaker validates" if count == 1 else f"the next {count} speakers validate"
    return Split(name, f"Leave one speaker out, {len(folds)} folds; {who}.", tuple(folds))


def _speaker_folds(corpus: Corpus, name: str) -> Split:
    speakers, count = _known_speakers(corpus), int(name.removeprefix("folds-"))
    if not 3 <= count <= len(speakers):
        raise SplitError(
            f"{name} does not fit: expected 3 folds or more (to train, to validate, to test) and "
            f"no more than there are speakers, of whom there are {len(speakers)}."
        )
    genders = {u.speaker: u.gender for u in corpus.utterances}
    sizes = Counter(u.speaker for u in corpus.utterances)
    # One gender after the other, so that each fold hears women and men alike.
    order = sorted(speakers, key=lambda s: (genders[s], -sizes[s], s))
    groups = _balanced(order, sizes, count)
    folds = _rotate(corpus, groups, lambda u: u.speaker)
    protocol = f"{count} folds with disjoint speakers; the next fold validates."
    return Split(name, protocol, folds)


def _published(corpus: Corpus, name: str) -> Split:
    if corpus.spec is None or not corpus.spec.published:
        raise SplitError("no published split is known for this corpus.")
    return _fixed(corpus, name, corpus.spec.published, "The published split")


def _listed(corpus: Corpus, name: str) -> Split:
    path = Path(name.removeprefix("list:")).expanduser()
    return _fixed(corpus, name, _read_list(path), f"The speakers listed in {path.name}")


def _read_list(path: Path) -> dict[str, tuple[str, ...]]:
    expected = 'expected train = ["1", "2"], validation = ["3"], test = ["4"], with speakers.'
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SplitError(f"{path}: cannot be read ({error.strerror}); {expected}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SplitError(f"{path}: not valid TOML ({error}); {expected}") from None
    if set(values) != set(PARTS) or not all(isinstance(v, list) for v in values.values()):
        raise SplitError(f"{path}: has {', '.join(values) or 'nothing'}; {expected}")
    return {part: tuple(str(speaker) for speaker in values[part]) for part in PARTS}


def _fixed(corpus: Corpus, name: str, parts: Mapping[str, Sequence[str]], title: str) -> Split:
    speakers = _known_speakers(corpus)
    listed = [speaker for part in PARTS for speaker in parts[part]]
    if missing := [speaker for speaker in listed if speaker not in speakers]:
        raise SplitError(
            f"{name} lists the speakers {', '.join(missing)}, who are not in the corpus; "
            f"it has {', '.join(speakers)}."
        )
    if twice := [speaker for speaker, times in Counter(listed).items() if times > 1]:
        raise SplitError(f"{name} lists the speakers {', '.join(twice)} more than once.")
    who = "; ".join(f"{part} {', '.join(parts[part])}" for part in PARTS)
    unused = [speaker for speaker in speakers if speaker not in listed]
    rest = f"; not used {', '.join(unused)}" if unused else ""
    fold = _by_speakers(corpus, "1", parts["train"], parts["validation"], parts["test"])
    return Split(name, f"{title}: {who}{rest}.", (fold,))


def _known_speakers(corpus: Corpus) -> tuple[str, ...]:
    if UNKNOWN_SPEAKER in corpus.speakers:
        raise SplitError("the speakers of this corpus are unknown.")
    return corpus.speakers


def _by_speakers(
    corpus: Corpus, name: str, train: Iterable[str], validation: Iterable[str], test: Iterable[str]
) -> Fold:
    def said_by(speakers: Iterable[str]) -> tuple[Utterance, ...]:
        wanted = set(speakers)
        return tuple(u for u in corpus.utterances if u.speaker in wanted)

    return Fold(name, said_by(train), said_by(validation), said_by(test))


# Sentences disjoint


def _sentence(corpus: Corpus, name: str) -> Split:
    if any(not u.sentence for u in corpus.utterances):
        raise SplitError("what is said is not known for every clip, so sentences cannot be split.")
    sizes = Counter(u.sentence for u in corpus.utterances)
    if len(sizes) < _SENTENCE_FOLDS:
        raise SplitError(f"{name} needs {_SENTENCE_FOLDS} sentences, got {len(sizes)}.")
    order = sorted(sizes, key=lambda s: (-sizes[s], s))
    folds = _rotate(corpus, _balanced(order, sizes, _SENTENCE_FOLDS), lambda u: u.sentence)
    protocol = (
        f"{_SENTENCE_FOLDS} folds with disjoint sentences; the next fold validates; "
        "speakers are shared."
    )
    return Split(name, protocol, folds)


def _balanced(order: Iterable[str], sizes: Mapping[str, int], count: int) -> list[set[str]]:
    """Deal items in the order given, each to the group that has the fewest clips so far."""
    groups: list[set[str]] = [set() for _ in range(count)]
    clips = [0] * count
    for item in order:
        smallest = clips.index(min(clips))
        groups[smallest].add(item)
        clips[smallest] += sizes[item]
    return groups


def _rotate(
    corpus: Corpus, groups: Sequence[set[str]], key: Callable[[Utterance], str]
) -> tuple[Fold, ...]:
    """Each group tests once, while the next one validates and the others train."""

    def folds() -> Iterator[Fold]:
        for i, test in enumerate(groups):
            validation = groups[(i + 1) % len(groups)]
            parts = defaultdict(list)
            for utterance in corpus.utterances:
                item = key(utterance)
                part = "test" if item in test else "validation" if item in validation else "train"
                parts[part].append(utterance)
            yield Fold(str(i + 1), *(tuple(parts[part]) for part in PARTS))

    return tuple(folds())


# Clips drawn at random, as the founding document and its author did


def _seed_document(corpus: Corpus, name: str) -> Split:
    # Sizes from the whole, so that rounding happens once: 604 clips give 423, 121, 60.
    clips = len(corpus.utterances)
    test = round(0.1 * clips)
    rest, tested = _draw(corpus.utterances, test)
    train, validation = _draw(rest, round(0.2 * clips))
    protocol = (
        "70/20/10 stratified at random (random_state 42), as in the founding document; "
        "speakers and sentences are shared."
    )
    return Split(name, protocol, (_sorted_fold(train, validation, tested),))


def _author(corpus: Corpus, name: str) -> Split:
    # The author listed the files in an order that is unknown; by name is the natural guess.
    by_name = sorted(corpus.utterances, key=lambda u: (u.path.name, u.id))
    rest, test = _draw(by_name, 0.2)
    # He had no validation part, so this trains on an eighth fewer clips than he did.
    train, validation = _draw(rest, len(rest) // 8)
    protocol = (
        "80/20 stratified at random (random_state 42) over files sorted by name, as its author "
        "did; an eighth of the 80 % validates; speakers and sentences are shared."
    )
    return Split(name, protocol, (_sorted_fold(train, validation, test),), peeks=True)


def _draw(
    utterances: Sequence[Utterance], size: int | float
) -> tuple[list[Utterance], list[Utterance]]:
    """Draw a stratified part: (the rest, the part)."""
    try:
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise MissingExtraError("a random split", "scikit-learn", "train") from None
    emotions = [u.emotion for u in utterances]
    try:
        rest, part = train_test_split(
            utterances, test_size=size, stratify=emotions, random_state=_SEED
        )
    except ValueError:
        rarest, clips = min(Counter(emotions).items(), key=lambda item: item[1])
        raise SplitError(
            f"{len(utterances)} clips, {clips} of them {rarest}, are too few to draw some "
            "of each class at random."
        ) from None
    return rest, part


def _sorted_fold(
    train: Iterable[Utterance], validation: Iterable[Utterance], test: Iterable[Utterance]
) -> Fold:
    parts = (tuple(sorted(part, key=lambda u: u.id)) for part in (train, validation, test))
    return Fold("1", *parts)
