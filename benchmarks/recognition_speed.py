"""How fast recognition is: from the start of a process, clip by clip, and for whole collections.

    python benchmarks/recognition_speed.py [--clip FILE] [--peer-python PATH] [--install]
        [--rounds 11] [--into FILE]

What is compared runs in turns within one call, so that a busy machine slows all of it;
compare the ratios, not the seconds. The references are the founding study's own way of
working (librosa and eager PyTorch, clip by clip) and, where --peer-python names a Python
that has them, the audio-classification pipeline of Hugging Face transformers with a tiny
random wav2vec2, so that its time is what any model there needs at least. Such a Python:

    python -m venv peer && peer/bin/pip install torch transformers soundfile
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from emelia import console, load, preprocess_audio, read_corpus
from emelia.packages import package
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.use.scoring.run import score

RATE = 16_000  # Hz
ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

FOUNDING = """
import sys, librosa, numpy, torch
from torch import nn
wave, _ = librosa.load(sys.argv[1], sr=16000)
mel = librosa.feature.melspectrogram(y=wave, sr=16000, n_fft=2048, hop_length=512, n_mels=128)
mel = librosa.power_to_db(mel, ref=numpy.max)
mel = torch.from_numpy((mel - mel.mean()) / mel.std())[None, None]
network = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                        nn.Linear(16, 5))
print(int(network(mel).argmax()))
"""
PIPELINE = """
import sys, soundfile
from transformers import pipeline
wave, rate = soundfile.read(sys.argv[1], dtype="float32")
classify = pipeline("audio-classification", model=sys.argv[2], device="cpu")
print(classify({"raw": wave, "sampling_rate": rate})[0]["label"])
"""
MAKE_PEER = """
import sys
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification
config = Wav2Vec2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=32, conv_dim=(16,) * 7, num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=2, classifier_proj_size=16, num_labels=5)
Wav2Vec2ForSequenceClassification(config).save_pretrained(sys.argv[1])
Wav2Vec2FeatureExtractor().save_pretrained(sys.argv[1])
"""


def machine() -> str:
    """The processor and what computes on it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (
        f"{names[0] if names else platform.processor() or platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"ONNX Runtime {package('onnxruntime').__version__}"
    )


def speech(seconds: float, corpus: str) -> NDArray[np.float32]:
    """So much speech of a corpus, clip after clip, over and over; float32 (T,) at 16 kHz."""
    wanted = round(seconds * RATE)
    made: list[NDArray[np.float32]] = []
    for utterance in read_corpus(corpus).utterances:
        made.append(preprocess_audio(utterance.path)[0])
        if sum(map(len, made)) >= wanted:
            break
    return np.resize(np.concatenate(made), wanted)


def in_turns(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if number:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def run(command: Sequence[str | Path]) -> None:
    """Run a process on one thread, without the network; one that fails ends the measurement."""
    settings = {**ONE_THREAD, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr}")


def cold_start(clip: Path, model: str, peer: Path | None, rounds: int) -> Table:
    """Seconds from the start of a process to the answer on a file."""
    python = sys.executable
    ways: dict[str, Callable[[], object]] = {
        "emelia predict": lambda: run([python, "-m", "emelia", "predict", clip, "--model", model])
    }
    notes = [f"Median of {rounds} processes in turns on one thread, files in the disk cache."]
    if can_import(python, "librosa", "torch"):
        ways["founding study's way: librosa, eager PyTorch"] = lambda: run(
            [python, "-c", FOUNDING, clip]
        )
    with tempfile.TemporaryDirectory() as folder:
        if peer and can_import(peer, "transformers", "torch", "soundfile"):
            run([peer, "-c", MAKE_PEER, folder])
            ways["transformers pipeline, tiny random wav2vec2"] = lambda: run(
                [peer, "-c", PIPELINE, clip, folder]
            )
        else:
            notes.append("The transformers pipeline was left out: --peer-python names no Python "
                         "that has transformers, torch and soundfile.")  # fmt: skip
        seconds = in_turns(ways, rounds)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    rows = [
        (name, f"{median:.2f}", f"{median / medians['emelia predict']:.1f}",
         f"{min(seconds[name]):.2f}-{max(seconds[name]):.2f}")
        for name, median in medians.items()
    ]  # fmt: skip
    columns = ("way", "s to the answer", "x emelia", "range")
    return Table("Cold start", columns, tuple(rows), " ".join([*notes, f"{machine()}."]))


def can_import(python: str | Path, *names: str) -> bool:
    """Whether a Python is there and has all these packages."""
    code = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {names!r})))"
    try:
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    except OSError:
        return False


def latency(clip: Path, model: str, rounds: int) -> Table:
    """Milliseconds for one clip on one thread, everything loaded."""
    recognizer = load(model)
    wave = preprocess_audio(clip)[0]
    ways: dict[str, Callable[[], object]] = {
        "network and front end (graph alone)": lambda: recognizer.probabilities([wave]),
        "predict: speech check and graph": lambda: recognizer.predict(wave, RATE),
        "predict from a file": lambda: recognizer.predict(clip),
    }
    if can_import(sys.executable, "librosa", "torch"):
        ways["founding study's way: librosa, eager PyTorch"] = founding(clip)
    seconds = in_turns(ways, rounds)
    length = wave.size / RATE
    rows = []
    for name, values in seconds.items():
        middle, high = np.percentile(values, (50, 95))
        rows.append((name, f"{1e3 * middle:.1f}", f"{1e3 * high:.1f}", f"{length / middle:.0f}"))
    columns = ("way", "p50 ms", "p95 ms", "x real time")
    note = f"One clip of {length:.1f} s, one thread, {rounds} rounds in turns. {machine()}."
    return Table(f"Latency of one clip, model {recognizer.card.name}", columns, tuple(rows), note)


