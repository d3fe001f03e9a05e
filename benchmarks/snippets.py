"""How long must speech be to be judged? Answers to the middle of clips, cut ever shorter.

    python benchmarks/snippets.py [CORPUS ...] [--models default,best] [--clips 120] [--seed 0]
        [--into FILE] [--name BLOCK]

CORPORA are ones that the models have not seen. From the loudest part of each clip so many seconds
are cut; speakers and emotions take turns. Beside them stand the clips whole. `Sure` is what is not
`unsure` by the confidence alone, whatever the recognizer says of short speech.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from length import RATE, Sound, joined

from emelia import Recognizer, console, load, read_corpus
from emelia.audio import Wave
from emelia.corpora import Corpus
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.text import percent

LENGTHS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)  # s


def main() -> None:
    """Count, print, and write down where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpora", nargs="*", default=["demo"])
    options.add_argument("--models", default="default,best")
    options.add_argument("--clips", type=int, default=120, help="of each corpus")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--into", help="also write the tables into this Markdown file")
    options.add_argument("--name", default="snippets", help="of the block in it")
    chosen = options.parse_args()
    corpora = [read_corpus(place) for place in chosen.corpora]
    tables = [_table(load(name), corpora, chosen) for name in chosen.models.split(",")]
    text = "\n\n".join(table.markdown() for table in tables)
    console.say(text)
    if chosen.into:
        write_block(Path(chosen.into), chosen.name, text)


def _table(asked: Recognizer, corpora: Sequence[Corpus], chosen: argparse.Namespace) -> Table:
    sounds = [
        sound for corpus in corpora for sound in joined(corpus, asked, 0, chosen.clips, chosen.seed)
    ]
    rows = [
        [f"{seconds:g}", *_figures(asked, [(cut(w, seconds), n, s) for w, n, s in sounds])]
        for seconds in LENGTHS
    ]
    rows.append(["whole", *_figures(asked, sounds)])
    columns = ["s", "clips", "accuracy %", "mean confidence %", "sure %", "right of these %",
               "no speech %"]  # fmt: skip
    names = ", ".join(corpus.name for corpus in corpora)
    note = f"Cut from the loudest part of clips of {names}; seed {chosen.seed}."
    return Table(f"{asked.card.name}: clips cut short", columns, rows, note)


def cut(wave: Wave, seconds: float) -> Wave:
    """The loudest stretch (T,) of so many seconds; all of a clip that is no longer."""
    size = round(seconds * RATE)
    if wave.size <= size:
        return wave
    energy = np.concatenate([[0.0], np.cumsum(wave.astype(np.float64) ** 2)])
    start = int(np.argmax(energy[size:] - energy[:-size]))
    return wave[start : start + size]


def _figures(asked: Recognizer, sounds: Sequence[Sound]) -> list[str]:
    answers = [asked.predict(wave, RATE) for wave, _, _ in sounds]
    heard = [bool(answer.probabilities) for answer in answers]
    right = np.array(
        [a.emotion == asked.emotions[n] for a, (_, n, _) in zip(answers, sounds, strict=True)]
    )
    confidence = np.array([answer.confidence for answer in answers])
    sure = np.array(heard) & ~np.array([answer.unsure for answer in answers])
    return [
        str(len(sounds)),
        percent(right.mean()),
        percent(confidence[heard].mean()),
        percent(sure.mean()),
        percent(right[sure].mean()) if sure.any() else "–",
        percent(1 - np.mean(heard)),
    ]


if __name__ == "__main__":
    main()
