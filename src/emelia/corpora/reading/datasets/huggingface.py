"""Read data sets in the formats of Hugging Face's library `datasets`, without that library.

- Parquet files, or the Arrow files of `save_to_disk`, with audio inside or in files beside;
- an audio folder: recordings with a `metadata.csv` or `metadata.jsonl` that has a
  column `file_name`.

Audio may also be decoded: `{"array": [...], "sampling_rate": 16000}`. Where a row has the labels of
several raters, the one most of them gave counts.

`hf:FOLDER` reads a data set; `hf:FOLDER?label=COLUMN&speaker=COLUMN` names columns that do not have
a usual name, `&split=train` reads one part. `hf:OWNER/NAME` is a data set that was downloaded from
huggingface.co before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from emelia.audio.encoding import wav_of
from emelia.corpora.paths import corpus_folder, folder_name
from emelia.corpora.reading.datasets.conversion import (
    TIED,
    Row,
    convert,
    parse_place,
    pick_columns,
    read_records,
    table_identity,
)
from emelia.corpora.records import PART_WORDS
from emelia.emotions import canonical
from emelia.errors import CorpusError, MissingExtraError
from emelia.listing.finding import find_file
from emelia.listing.raters import labels_in, majority
from emelia.listing.sheet import value
from emelia.storage import expanded
from emelia.text import from_json

_METADATA = ("metadata.csv", "metadata.jsonl")
_BATCH = 32  # rows in memory at a time: they hold audio


def read_hugging_face(text: str) -> Path:
    """Convert a data set, if that has not been done, and return the folder with its manifest.

    Raises:
        CorpusError: there is no data set, or its columns cannot be used.
        MissingExtraError: pyarrow is not installed.
    """
    place, options = parse_place(text)
    root = _find(place)
    base = root if root.is_dir() else root.parent
    tables = _tables(root, options.get("split", ""))
    rows = (_located(base, table, row) for table in tables for row in _rows(base, table, options))
    name = (
        (corpus_folder(folder_name(place)) or base.resolve()).name if root.is_dir() else root.stem
    )
    return convert(name, rows, table_identity(base, tables, options))


def _located(root: Path, table: Path, row: Row) -> Row:
    """Name a file by its path from the data set's folder, which is unique across its parts.

    The part is that of the table, where no column tells it.
    """
    row = replace(row, part=row.part or _part(table.relative_to(root)))
    if not isinstance(row.audio, Path):
        return row
    return replace(row, name=Path(os.path.relpath(row.audio, root)).as_posix())


def _part(table: Path) -> str:
    """The official part a table is of: `train` of `data/train-00000-of-00002.parquet`."""
    words = (table.stem.split("-")[0], *reversed(table.parent.parts))
    return next((PART_WORDS[word] for word in words if word in PART_WORDS), "")


def _find(place: str) -> Path:
    path = expanded(place)
    if os.path.exists(path):
        return path
    if folder := corpus_folder(folder_name(place)):
        return folder
    if place.count("/") == 1 and not place.startswith((".", "~", "/")):
        raise CorpusError(f"hf:{place}: is not here. Run: emelia corpora fetch hf:{place}")
    raise CorpusError(f"hf:{place}: no such file or folder. Check the path.")


def _tables(root: Path, split: str) -> list[Path]:
    """The files that hold rows: metadata, or else Parquet, or else Arrow files."""
    if root.is_file():
        return [root]
    # Hidden folders are caches of tools that downloaded the data set.
    files = sorted(f for f in root.rglob("*") if f.is_file() and not _hidden(f.relative_to(root)))
    for kind in (
        [f for f in files if f.name in _METADATA],
        [f for f in files if f.suffix == ".parquet"],
        # `cache-...` holds results of computations, not the data.
        [f for f in files if f.suffix == ".arrow" and not f.name.startswith("cache-")],
    ):
        if kind:
            chosen = [f for f in kind if not split or _in_split(f.relative_to(root), split)]
            if not chosen:
                raise CorpusError(f"{root}: has no part {split!r}; leave ?split out to read all.")
            return chosen
    raise CorpusError(
        f"{root}: not a data set of Hugging Face; expected Parquet or Arrow files, or recordings "
        f"with a {' or '.join(_METADATA)}."
    )


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _in_split(path: Path, split: str) -> bool:
    """`train/x.parquet` and `data/train-00000-of-00002.parquet` are of the split train."""
    return split in path.parent.parts or path.stem.split("-")[0] == split


def _rows(root: Path, table: Path, options: Mapping[str, str]) -> Iterator[Row]:
    if table.suffix in (".csv", ".jsonl"):
        yield from _listed(table, options)
        return
    with _intact(table):
        schema, records = _open(table)
        columns = pick_columns(schema.names, options, table, ("emotion", "file"))
        names = _class_names(table, schema, columns["emotion"])
        for record in records(list(columns.values())):
            cells = {role: record[column] for role, column in columns.items()}
            name, content = _audio(table, cells.pop("file"))
            label, problem = _label(cells.pop("emotion"), names)
            texts = {role: _text(cell) for role, cell in cells.items()}
            yield Row(name, content, label, **texts, problem=problem)


def _lines(table: Path) -> list[Mapping[str, Any]]:
    """The objects of a JSON Lines file."""
    try:
        text = table.read_text(encoding="utf-8-sig")
        records = [from_json(line) for line in text.splitlines() if line.strip()]
        return [dict(record) for record in records]
    except (OSError, ValueError, TypeError) as error:
        raise CorpusError(f"{table}: not a table of recordings ({error}).") from None


def _label(cell: Any, names: Sequence[str]) -> tuple[str, str]:
    """The label of a row, and why there is none where raters disagree.

    Args:
        cell: a name, a number of one of `names`, or a list of these, one a rater.
        names: of the classes where cells are numbers; otherwise empty.
    """
    several = cell if isinstance(cell, list) else labels_in(_named(cell, names))
    if len(several) == 1:
        return _named(several[0], names), ""
    labels = [value(_named(one, names)) for one in several]
    found = majority([canonical(label) for label in labels])
    return found, TIED if any(labels) and not found else ""


def _named(cell: Any, names: Sequence[str]) -> str:
    if names and isinstance(cell, int):  # -1 stands for no label
        return names[cell] if 0 <= cell < len(names) else ""
    return _text(cell)


@contextmanager
def _intact(table: Path) -> Iterator[None]:
    """Turn pyarrow's errors about a damaged file into a CorpusError of one line."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise CorpusError(f"{table}: damaged or of another kind ({error}).") from None


