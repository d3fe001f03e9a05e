"""Is ordinary speech neutral? How often recordings that show no emotion surely get another one.

    python benchmarks/announcements.py FOLDER [--models default,best] [--into FILE] [--name BLOCK]

Each folder in FOLDER is a source: announcements of one voice, read plainly. Answers are plain;
adapted to ten of the voice's recordings, which are not counted, five draws; and adapted to all of
them. No model was trained on such speech, nor was anything chosen on it. What the tables in
docs/results/strangers.md are of is made by `tools/announcements.sh`: prompts that Debian ships
for the telephone exchange Asterisk, and synthetic voices.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from emelia import Recognizer, console, load
from emelia.errors import AudioError
from emelia.show.tables import write_block
from emelia.source_offset import NEUTRAL
from emelia.table import Table
from emelia.text import percent
from emelia.use.adaptation.source import SourceProfile
from emelia.use.answer import Prediction

TEN, DRAWS = 10, 5


def main() -> None:
    """Count, print, and write down where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--models", default="default,best")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--into", help="also write the tables into this Markdown file")
    options.add_argument("--name", default="announcements", help="of the block in it")
    chosen = options.parse_args()
    voices = sorted(path for path in chosen.folder.iterdir() if path.is_dir())
    tables = [_table(load(name), voices, chosen.seed) for name in chosen.models.split(",")]
    text = "\n\n".join(table.markdown() for table in tables)
    console.say(text)
    if chosen.into:
        write_block(Path(chosen.into), chosen.name, text)


def _table(asked: Recognizer, voices: Sequence[Path], seed: int) -> Table:
    figures = {voice.name: _figures(asked, voice, seed) for voice in voices}
    means = np.mean([shares for _, shares in figures.values()], axis=0)
    rows = [[name, str(clips), *map(percent, own)] for name, (clips, own) in figures.items()]
    rows.append(["mean", str(sum(clips for clips, _ in figures.values())), *map(percent, means)])
    columns = ["voice", "recordings", "neutral %", "surely another %", "adapted to ten", "to all"]
    note = (
        "Neutral: answered so, sure or not. Surely another: sure of another emotion; plainly, "
        f"adapted to ten of the voice ({DRAWS} draws, seed {seed}), and to all of them."
    )
    return Table(f"{asked.card.name}: plain announcements", columns, rows, note)


def _figures(asked: Recognizer, voice: Path, seed: int) -> tuple[int, list[float]]:
    found = asked.predict_many(sorted(voice.glob("*.wav")))
    answers = [one for one in found if not isinstance(one, AudioError) and one.probabilities]
    rng = np.random.default_rng(seed)
    draws = [set(rng.choice(len(answers), TEN, replace=False).tolist()) for _ in range(DRAWS)]
    ten = [_surely_another(asked, answers, to, drop=True) for to in draws]
    return len(answers), [
        float(np.mean([answer.emotion == NEUTRAL for answer in answers])),
        float(np.mean([*map(_wrong, answers)])),
        float(np.mean(ten)),
        _surely_another(asked, answers, set(range(len(answers)))),
    ]


def _surely_another(
    asked: Recognizer, answers: Sequence[Prediction], to: set[int], drop: bool = False
) -> float:
    """The share of answers that are wrong and sure, adapted to some of the recordings."""
    return float(np.mean([*_adapted(asked, answers, to, drop)]))


def _adapted(
    asked: Recognizer, answers: Sequence[Prediction], to: set[int], drop: bool
) -> Iterator[bool]:
    source = SourceProfile(asked.card)
    for place in sorted(to):
        coordinates = answers[place].coordinates
        assert coordinates is not None
        source.add(coordinates)
    adapted = asked.used_to(source)
    for place, answer in enumerate(answers):
        if not (drop and place in to):
            yield _wrong(adapted.again(answer))


def _wrong(answer: Prediction) -> bool:
    return not answer.unsure and answer.emotion != NEUTRAL


if __name__ == "__main__":
    main()
