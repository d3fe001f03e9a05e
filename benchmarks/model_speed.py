"""How fast are models beside each other? One clip through each in turns, on one thread.

    python benchmarks/model_speed.py [MODEL ...] [--corpus demo] [--rounds 100] [--into FILE]

A MODEL is the name of one that ships or a file that `emelia export` wrote; without any, all that
ship. What is timed is the graph, from the waveform to the probabilities, without the speech check.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from recognition_speed import RATE, in_turns, machine, megabytes, speech

from emelia import load
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.use.bundled import find_model, shipped

SECONDS = 4.0  # of speech


def compare(models: list[str], corpus: str, rounds: int) -> Table:
    """Milliseconds of each model, and how many times the first one's they are."""
    wave = speech(SECONDS, corpus)
    ways = {name: partial(load(name).probabilities, [wave]) for name in models}
    seconds = in_turns(ways, rounds)
    first = np.median(seconds[models[0]])
    rows = []
    for name, values in seconds.items():
        middle, high = np.percentile(values, (50, 95))
        size = f"{megabytes(find_model(name)):.1f}"
        times = (f"{1e3 * middle:.1f}", f"{1e3 * high:.1f}", f"{middle / first:.2f}")
        rows.append((Path(name).stem, size, *times, f"{SECONDS / middle:.0f}"))
    columns = ("model", "MB", "p50 ms", "p95 ms", f"x {Path(models[0]).stem}", "x real time")
    clip = f"One clip of {SECONDS:.1f} s at {RATE / 1000:g} kHz"
    note = f"{clip}, one thread, {rounds} rounds in turns. {machine()}."
    return Table("Models side by side", columns, tuple(rows), note)


def main() -> None:
    """Read the options and print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("models", nargs="*", help="names or files")
    options.add_argument("--corpus", default="demo", help="to make the clip of")
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--into", type=Path, help="write the table into this Markdown file")
    chosen = options.parse_args()
    table = compare(chosen.models or list(shipped()), chosen.corpus, chosen.rounds)
    table.print()
    if chosen.into:
        write_block(chosen.into, "model-speed", table.markdown())


if __name__ == "__main__":
    main()
