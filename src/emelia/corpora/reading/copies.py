"""Leave out copies: recordings that a corpus holds more than once.

A copy has the same audio and the same labels (emotion, speaker, sentence, take) as another clip.
Counted twice it would make intervals too narrow, and a random split might train and test on the
same audio. Equal audio with different labels is not a copy but an error of the corpus: such clips
stay, with a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from emelia.corpora.records import Utterance


def without_copies(
    utterances: Iterable[Utterance],
) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
    """Divide clips into those to keep and copies of them, both in the order given.

    Of equal clips the one in the fewest folders is kept, the first by name among those.
    """
    found, first = list(utterances), dict[object, Utterance]()
    # Copies often lie in a second folder inside the corpus, so the outer one is the original.
    for utterance in sorted(found, key=lambda u: (u.id.count("/"), u.id)):
        if utterance.digest:
            first.setdefault(_same(utterance), utterance)
    kept = tuple(u for u in found if first.get(_same(u), u) is u)
    ids = {u.id for u in kept}
    return kept, tuple(u for u in found if u.id not in ids)


def describe_copies(kept: Sequence[Utterance], copies: Sequence[Utterance]) -> list[str]:
    """Warn of copies that were left out, with an example; no warning where there are none."""
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
    """A key that is equal for copies of one clip."""
    u = utterance
    return u.digest or u.id, u.emotion, u.speaker, u.sentence, u.take


def _folder(copies: Sequence[Utterance]) -> str:
    """The innermost folder that holds all of them; empty where it is the corpus folder."""
    folders = [PurePosixPath(u.id).parent for u in copies]
    common = [
        f for f in (folders[0], *folders[0].parents) if all(f in (x, *x.parents) for x in folders)
    ]
    return "" if str(common[0]) == "." else str(common[0])
