"""The clips that a network has seen, by the digests of their sound."""

from __future__ import annotations

from collections.abc import Sequence

from emelia.config.card import KEY
from emelia.corpora.records import Corpus, Utterance
from emelia.text import counted, listed

SEEN = f"{KEY}.heard"  # the key of the metadata of a model file, which has always had this name


class SeenClips(frozenset[str]):
    """SHA-256 digests of the clips that a network has seen, so that none of them tests it.

    Seen are training and validation clips, and those of the runs it was initialised from or
    distilled from. A digest is whole or, from a model file, cut short; `in` takes whole ones.
    """

    SHORT = 16  # characters a model file keeps: 64 bits, which no two clips share by chance

    def __contains__(self, digest: object) -> bool:
        return super().__contains__(digest) or super().__contains__(str(digest)[: self.SHORT])

    def to_text(self) -> str:
        """Digests side by side, cut short, for the metadata of a model file."""
        return "".join(sorted({digest[: self.SHORT] for digest in self}))

    @classmethod
    def from_text(cls, text: str) -> SeenClips:
        """The inverse of `to_text`."""
        return cls(text[i : i + cls.SHORT] for i in range(0, len(text), cls.SHORT))


def none_left(corpus: Corpus, unseen: Sequence[Utterance], classes: Sequence[str]) -> str:
    """Why a model can be asked about no clip of a corpus: it saw them, or knows none of them.

    Args:
        corpus: all clips.
        unseen: those that training has not seen.
        classes: that the model knows.
    """
    clips = counted(len(corpus.utterances), "clip")
    if not unseen:
        return f"{corpus.name}: training has seen its {clips}, so they test nothing. Choose others."
    labels = listed(sorted({clip.emotion for clip in unseen}))
    return (
        f"{corpus.name}: none of its {clips} has an emotion that the model knows; there: {labels}; "
        f"expected {listed(classes, 'or')}. --map LABEL=EMOTION,... gives labels other names."
    )
