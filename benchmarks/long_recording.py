"""How much memory and time a timeline of many hours takes.

    python benchmarks/long_recording.py [--hours 10] [--silence 12] [--corpus FOLDER] [--into FILE]

Each recording is written as FLAC, then heard by a process of its own, of which the most
memory it ever had is told. The short recording shows what the process needs anyway.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from recognition_speed import ONE_THREAD, RATE, ROOT, machine, speech

from emelia import console
from emelia.show.tables import write_block
from emelia.table import Table

AESDD = ROOT.parent / "shared" / "corpora" / "aesdd"
BLOCK = 600  # s, of speech repeated
# Not ru_maxrss, which starts with what this process holds; Linux's VmHWM starts anew.
HEAR = """
import json, re, sys
from pathlib import Path
from emelia import load
timeline = load(sys.argv[1]).timeline(sys.argv[2])
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps([peak, timeline.seconds, len(timeline.windows), len(timeline.segments)]))
"""


def record(path: Path, block: NDArray[np.float32], hours: float) -> None:
    """Write a block of sound over and over until it has lasted so many hours."""
    left = round(hours * 3600 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="FLAC") as file:
        while left > 0:
            file.write(block[:left])
            left -= len(block)


def hear(path: Path, model: str) -> tuple[float, float, list[float]]:
    """Seconds a process takes for a timeline, its peak memory in MB, and what it found."""
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", HEAR, model, str(path)]
    began = time.perf_counter()
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - began
    if run.returncode:
        raise SystemExit(f"the process ended with code {run.returncode}")
    peak, *found = json.loads(run.stdout)
    return seconds, peak, found


def main() -> None:
    """Read the options, measure, and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--hours", type=float, default=10.0, help="of speech")
    options.add_argument("--silence", type=float, default=12.0, help="hours of silence")
    options.add_argument("--corpus", default=str(AESDD) if AESDD.is_dir() else "demo")
    options.add_argument("--model", default="default")
    options.add_argument("--into", help="also write the table into this Markdown file")
    chosen = options.parse_args()
    silence = np.zeros(BLOCK * RATE, np.float32)
    spoken = speech(BLOCK, chosen.corpus)
    kinds: dict[str, tuple[NDArray[np.float32], float]] = {
        "speech": (spoken, 1 / 60), "speech, long": (spoken, chosen.hours),
        "silence, long": (silence, chosen.silence),
    }  # fmt: skip
    rows = [row(name, *kind, chosen.model) for name, kind in kinds.items()]
    columns = ("recording", "hours", "s", "x real time", "peak MB", "windows", "segments")
    note = (
        f"One process of one thread each, its start included; FLAC of 16 kHz; speech of "
        f"{Path(chosen.corpus).name}, repeated. One run each. {machine()}."
    )
    table = Table("Timelines of long recordings", columns, tuple(rows), note)
    console.say(table.markdown())
    if chosen.into:
        write_block(Path(chosen.into), "long-recording", table.markdown())


def row(name: str, block: NDArray[np.float32], hours: float, model: str) -> tuple[str, ...]:
    """One recording in words and figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.flac")
        record(path, block, hours)
        seconds, peak, (length, windows, segments) = hear(path, model)
    pace = length / seconds
    found = (f"{windows:.0f}", f"{segments:.0f}")
    return name, f"{length / 3600:.2f}", f"{seconds:.1f}", f"{pace:.0f}", f"{peak:.0f}", *found


if __name__ == "__main__":
    main()
