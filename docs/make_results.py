"""Write the tables of docs/results.md and docs/results/: `.venv/bin/python docs/make_results.py`.

Each docs/results/X.jsonl has a page X.md, whose tables are those that `emelia report X.jsonl
--into X.md --name X` writes. Those of docs/results.md come from the same cells and from the
cards inside the model files that ship; the index of docs/log.md comes from its findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from emelia.config import Card
from emelia.results import Row, Study, read_results, studies
from emelia.show.report.markdown import comparison, markdown
from emelia.show.report.study_tables import folds
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.text import percent, with_interval
from emelia.use.bundled import shipped
from emelia.use.model import read_card

HOME = Path(__file__).parent
PAGE, LOG = HOME / "results.md", HOME / "log.md"
CELLS = sorted((HOME / "results").glob("*.jsonl"))
OTHERS = "+ravdess+emodb+nemo"  # added to the training of a split of AESDD
Part = Mapping[str, Any]  # figures of a card, of one part of the data


@dataclass(frozen=True)
class Line:
    """A row of a table: one training, or several, of which the mean is told too."""

    label: str
    file: str  # in docs/results, without its ending
    split: str
    digests: tuple[str, ...] = ()  # of the recipes; none where the label is the recipe's name
    corpus: str = "aesdd"

    @property
    def trainings(self) -> list[Row]:
        """Its rows of the study, in the order of the digests."""
        place = (self.corpus, self.split)
        (study,) = (s for s in found(self.file) if (s.sample.corpus, s.sample.split) == place)
        if not self.digests:
            return [row for row in study.rows if row.recipe == self.label]
        by_digest = {row.cells[0].recipe_digest: row for row in study.rows}
        return [by_digest[digest] for digest in self.digests]


SCRATCH = (
    "emelia", "resized-3", "resized-4", "artificial-resized-4",
    "variable-3", "variable-4", "artificial-variable-4",
)  # fmt: skip
SPEAKERS = (
    Line("whisper-base-tuned", "tuned", f"loso{OTHERS}", ("7e222c11", "2b4f71ca", "97924dfc")),
    Line("whisper-base", "encoders", f"loso{OTHERS}", ("f17a33e2",)),
    Line("the same, AESDD's speakers alone", "encoders", "loso", ("c10e0e61",)),
    Line("whisper-tiny", "mel", f"loso{OTHERS}", ("f808cf32",)),
    Line("mel", "mel", f"loso{OTHERS}", ("cd5b8323", "1259c58f", "85faeda3")),
    Line("mel, one penalty, chosen", "mel", f"loso{OTHERS}", ("71279777", "fbb1c5fc", "f89d5095")),
    *(Line(name, "aesdd-loso", "loso") for name in SCRATCH),
)
PUBLISHED = (
    Line("whisper-base-tuned", "tuned", f"published{OTHERS}", ("52dfb359",)),
    Line("whisper-base", "encoders", f"published{OTHERS}", ("355739b3",)),
    *(Line(name, "aesdd-published", "published") for name in SCRATCH),
)
_RAVDESS = ("encoders", "folds-6+aesdd+emodb+nemo")
_EMOBOX = ("encoders", "list:docs/splits/emobox-ravdess.toml+aesdd+emodb+nemo")
ELSEWHERE = (
    Line("EmoDB, one block", "encoders", "loso+aesdd+ravdess+nemo", ("f17a33e2",), "emodb"),
    Line("RAVDESS, one block", *_RAVDESS, ("057058a1",), "ravdess"),
    Line("RAVDESS, every block", *_RAVDESS, ("8a29e203",), "ravdess"),
    Line("RAVDESS, every block, EmoBox's folds", *_EMOBOX, ("8a29e203",), "ravdess"),
    Line("RAVDESS, mel taught by RAVDESS alone", "mel", "folds-6", ("7e4dc72f",), "ravdess"),
)
JOINED = "aesdd+ravdess+emodb+nemo"
FINE = Line(
    "ravdess", "unheard", "list:docs/splits/without-ravdess.toml",
    ("2803b66a", "491f6eb6", "aa8cc7e4"), JOINED,
)  # fmt: skip


@cache
def found(file: str) -> list[Study]:
    """The studies of docs/results/FILE.jsonl."""
    return studies(read_results(HOME / "results" / f"{file}.jsonl"))


def shares(rows: Sequence[Row], figure: str = "accuracy") -> str:
    """One training's share with its interval; of several the mean, then each."""
    each = [with_interval(getattr(r, figure), getattr(r, f"{figure}_interval")) for r in rows]
    if len(rows) == 1:
        return each[0]
    mean = percent(fmean(getattr(row, figure) for row in rows))
    return f"{mean}, mean of {len(rows)}: {', '.join(each)}"


