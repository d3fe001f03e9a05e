"""Measures what scoring costs on one and two processes, with and without Ray; writes docs/scale.md.

    python benchmarks/scale.py [--clips 1000,10000] [--ways "two processes,Ray, two workers"]
        [--keep build/scale.jsonl]

Clips are made: 4 s of a synthetic voice, each file a link to one of a hundred. CPU seconds and
memory are those of all processes that carry a mark in their environment, Ray's own among them, as
they are seen five times a second. Other programs of the machine hardly change them, but wall time.
What is in the file of --keep is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from emelia import load
from emelia.audio import decode, resample
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.use.bundled import SAMPLE_CLIP
from emelia.use.pooling import find_speech

RATE, SECONDS, SOUNDS = 16_000, 4.0, 100
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
MARK = "EMELIA_MEASURED"
TICK = os.sysconf("SC_CLK_TCK")
WAYS = {
    "one process": ["--jobs", "1"],
    "two processes": ["--jobs", "2"],
    "Ray, one worker": ["--on", "ray", "--jobs", "1"],
    "Ray, two workers": ["--on", "ray", "--jobs", "2"],
}


def make(folder: Path, clips: int) -> Path:
    sounds, place = folder / "sounds", folder / f"clips-{clips}"
    sounds.mkdir(exist_ok=True)
    place.mkdir(exist_ok=True)
    voice, rng = decode(SAMPLE_CLIP), np.random.default_rng(0)
    for number in range(SOUNDS):
        sound = soxr.resample(voice[0], voice[1], RATE * rng.uniform(0.85, 1.2))
        sound = np.resize(sound, round(RATE * SECONDS))
        soundfile.write(sounds / f"{number}.flac", rng.uniform(0.3, 0.9) * sound, RATE)
    for number in range(clips):
        (place / f"{number:06}.flac").symlink_to(sounds / f"{number % SOUNDS}.flac")
    return place


class Watch(threading.Thread):
    """CPU seconds and the largest memory of all processes that carry a mark."""

    def __init__(self, mark: str) -> None:
        super().__init__(daemon=True)
        self._mark, self._over = f"{MARK}={mark}".encode(), threading.Event()
        self._seconds: dict[str, float] = {}
        self.peak = 0.0  # MB

    @property
    def cpu(self) -> float:
        return sum(self._seconds.values())

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.peak = max(self.peak, sum(map(self._look, self._marked())))

    def end(self) -> None:
        self._over.set()
        self.join()

    def _marked(self) -> Iterator[Path]:
        for place in Path("/proc").iterdir():
            with suppress(OSError):
                if place.name.isdigit() and self._mark in (place / "environ").read_bytes():
                    yield place

    def _look(self, place: Path) -> float:
        """Note the CPU seconds of a process; return its memory, shared pages by their share."""
        with suppress(OSError, IndexError):
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            self._seconds[place.name] = (int(fields[11]) + int(fields[12])) / TICK
            rollup = (place / "smaps_rollup").read_text().partition("Pss:")[2]
            return int(rollup.split()[0]) / 1000
        return 0.0


def measure(place: Path, out: Path, options: Sequence[str]) -> dict[str, float]:
    """Score a folder and tell CPU and wall seconds, and memory in MB."""
    command = [sys.executable, "-m", "emelia", "score", str(place), str(out), *options]
    watch, began = Watch(out.name), time.perf_counter()
    watch.start()
    environment = {**os.environ, MARK: out.name}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    wall = time.perf_counter() - began
    watch.end()
    return {"cpu": watch.cpu, "wall": wall, "peak": watch.peak}


def parts(place: Path, clips: int) -> dict[str, float]:
    """CPU milliseconds a clip of each step, in one thread: what a worker does for its answers."""
    recognizer, spent = load(threads=1), dict.fromkeys(("decoding", "finding speech"), 0.0)
    recognizer.predict(next(place.iterdir()))
    for path in islice(sorted(place.iterdir()), clips):
        began = time.process_time()
        wave = resample(*decode(path))
        decoded = time.process_time()
        speech = find_speech(wave, recognizer.card.features.hop)
        found = time.process_time()
        recognizer.probabilities(speech.windows())
        spent["decoding"] += decoded - began
        spent["finding speech"] += found - decoded
        spent["recognising"] = spent.get("recognising", 0.0) + time.process_time() - found
    return {name: 1000 * seconds / clips for name, seconds in spent.items()}


def cost_table(found: Sequence[dict[str, Any]]) -> Table:
    columns = ["clips of 4 s", "how", "CPU s", "wall s", "memory MB", "CPU ms a clip",
               "core hours for 1,000 h", "CPU beside one process"]  # fmt: skip
    alone = {one["clips"]: one["cpu"] for one in found if one["way"] == "one process"}
    rows = [
        (
            f"{one['clips']:,}", one["way"], f"{one['cpu']:.0f}", f"{one['wall']:.0f}",
            f"{one['peak']:,.0f}", f"{1000 * one['cpu'] / one['clips']:.1f}",
            f"{one['cpu'] / one['clips'] / SECONDS * 1000:.1f}",
            f"{one['cpu'] / alone[one['clips']]:.2f}" if one["clips"] in alone else "–",
        )
        for one in found
    ]  # fmt: skip
    return Table("What scoring costs", columns, rows)


def model(found: Sequence[dict[str, Any]], steps: dict[str, float]) -> str:
    """What the figures come to: by step, and for more sound than one machine has."""
    largest = max(found, key=lambda one: (one["clips"], "Ray" in one["way"]))
    hours = largest["cpu"] / largest["clips"] / SECONDS * 1000  # core hours for 1,000 h
    told = ", ".join(f"{name} {ms:.1f} ms" for name, ms in steps.items())
    rest = 1000 * largest["cpu"] / largest["clips"] - sum(steps.values())
    lines = [
        f"Of a clip's CPU time in one worker: {told}; the rest of the row for "
        f"{largest['clips']:,} clips ({largest['way']}), {rest:.1f} ms, is starting, listing, the "
        "journal and the table, and Ray where it is used.",
        "",
        f"By that row 1,000 hours take {hours:.1f} core hours: at a price of P a core hour, "
        f"{hours:.1f} P. A million hours take {hours:,.0f} thousand core hours, "
        f"{hours * 1000 / 1000 / 24:.1f} days on 1,000 cores; 100 million hours "
        f"{hours * 100_000 / 10_000 / 24:.0f} days on 10,000.",
        "",
        f"Measured on {os.cpu_count()} cores that {os.getloadavg()[2]:.0f} programs shared at the "
        "end: wall times are longer than they need be, CPU times hardly.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--clips", default="1000,10000")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    parser.add_argument("--keep", type=Path, default=Path("build/scale.jsonl"))
    asked = parser.parse_args()
    asked.keep.parent.mkdir(parents=True, exist_ok=True)
    kept = asked.keep.read_text(encoding="utf-8").splitlines() if asked.keep.exists() else []
    found = [json.loads(line) for line in kept]
    with tempfile.TemporaryDirectory() as folder:
        for clips in map(int, asked.clips.split(",")):
            place = make(Path(folder), clips)
            for way in asked.ways:
                if any((one["clips"], one["way"]) == (clips, way) for one in found):
                    continue
                one = measure(place, Path(folder) / f"{clips} {way}.csv", WAYS[way])
                found.append({"clips": clips, "way": way, **one})
                print(found[-1], flush=True)
                with asked.keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found[-1]) + "\n")
        steps = parts(make(Path(folder), 200), 200)
    order = list(WAYS)
    found.sort(key=lambda one: (one["clips"], order.index(one["way"])))
    text = f"{cost_table(found).markdown()}\n\n{model(found, steps)}"
    print(text)
    write_block(PAGE, "measured", text)


if __name__ == "__main__":
    main()
