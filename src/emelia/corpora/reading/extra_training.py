"""Other corpora that are added to training, and only to it.

Validation and test stay with the corpus under test, whose clips keep their ids, so that results
with and without additions are of the very same test clips. Ids and speakers of what is added
begin with its corpus, as those of joined corpora do.
"""

from __future__ import annotations

from dataclasses import replace

from emelia.corpora.reading.joining import join
from emelia.corpora.records import UNKNOWN_SPEAKER, Corpus, Split
from emelia.errors import CorpusError
from emelia.text import listed


def add(split: Split, corpus: Corpus, others: Corpus) -> Split:
    """Add clips of other corpora to the training part of every fold; name and protocol say so.

    Args:
        corpus: what `split` divides. Only clips of its classes are added, and no recording
            that it has itself: one under test would be heard.
        others: one or several, joined.

    Raises:
        CorpusError: one of the others is `corpus` itself or part of it, or adds nothing.
    """
    joined = join([_fitting(other, corpus) for other in others.sources])
    added, people = joined.parts, _same_people(others, corpus)
    clips = tuple(replace(u, speaker=people.get(u.speaker, u.speaker)) for u in joined.utterances)
    names = [other.name for other in added]
    are = f"{listed(names)} {'is' if len(names) == 1 else 'are'}"
    return replace(
        split,
        name="+".join([split.name, *names]),
        protocol=f"{split.protocol.removesuffix('.')}; {are} added to training.",
        folds=tuple(replace(fold, train=(*fold.train, *clips)) for fold in split.folds),
        added=added,
    )


def _fitting(other: Corpus, corpus: Corpus) -> Corpus:
    """What a corpus can add."""
    if other.name in {source.name for source in corpus.sources}:
        raise CorpusError(
            f"{other.name}: cannot be added to {corpus.name}, which has it already; add others."
        )
    own = {u.digest for u in corpus.utterances if u.digest}
    kept = tuple(
        u for u in other.utterances if u.emotion in corpus.emotions and u.digest not in own
    )
    if not kept:
        raise CorpusError(
            f"{other.name}: has nothing to add to {corpus.name}: none of its "
            f"{len(other.utterances)} clips is new and of one of the classes "
            f"({', '.join(corpus.emotions)})."
        )
    return replace(other, utterances=kept)


def _same_people(others: Corpus, corpus: Corpus) -> dict[str, str]:
    """Speakers of others by their names in the corpus: who says the same recording is the same.

    So the audit tells where a voice under test is heard in clips that were added.
    """
    own = {u.digest: u.speaker for u in corpus.utterances if u.digest}
    return {
        f"{other.name}/{u.speaker}": own[u.digest]
        for other in others.sources
        for u in other.utterances
        if u.digest in own and UNKNOWN_SPEAKER not in (u.speaker, own[u.digest])
    }
