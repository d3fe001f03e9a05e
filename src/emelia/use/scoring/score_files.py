"""Writes tables of scores row by row: CSV, or Parquet with the extra `scale`.

Columns: path (of segments also start and end), emotion, confidence, unsure, seconds, speech (both
in seconds), then the probability of each label. Where there is no speech the probabilities are
empty (null).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from emelia.errors import ConfigError, MissingExtraError
from emelia.storage import open_atomically
from emelia.text import csv_row
from emelia.use.answer import COLUMNS

Write = Callable[[Path, Sequence[str], Iterable[Sequence[Any]]], None]
_GROUP = 10_000  # rows of a Parquet row group


def column_names(
    labels: Iterable[str], place: Sequence[str] = COLUMNS[:1], more: Sequence[str] = ()
) -> tuple[str, ...]:
    """Names of all columns; a label with the name of another column gets the prefix `p_`.

    Args:
        labels: of the model.
        place: the columns that tell where the sound is: path and, of segments, start and end.
        more: columns before the labels.
    """
    fixed = (*place, *COLUMNS[1:], *more)
    return (*fixed, *(f"p_{label}" if label in fixed else label for label in labels))


def writer(path: Path) -> Write:
    """The function that writes a file with this suffix.

    Raises:
        ConfigError: another suffix than .csv or .parquet.
        MissingExtraError: pyarrow is not installed.
    """
    if path.suffix == ".csv":
        return write_csv
    if path.suffix != ".parquet":
        raise ConfigError(f"{path}: expected a name that ends in .csv or .parquet.")
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingExtraError("writing Parquet", "pyarrow", "scale") from None
    return write_parquet


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write CSV in UTF-8 with a header; truth values are `true` and `false`.

    Raises:
        StorageError: it cannot be written; what was there before is untouched.
    """
    with open_atomically(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(names)
        table.writerows(map(csv_row, rows))
        text.detach()  # flushes


def write_parquet(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write Parquet with typed columns, compressed with zstd.

    Raises:
        StorageError: it cannot be written; what was there before is untouched.
    """
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    text = dict.fromkeys(("path", "speaker", "emotion", "reason"), pyarrow.string())
    kinds = {**text, "unsure": pyarrow.bool_()}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in names])
    with open_atomically(path) as file, ParquetWriter(file, schema, compression="zstd") as table:
        for group in _groups(rows):
            columns = zip(*group, strict=True)
            values = [pyarrow.array(c, s.type) for c, s in zip(columns, schema, strict=True)]
            table.write_table(pyarrow.Table.from_arrays(values, schema=schema))


def read_frame(path: Path) -> Any:
    """A table of scores as a pandas DataFrame.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise MissingExtraError("a data frame", "pandas", "notebook") from None
    if path.is_dir():
        from pyarrow.parquet import read_table

        return read_table(sorted(map(str, path.glob("part-*.parquet")))).to_pandas()
    return pandas.read_parquet(path) if path.suffix == ".parquet" else pandas.read_csv(path)


def _groups(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    left = iter(rows)
    while group := list(islice(left, _GROUP)):
        yield group
