"""Does the saliency show what mattered? The fifth of the speech it names is silenced.

    python benchmarks/what_mattered.py [CORPUS ...] [--models default,best] [--clips 40] [--seed 0]
        [--into FILE] [--name BLOCK]

CORPORA are best ones that the models have not seen. Of each clip, at most four seconds, the fifth
of its speech frames with the highest saliency for the answer is silenced, then a random fifth of
its speech frames, three times. Told is by how much the probability of the answer falls, in points
and in its logarithm, with 95 % intervals over clips; and where the strongest frame lies.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from length import RATE, joined
from numpy.typing import NDArray

from emelia import Recognizer, console, load, read_corpus
from emelia.audio import Wave
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.text import percent, with_ends
from emelia.use.moments import speaking

LONGEST = 4 * RATE  # samples
FIFTH, DRAWS, EDGE = 0.2, 3, 3  # share of the frames, random draws, frames at either end


class Drop(NamedTuple):
    """What silencing did to one answer."""

    most: float  # log probability lost with the frames named
    random: float  # with as many random ones
    points: float  # probability lost with the frames named
    random_points: float
    edge: bool  # the strongest frame is among the first or last ones
    silent: bool  # or holds no speech


def main() -> None:
    """Count, print, and write down where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpora", nargs="*", default=["demo"])
    options.add_argument("--models", default="default,best")
    options.add_argument("--clips", type=int, default=40, help="of each corpus")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--into", help="also write the table into this Markdown file")
    options.add_argument("--name", default="what-mattered", help="of the block in it")
    chosen = options.parse_args()
    corpora = [read_corpus(place) for place in chosen.corpora]
    rows = []
    for model in chosen.models.split(","):
        asked = load(model)
        for corpus in corpora:
            sounds = joined(corpus, asked, 0, chosen.clips, chosen.seed)
            rows.append(_row(model, corpus.name, _drops(asked, [s[0] for s in sounds])))
    columns = ["model", "corpus", "clips", "named fifth: log probability lost", "random fifth",
               "difference (95 %)", "points lost", "points lost, random", "strongest at an edge",
               "strongest in silence"]  # fmt: skip
    table = Table("What mattered", columns, rows, f"Seed {chosen.seed}.")
    console.say(table.markdown())
    if chosen.into:
        write_block(Path(chosen.into), chosen.name, table.markdown())


def _drops(asked: Recognizer, sounds: Sequence[Wave]) -> list[Drop]:
    rng = np.random.default_rng(0)
    found = (_drop(asked, sound[:LONGEST], rng) for sound in sounds)
    return [drop for drop in found if drop]


def _drop(asked: Recognizer, sound: Wave, rng: np.random.Generator) -> Drop | None:
    answer = asked.predict(sound, RATE)
    if answer.emotion not in asked.emotions:
        return None
    frames, hop = len(answer.saliency), round(answer.hop * RATE)
    spoken = np.flatnonzero(speaking(sound, hop, frames))
    count = max(1, round(FIFTH * len(spoken)))
    named = spoken[np.argsort(answer.saliency[spoken])[-count:]]
    others = [rng.choice(spoken, count, replace=False) for _ in range(DRAWS)]
    ways = [sound, *(_silenced(sound, places, hop) for places in (named, *others))]
    shares = asked.probabilities(ways)[:, asked.emotions.index(answer.emotion)].astype(float)
    logs = np.log(shares + 1e-9)
    strongest = int(answer.saliency.argmax())
    return Drop(
        logs[0] - logs[1], float(logs[0] - logs[2:].mean()),
        shares[0] - shares[1], float(shares[0] - shares[2:].mean()),
        strongest < EDGE or strongest >= frames - EDGE, strongest not in spoken,
    )  # fmt: skip


def _silenced(sound: Wave, places: NDArray[np.int64], hop: int) -> Wave:
    """The sound with some frames silenced, faded over 5 ms so that no click is heard."""
    kept = np.ones(len(sound), np.float32)
    for place in places:
        kept[max(0, place * hop - hop // 2) : place * hop + hop // 2] = 0
    fade = np.ones(RATE // 200, np.float32) * (200 / RATE)
    return sound * np.convolve(kept, fade, mode="same").astype(np.float32)


def _row(model: str, corpus: str, drops: Sequence[Drop]) -> list[str]:
    most, random, points, by_chance = (np.array([d[i] for d in drops]) for i in range(4))
    rng = np.random.default_rng(0)
    drawn = (most - random)[rng.integers(len(drops), size=(2000, len(drops)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return [
        model, corpus, str(len(drops)), f"{most.mean():.2f}", f"{random.mean():.2f}",
        with_ends(float((most - random).mean()), float(low), float(high), 2),
        percent(points.mean()), percent(by_chance.mean()),
        str(sum(d.edge for d in drops)), str(sum(d.silent for d in drops)),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
