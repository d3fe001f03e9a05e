"""Measures what scoring costs on one and two processes, with and without Ray; writes docs/scale.md.

    python benchmarks/scale.py --clips 1000,10000

Clips are made: 4 s of a vowel-like sound, each file a link to one of a hundred. CPU seconds are
those of all processes: other programs of the machine hardly change them, but wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS, SOUNDS = 16_000, 4.0, 100
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
WAYS = {
    "one process": ["--jobs", "1"],
    "two processes": ["--jobs", "2"],
    "Ray, one worker": ["--on", "ray", "--jobs", "1"],
    "Ray, two workers": ["--on", "ray", "--jobs", "2"],
}


def make(folder: Path, clips: int) -> Path:
    sounds, place = folder / "sounds", folder / f"clips-{clips}"
    sounds.mkdir(exist_ok=True)
    place.mkdir()
    rng, when = np.random.default_rng(0), np.arange(round(RATE * SECONDS)) / RATE
    for number in range(SOUNDS):
        pitch = rng.uniform(90, 250) * (1 + 0.1 * np.sin(2 * np.pi * 0.8 * when))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        sound = sum(np.sin(k * phase) / k for k in range(1, 21))
        sound = sound * np.clip(np.sin(2 * np.pi * 2.5 * when) + 0.3, 0, None)
        soundfile.write(sounds / f"{number}.flac", 0.3 * sound / np.abs(sound).max(), RATE)
    for number in range(clips):
        (place / f"{number:06}.flac").symlink_to(sounds / f"{number % SOUNDS}.flac")
    return place


def measure(place: Path, out: Path, options: list[str]) -> dict[str, float]:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "emelia", "score", str(place), str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.perf_counter() - began}


def row(clips: int, way: str, found: dict[str, float]) -> str:
    hours = clips * SECONDS / 3600
    each = 1000 * found["cpu"] / clips
    thousand = found["cpu"] / hours * 1000 / 3600
    return (
        f"| {clips:,} | {way} | {found['cpu']:.0f} | {found['wall']:.0f} | {each:.1f} | "
        f"{thousand:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", default="1000,10000")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--keep", type=Path, help="a .jsonl that keeps what is measured")
    asked = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for clips in map(int, asked.clips.split(",")):
            place = make(Path(folder), clips)
            for way in asked.ways.split(","):
                found = measure(place, Path(folder) / f"{clips} {way}.csv", WAYS[way])
                lines.append(row(clips, way, found))
                print(lines[-1], flush=True)
                if asked.keep:
                    with asked.keep.open("a") as file:
                        file.write(json.dumps({"clips": clips, "way": way, **found}) + "\n")
    head = (
        "| clips of 4 s | how | CPU s | wall s | CPU ms a clip | core hours for 1,000 h |\n"
        "|---:|---|---:|---:|---:|---:|\n"
    )
    load = f"{os.getloadavg()[2]:.0f} other programs shared its {os.cpu_count()} cores"
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    table = f"{head}{chr(10).join(lines)}\n\nOn the machine that measured this, about {load}.\n\n"
    PAGE.write_text(before + BEGIN + table + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
