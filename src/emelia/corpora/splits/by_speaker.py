"""Splits with disjoint speakers, or disjoint sentences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emelia.corpora.records import PARTS, UNKNOWN_SPEAKER, Corpus, Fold, Split, Utterance
from emelia.corpora.splits.by_clip import draw
from emelia.errors import SplitError
from emelia.storage import expanded
from emelia.text import from_toml

_SENTENCE_FOLDS = 5
_VALIDATION = 0.2  # share of the clips of a single training speaker


# Speakers disjoint


def loso(corpus: Corpus, name: str) -> Split:
    """Leave one speaker out: one fold for each speaker."""
    speakers = known_speakers(corpus)
    if len(speakers) == 2:
        return _two_speakers(corpus, name, speakers)
    if len(speakers) < 3:
        raise SplitError(
            f"{name} needs two speakers, to train and to test, and better three or more, to "
            f"validate; got {len(speakers)}."
        )
    # Of few speakers, training needs all but one validation speaker. Of many, one speaker would
    # be too small a sample to choose the epoch by.
    count = 1 if len(speakers) < 12 else round((len(speakers) - 1) / 5)
    folds = []
    for i, speaker in enumerate(speakers):
        others = [*speakers[i + 1 :], *speakers[:i]]
        folds.append(by_speakers(corpus, speaker, others[count:], others[:count], [speaker]))
    who = "the next speaker validates" if count == 1 else f"the next {count} speakers validate"
    return Split(name, f"Leave one speaker out, {len(folds)} folds; {who}.", tuple(folds))


def _two_speakers(corpus: Corpus, name: str, speakers: Sequence[str]) -> Split:
    """Train on one speaker and test on the other; some of the first one's clips validate."""
    folds = []
    for tested, other in (speakers, speakers[::-1]):
        own = [u for u in corpus.utterances if u.speaker == other]
        train, validation = draw(own, _VALIDATION)
        test = (u for u in corpus.utterances if u.speaker == tested)
        parts = (tuple(sorted(part, key=lambda u: u.id)) for part in (train, validation, test))
        folds.append(Fold(tested, *parts))
    protocol = (
        "Leave one speaker out, 2 folds; a fifth of the other speaker's clips, drawn at random, "
        "validates, so that the epoch is chosen on a voice that is learnt from."
    )
    return Split(name, protocol, tuple(folds))


def speaker_folds(corpus: Corpus, name: str) -> Split:
    """K folds of whole speakers, balanced in clips and, where known, in gender.

    folds-6 of RAVDESS is six folds of four actors, two men (odd numbers) and two women: 01, 02,
    13, 14; 03, 04, 15, 16; and so on. EmoBox has six folds of other groups of four actors, drawn
    without regard to gender: docs/splits/emobox-ravdess.toml lists them.
    """
    speakers, count = known_speakers(corpus), int(name.removeprefix("folds-"))
    if not 3 <= count <= len(speakers):
        raise SplitError(
            f"{name} does not fit: expected 3 folds or more (to train, to validate, to test) and "
            f"no more than there are speakers, of whom there are {len(speakers)}."
        )
    genders = {u.speaker: u.gender for u in corpus.utterances}
    sizes = Counter(u.speaker for u in corpus.utterances)
    # Dealing one gender after the other gives each fold women and men.
    order = sorted(speakers, key=lambda s: (genders[s], -sizes[s], s))
    groups = _balanced(order, sizes, count)
    folds = _rotate(corpus, groups, _speaker)
    protocol = f"{count} folds with disjoint speakers; the next fold validates."
    return Split(name, protocol, folds)


def published(corpus: Corpus, name: str) -> Split:
    """The fixed split, by speakers, that published figures use."""
    if corpus.spec is None or not corpus.spec.published:
        raise SplitError("no published split is known for this corpus.")
    return _fixed(corpus, name, corpus.spec.published, "The published split")


def listed(corpus: Corpus, name: str) -> Split:
    """A split by speakers listed in a TOML file, `list:FILE.toml`: three parts, or folds."""
    path = expanded(name.removeprefix("list:"))
    lists = _read_list(path)
    if set(lists) == set(PARTS):
        return _fixed(corpus, name, lists, f"The speakers listed in {path.name}")
    _check_listed(corpus, name, lists)
    said = "; ".join(f"{fold} {', '.join(speakers)}" for fold, speakers in lists.items())
    rest = _unlisted(corpus, lists, "always in training")
    protocol = (
        f"The folds of speakers listed in {path.name}: {said}{rest}; the next fold validates."
    )
    return Split(name, protocol, _rotate(corpus, list(map(set, lists.values())), _speaker))


