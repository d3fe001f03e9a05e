"""Read databases in audEERING's audformat: a header `db.yaml` and a file for each table.

`audformat:FOLDER` uses all tables with a column of emotions, `?table=NAME` one of them;
`?label=COLUMN&speaker=COLUMN` names columns. Speakers and other facts may come from other tables
and from the schemes of the header. Tables are read from CSV or Parquet, not from pickle files,
which can run code. Only tables of whole files are read, not those of segments. The package
audformat is not needed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emelia.corpora.reading.conversion import (
    COLUMNS,
    Row,
    check_row_lengths,
    convert,
    parse_place,
    pick_columns,
    table_identity,
)
from emelia.errors import CorpusError, MissingExtraError
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
    tables = {name: _table_file(root, name) for name in _filewise(header, root)}
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


def _filewise(header: Mapping[str, Any], root: Path) -> list[str]:
    names = [name for name, about in header["tables"].items() if about.get("type") == "filewise"]
    if not names:
        raise CorpusError(f"{root}: has no table of whole files; segments are not read.")
    return names


def _table_file(root: Path, name: str) -> Path:
    for suffix in ("csv", "parquet"):
        if (path := root / f"db.{name}.{suffix}").is_file():
            return path
    raise CorpusError(f"{root}: the table {name} is there neither as CSV nor as Parquet.")


def _rows(
    root: Path, header: Mapping[str, Any], tables: Mapping[str, Path], options: Mapping[str, str]
) -> Iterator[Row]:
    """Yield a row for each labelled file; of several tables that label it the first counts."""
    contents = {name: _read(path) for name, path in tables.items()}
    labelled = _labelled(header, contents, options, root)
    known: dict[str, Record] = {}
    # Tables with labels come first, so that their cells take precedence.
    for name in [*labelled, *(name for name in contents if name not in labelled)]:
        for record in contents[name]:
            cells = known.setdefault(record["file"], {})
            for column, cell in record.items():  # of the first table that has it
                cells.setdefault(column, cell)
    columns = pick_columns(
        sorted({column for cells in known.values() for column in cells}),
        {key: value for key, value in options.items() if key != "table"},
        root,
        ("label",),
    )
    scheme = _scheme(header, columns.get("speaker", ""))
    wanted = {record["file"] for name in labelled for record in contents[name]}
    for file in (file for file in known if file in wanted):
        cells = {role: known[file].get(column, "") for role, column in columns.items()}
        # The gender may stand in the table, or in the header's description of the speaker.
        about = scheme.get(cells.get("speaker", ""))
        gender = cells.get("gender") or (str(about.get("gender", "")) if about else "")
        yield Row(
            file, root / file, cells["label"], cells.get("speaker", ""),
            cells.get("sentence", ""), gender,
        )  # fmt: skip


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
    wanted = [options["label"]] if "label" in options else list(COLUMNS["label"])
    found = [
        name for name in contents if set(wanted) & set(header["tables"][name].get("columns") or {})
    ]
    if not found:
        raise CorpusError(
            f"{root}: no table has a column {' or '.join(wanted)}; the tables are "
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
    if path.suffix == ".csv":
        try:
            with path.open(encoding="utf-8", newline="") as file:
                records = list(csv.DictReader(file, restval=""))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CorpusError(f"{path}: cannot be read ({error}).") from None
        check_row_lengths(records, path)
    else:
        records = _read_parquet(path)
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
