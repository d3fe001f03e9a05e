"""Splits of joined corpora that test on an unseen corpus, or an unseen language.

The test part is the whole corpus or language. Of each other corpus about a fifth of the speakers
(at least one, women and men where known) validates, and the others train. So the epoch is chosen
on unseen speakers of seen corpora, as for a model that will be used on new recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from emelia.corpora.records import Corpus, Fold, Split
from emelia.corpora.splits.by_speaker import by_speakers, known_speakers
from emelia.errors import SplitError

_VALIDATES = "of each other corpus a fifth of the speakers validates."


def loco(corpus: Corpus, name: str) -> Split:
    """Leave one corpus out: one fold for each corpus."""
    folds = _folds(corpus, name, {part.name: part.name for part in corpus.parts})
    return Split(name, f"Leave one corpus out, {len(folds)} folds; {_VALIDATES}", folds)


def language(corpus: Corpus, name: str) -> Split:
    """Leave one language out: one fold for each language."""
    spoken = {part.name: part.spec.language if part.spec else "" for part in corpus.parts}
    if unknown := [part for part, found in spoken.items() if not found]:
        raise SplitError(f"{name}: what is spoken in {', '.join(unknown)} is not known.")
    kinds = _language_groups({part: set(found.split(", ")) for part, found in spoken.items()})
    folds = _folds(corpus, name, kinds)
    which = ", ".join(f"{fold.name} ({_corpora_of(kinds, fold.name)})" for fold in folds)
    return Split(name, f"Leave one language out, {len(folds)} folds: {which}; {_VALIDATES}", folds)


def _language_groups(spoken: Mapping[str, set[str]]) -> dict[str, str]:
    """For each corpus the languages of its group: corpora with a common language are grouped."""
    groups: list[set[str]] = []
    for found in spoken.values():
        alike = [group for group in groups if group & found]
        groups = [*(g for g in groups if g not in alike), found.union(*alike)]
    return {
        part: next(", ".join(sorted(group)) for group in groups if group & found)
        for part, found in spoken.items()
    }


def _corpora_of(kinds: Mapping[str, str], wanted: str) -> str:
    return ", ".join(part for part, kind in kinds.items() if kind == wanted)


def _folds(corpus: Corpus, name: str, kinds: Mapping[str, str]) -> tuple[Fold, ...]:
    """A fold for each group of corpora; `kinds` maps each corpus to its group."""
    wanted = list(dict.fromkeys(kinds.values()))
    if len(wanted) < 2:
        what = f"all of {corpus.name} is {wanted[0]}" if wanted else "this is a single corpus"
        raise SplitError(
            f"{name} tests on each of several in turn, but {what}; join others by +, "
            "as in aesdd+emodb."
        )
    known_speakers(corpus)
    speakers = {part: _speakers(corpus, part) for part in kinds}
    if few := [part for part, found in speakers.items() if len(found) < 2]:
        got = ", ".join(f"{len(speakers[part])} of {part}" for part in few)
        raise SplitError(
            f"{name} needs two speakers of each corpus (to train, to validate), got {got}."
        )
    return tuple(_fold(corpus, kind, kinds, speakers) for kind in wanted)


def _fold(
    corpus: Corpus, tested: str, kinds: Mapping[str, str], speakers: Mapping[str, list[str]]
) -> Fold:
    test = chain.from_iterable(speakers[part] for part, kind in kinds.items() if kind == tested)
    others = [speakers[part] for part, kind in kinds.items() if kind != tested]
    validation = {speaker for own in others for speaker in _spread(own)}
    train = (speaker for own in others for speaker in own if speaker not in validation)
    return by_speakers(corpus, tested, train, validation, test)


def _speakers(corpus: Corpus, part: str) -> list[str]:
    """Speakers of one of the joined corpora, sorted by gender."""
    genders = {u.speaker: u.gender for u in corpus.utterances if u.corpus == part}
    return sorted(genders, key=lambda speaker: (genders[speaker], speaker))


def _spread(speakers: list[str]) -> list[str]:
    """A fifth of the speakers, at least one, evenly spaced: so both genders are among them."""
    count = max(1, round(len(speakers) / 5))
    return [speakers[int((i + 0.5) * len(speakers) / count)] for i in range(count)]
