"""Join several corpora to one; merge or select classes.

Ids, speakers and sentences of joined corpora begin with the name of their corpus (`aesdd/3`), so
that speakers of different corpora stay different. Recordings that a corpus shares with an earlier
one are left out, and their speakers have the name of the earlier corpus in both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emelia.corpora.reading.warnings import duplicates
from emelia.corpora.records import UNKNOWN_SPEAKER, Corpus, Utterance
from emelia.emotions import canonical
from emelia.errors import CorpusError
from emelia.text import did_you_mean


@dataclass(frozen=True)
class _Addition:
    """What a corpus adds to earlier ones."""

    part: Corpus
    clips: tuple[Utterance, ...]
    copies: tuple[Utterance, ...]
    notes: tuple[str, ...]


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Join corpora in the order given.

    Raises:
        CorpusError: two have the same name, which clip ids begin with; or one has no clip that
            is not in earlier ones.
    """
    names = [corpus.name for corpus in corpora]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise CorpusError(f"{'+'.join(names)}: {twice[0]} is named more than once; join others.")
    found: list[_Addition] = []
    earlier: dict[tuple[str, str], Utterance] = {}
    for corpus in corpora:
        found.append(new := _addition(corpus, earlier))
        earlier |= {_same(clip): clip for clip in new.clips}
    clips = tuple(clip for new in found for clip in new.clips)
    return Corpus(
        name="+".join(names),
        root=Path(),
        utterances=clips,
        rejected=tuple(rejected for c in corpora for rejected in c.rejected),
        warnings=tuple(note for new in found for note in new.notes) + _contradictions(clips),
        parts=tuple(new.part for new in found),
        copies=tuple(copy for new in found for copy in new.copies),
    )


def _addition(corpus: Corpus, earlier: Mapping[tuple[str, str], Utterance]) -> _Addition:
    """A corpus without the clips of earlier ones, with its shared speakers renamed as there."""
    pairs = [(own, _prefixed(corpus.name, own)) for own in corpus.utterances]
    again = [clip for _, clip in pairs if _same(clip) in earlier]
    if again and len(again) == len(pairs):  # a copy of another, or part of it
        raise CorpusError(
            f"{corpus.name}: those before it have all of its recordings; join others."
        )
    # One name for a speaker of both corpora, or a split could train and test on one voice.
    renamed = {clip.speaker: earlier[_same(clip)].speaker for clip in again}
    renamed = {one: other for one, other in renamed.items() if UNKNOWN_SPEAKER not in (one, other)}
    new = [(own, clip) for own, clip in pairs if _same(clip) not in earlier]
    notes = [f"{corpus.name}: {text}" for text in corpus.warnings]
    if again:
        who = f"; {len(renamed)} of its speakers go by their names there" if renamed else ""
        notes.append(
            f"{corpus.name}: {len(again)} of {len(pairs)} recordings are in those before it, with "
            f"the same emotion, and left out{who}."
        )
    return _Addition(
        replace(corpus, utterances=tuple(own for own, _ in new)),
        tuple(replace(clip, speaker=renamed.get(clip.speaker, clip.speaker)) for _, clip in new),
        (*again, *(_prefixed(corpus.name, copy) for copy in corpus.copies)),
        tuple(notes),
    )


def _same(clip: Utterance) -> tuple[str, str]:
    """A key that is equal for copies, whatever each corpus calls its speakers and sentences."""
    return clip.digest or clip.id, clip.emotion


def _contradictions(clips: Iterable[Utterance]) -> tuple[str, ...]:
    """Warnings of audio that two corpora share with different emotions."""
    alike = defaultdict(list)
    for clip in clips:
        alike[clip.digest or clip.id].append(clip)
    groups = [g for g in alike.values() if len({u.corpus for u in g}) > 1]
    return tuple(duplicates([clip for group in groups for clip in group]))


def _prefixed(name: str, utterance: Utterance) -> Utterance:
    known = utterance.speaker != UNKNOWN_SPEAKER
    return replace(
        utterance,
        id=f"{name}/{utterance.id}",
        speaker=f"{name}/{utterance.speaker}" if known else UNKNOWN_SPEAKER,
        sentence=f"{name}/{utterance.sentence}" if utterance.sentence else "",
        corpus=name,
    )


def merge(corpus: Corpus, wanted: Collection[str]) -> Corpus:
    """Count emotions as others by `spec.merges`, except those in `wanted`."""
    rules = corpus.spec.merges if corpus.spec else {}
    rules = {old: new for old, new in rules.items() if old not in wanted}
    counts = corpus.counts()
    notes = [
        f"{counts[old]} clips of {old} count as {new}; ask for {old} by name to tell them apart."
        for old, new in rules.items()
        if counts[old]
    ]
    utterances, copies = (
        tuple(replace(u, emotion=rules.get(u.emotion, u.emotion)) for u in clips)
        for clips in (corpus.utterances, corpus.copies)
    )
    warnings = (*corpus.warnings, *notes)
    return replace(corpus, utterances=utterances, copies=copies, warnings=warnings)


def restrict(corpus: Corpus, emotions: Sequence[str]) -> Corpus:
    """Keep only clips of these emotions, in a corpus and its parts; of all where none is given.

    Raises:
        CorpusError: the corpus has no clip of one of them.
    """
    if not emotions:
        return corpus
    wanted = [canonical(name) for name in emotions]
    if missing := [name for name in wanted if name not in corpus.emotions]:
        known = f"it has {', '.join(corpus.emotions)}."
        hint = did_you_mean(missing[0], corpus.emotions, known)
        raise CorpusError(f"{corpus.name}: has no clip of {missing[0]!r}; {hint}")
    return _only(corpus, wanted)


def _only(corpus: Corpus, wanted: Collection[str]) -> Corpus:
    kept, copies = (
        tuple(u for u in clips if u.emotion in wanted)
        for clips in (corpus.utterances, corpus.copies)
    )
    parts = tuple(_only(part, wanted) for part in corpus.parts)
    return replace(corpus, utterances=kept, copies=copies, parts=parts)