def speakers() -> str:
    """AESDD, each speaker left out in turn and the published split: every kind of network."""
    published = {line.label: shares(line.trainings) for line in PUBLISHED}
    rows = []
    for line in SPEAKERS:
        own = line.trainings
        claimed = f"{100 * own[0].published:.2f}" if own[0].published else ""
        split = published.get(line.label, "")
        rows.append((line.label, shares(own), split, f"{own[0].parameters:,}", claimed))
    columns = (
        "network", "each speaker left out in turn", "published split", "parameters",
        "claimed by its author",
    )  # fmt: skip
    return Table("AESDD, accuracy % (95 %)", columns, tuple(rows)).markdown()


def compared(title: str, lines: Sequence[Line]) -> str:
    """Accuracy and UAR, a row a line."""
    told = [(line.label, line.trainings) for line in lines]
    rows = tuple((label, shares(own), shares(own, "uar")) for label, own in told)
    return Table(title, ("training", "accuracy % (95 %)", "UAR % (95 %)"), rows).markdown()


def ablation() -> str:
    """The published split of AESDD, one part of `emelia` left out at a time."""
    (study,) = found("aesdd-ablation")
    lines = [Line(row.recipe, "aesdd-ablation", study.sample.split) for row in study.rows]
    return compared("emelia without one of its parts", lines)


def unheard() -> str:
    """Four emotions in corpora of which nothing was heard."""
    (frozen,) = (study for study in found(FINE.file) if study.sample.split == "loco")
    tuned = {FINE.label: shares(FINE.trainings, "uar")}
    rows = tuple((name, share, tuned.get(name, "–")) for name, share in folds(frozen).rows)
    columns = ("never heard", "every block, frozen", "three blocks, fine-tuned on the others")
    return Table("UAR % (95 %), four emotions, Whisper base", columns, rows).markdown()


def cards() -> dict[str, Card]:
    """The cards inside the model files that ship."""
    files = shipped()
    return {name: read_card(files[name]) for name in ("default", "best", "mel", "aesdd", "free")}


def models() -> str:
    """How often the models that ship are right."""
    rows = tuple((name, *_rightness(card)) for name, card in cards().items())
    columns = (
        "model", "corpora never heard: accuracy %", "UAR %", "accuracy on each",
        "new speakers of heard corpora: accuracy %", "UAR %",
    )  # fmt: skip
    return Table("The models that come with emelia", columns, rows).markdown()


def _rightness(card: Card) -> tuple[str, ...]:
    """Cells of `models`; figures of strangers only where the card has them."""
    test = card.metrics["test"]
    never = card.expected
    first = ("–",) * 3
    if never:
        first = (*(_share(never, kind) for kind in ("accuracy", "uar")), _each(never, "accuracy"))
    return *first, *(_share(test, kind) for kind in ("accuracy", "uar"))


def confidence() -> str:
    """How far the confidence of models for strangers is from the truth."""
    rows = []
    for name, card in cards().items():
        for part, own in card.metrics.items() if card.expected else ():
            if part == "validation" and own is not card.expected:
                continue
            right = f"{percent(own['accepted'])}, {percent(own['accepted_accuracy'])}"
            where = "new speakers" if part == "test" else card.title_of(part)
            ece = map(percent, own["ece"])
            rows.append((f"{name}, {where}", *ece, _each(own, "ece"), right))
    columns = (
        "model", "ECE % without its temperature", "with it", "with it, on each corpus",
        "accepted %, right of these %",
    )  # fmt: skip
    return Table("How far confidence and accuracy are apart", columns, tuple(rows)).markdown()


def _share(own: Part, kind: str) -> str:
    share, low, high = map(percent, own[kind])
    return f"{share} ({low}–{high}){'*' if own['note'] else ''}"


def _each(own: Part, kind: str) -> str:
    """A figure, which comes alone or before its interval, of each corpus."""
    told = {name: one[kind] for name, one in own.get("per_corpus", {}).items()}  # of one: none
    shares = ((name, one if isinstance(one, float) else one[0]) for name, one in told.items())
    return ", ".join(f"{name} {percent(share)}" for name, share in shares) or "–"


# Blocks of docs/results.md; others there were measured by scripts of benchmarks/.
SUMMARIES: Mapping[str, Callable[[], str]] = {
    "models": models,
    "confidence": confidence,
    "speakers": speakers,
    "random-against-loso": lambda: comparison([*found("aesdd-author"), *found("aesdd-loso")]),
    "unheard": unheard,
    "elsewhere": lambda: compared("Whisper base, frozen, and mel, each with its folds", ELSEWHERE),
    "ablation": ablation,
}


def index(log: str) -> str:
    """One line a finding of the log, with its day."""
    days = re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", log, re.M | re.S)
    return "\n".join(
        f"- [{day}](#{day}) {' '.join(finding.split())}"
        for day, text in days
        for finding in re.findall(r"^\*\*(.+?)\*\*", text, re.M | re.S)
    )


def main() -> None:
    """Write every block."""
    for path in CELLS:
        write_block(path.with_suffix(".md"), path.stem, markdown(found(path.stem)))
    for name, text in SUMMARIES.items():
        write_block(PAGE, name, text())
    write_block(LOG, "index", index(LOG.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
