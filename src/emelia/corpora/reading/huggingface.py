"""Read data sets in the formats of Hugging Face's library `datasets`, without that library.

- Parquet files, or the Arrow files of `save_to_disk`, with audio inside or in files beside;
- an audio folder: recordings with a `metadata.csv` or `metadata.jsonl` that has a
  column `file_name`.

`hf:FOLDER` reads a data set; `hf:FOLDER?label=COLUMN&speaker=COLUMN` names columns that do not have
a usual name, `&split=train` reads one part. `hf:OWNER/NAME` is a data set that was downloaded from
huggingface.co before.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from emelia.corpora.paths import corpus_folder, folder_name
from emelia.corpora.reading.conversion import (
    Row,
    check_row_lengths,
    convert,
    parse_place,
    pick_columns,
    table_identity,
)
from emelia.errors import CorpusError, MissingExtraError
from emelia.storage import expanded

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
    rows = (_located(base, row) for table in tables for row in _rows(base, table, options))
    name = (
        (corpus_folder(folder_name(place)) or base.resolve()).name if root.is_dir() else root.stem
    )
    return convert(name, rows, table_identity(base, tables, options))


def _located(root: Path, row: Row) -> Row:
    """Name a file by its path from the data set's folder, which is unique across its parts."""
    if not isinstance(row.audio, Path):
        return row
    return replace(row, name=Path(os.path.relpath(row.audio, root)).as_posix())


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
        columns = pick_columns(schema.names, options, table, ("label", "audio"))
        names = _class_names(table, schema, columns["label"])
        for record in records(list(columns.values())):
            cells = {role: record[column] for role, column in columns.items()}
            name, content = _audio(table, cells.pop("audio"))
            label = cells.pop("label")
            if names and isinstance(label, int):  # -1 stands for no label
                label = names[label] if 0 <= label < len(names) else None
            texts = {role: _text(cell) for role, cell in cells.items()}
            yield Row(name, content, _text(label), **texts)


@contextmanager
def _intact(table: Path) -> Iterator[None]:
    """Turn pyarrow's errors about a damaged file into a CorpusError of one line."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise CorpusError(f"{table}: damaged or of another kind ({error}).") from None


def _listed(table: Path, options: Mapping[str, str]) -> Iterator[Row]:
    """Rows of an audio folder's metadata; file names are relative to it."""
    try:
        text = table.read_text(encoding="utf-8-sig")
        if table.suffix == ".csv":
            records: list[dict[str, Any]] = list(csv.DictReader(text.splitlines(keepends=True)))
        else:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
        there = list(records[0])
        check_row_lengths(records, table)
    except (OSError, ValueError, csv.Error, LookupError, TypeError) as error:
        raise CorpusError(f"{table}: not a table of recordings ({error}).") from None
    columns = pick_columns(there, {"audio": "file_name", **options}, table, ("label", "audio"))
    for record in records:
        texts = {
            role: _text(record.get(column)) for role, column in columns.items() if role != "audio"
        }
        name = _text(record.get(columns["audio"]))
        yield Row(name, table.parent / name if name else None, **texts)


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
    found = [json.loads(noted).get("info", {})]
    if beside.is_file():
        found.append(json.loads(beside.read_text(encoding="utf-8")))
    for info in found:
        feature = (info.get("features") or {}).get(column)
        if isinstance(feature, dict) and feature.get("names"):
            return [str(name) for name in feature["names"]]
    return []


def _audio(table: Path, cell: Any) -> tuple[str, bytes | Path | None]:
    """File name and audio of a cell, which holds bytes or a path relative to the table."""
    if isinstance(cell, str):
        return cell, table.parent / cell
    if not isinstance(cell, dict) or not {"bytes", "path"} & cell.keys():
        raise CorpusError(
            f"{table}: the column of the audio holds {type(cell).__name__}; expected recordings "
            "(bytes and path). Say which column it is, as in ?audio=NAME."
        )
    path = cell.get("path") or ""
    if (content := cell.get("bytes")) is not None:
        return Path(path).name, bytes(content)
    return path, table.parent / path if path else None
