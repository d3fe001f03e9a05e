"""What do models do under stress with corpora that their training left out?

    python benchmarks/stress_unseen.py RECIPE [--runs runs/unseen] [--answers FILE]
        [--clips 40] [--into FILE] [--name BLOCK] [--card FILE]

Asks, about each corpus, the training that left it out (`benchmarks/unseen_corpora.py train` makes
them). Figures are means over corpora. What is interrupted goes on. `--card` writes them for the
card of a model (`emelia export --stress`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from emelia import console, read_corpus, stress
from emelia.learn.export.build import export
from emelia.results.stress import Stressed, StressResults
from emelia.robustness.conditions import conditions
from emelia.show.stress.tables import for_card
from emelia.show.tables import write_block
from emelia.storage import write_atomically
from emelia.table import Table
from emelia.text import percent, points

CORPORA = "aesdd+ravdess+emodb+nemo+casia+turev+ased"


def main() -> None:
    """Ask, print, and write down where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("recipe")
    options.add_argument("--runs", type=Path, default=Path("runs/unseen"))
    options.add_argument("--answers", type=Path, help="what calibrates the model")
    options.add_argument("--accuracy", type=float, default=0.55, help="wanted; see `emelia export`")
    options.add_argument("--corpora", default=CORPORA)
    options.add_argument("--clips", type=int, default=40, help="of each corpus")
    options.add_argument("--conditions", default="", help="categories or names, joined by commas")
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--out", type=Path, default=Path("runs/stress-unseen"))
    options.add_argument("--into", help="also write the table into this Markdown file")
    options.add_argument("--name", default="stress-unseen", help="of the block in it")
    options.add_argument("--card", type=Path, help="write the figures for a model's card here")
    chosen = options.parse_args()
    found = [_asked(chosen, name) for name in chosen.corpora.split("+")]
    text = table(chosen.recipe, found).markdown()
    console.say(text)
    if chosen.into:
        write_block(Path(chosen.into), chosen.name, text)
    if chosen.card:
        known = json.dumps(mean_for_card(found), ensure_ascii=False, indent=1)
        write_atomically(chosen.card, known.encode())


def _asked(chosen: argparse.Namespace, name: str) -> StressResults:
    (run,) = (f for f in (chosen.runs / chosen.recipe).iterdir() if name in f.name.split("+"))
    file = chosen.out / chosen.recipe / f"{run.name}.onnx"
    if not file.exists():
        with console.Progress() as progress:
            made = export(
                run, progress, name=chosen.recipe, accuracy=chosen.accuracy,
                calibrate=chosen.answers, compared=20,
            )  # fmt: skip
        write_atomically(file, made.file)
    corpus = read_corpus(name, complete=False)
    with console.Progress() as progress:
        progress.start(name, len(conditions(_names(chosen))) + 1)
        return stress(
            file, corpus, clips=chosen.clips, conditions=_names(chosen), jobs=chosen.jobs,
            out=chosen.out / chosen.recipe / name,
            on_progress=lambda done, total, facts: progress.step(name, done, facts),
        )  # fmt: skip


def _names(chosen: argparse.Namespace) -> list[str]:
    return [name for name in chosen.conditions.split(",") if name]


def table(recipe: str, found: Sequence[StressResults]) -> Table:
    """A row for each condition: means over corpora, and what is wanted."""
    plain = [one.plain for one in found]
    clips = sum(len(one.answers) for one in plain)
    rows = [
        [
            "as they are", "-", "-",
            percent(fmean(one.scores["accuracy"] for one in plain)),
            percent(fmean(one.unsure / len(one.answers) for one in plain)), "-", "",
        ],
        *(_row([one.conditions[place] for one in found])
          for place in range(len(found[0].conditions))),
    ]  # fmt: skip
    columns = ["condition", "unchanged %", "UAR lost", "accuracy %", "not sure %",
               "no speech %", "wanted"]  # fmt: skip
    of = "one corpus" if len(found) == 1 else f"{len(found)} corpora"
    note = f"{clips} clips of {of}, not heard in training; means over corpora."
    return Table(f"{recipe} under stress", columns, rows, note)


def mean_for_card(found: Sequence[StressResults]) -> dict[str, Any]:
    """The figures of all corpora as one: counts added, shares averaged."""
    every = [for_card(one) for one in found]
    conditions = []
    for place, first in enumerate(every[0]["conditions"]):
        own = [one["conditions"][place] for one in every]
        shares = {
            key: round(fmean(one[key] for one in own), 4)
            for key in ("accuracy", "unchanged", "uar_lost", "unsure", "silent")
        }
        wanted = first["wanted"]
        passed = not missed([one.conditions[place] for one in found]) if wanted else None
        conditions.append({**first, **shares, "passed": passed})
    return {
        "corpus": f"{len(every)} corpora that training left out in turn "
        f"({', '.join(one['corpus'] for one in every)})",
        "clips": sum(one["clips"] for one in every),
        "speakers": sum(one["speakers"] for one in every),
        "accuracy": fmean(one["accuracy"] for one in every),
        "conditions": conditions,
    }


def missed(own: Sequence[Stressed]) -> bool:
    """Whether a condition is not as wanted, in the mean over corpora."""
    accuracy = fmean(o.found.scores["accuracy"] for o in own)
    wanted = own[0].wanted
    return (
        fmean(o.unchanged for o in own) < (wanted.unchanged or 0)
        or fmean(o.uar_lost for o in own) > (np.inf if wanted.lost is None else wanted.lost)
        or (wanted.accurate and accuracy < fmean(o.plain.scores["accuracy"] for o in own))
    )


def _row(own: Sequence[Stressed]) -> list[str]:
    unchanged, lost = fmean(o.unchanged for o in own), fmean(o.uar_lost for o in own)
    accuracy = fmean(o.found.scores["accuracy"] for o in own)
    first = own[0]
    return [
        f"{first.category}: {first.name}",
        percent(unchanged), points(100 * lost), percent(accuracy),
        percent(fmean(o.unsure for o in own)), percent(fmean(o.silent for o in own)),
        f"{first.wanted}{': missed' if missed(own) else ''}" if first.wanted else "",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
