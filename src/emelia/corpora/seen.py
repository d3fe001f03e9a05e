"""The clips that a network has seen, by the digests of their sound."""

from __future__ import annotations

from emelia.config.card import KEY

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
