"""Tables of scores in parts: a folder of Parquet files with a manifest, for what is too large.

    scores/part-00000.parquet   up to 100,000 rows
    scores/part-00001.parquet
    scores/manifest.json        columns, rows, the settings, and SHA-256 of each part

Each recording has its rows in one of them; one that could not be scored has a row with the reason.
The manifest is written last: what it does not name is not part of the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import file_digest
from itertools import chain, islice
from pathlib import Path
from typing import Any

from emelia.storage import write_atomically
from emelia.use.scoring import score_files

MANIFEST = "manifest.json"
ROWS = 100_000  # of a part
_SCHEMA = 1


def wanted(out: Path) -> bool:
    """Whether a table of this name is written in parts: it has no suffix."""
    return not out.suffix


def free(folder: Path) -> bool:
    """Whether there is nothing in a folder."""
    return folder.is_dir() and not any(folder.iterdir())


def write(
    folder: Path,
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    failures: Iterable[Sequence[Any]],
    about: Mapping[str, str],
) -> None:
    """Write rows in parts, then the manifest; parts of an earlier table are removed.

    Args:
        names: of the columns of `rows`.
        failures: the first cells of a row, and the reason why it has no others.
        about: the settings that rows were made with.

    Raises:
        StorageError: the folder cannot be written.
    """
    empty, failed = len(names), 0

    def unscored() -> Iterator[Sequence[Any]]:
        nonlocal failed
        for *place, reason in failures:
            failed += 1
            yield (*place, *[None] * (empty - len(place)), reason)

    every = chain(((*row, None) for row in rows), unscored())
    parts: list[dict[str, Any]] = []
    while group := list(islice(every, ROWS)):
        file = folder / f"part-{len(parts):05}.parquet"
        score_files.write_parquet(file, (*names, "reason"), group)
        with file.open("rb") as written:
            digest = file_digest(written, "sha256").hexdigest()
        parts.append({"file": file.name, "rows": len(group), "sha256": digest})
    total = sum(part["rows"] for part in parts)
    known = {"schema": _SCHEMA, **about, "columns": [*names, "reason"], "rows": total}
    text = json.dumps({**known, "failed": failed, "parts": parts}, indent=1, ensure_ascii=False)
    write_atomically(folder / MANIFEST, text.encode())
    for old in set(folder.glob("part-*.parquet")) - {folder / part["file"] for part in parts}:
        old.unlink()
