"""Tables kept as Parquet, read as the CSV that they would be."""

from __future__ import annotations

from pathlib import Path

from emelia.errors import MissingExtraError
from emelia.text import csv_text


def as_csv(path: Path) -> str:
    """The text of a Parquet table as CSV with a header; nulls are empty.

    Raises:
        OSError, ValueError: it cannot be read.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        from pyarrow.parquet import read_table
    except ImportError:
        raise MissingExtraError("reading Parquet", "pyarrow", "scale") from None
    table = read_table(path)
    columns = [column.to_pylist() for column in table.columns]
    rows = zip(*columns, strict=True)
    filled = (["" if value is None else value for value in row] for row in rows)
    return csv_text([table.column_names, *filled])
