"""Add other corpora to the training part of a split.

Validation and test parts stay the same, so that results with and without added corpora can be
compared. Ids and speakers of added clips begin with the name of their corpus, as in joined corpora.
"""

from __future__ import annotations

from dataclasses import replace

from emelia.corpora.reading.joining import join
from emelia.corpora.records import UNKNOWN_SPEAKER, Corpus, Split
from emelia.errors import CorpusError
from emelia.text import listed


def add_to_training(split: Split, corpus: Corpus, others: Corpus) -> Split:
    """Add clips of other corpora to the training part of every fold, and name them in the split.

    Args:
        split: a split of `corpus`.
        corpus: only clips of its classes are added, and none that it contains itself, since it
            may be a test clip.
        others: one corpus, or several that are joined.

    Raises:
        CorpusError: one of the others is `corpus` or a part of it, or has no clip to add.
    """
    joined = join([_fitting(other, corpus) for other in others.sources])
    added, same = joined.parts, _same_speakers(others, corpus)
    clips = tuple(replace(u, speaker=same.get(u.speaker, u.speaker)) for u in joined.utterances)
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
    """The corpus with only the clips that can be added."""
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


def _same_speakers(others: Corpus, corpus: Corpus) -> dict[str, str]:
    """Map speakers of others to their names in the corpus, where both have the same recording.

    So the audit finds test speakers in added clips.
    """
    own = {u.digest: u.speaker for u in corpus.utterances if u.digest}
    return {
        f"{other.name}/{u.speaker}": own[u.digest]
        for other in others.sources
        for u in other.utterances
        if u.digest in own and UNKNOWN_SPEAKER not in (u.speaker, own[u.digest])
    }
