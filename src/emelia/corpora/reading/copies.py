"""Recordings that a corpus holds more than once count once.

A copy has the same audio and the same labels as another recording: emotion, speaker, sentence,
take. Counted twice it would make intervals too narrow, and in a random split be trained on and
tested. The same audio with other labels is no copy but a contradiction, or, with another take,
something its publisher ought to know of; it stays and is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from emelia.corpora.records import Utterance


def without_copies(
    utterances: Iterable[Utterance],
) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
    """Divide into recordings that count and copies of them, both in the order given.

    Of several the one in the fewest folders counts, the first by name among those.
    """
    found, first = list(utterances), dict[object, Utterance]()
    for utterance in sorted(found, key=lambda u: (u.id.count("/"), u.id)):
        if utterance.digest:
            first.setdefault(_same(utterance), utterance)
    kept = tuple(u for u in found if first.get(_same(u), u) is u)
    ids = {u.id for u in kept}
    return kept, tuple(u for u in found if u.id not in ids)


def describe_copies(kept: Sequence[Utterance], copies: Sequence[Utterance]) -> list[str]:
    """One line on what was left out, with an example; none where nothing was."""
    if not copies:
        return []
    original = {_same(u): u.id for u in kept}[_same(copies[0])]
    example = f"{copies[0].id} = {original}"
    if len(copies) == 1:
        return [f"1 recording is a copy of another with the same labels and left out: {example}."]
    where = _folder(copies)
    lying = f", all in {where}" if where else ""
    return [
        f"{len(copies)} recordings are copies of others with the same labels and left out{lying}, "
        f"such as {example}."
    ]


def _same(utterance: Utterance) -> object:
    """What copies have in common."""
    u = utterance
    return u.digest or u.id, u.emotion, u.speaker, u.sentence, u.take


def _folder(copies: Sequence[Utterance]) -> str:
    """The innermost folder that holds all of them; empty where that is the corpus."""
    folders = [PurePosixPath(u.id).parent for u in copies]
    common = [
        f for f in (folders[0], *folders[0].parents) if all(f in (x, *x.parents) for x in folders)
    ]
    return "" if str(common[0]) == "." else str(common[0])