def _read_list(path: Path) -> dict[str, tuple[str, ...]]:
    """Speakers of each part or, by number, of each fold."""
    expected = (
        'expected train = ["1", "2"], validation = ["3"], test = ["4"], with speakers, or three '
        'folds or more: folds = [["1", "2"], ["3"], ["4"]].'
    )
    try:
        values = from_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SplitError(f"{path}: cannot be read ({error.strerror}); {expected}") from None
    except ValueError as error:
        raise SplitError(f"{path}: not valid TOML ({error}); {expected}") from None
    lists = _parts_or_folds(values)
    if not lists or not all(isinstance(listed, list) for listed in lists.values()):
        raise SplitError(f"{path}: has {', '.join(values) or 'nothing'}; {expected}")
    return {key: tuple(map(str, listed)) for key, listed in lists.items()}


def _parts_or_folds(values: Mapping[str, Any]) -> dict[str, Any]:
    """The lists of a file by part, or by number of three or more folds; empty for others."""
    if set(values) == set(PARTS):
        return {part: values[part] for part in PARTS}
    folds = values.get("folds")
    if len(values) == 1 and isinstance(folds, list) and len(folds) > 2:
        return {str(number): fold for number, fold in enumerate(folds, 1)}
    return {}


def _fixed(corpus: Corpus, name: str, parts: Mapping[str, Sequence[str]], title: str) -> Split:
    _check_listed(corpus, name, parts)
    who = "; ".join(f"{part} {', '.join(parts[part])}" for part in PARTS)
    rest = _unlisted(corpus, parts, "not used")
    fold = by_speakers(corpus, "1", parts["train"], parts["validation"], parts["test"])
    return Split(name, f"{title}: {who}{rest}.", (fold,))


def _check_listed(corpus: Corpus, name: str, lists: Mapping[str, Sequence[str]]) -> None:
    speakers = known_speakers(corpus)
    listed = [speaker for some in lists.values() for speaker in some]
    if missing := [speaker for speaker in listed if speaker not in speakers]:
        raise SplitError(
            f"{name} lists the speakers {', '.join(missing)}, who are not in the corpus; "
            f"it has {', '.join(speakers)}."
        )
    if twice := [speaker for speaker, times in Counter(listed).items() if times > 1]:
        raise SplitError(f"{name} lists the speakers {', '.join(twice)} more than once.")


def _unlisted(corpus: Corpus, lists: Mapping[str, Sequence[str]], what: str) -> str:
    """The speakers in none of the lists, as part of a sentence; empty where there are none."""
    listed = {speaker for some in lists.values() for speaker in some}
    unused = [speaker for speaker in corpus.speakers if speaker not in listed]
    return f"; {what} {', '.join(unused)}" if unused else ""


def known_speakers(corpus: Corpus) -> tuple[str, ...]:
    """All speakers of a corpus.

    Raises:
        SplitError: the speaker of a clip is unknown.
    """
    if UNKNOWN_SPEAKER in corpus.speakers:
        unknown = [part.name for part in corpus.parts if UNKNOWN_SPEAKER in part.speakers]
        whose = " and ".join(unknown) or "this corpus"
        raise SplitError(f"the speakers of {whose} are unknown.")
    return corpus.speakers


def by_speakers(
    corpus: Corpus, name: str, train: Iterable[str], validation: Iterable[str], test: Iterable[str]
) -> Fold:
    """A fold whose parts have all clips of these speakers."""

    def said_by(speakers: Iterable[str]) -> tuple[Utterance, ...]:
        wanted = set(speakers)
        return tuple(u for u in corpus.utterances if u.speaker in wanted)

    return Fold(name, said_by(train), said_by(validation), said_by(test))


# Sentences disjoint


def sentence(corpus: Corpus, name: str) -> Split:
    """Five folds with disjoint sentences."""
    if any(not u.sentence for u in corpus.utterances):
        raise SplitError("what is said is not known for every clip, so sentences cannot be split.")
    sizes = Counter(u.sentence for u in corpus.utterances)
    if len(sizes) < _SENTENCE_FOLDS:
        raise SplitError(f"{name} needs {_SENTENCE_FOLDS} sentences, got {len(sizes)}.")
    order = sorted(sizes, key=lambda s: (-sizes[s], s))  # large ones first: better balanced
    folds = _rotate(corpus, _balanced(order, sizes, _SENTENCE_FOLDS), lambda u: u.sentence)
    protocol = (
        f"{_SENTENCE_FOLDS} folds with disjoint sentences; the next fold validates; "
        "speakers are shared."
    )
    return Split(name, protocol, folds)


def _balanced(order: Iterable[str], sizes: Mapping[str, int], count: int) -> list[set[str]]:
    """Deal items to `count` groups, each to the group with the fewest clips so far."""
    groups: list[set[str]] = [set() for _ in range(count)]
    clips = [0] * count
    for item in order:
        smallest = clips.index(min(clips))
        groups[smallest].add(item)
        clips[smallest] += sizes[item]
    return groups


def _speaker(utterance: Utterance) -> str:
    return utterance.speaker


def _rotate(
    corpus: Corpus, groups: Sequence[set[str]], key: Callable[[Utterance], str]
) -> tuple[Fold, ...]:
    """Each group is tested once; the next group validates, the others train."""

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