def _listed(table: Path, options: Mapping[str, str]) -> Iterator[Row]:
    """Rows of an audio folder's metadata; file names are relative to it."""
    records: list[Mapping[str, Any]] = [
        *(_lines(table) if table.suffix == ".jsonl" else read_records(table))
    ]
    there = list(records[0]) if records else []
    options = {"file": "file_name", **options}
    columns = pick_columns(there, options, table, ("emotion", "file"))
    files = [record.get(columns["file"]) for record in records]
    if len(set(files)) < len(files):  # segments: else the audio is cut already
        columns = pick_columns(there, options, table, ("emotion", "file"), segments=True)
    for record in records:
        cells = {role: record.get(column) for role, column in columns.items()}
        name = value(_text(cells.pop("file")))
        label, problem = _label(cells.pop("emotion"), ())
        texts = {role: _text(cell) for role, cell in cells.items()}
        audio = find_file(table.parent, name) if name else None
        yield Row(name, audio, label, **texts, problem=problem)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)  # 0 is a label


def _open(table: Path) -> tuple[Any, Any]:
    """The schema of a table, and a function from column names to an iterator of records."""
    try:
        import pyarrow
        from pyarrow import ipc, parquet
    except ImportError:
        raise MissingExtraError("reading this data set", "pyarrow", "datasets") from None
    if table.suffix == ".parquet":
        file = parquet.ParquetFile(table)
        return file.schema_arrow, lambda columns: (
            record
            for batch in file.iter_batches(_BATCH, columns=columns)
            for record in batch.to_pylist()
        )
    stream = ipc.open_stream(pyarrow.memory_map(str(table)))
    return stream.schema, lambda columns: (
        record
        for batch in stream
        for start in range(0, batch.num_rows, _BATCH)
        for record in batch.select(columns).slice(start, _BATCH).to_pylist()
    )


def _class_names(table: Path, schema: Any, column: str) -> Sequence[str]:
    """Class names where labels are numbers; empty where none are given."""
    noted = (schema.metadata or {}).get(b"huggingface", b"{}")
    beside = table.parent / "dataset_info.json"
    found = [from_json(noted).get("info", {})]
    if beside.is_file():
        found.append(from_json(beside.read_text(encoding="utf-8")))
    for info in found:
        feature = (info.get("features") or {}).get(column)
        if isinstance(feature, list) and feature:  # labels of several raters
            feature = feature[0]
        if isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
            feature = feature["feature"]
        if isinstance(feature, dict) and feature.get("names"):
            return [str(name) for name in feature["names"]]
    return []


def _audio(table: Path, cell: Any) -> tuple[str, bytes | Path | None]:
    """File name and audio of a cell: bytes, a path relative to the table, or samples."""
    if cell is None:
        return "", None
    if isinstance(cell, bytes):
        return "", cell
    if isinstance(cell, str):
        return cell, find_file(table.parent, cell) if value(cell) else None
    if not isinstance(cell, dict) or not {"bytes", "path", "array"} & cell.keys():
        raise CorpusError(
            f"{table}: the column of the audio holds {type(cell).__name__}; expected recordings "
            "(bytes and path, or array and sampling_rate). Say which column it is, as in "
            "?audio=NAME."
        )
    path = cell.get("path") or ""
    if (content := cell.get("bytes")) is not None:
        return Path(path).name, bytes(content)
    if cell.get("array"):
        if not cell.get("sampling_rate"):
            raise CorpusError(f"{table}: an array of audio has no sampling_rate.")
        return Path(path).name, wav_of(cell["array"], int(cell["sampling_rate"]))
    return path, find_file(table.parent, path) if path else None
