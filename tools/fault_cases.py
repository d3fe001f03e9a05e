"""Commands that write, what they work on, and whether what they leave is whole."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from emelia.config.operators import is_intact
from emelia.use.bundled import SAMPLE_CLIP

SMALL = "--set model.width=2 --set features.mels=16 --epochs 3"
# What each writes lies in OUT. STUDY and RUN are finished ones, CORPUS has 40 clips.
COMMANDS = {
    "predict": "predict CLIP --model aesdd --explain OUT/why.png",
    "score": "score CORPUS OUT/scores.csv --model aesdd --jobs 1",
    "timelines": "score CORPUS OUT/scores.csv --model aesdd --timeline OUT/lines --jobs 1",
    "adapt": "adapt CORPUS --out OUT/room.json",
    "demo": "demo OUT/clip.wav",
    "train": f"train CORPUS --recipe variable-3 {SMALL} --out OUT/run",
    "repeat": "repeat RUN --out OUT/run",
    "study": f"study CORPUS --recipes variable-3 {SMALL} --split folds-3 --out OUT/study --jobs 1",
    "tune": f"tune CORPUS --recipe variable-3 {SMALL} --trials 2 --out OUT/tuned",
    "finetune": "finetune aesdd CORPUS --epochs 1 --out OUT/run",
    "evaluate": "evaluate aesdd CORPUS --out OUT/answers.csv --report OUT/page --no-long",
    "stress": "stress aesdd CORPUS --clips 4 --conditions level --out OUT/stress --jobs 1",
    "export": "export RUN --out OUT/model.onnx --force",
    "report": "report STUDY --out OUT/report",
    "explore": "explore CORPUS --out OUT/look --jobs 1",
    "process": "process CLIP --out OUT/process",
}
KEPT = ("adapt", "demo")  # what is there already is not written again
RESUMED = ("train", "repeat", "finetune")  # by --resume
# Only there while a command runs, or to go on from.
_UNFINISHED = re.compile(r"(\.part|\.lock|\.journal|\.journal-\w+|checkpoint\.\w+|\.db)$")
_TIMES = re.compile(r'"(seconds|created|made)": ?("[^"]*"|[\d.e-]+)')


def make_corpus(folder: Path) -> Path:
    """Five speakers, two emotions and four takes, of one voice at other speeds and levels."""
    wave, rate = soundfile.read(SAMPLE_CLIP, dtype="float32")
    for speaker in range(5):
        for number, emotion in enumerate(("anger", "sadness")):
            for take in range(4):
                speed = 0.8 + 0.1 * speaker + 0.05 * number + 0.01 * take
                sound = soxr.resample(wave, rate, rate * speed) * np.float32(0.5 + 0.1 * take)
                (folder / emotion).mkdir(parents=True, exist_ok=True)
                soundfile.write(folder / emotion / f"{speaker}_{take}.wav", sound, rate)
    return folder


def half_files(folder: Path) -> list[str]:
    """Files under their own names that are not whole."""
    found = (p for p in folder.rglob("*") if p.is_file() and not _UNFINISHED.search(p.name))
    return [str(path.relative_to(folder)) for path in found if not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    data = path.read_bytes()
    try:
        if path.suffix == ".json":
            json.loads(data)
        elif path.suffix == ".jsonl":  # a half last line is cut off by the next who writes
            [json.loads(line) for line in data.split(b"\n")[:-1]]
        elif path.suffix == ".csv":
            widths = {len(row) for row in csv.reader(io.StringIO(data.decode("utf-8-sig")))}
            return len(widths) == 1 and data.endswith(b"\n")
        elif path.suffix == ".onnx":
            return is_intact(data) is True
        elif path.suffix == ".safetensors":
            size = int.from_bytes(data[:8], "little")
            parts = json.loads(data[8 : 8 + size])
            ends = [p["data_offsets"][1] for n, p in parts.items() if n != "__metadata__"]
            return len(data) == 8 + size + max(ends)
    except ValueError:
        return False
    ends = {".png": b"IEND\xaeB`\x82", ".html": b"</html>", ".svg": b"</svg>", ".pdf": b"%%EOF"}
    return bool(data) and data.rstrip().endswith(ends.get(path.suffix, b""))


def contents(folder: Path) -> dict[str, Any]:
    """What a command has left: the text of answers and results without times, else the names."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _UNFINISHED.search(path.name):
            text = path.suffix == ".jsonl" or path.stem in ("answers", "scores")
            name = str(path.relative_to(folder))
            found[name] = _TIMES.sub("", path.read_text(encoding="utf-8")) if text else None
    return found
