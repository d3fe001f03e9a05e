"""Does an answer hang on the length of a recording or on its pauses, and what memory does it take?

    python benchmarks/length.py [CORPUS ...] [--models default,best] [--lengths 3,10,30,60]
        [--clips 60] [--seed 0] [--whole] [--into FILE] [--name BLOCK]

CORPORA are ones that the models have not seen. For each length clips of one speaker and one
emotion, drawn at random, are joined until they last as long; speakers and emotions take turns.
Pauses of zeros and of noise at -60 dB are put before and after single clips. `--whole` asks the
network about the single clips as they are, in one piece, too, as models are trained and cards
count. Memory is that of a process of its own that hears joined clips of the first corpus.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from emelia import Recognizer, console, load, read_corpus
from emelia.audio import Wave, decode, resample
from emelia.corpora import Corpus, Utterance
from emelia.metrics import calibration_error, interval, uar
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.text import with_interval

RATE = 16_000  # Hz
NOISE = 1e-3  # of full scale: -60 dB
PAUSES = ((0, 3), (0, 7), (0, 17), (2, 7))  # s before and after a clip
MEMORY = (1, 10, 60, 300)  # s
FEWEST = 3  # clips of a speaker's emotion that are joined
Sound = tuple[Wave, int, str]  # samples, label, speaker
Answers = NDArray[np.float64]


def main() -> None:
    """Count, print, and write down where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpora", nargs="*", default=["demo"])
    options.add_argument("--models", default="default,best")
    options.add_argument("--lengths", default="3,10,30,60", help="seconds, at least")
    options.add_argument("--clips", type=int, default=60, help="of each corpus and length")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--whole", action="store_true", help="ask about whole clips too")
    options.add_argument("--into", help="also write the tables into this Markdown file")
    options.add_argument("--name", default="length", help="of the block in it")
    chosen = options.parse_args()
    corpora = [read_corpus(place) for place in chosen.corpora]
    lengths = [float(word) for word in chosen.lengths.split(",")]
    tables: list[Table] = []
    for name in chosen.models.split(","):
        asked = load(name)
        tables.append(_by_length(asked, corpora, lengths, chosen))
        tables.append(_by_pause(asked, corpora, chosen))
    tables.append(_memory(chosen.models.split(","), corpora[0], chosen.seed))
    text = "\n\n".join(table.markdown() for table in tables)
    console.say(text)
    if chosen.into:
        write_block(Path(chosen.into), chosen.name, text)


def _by_length(
    asked: Recognizer,
    corpora: Sequence[Corpus],
    lengths: Sequence[float],
    chosen: argparse.Namespace,
) -> Table:
    rows = []
    for corpus, seconds in itertools.product(corpora, lengths):
        sounds = list(joined(corpus, asked, seconds, chosen.clips, chosen.seed))
        rows.append(
            [corpus.name, f"{seconds:g}", *_figures(_answers(asked, sounds), sounds, asked)]
        )
    columns = ["corpus", "s", "recordings", "accuracy %", "UAR %", "mean confidence %", "ECE %",
               "most frequent answer"]  # fmt: skip
    note = (
        f"Clips of one speaker and emotion joined to at least so long, seed {chosen.seed}. In "
        "brackets 95 % intervals by bootstrap, speakers drawn first where six or more are known."
    )
    return Table(f"{asked.card.name}: joined clips of one speaker and emotion", columns, rows, note)


def _by_pause(asked: Recognizer, corpora: Sequence[Corpus], chosen: argparse.Namespace) -> Table:
    rows = []
    for corpus in corpora:
        sounds = list(joined(corpus, asked, 0, chosen.clips, chosen.seed))
        plain = _answers(asked, sounds)
        rows.append([corpus.name, "none", *_compared(plain, plain, sounds)])
        if chosen.whole:
            whole = [asked.probabilities([wave])[0] for wave, _, _ in sounds]
            rows.append([corpus.name, "none, whole", *_compared(np.array(whole), plain, sounds)])
        for (before, after), (what, level) in itertools.product(
            PAUSES, (("zeros", 0.0), ("noise", NOISE))
        ):
            rng = np.random.default_rng(chosen.seed)
            padded = [
                (_padded(wave, before, after, level, rng), label, speaker)
                for wave, label, speaker in sounds
            ]
            name = f"{before} s before, {after} s after, {what}"
            rows.append([corpus.name, name, *_compared(_answers(asked, padded), plain, sounds)])
    columns = ["corpus", "pause", "clips", "accuracy %", "same answer as without %"]
    return Table(f"{asked.card.name}: single clips with pauses", columns, rows,
                 f"Noise is white, at {20 * np.log10(NOISE):.0f} dB of full scale.")  # fmt: skip


