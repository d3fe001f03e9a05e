"""Read databases in audEERING's audformat: a header `db.yaml` and a file for each table.

`audformat:FOLDER` uses all tables with a column of emotions, `?table=NAME` one of them;
`?label=COLUMN&speaker=COLUMN` names columns. Speakers and other facts may come from other tables
and from the schemes of the header. Tables are read from CSV or Parquet, not from pickle files,
which can run code. Tables of whole files and of segments are read; what is told of a file holds for
its segments. The package audformat is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emelia.corpora.reading.datasets.conversion import (
    Row,
    convert,
    parse_place,
    pick_columns,
    read_records,
    table_identity,
)
from emelia.errors import CorpusError, MissingExtraError
from emelia.listing.columns import USUAL
from emelia.listing.finding import find_file
from emelia.listing.sheet import value
from emelia.storage import expanded

HEADER = "db.yaml"
Record = dict[str, str]


def read_audformat(text: str) -> Path:
    """Convert a database, if that has not been done, and return the folder with its manifest.

    Raises:
        CorpusError: there is no database, or its tables cannot be used.
        MissingExtraError: PyYAML, or pyarrow for Parquet, is not installed.
    """
    place, options = parse_place(text)
    root = expanded(place)
    header = _header(root)
    tables = _table_files(header, root)
    rows = _rows(root, header, tables, options)
    name = str(header.get("name") or root.resolve().name).replace("/", "-")
    return convert(name, rows, table_identity(root, [root / HEADER, *tables.values()], options))


def _header(root: Path) -> Mapping[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("reading audformat", "PyYAML", "datasets") from None
    try:
        header = yaml.safe_load((root / HEADER).read_text(encoding="utf-8"))
    except OSError as error:
        raise CorpusError(f"{root / HEADER}: cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CorpusError(f"{root / HEADER}: not a header of audformat ({error}).") from None
    if not isinstance(header, dict) or not isinstance(header.get("tables"), dict):
        raise CorpusError(f"{root / HEADER}: not a header of audformat, it names no tables.")
    return header


def _table_files(header: Mapping[str, Any], root: Path) -> dict[str, Path]:
    """The files of all tables of recordings or segments, by name of the table."""
    kinds = {name: about.get("type") for name, about in header["tables"].items()}
    of_files = [name for name, kind in kinds.items() if kind in ("filewise", "segmented")]
    if not of_files:
        raise CorpusError(f"{root}: has no table of files or segments.")
    found = {name: _table_file(root, name) for name in of_files}
    # Tables of segments may be left out of a copy, as long as there is another.
    needed = [name for name in of_files if kinds[name] == "filewise" or not any(found.values())]
    if missing := [name for name in needed if found[name] is None]:
        raise CorpusError(f"{root}: the table {missing[0]} is there neither as CSV nor as Parquet.")
    return {name: path for name, path in found.items() if path}


def _table_file(root: Path, name: str) -> Path | None:
    paths = (root / f"db.{name}.{suffix}" for suffix in ("csv", "parquet"))
    return next((path for path in paths if path.is_file()), None)


def _rows(
    root: Path, header: Mapping[str, Any], tables: Mapping[str, Path], options: Mapping[str, str]
) -> Iterator[Row]:
    """Yield a row for each labelled file or segment; of several labels of one the first counts."""
    contents = {name: _read(path) for name, path in tables.items()}
    labelled = _labelled(header, contents, options, root)
    known: dict[_Key, Record] = {}
    # Tables with labels come first, so that their cells take precedence.
    for name in [*labelled, *(name for name in contents if name not in labelled)]:
        for record in contents[name]:
            cells = known.setdefault(_key(record), {})
            for column, cell in record.items():  # of the first table that has it
                cells.setdefault(column, cell)
    columns = pick_columns(
        sorted({column for cells in known.values() for column in cells}),
        {key: value for key, value in options.items() if key != "table"},
        root,
        ("emotion",),
    )
    scheme = _scheme(header, columns.get("speaker", ""))
    wanted = dict.fromkeys(_key(record) for name in labelled for record in contents[name])
    for key in wanted:
        file, start, end = key
        # What is told of the whole file holds for its segments.
        of_file = known.get((file, "", ""), {})
        told = {**of_file, **known[key]}
        cells = {role: told.get(column, "") for role, column in columns.items()}
        # The gender may stand in the table, or in the header's description of the speaker.
        about = scheme.get(cells.get("speaker", ""))
        gender = cells.get("gender") or (str(about.get("gender", "")) if about else "")
        yield Row(
            file, find_file(root, file), cells["emotion"], cells.get("speaker", ""),
            cells.get("sentence", ""), gender, cells.get("part", ""), start, end,
        )  # fmt: skip


_Key = tuple[str, str, str]  # a file, and of a segment its start and end as they are written


def _key(record: Record) -> _Key:
    return record["file"], value(record.get("start", "")), value(record.get("end", ""))


def _labelled(
    header: Mapping[str, Any],
    contents: Mapping[str, list[Record]],
    options: Mapping[str, str],
    root: Path,
) -> list[str]:
    """Names of the tables to read: the one asked for, or all with a column of labels."""
    if table := options.get("table"):
        if table not in contents:
            raise CorpusError(f"{root}: no table {table}; there are {', '.join(contents)}.")
        return [table]
    wanted = [options["emotion"]] if "emotion" in options else list(USUAL["emotion"])
    found = [
        name for name in contents if set(wanted) & set(header["tables"][name].get("columns") or {})
    ]
    if not found:
        raise CorpusError(
            f"{root}: no table has a column {' or '.join(wanted[:6])}; the tables are "
            f"{', '.join(contents)}. Say which column it is, as in ?label=NAME."
        )
    return found


def _scheme(header: Mapping[str, Any], column: str) -> Mapping[str, Mapping[str, Any]]:
    """What the header tells of each speaker; empty where it tells nothing."""
    labels = ((header.get("schemes") or {}).get(column) or {}).get("labels")
    if not isinstance(labels, dict):
        return {}
    return {str(name): about for name, about in labels.items() if isinstance(about, dict)}


def _read(path: Path) -> list[Record]:
    records = read_records(path) if path.suffix == ".csv" else _read_parquet(path)
    if records and "file" not in records[0]:
        raise CorpusError(f"{path}: has no column file, so it is no table of files.")
    return records


def _read_parquet(path: Path) -> list[Record]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("reading this database", "pyarrow", "datasets") from None
    try:
        cells = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: damaged or of another kind ({error}).") from None
    return [{key: "" if cell is None else str(cell) for key, cell in row.items()} for row in cells]
