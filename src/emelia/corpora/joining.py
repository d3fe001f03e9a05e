"""Several corpora as one, and corpora with fewer classes.

Ids, speakers and sentences of joined corpora begin with the corpus they come from (`aesdd/3`),
so that speakers of different corpora never pass for the same person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from emelia.corpora.utterance import UNKNOWN_SPEAKER, Corpus, Utterance
from emelia.emotions import canonical
from emelia.errors import CorpusError


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Put corpora together, in the order given.

    Raises:
        CorpusError: two of them have the same name, which names of clips begin with.
    """
    names = [corpus.name for corpus in corpora]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise CorpusError(f"{'+'.join(names)}: {twice[0]} is named more than once; join others.")
    return Corpus(
        name="+".join(names),
        root=Path(),
        utterances=tuple(_of(c.name, u) for c in corpora for u in c.utterances),
        rejected=tuple(rejected for c in corpora for rejected in c.rejected),
        warnings=tuple(f"{c.name}: {text}" for c in corpora for text in c.warnings),
        parts=tuple(corpora),
    )


def _of(name: str, utterance: Utterance) -> Utterance:
    known = utterance.speaker != UNKNOWN_SPEAKER
    return replace(
        utterance,
        id=f"{name}/{utterance.id}",
        speaker=f"{name}/{utterance.speaker}" if known else UNKNOWN_SPEAKER,
        sentence=f"{name}/{utterance.sentence}" if utterance.sentence else "",
        corpus=name,
    )


def merge(corpus: Corpus, wanted: Collection[str]) -> Corpus:
    """Count emotions as others where the corpus says so, unless they are wanted by name."""
    rules = corpus.spec.merges if corpus.spec else {}
    rules = {old: new for old, new in rules.items() if old not in wanted}
    counts = corpus.counts()
    notes = [
        f"{counts[old]} clips of {old} count as {new}; ask for {old} by name to tell them apart."
        for old, new in rules.items()
        if counts[old]
    ]
    utterances = tuple(
        replace(u, emotion=rules.get(u.emotion, u.emotion)) for u in corpus.utterances
    )
    return replace(corpus, utterances=utterances, warnings=(*corpus.warnings, *notes))


def restrict(corpus: Corpus, emotions: Sequence[str]) -> Corpus:
    """Keep only clips of these emotions, in a corpus and its parts.

    Raises:
        CorpusError: the corpus has no clip of one of them.
    """
    if not emotions:
        return corpus
    wanted = [canonical(name) for name in emotions]
    if missing := [name for name in wanted if name not in corpus.emotions]:
        near = get_close_matches(missing[0], corpus.emotions, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(corpus.emotions)}."
        raise CorpusError(f"{corpus.name}: has no clip of {missing[0]!r}; {hint}")
    return _only(corpus, wanted)


def _only(corpus: Corpus, wanted: Collection[str]) -> Corpus:
    kept = tuple(u for u in corpus.utterances if u.emotion in wanted)
    return replace(
        corpus, utterances=kept, parts=tuple(_only(part, wanted) for part in corpus.parts)
    )
