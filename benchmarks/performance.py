"""How fast is each part beside what else does the same? One table, all rows within one run.

    python benchmarks/performance.py [--corpus demo] [--rows TEXT] [--into FILE]
    python benchmarks/performance.py --check | --keep

Ours and its reference run in turns on one thread, so that a busy machine slows both: compare the
ratios and processor seconds, not the wall. `--check` fails where a hot path has lost more than a
fifth against the ratios in benchmarks/hot_paths.toml, which `--keep` writes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import librosa
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from recognition_speed import FOUNDING, RATE, cpu_seconds, founding, machine, run, speech
from training_speed import epoch, seed_epoch, with_batches
from training_speed import load as load_clips

from emelia import console, load, read_corpus
from emelia.audio import decode
from emelia.config import FeatureConfig
from emelia.learn.data.features import FrontEnd
from emelia.learn.study.recipes import find_recipes
from emelia.show.tables import write_block
from emelia.table import Table

KEPT = Path(__file__).with_name("hot_paths.toml")
LOSS = 0.2  # of a hot path, that fails a check
MINUTE, CLIP = 60, 4  # s of speech
FORMS = {"mel of 128 bands": (2048, 2048, 512, 128), "mel as Whisper's": (400, 400, 160, 80)}
Way = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """A line of the table: what is done, by us and by another."""

    name: str
    ours: Way
    other: str
    reference: Way
    rounds: int = 15
    hot: bool = True  # looked after by --check


@dataclass(frozen=True)
class Spent:
    """Medians of one row."""

    row: Row
    cpu: tuple[float, float]  # processor s of ours and of the reference
    wall: float  # s of ours
    ratio: float  # ours by reference, in processor time
    spread: tuple[float, float]  # quartiles of the ratio


def rows(corpus: str, folder: Path) -> Iterator[Row]:
    """All rows; the smaller ones first."""
    minute, clip = speech(MINUTE, corpus), folder / "clip.wav"
    soundfile.write(clip, speech(CLIP, corpus), RATE)
    yield from _front_ends(minute)
    for kind, more in {"WAV": {}, "FLAC": {}, "OGG": {"subtype": "OPUS"}, "MP3": {}}.items():
        file = folder / f"minute.{kind.lower()}"
        soundfile.write(file, minute, RATE, format=kind, **more)
        name = f"decode a minute of {more.get('subtype', kind).capitalize() if more else kind}"
        yield Row(name, lambda f=file: decode(f), "soundfile", lambda f=file: soundfile.read(f),
                  hot=False)  # fmt: skip
    eager = founding(clip)
    for model in ("mel", "default", "best"):
        known = load(model)
        yield Row(f"a clip of {CLIP} s, {model}", lambda k=known: k.predict(clip),
                  "librosa and founding network", eager)  # fmt: skip
    known, short = load("default"), speech(CLIP, corpus)
    for seconds in (15, 30):
        long, parts = speech(seconds, corpus), seconds / CLIP
        yield Row(f"{seconds} s at once, default", lambda w=long: known.probabilities([w]),
                  f"{parts:g} clips of {CLIP} s", _repeated(known.probabilities, short, parts),
                  5, hot=False)  # fmt: skip
    yield from _training(corpus)
    python = sys.executable
    command = [python, "-m", "emelia", "predict", clip, "--model", "default"]
    yield Row("start to first answer", lambda: run(command), "librosa and eager PyTorch",
              lambda: run([python, "-c", FOUNDING, clip]), 5)  # fmt: skip


def _front_ends(wave: NDArray[np.float32]) -> Iterator[Row]:
    given = torch.from_numpy(wave)[None], torch.tensor([len(wave)])
    for name, (n_fft, window, hop, mels) in FORMS.items():
        front_end = FrontEnd(FeatureConfig(n_fft=n_fft, window=window, hop=hop, mels=mels))

        def theirs(n: int = n_fft, h: int = hop, m: int = mels) -> object:
            found = librosa.feature.melspectrogram(y=wave, sr=RATE, n_fft=n, hop_length=h, n_mels=m)
            return librosa.power_to_db(found, ref=np.max)

        frames = torch.from_numpy(wave).unfold(0, window, hop).contiguous()
        yield Row(f"log-{name}", lambda f=front_end: f(*given), "librosa", theirs)
        yield Row(f"log-{name}", lambda f=front_end: f(*given), "the FFT alone",
                  lambda f=frames: torch.fft.rfft(f))  # fmt: skip


def _repeated(ask: Callable[[list[NDArray[np.float32]]], object], wave: NDArray[np.float32],
              parts: float) -> Way:  # fmt: skip
    """As many clips as are as long, the last one shorter."""
    waves = [wave] * int(parts) + [wave[: round(len(wave) * (parts % 1))]] * bool(parts % 1)
    return lambda: [ask([one]) for one in waves]


def _training(corpus: str) -> Iterator[Row]:
    (recipe,) = find_recipes("variable-3")
    data = read_corpus(corpus)
    clips, _ = load_clips(data, recipe)
    sized, classes = with_batches(recipe, 16), len(data.emotions)
    yield Row("an epoch of variable-3", lambda: epoch(clips, sized, classes), "founding loop",
              lambda: seed_epoch(clips, classes), 3)  # fmt: skip


def measure(row: Row) -> Spent:
    """Run both ways in turns, one round unmeasured."""
    spent: list[tuple[float, float, float]] = []
    for number in range(row.rounds + 1):
        wall = time.perf_counter()
        ours = _cpu(row.ours)
        wall = time.perf_counter() - wall
        theirs = _cpu(row.reference)
        if number:
            spent.append((ours, theirs, wall))
    ours, theirs, wall = (statistics.median(values) for values in zip(*spent, strict=True))
    low, high = np.quantile([a / b for a, b, _ in spent], (0.25, 0.75)).tolist()
    return Spent(row, (ours, theirs), wall, ours / theirs, (low, high))


def _cpu(way: Way) -> float:
    before = cpu_seconds()
    way()
    return max(cpu_seconds() - before, 1e-6)


def table(found: Sequence[Spent], corpus: str) -> Table:
    """What was measured, with the machine and versions."""
    lines = [
        [one.row.name, f"{1e3 * one.cpu[0]:.1f}", f"{1e3 * one.wall:.1f}", one.row.other,
         f"{1e3 * one.cpu[1]:.1f}", f"{one.ratio:.2f} ({one.spread[0]:.2f}-{one.spread[1]:.2f})"]
        for one in found
    ]  # fmt: skip
    columns = ["work", "CPU ms", "wall ms", "beside", "its CPU ms", "ours by it (quartiles)"]
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (np, torch, librosa))
    note = (
        f"Medians, in turns, one thread, speech of {corpus}; other work on the machine shows in "
        f"wall times. {machine()}, {versions}. "
        f"By `python benchmarks/performance.py --corpus {corpus}`."
    )
    return Table("Ours beside others", columns, lines, note)


def lost(found: Sequence[Spent], kept: dict[str, float]) -> list[str]:
    """What to say of hot paths that are slower than they were."""
    return [
        f"{key}: {one.ratio:.2f} of {one.row.other}; was {kept[key]:.2f}, and a fifth more is lost."
        for one in found
        if (key := _key(one.row)) in kept and one.ratio > kept[key] * (1 + LOSS)
    ]


def _key(row: Row) -> str:
    return f"{row.name} | {row.other}"


def main() -> None:
    """Measure, print, and check, keep or write down."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--corpus", default="demo")
    options.add_argument("--rows", default="", help="only those whose name has this")
    options.add_argument("--into", type=Path, help="write the table into this Markdown file")
    options.add_argument("--check", action="store_true", help="fail where a hot path has lost")
    options.add_argument("--keep", action="store_true", help="keep the ratios of hot paths")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        every = rows(chosen.corpus, Path(folder))
        found = [measure(r) for r in every if chosen.rows in r.name and (r.hot or not chosen.check)]
    made = table(found, chosen.corpus)
    console.say(made.markdown())
    if chosen.into:
        write_block(chosen.into, "performance", made.markdown())
    if chosen.keep:
        KEPT.write_text(
            "".join(f'"{_key(one.row)}" = {one.ratio:.3f}\n' for one in found if one.row.hot)
        )
    if chosen.check and (faults := lost(found, tomllib.loads(KEPT.read_text()))):
        raise SystemExit("\n".join(faults))


if __name__ == "__main__":
    main()
