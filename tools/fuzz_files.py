"""Files that people edit or move, damaged in every way: `python tools/fuzz_files.py`.

    python tools/fuzz_files.py [READER ...] [--mutants 50000] [--seed 0] [--into FILE]

Each reader gets mutants of a good file: bits and bytes changed, pieces cut, doubled or exchanged,
words replaced by what a reader may not expect, and in JSON values of another kind. It may read the
file or refuse it by an error of emelia in one line; anything else, or more than 10 s, is a fault,
which is printed with the mutant's number.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from file_readers import Reader, readers

from emelia.errors import EmeliaError
from emelia.show.tables import write_block

LONGEST = 10  # s
NASTY = (
    None, True, -1, 0, 2**70, 1.5, float("nan"), float("inf"), "", "x", "\0", "\ud800", "\u202e",
    [], {}, [[]], ["x"], {"x": 1}, "=1+1", "9" * 5000,
)  # fmt: skip
WORDS = (
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"nan", b"inf", b"-1", b"1e999",
    b"9" * 5000, b"[" * 100_000, b"{", b"}", b'"', b"\r", b"\n\n", b",", b"\t", b"=", b"null",
    b"../../x", b"~", b"/", b"x" * 300, "\u202e\u2066".encode(), b"1979-05-27T07:32:00Z", b"''' ",
    b"#",
)  # fmt: skip


def mutant(good: bytes, draw: random.Random) -> bytes:
    """A damaged copy of a file."""
    if draw.random() < 0.5 and (made := _of_json(good, draw)) is not None:
        return made
    data = bytearray(good)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        draw.choice((_bit, _byte, _cut, _double, _word, _exchange, _end))(data, draw)
    return bytes(data)


def _of_json(good: bytes, draw: random.Random) -> bytes | None:
    """One value of another kind, in one line of a file of JSON; None where it is no such file."""
    lines = good.splitlines(keepends=True) if good.count(b"\n{") else [good]
    place = draw.randrange(len(lines)) if lines else 0
    try:
        value = json.loads(lines[place])
    except (ValueError, IndexError):
        return None
    lines[place] = json.dumps(_changed(value, draw)).encode() + b"\n"
    return b"".join(lines)


def _changed(value: Any, draw: random.Random) -> Any:
    """A copy of a JSON value in which one part, however deep, is another or missing."""
    value = copy.deepcopy(value)
    above: Any = [value]
    key: Any = 0
    while isinstance(above[key], dict | list) and above[key] and draw.random() < 0.85:
        above = above[key]
        key = draw.choice(list(above)) if isinstance(above, dict) else draw.randrange(len(above))
        if above is value and draw.random() < 0.05:
            return draw.choice(NASTY)
    if draw.random() < 0.1:
        del above[key]
    else:
        above[key] = draw.choice(NASTY)
    return value


def _bit(data: bytearray, draw: random.Random) -> None:
    if data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _byte(data: bytearray, draw: random.Random) -> None:
    if data:
        data[draw.randrange(len(data))] = draw.randrange(256)


def _cut(data: bytearray, draw: random.Random) -> None:
    place, size = _piece(data, draw)
    del data[place : place + size]


def _double(data: bytearray, draw: random.Random) -> None:
    place, size = _piece(data, draw)
    data[place:place] = data[place : place + size]


def _word(data: bytearray, draw: random.Random) -> None:
    place, size = _piece(data, draw)
    data[place : place + draw.choice((0, min(size, 12)))] = draw.choice(WORDS)


def _exchange(data: bytearray, draw: random.Random) -> None:
    (one, size), (other, _) = _piece(data, draw), _piece(data, draw)
    data[one : one + size], data[other : other + size] = (
        data[other : other + size],
        data[one : one + size],
    )


def _end(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data) + 1) :]


def _piece(data: bytearray, draw: random.Random) -> tuple[int, int]:
    return draw.randrange(len(data) + 1), draw.choice((1, 2, 8, 40, 200))


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise an AssertionError in this block after some seconds."""

    def late(*_: object) -> None:
        raise AssertionError(f"takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fate(reader: Reader, path: Path, data: bytes) -> str:
    """`read`, `refused`, or what is wrong with how the reader took a file."""
    path.write_bytes(data)
    try:
        with time_limit(LONGEST):
            reader.read(path)
    except EmeliaError as error:
        return "refused" if "\n" not in str(error) else f"an error of several lines: {error!r}"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {error}"[
            :200
        ]
    return "read"


def faults(reader: Reader, folder: Path, mutants: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Fates of mutants, and a line for each fault."""
    path, found, wrong = folder / reader.file, Counter[str](), list[str]()
    path.parent.mkdir(parents=True, exist_ok=True)
    good = reader.good
    assert fate(reader, path, good) == "read", fate(reader, path, good)
    for number in range(mutants):
        told = fate(reader, path, mutant(good, random.Random(f"{reader.name} {seed} {number}")))
        found[told if told in ("read", "refused") else "fault"] += 1
        if told not in ("read", "refused"):
            wrong.append(f"- {reader.name}, mutant {number} of seed {seed}: {told}")
    return found, wrong


def main() -> None:
    """Fuzz all readers, print the table, and leave with 1 where there was a fault."""
    options = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    options.add_argument("readers", nargs="*", help="only these")
    options.add_argument("--mutants", type=int, default=50_000, help="over all readers")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--into", type=Path, help="write the table into this Markdown file")
    chosen = options.parse_args()
    wrong, rows, total = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        known = [r for r in readers(Path(folder)) if not chosen.readers or r.name in chosen.readers]
        for reader in known:
            begun = time.monotonic()
            found, lines = faults(reader, Path(folder), chosen.mutants // len(known), chosen.seed)
            total, wrong = total + found.total(), wrong + lines
            counts = [f"{found[what]:,}" for what in ("read", "refused", "fault")]
            rows.append(f"| {reader.name} | {found.total():,} | {' | '.join(counts)} |")
            print(rows[-1], f"{time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
            print("\n".join(lines[:20]), file=sys.stderr, flush=True)
    bad = len(wrong) or "none"
    head = f"{total:,} damaged files; {bad} led to a traceback, or took over {LONGEST} s."
    columns = ["| reader | files | read | refused in one line | faults |", "|---|---|---|---|---|"]
    table = [*columns, *rows]
    text = "\n".join([head, "", *table])
    print(text)
    if chosen.into:
        write_block(chosen.into, "fuzz", text)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
