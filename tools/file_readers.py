"""The readers of files that people edit or move, each with a good file, for `fuzz_files.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from emelia.api.answer_tables import read_answers as read_answer_table
from emelia.config import load_recipe
from emelia.config.card import _STRESS, Card
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.splits.scheme import audit, make_split
from emelia.results import read_results
from emelia.results.finding_cells import cells_at
from emelia.results.studies import studies
from emelia.show.report.recordings import places_of
from emelia.show.stress.tables import card_section, read_for_card
from emelia.use.adaptation.profile import read_profile, write_profile
from emelia.use.adaptation.source import SourceProfile
from emelia.use.bundled import find_model, shipped
from emelia.use.inputs import recordings
from emelia.use.model import read_card
from emelia.use.scoring.journal import Journal
from emelia.use.timeline.turns import read_turns

SPLIT = b'train = ["1", "2"]\nvalidation = ["3"]\ntest = ["4", "5"]\n'
FOLDS = b'folds = [["1", "2"], ["3"], ["4", "5"]]\n'
RECIPE = b"""\
title = "A recipe"
[features]
mels = 16
[augment]
copies = 2
pitch_semitones = [0.0, 1.5]
[model]
width = 2
dropout = 0.4
[train]
epochs = 6
lr = 0.01
optimizer = "adamw"
"""
RTTM = b"".join(
    b"SPEAKER talk %d %.1f 2.5 <NA> <NA> anna <NA> <NA>\n" % (1 + n % 2, n) for n in range(6)
)


@dataclass(frozen=True)
class Reader:
    """A reader, the name of the file it reads, and a good one."""

    name: str
    file: str
    good: bytes
    read: Callable[[Path], object]


def readers(folder: Path) -> Iterator[Reader]:
    """All readers; what they need besides their file is made in a folder."""
    corpus = read_corpus(_corpus(folder / "corpus"))
    yield Reader("recipe", "recipe.toml", RECIPE, load_recipe)
    yield Reader("split list", "split.toml", SPLIT, lambda path: _split(corpus, path))
    yield Reader("list of folds", "folds.toml", FOLDS, lambda path: _split(corpus, path))
    manifest = "file,emotion,speaker\n" + "".join(
        f"{u.id},{u.emotion},{u.speaker}\n" for u in corpus.utterances
    )
    yield Reader("manifest", "corpus/list.csv", manifest.encode(), read_corpus)
    yield Reader("list of recordings", "corpus/asked.csv", manifest.encode(), recordings)
    yield Reader("RTTM", "talk.rttm", RTTM, read_turns)
    answers = "path,truth,emotion,confidence\n" + "".join(
        f"{u.id},{u.emotion},{u.emotion},0.5\n" for u in corpus.utterances
    )
    yield Reader("table of answers", "answers.csv", answers.encode(), read_answer_table)
    yield from _of_models(folder)
    yield from _of_runs(folder, corpus)


def _of_models(folder: Path) -> Iterator[Reader]:
    name = next(name for name in shipped() if read_card(find_model(name)).adaptation)
    card = read_card(find_model(name))
    text = card.to_json() if hasattr(card, "to_json") else json.dumps(vars(card))
    yield Reader("model card", "card.json", text.encode(), _card)
    write_profile(folder / "profile.json", SourceProfile(card))
    profile = json.loads((folder / "profile.json").read_text())
    size = SourceProfile(card).size
    profile["groups"] = [
        {"nearest": list(card.labels[:2]), "count": profile["unit"], "sum": [0] * size}
    ]
    good = json.dumps(profile).encode()
    yield Reader("source profile", "source.json", good, lambda path: read_profile(path, card))
    about = {"model": "a", "input": "b"}
    with Journal(folder / "good.journal", about) as journal:
        for number in range(20):
            journal.add(
                f"{number}.wav", (number, number), {"": ("anger", 0.5, False, 1.0, 0.5, 0.5)}
            )
    good = (folder / "good.journal").read_bytes()
    yield Reader("journal of scores", "scores.journal", good, lambda path: _journal(path, about))


def _of_runs(folder: Path, corpus: Corpus) -> Iterator[Reader]:
    import emelia
    from emelia.learn.export.temperature import read_answers
    from emelia.learn.study.warm_start import read_about
    from emelia.learn.training.runs import load_run

    run = folder / "run"
    settings = {"model.width": 2, "features.mels": 16}
    emelia.train("variable-3", corpus, settings=settings, epochs=2, out=run)
    line = (run / "result.json").read_bytes() + b"\n"

    def read_run(path: Path) -> None:
        places_of([path])
        read_about(path)
        load_run(path.parent)

    def classes_of(path: Path) -> None:
        read_answers(path.parent, len(corpus.emotions))

    yield Reader("results.jsonl", "results.jsonl", line * 2, _results)
    yield Reader("result.json", "run/result.json", line, lambda path: cells_at(path.parent))
    yield Reader("run.json", "run/run.json", (run / "run.json").read_bytes(), read_run)
    answers = (run / "answers.json").read_bytes()
    yield Reader("answers.json", "run/answers.json", answers, classes_of)
    figures = dict.fromkeys((*_STRESS, "clips", "speakers"), 0.5)
    condition = {**figures, "category": "level", "name": "20 dB less", "wanted": "", "passed": True}
    stress = {**figures, "corpus": "a", "conditions": [condition] * 2}
    yield Reader(
        "stress.json",
        "stress.json",
        json.dumps(stress).encode(),
        lambda path: card_section(read_for_card(path)),
    )


def _corpus(folder: Path) -> Path:
    draw = np.random.default_rng(0)
    for speaker in range(1, 6):
        for emotion in ("anger", "sadness"):
            (folder / emotion).mkdir(parents=True, exist_ok=True)
            for take in ("01", "02"):
                sound = 0.1 * draw.standard_normal(3200)
                soundfile.write(folder / emotion / f"{speaker}_{take}.wav", sound, 16_000)
    return folder


def _split(corpus: Corpus, path: Path) -> None:
    audit(make_split(corpus, f"list:{path}"))


def _card(path: Path) -> None:
    Card.read(path.read_text(encoding="utf-8", errors="surrogateescape"))


def _journal(path: Path, about: dict[str, str]) -> None:
    with Journal(path, about) as journal:
        for number in range(20):
            journal.has(f"{number}.wav", (number, number))
            journal.rows(f"{number}.wav")
            journal.reason(f"{number}.wav")


def _results(path: Path) -> None:
    for study in studies(read_results(path)):
        for row in study.rows:
            row.confusion, row.per_speaker, row.accuracy, row.best_test_accuracy  # noqa: B018
        study.best, study.pairs  # noqa: B018