def joined(
    corpus: Corpus, asked: Recognizer, seconds: float, count: int, seed: int
) -> Iterator[Sound]:
    """Recordings that each have one speaker and one emotion; emotions take turns."""
    rng = np.random.default_rng(seed)
    groups: dict[str, dict[str, list[Utterance]]] = {}
    for utterance in corpus.utterances:
        emotion = "neutral" if utterance.emotion == "calm" else utterance.emotion
        if emotion in asked.emotions:
            groups.setdefault(emotion, {}).setdefault(utterance.speaker, []).append(utterance)
    fewest = FEWEST if seconds else 1  # one clip needs no others
    enough = {
        emotion: [name for name, own in sorted(speakers.items()) if len(own) >= fewest]
        for emotion, speakers in sorted(groups.items())
    }
    emotions = [emotion for emotion, speakers in enough.items() if speakers]
    for emotion in itertools.islice(itertools.cycle(emotions), count):
        speaker = enough[emotion][rng.integers(len(enough[emotion]))]
        own = groups[emotion][speaker]
        order = itertools.cycle(rng.permutation(len(own)))
        pieces: list[Wave] = []
        while not pieces or sum(map(len, pieces)) < seconds * RATE:
            pieces.append(resample(*decode(own[next(order)].path)))
        yield np.concatenate(pieces), asked.emotions.index(emotion), speaker


def _answers(asked: Recognizer, sounds: Sequence[Sound]) -> Answers:
    """Probabilities (N, C); all 0 where there is no speech."""
    found = [asked.predict(wave, RATE).probabilities for wave, _, _ in sounds]
    return np.array([[own.get(name, 0.0) for name in asked.emotions] for own in found])


def _figures(found: Answers, sounds: Sequence[Sound], asked: Recognizer) -> list[str]:
    truth, answers = np.array([label for _, label, _ in sounds]), _told(found)
    speakers = [speaker for _, _, speaker in sounds]
    ends = interval(truth, answers, speakers, "accuracy")
    heard = found.max(axis=1) > 0
    error = calibration_error(truth[heard], found[heard])
    names, counts = np.unique(answers, return_counts=True)
    most = int(counts.argmax())
    label = "no speech" if names[most] < 0 else asked.emotions[names[most]]
    return [
        str(len(sounds)),
        with_interval((answers == truth).mean(), ends),
        f"{100 * uar(truth, answers):.1f}",
        f"{100 * found.max(axis=1).mean():.0f}",
        f"{100 * error:.1f}",
        f"{label} ({100 * counts[most] / len(sounds):.0f} %)",
    ]


def _compared(found: Answers, plain: Answers, sounds: Sequence[Sound]) -> list[str]:
    truth = np.array([label for _, label, _ in sounds])
    right, same = (_told(found) == truth).mean(), (_told(found) == _told(plain)).mean()
    return [str(len(sounds)), f"{100 * right:.1f}", f"{100 * same:.1f}"]


def _told(found: Answers) -> NDArray[np.int64]:
    """The answer to each recording (N,); -1 for no speech."""
    return np.where(found.max(axis=1) > 0, found.argmax(axis=1), -1)


def _padded(
    wave: Wave, before: float, after: float, level: float, rng: np.random.Generator
) -> Wave:
    ends = (level * rng.standard_normal(round(s * RATE)) for s in (before, after))
    first, last = (end.astype(np.float32) for end in ends)
    return np.concatenate([first, wave, last])


def _memory(models: Sequence[str], corpus: Corpus, seed: int) -> Table:
    code = (
        "import sys, pathlib; from emelia import load; load(sys.argv[1]).predict(sys.argv[2])\n"
        "print(pathlib.Path('/proc/self/status').read_text())"
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model, seconds in itertools.product(models, MEMORY):
            path = Path(folder) / f"{seconds}.flac"
            ((wave, _, _),) = joined(corpus, load(model), seconds, 1, seed)
            soundfile.write(path, wave[: seconds * RATE], RATE)
            told = subprocess.run(
                [sys.executable, "-c", code, model, str(path)],
                capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            peak = re.search(r"VmHWM:\s+(\d+) kB", told)
            rows.append([model, str(seconds), f"{int(peak[1]) / 1024:.0f}" if peak else "unknown"])
    return Table("Memory of a process that hears one recording", ["model", "s", "MB"], rows,
                 "The most it ever held, Python and the model included (VmHWM).")  # fmt: skip


if __name__ == "__main__":
    main()
