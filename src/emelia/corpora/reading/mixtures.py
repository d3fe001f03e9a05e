"""Several known corpora unpacked side by side, as on Kaggle: each is read as what it is."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emelia.corpora.known import CORPORA
from emelia.corpora.records import CorpusSpec
from emelia.text import counted, listed

_FEWEST = 2  # recordings, and of two emotions: one may be named so by chance


@dataclass(frozen=True)
class Part:
    """The recordings of one known corpus in a folder."""

    spec: CorpusSpec
    root: Path
    files: tuple[Path, ...]  # relative to the root


@dataclass(frozen=True)
class Mixture:
    """What a folder holds."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def mixture_in(root: Path, files: Sequence[Path], fits: Mapping[str, set[Path]]) -> Mixture | None:
    """The known corpora in a folder, where there are several that make up most of it.

    Args:
        root: the folder.
        files: its recordings, relative to it.
        fits: see `files_of`.
    """
    kinds = kinds_of(fits)
    apart = [name for name in kinds if any(_of_same_speakers(name, k) for k in kinds)]
    rest = {name: found for name, found in kinds.items() if name not in apart}
    known = set().union(*rest.values())
    if len(rest) < 2 or 2 * len(known) <= len(files):
        return None
    parts = tuple(_part(root, name, found, known) for name, found in sorted(rest.items()))
    told = listed([f"{part.spec.name} ({len(part.files)})" for part in parts])
    notes = [f"{root.name} holds several corpora, each read as what it is: {told}."]
    others = [file for file in files if file not in known]
    if others:
        notes.append(left_out(root, others, kinds))
    return Mixture(parts, tuple(notes))


def kinds_of(fits: Mapping[str, set[Path]]) -> dict[str, set[Path]]:
    """The files of each known corpus, by its name; each file belongs to one of them at most.

    Args:
        fits: files by corpus, where one may be of several; see `files_of`.
    """
    kinds, taken = dict[str, set[Path]](), set[Path]()
    for name in sorted(fits, key=lambda name: (-len(fits[name]), name)):
        own = fits[name] - taken
        if len(own) >= _FEWEST and _has_emotions(CORPORA[name], own):
            kinds[name] = own
            taken |= own
    return kinds


def left_out(root: Path, files: Collection[Path], kinds: Mapping[str, Collection[Path]]) -> str:
    """A sentence on recordings that are left out, with the place that reads them."""
    said = f"{counted(len(files), 'recording')} of other names left out, such as {min(files)}"
    for name, found in kinds.items():
        if set(files) <= set(found):
            return f"{said}; they are of {name}, to be read as {name}:{root}."
    folder = _outermost(files, set())
    return f"{said}; if they are labelled, join them: +{root / folder}." if folder.parts else said


def _part(root: Path, name: str, files: set[Path], known: set[Path]) -> Part:
    folder = _outermost(files, known - files)
    inside = tuple(sorted(file.relative_to(folder) for file in files))
    return Part(CORPORA[name], root / folder, inside)


def _outermost(files: Collection[Path], others: Collection[Path]) -> Path:
    """The outermost folder around files that holds none of the others: labels may lie there."""
    common = Path(os.path.commonpath([file.parent for file in files]))
    if not others:
        return common
    around = (*reversed(common.parents), common)  # from the outside
    return next(
        (folder for folder in around if not any(folder in other.parents for other in others)),
        Path(),
    )


def _of_same_speakers(name: str, other: str) -> bool:
    """Whether one is a further part of the other: joined, their speakers would count twice."""
    return name.startswith(f"{other}-")


def _has_emotions(spec: CorpusSpec, files: Collection[Path]) -> bool:
    """Whether the names tell two emotions, or labels lie in other files."""
    told = (spec.read_name(file) for file in files)
    return spec.label is not None or len({fields.emotion for fields in told if fields}) > 1
