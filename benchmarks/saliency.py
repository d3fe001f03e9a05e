"""Does saliency point at what decides? The deletion test, on speakers the model has not heard.

    python benchmarks/saliency.py [CORPUS] [--model aesdd] [--speakers 1,5] [--into FILE]

A fifth of the frames of each clip is silenced in the waveform: the most salient ones, or others.
If saliency is right, the confidence in the answer falls more than for frames drawn at random;
the difference of the two falls, clip by clip, has an interval from a bootstrap over clips. As
many loudest frames show that it is not loudness alone, and stretches drawn at random that it is
not their lying together. A test keeps the first difference above zero.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emelia import console, load, read_corpus
from emelia.audio import Wave, decode, resample
from emelia.config import SAMPLE_RATE
from emelia.show.tables import Table, write_block
from emelia.use.recognizer import NO_SPEECH, Recognizer

AESDD = Path(__file__).parents[2] / "shared" / "corpora" / "aesdd"
SHARE = 0.2  # of the frames
STRETCH = 10  # frames
DRAWS = 5
SALIENT, RANDOM = "most salient", "random"
Drops = dict[str, NDArray[np.float64]]  # by what was silenced: falls of the confidence (N,)


def measure(
    recognizer: Recognizer, waves: Sequence[Wave], draws: int = DRAWS, seed: int = 0
) -> Drops:
    """Silence frames of N clips in several ways; clips without speech are passed over."""
    rng = np.random.default_rng(seed)
    found = [drops for wave in waves if (drops := _drops(recognizer, wave, draws, rng))]
    return {way: np.array([drops[way] for drops in found]) for way in found[0]}


def interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % interval from a bootstrap over clips."""
    draws = np.random.default_rng(seed).integers(len(values), size=(2000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def _drops(
    recognizer: Recognizer, wave: Wave, draws: int, rng: np.random.Generator
) -> Mapping[str, float]:
    answer = recognizer.predict(wave, SAMPLE_RATE)
    if answer.emotion == NO_SPEECH:
        return {}
    hop = round(answer.hop * SAMPLE_RATE)
    frames = len(answer.saliency)
    count = max(1, round(SHARE * frames))
    order = np.argsort(answer.saliency)
    ways = {
        SALIENT: [order[-count:]],
        RANDOM: [rng.permutation(frames)[:count] for _ in range(draws)],
        "random stretches": [_stretches(frames, count, rng) for _ in range(draws)],
        "loudest": [np.argsort(_power(wave, frames, hop))[-count:]],
        "least salient": [order[:count]],
    }
    silenced = [_silence(wave, chosen, hop) for sets in ways.values() for chosen in sets]
    place = recognizer.emotions.index(answer.emotion)
    falls = answer.confidence - recognizer.probabilities(silenced)[:, place]
    ends = np.cumsum([len(sets) for sets in ways.values()])[:-1]
    return dict(zip(ways, (float(f.mean()) for f in np.split(falls, ends)), strict=True))


def _stretches(frames: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """So many frames, in stretches that lie together."""
    starts = rng.permutation(np.arange(0, frames, STRETCH))
    return (starts[:, None] + np.arange(STRETCH)).reshape(-1)[:count]


def _power(wave: Wave, frames: int, hop: int) -> NDArray[np.float32]:
    """Mean square around each frame's centre."""
    padded = np.pad(wave, (hop // 2, frames * hop))[: frames * hop]
    return np.asarray(np.square(padded.reshape(frames, hop)).mean(axis=1))


def _silence(wave: Wave, frames: NDArray[np.int64], hop: int) -> Wave:
    """Set the hop of samples around the centre of each frame to zero."""
    places = (frames[:, None] * hop + np.arange(-(hop // 2), hop - hop // 2)).reshape(-1)
    quiet = wave.copy()
    quiet[places[(places >= 0) & (places < wave.size)]] = 0
    return quiet


def table(drops: Drops, recognizer: Recognizer, draws: int) -> Table:
    """A line for each way of choosing frames."""
    rows = tuple(
        (way, _points(values), "" if way == SALIENT else _points(drops[SALIENT] - values))
        for way, values in drops.items()
    )
    columns = (
        f"{SHARE:.0%} of the frames silenced",
        "confidence falls by",
        "most salient minus it",
    )
    note = (
        f"{len(drops[SALIENT])} clips, {draws} draws each; points, 95 % intervals over clips of "
        "these speakers."
    )
    return Table(f"Deletion test of {recognizer.card.name}", columns, rows, note)


def _points(values: NDArray[np.float64]) -> str:
    mean, low, high = (100 * value for value in interval(values))
    return f"{mean:.1f} ({low:.1f} to {high:.1f})"


def main() -> None:
    """Read the options and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpus", nargs="?", default=str(AESDD))
    options.add_argument("--model", default="aesdd")
    options.add_argument("--speakers", default="1,5", help="that the model has not heard")
    options.add_argument("--draws", type=int, default=DRAWS)
    options.add_argument("--into", help="also write the table into this Markdown file")
    chosen = options.parse_args()
    recognizer, corpus = load(chosen.model), read_corpus(chosen.corpus)
    speakers = chosen.speakers.split(",")
    paths = [u.path for u in corpus.utterances if u.speaker in speakers]
    drops = measure(recognizer, [resample(*decode(path)) for path in paths], chosen.draws)
    found = table(drops, recognizer, chosen.draws)
    console.table(found.title, found.columns, found.rows, found.note)
    if chosen.into:
        write_block(Path(chosen.into), "saliency", found.markdown())


if __name__ == "__main__":
    main()
