"""Where a corpus lies: from what the user writes to a reader, a path and columns.

A place is `demo` (which emelia makes itself), the name of a known corpus, a folder, a manifest, or
`READER:PATH`; a manifest may have columns behind it, `list.csv?emotion=LABEL`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emelia.caches import cache_root
from emelia.corpora.known import CORPORA, demo
from emelia.corpora.paths import corpus_folder
from emelia.corpora.reading.datasets.conversion import parse_place
from emelia.corpora.reading.registry import TABLE_READERS, known_among, readers
from emelia.corpora.records import CorpusSpec
from emelia.errors import CorpusError
from emelia.listing.finding import as_on_disk
from emelia.storage import expanded


@dataclass(frozen=True)
class Place:
    """Where a corpus is and how it is to be read."""

    reader: str  # empty: the one that fits best
    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)  # of a manifest, by role


def divided(where: str | Path) -> Sequence[str | Path]:
    """Divide places joined by `+`; an existing path may have a + in its name."""
    if isinstance(where, Path) or "+" not in where or os.path.exists(expanded(where)):
        return [where]
    places = [place.strip() for place in where.split("+")]
    if not all(places):
        raise CorpusError(f"{where}: expected a place on either side of each +, as in aesdd+nemo.")
    return places


def resolve(where: str | Path) -> Place:
    """The reader asked for and an existing path.

    Raises:
        CorpusError: there is no such place.
        MissingExtraError: `demo` needs eSpeak NG, which is not installed.
    """
    text = os.fspath(where)
    if where == "demo":
        folder = cache_root() / f"demo-{demo.VERSION}"
        demo.make_demo(folder)
        return Place("demo", folder)
    path = expanded(text)
    if os.path.exists(path):
        return Place("", path)
    if isinstance(where, str) and os.path.exists(as_on_disk(path)):
        return Place("", as_on_disk(path))
    if isinstance(where, str) and (listed := _with_columns(text)):
        return listed
    head, colon, rest = text.partition(":")
    if colon and head in TABLE_READERS and isinstance(where, str):
        return Place(head, TABLE_READERS[head](rest))
    if isinstance(where, str) and text in CORPORA and (found := corpus_folder(text)):
        return Place(text, found)
    if colon and isinstance(where, str) and os.path.exists(expanded(rest)):
        if head not in readers():
            raise CorpusError(f"{text}: there is no reader {head!r}{known_among(head, readers())}")
        return Place(head, expanded(rest))
    if text in CORPORA:
        raise CorpusError(
            f"{text}: emelia knows this corpus but not where it is; give its folder, or let "
            f"EMELIA_CORPORA name the folder that holds it. To get it, {_advice(CORPORA[text])}. "
            f"Its homepage is {CORPORA[text].homepage}"
        )
    if os.sep in text or colon or isinstance(where, Path):
        raise CorpusError(f"{text}: no such folder. Check the path, or try the corpus 'demo'.")
    raise CorpusError(
        f"{text}: no such folder, and no corpus of that name{known_among(text, CORPORA)}"
    )


def _with_columns(text: str) -> Place | None:
    """A manifest with columns behind it; None where it is none."""
    file = as_on_disk(expanded(text.rpartition("?")[0].removeprefix("manifest:")))
    if "?" not in text or not (file.is_file() or (file / "manifest.csv").is_file()):
        return None
    _, options = parse_place(text)
    if "table" in options:
        raise CorpusError(f"{text}: a manifest has no tables; leave ?table out.")
    columns = {("part" if role == "split" else role): name for role, name in options.items()}
    return Place("manifest", file, columns)


def _advice(spec: CorpusSpec) -> str:
    return f"run: emelia corpora fetch {spec.name}" if spec.source else spec.obtain