def founding(clip: Path) -> Callable[[], object]:
    """The founding study's own way from a file to an answer: its front end and its network."""
    import librosa
    import torch
    from training_speed import Seed

    torch.set_num_threads(1)
    network = Seed(5).eval()

    def way() -> object:
        wave, _ = librosa.load(clip, sr=RATE)
        mel = librosa.feature.melspectrogram(
            y=wave, sr=RATE, n_fft=2048, hop_length=512, n_mels=128, fmax=8000
        )
        mel = librosa.power_to_db(mel, ref=np.max)
        x = torch.from_numpy((mel - mel.mean()) / mel.std())[None, None]
        with torch.no_grad():
            return network(x).softmax(1)

    return way


def throughput(corpus: str, model: str, hours: float) -> Table:
    """`emelia score` over a collection, by one process and by as many as there are cores."""
    rows = []
    files = [utterance.path for utterance in read_corpus(corpus).utterances]
    average = statistics.fmean(soundfile.info(path).duration for path in files)
    copies = max(1, round(hours * 3600 / average / len(files)))
    for jobs in sorted({1, os.cpu_count() or 1}):
        with tempfile.TemporaryDirectory() as folder:
            for copy in range(copies):
                for number, path in enumerate(files):
                    Path(folder, f"{copy:04}-{number:05}{path.suffix}").symlink_to(path)
            before = cpu_seconds()
            tally = score(folder, Path(folder, "scores.csv"), model=model, jobs=jobs)
            seconds, cpu = tally.seconds, cpu_seconds() - before
        rows.append(
            (str(jobs), f"{tally.scored}", f"{tally.heard / 3600:.2f}",
             f"{tally.scored / seconds:.0f}", f"{tally.heard / seconds:.0f}",
             f"{tally.heard / cpu:.0f}")
        )  # fmt: skip
    columns = ("processes", "clips", "hours", "clips/s", "x real time", "x real time per core")
    note = (
        f"Clips of {corpus}, {average:.1f} s on average; decoding, speech check, start of the "
        f"processes and writing included; per core: by the processor time used. {machine()}."
    )
    return Table(f"Scoring a collection, model {load(model).card.name}", columns, tuple(rows), note)


def cpu_seconds() -> float:
    """Processor time of the processes that have ended, and of this one."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def install_size() -> Table:
    """Megabytes of a fresh environment with emelia and what it needs to recognise."""
    with tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-m", "venv", folder])
        before = megabytes(Path(folder))
        run([Path(folder, "bin", "python"), "-m", "pip", "install", "-qq", str(ROOT)])
        (site,) = Path(folder).glob("lib/python*/site-packages")
        sizes = {path.name: megabytes(path) for path in site.iterdir()}
        total = megabytes(Path(folder)) - before
        torch = "torch is not among it" if "torch" not in sizes else "TORCH IS AMONG IT"
    largest = sorted(sizes.items(), key=lambda item: -item[1])
    rows = [("in all", f"{total:.0f}")]
    rows += [(name, f"{size:.0f}") for name, size in largest if name != "pip"][:6]
    note = f"Without Python and pip; {torch}. Python {platform.python_version()}."
    return Table("Size of an installation that recognises", ("package", "MB"), tuple(rows), note)


def megabytes(folder: Path) -> float:
    """Of all files in a folder, or of one file."""
    files = [folder] if folder.is_file() else folder.rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def main() -> None:
    """Read the options, measure, and print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--clip", type=Path, help="speech; else 4 s of the corpus")
    options.add_argument("--corpus", default="demo", help="to make the clip of, and to score")
    options.add_argument("--model", default="default")
    options.add_argument("--rounds", type=int, default=11, help="processes of each cold start")
    options.add_argument("--clips", type=int, default=200, help="rounds of the latency")
    options.add_argument("--hours", type=float, default=1.0, help="of speech to score; 0: none")
    options.add_argument("--peer-python", type=Path, help="a Python with transformers")
    options.add_argument("--install", action="store_true", help="also install emelia anew")
    options.add_argument("--into", help="also write the tables into this Markdown file")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = chosen.clip or Path(folder, "clip.wav")
        if not chosen.clip:
            soundfile.write(clip, speech(4.0, chosen.corpus), RATE)
        tables = [
            cold_start(clip, chosen.model, chosen.peer_python, chosen.rounds),
            latency(clip, chosen.model, chosen.clips),
        ]
    if chosen.hours:
        tables.append(throughput(chosen.corpus, chosen.model, chosen.hours))
    if chosen.install:
        tables.append(install_size())
    text = "\n\n".join(table.markdown() for table in tables)
    console.say(text)
    if chosen.into:
        write_block(Path(chosen.into), "recognition-speed", text)


if __name__ == "__main__":
    main()
