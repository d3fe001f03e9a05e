"""The clips a network has heard, which it must never be tested with."""

from __future__ import annotations

from collections.abc import Iterable

SHORT = 16  # characters of a digest that a model file keeps: 64 bits


class Heard(frozenset[str]):
    """Digests of clips, each whole or its first `SHORT` characters; whole ones are asked for."""

    def __contains__(self, digest: object) -> bool:
        return super().__contains__(digest) or super().__contains__(str(digest)[:SHORT])


def shorten(digests: Iterable[str]) -> str:
    """Digests side by side, cut short, for the metadata of a model file."""
    return "".join(sorted({digest[:SHORT] for digest in digests}))


def lengthen(text: str) -> Heard:
    """What `shorten` was given, as far as it kept it."""
    return Heard(text[i : i + SHORT] for i in range(0, len(text), SHORT))
