"""Cells as a study writes them, with drawn predictions: skilled, but not too much."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from emelia.config import AugmentConfig, ModelConfig, Recipe, digest
from emelia.corpora.records import Fold, Split, Utterance
from emelia.corpora.splits.audit import audit
from emelia.results import Cell

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness")
RECIPES = {
    "variable-3": Recipe("variable-3", "founding", "three layers, whole clips", 74.38, 236),
    "resized-3": Recipe(
        "resized-3",
        "founding",
        "three layers, clips resized to 128 x 256",
        55.37,
        4,
        model=ModelConfig("resized", dropout=0.5),
    ),
    "emelia": Recipe(
        "emelia", "emelia", "residual blocks & <attention>", model=ModelConfig("emelia", 4)
    ),
    "artificial": Recipe("artificial", "founding", "ten copies", augment=AugmentConfig(copies=10)),
}
PARAMETERS = {"variable": 23_621, "resized": 187_365, "emelia": 116_261}  # of these recipes
SKILL = {"variable-3": 0.50, "resized-3": 0.40, "emelia": 0.62, "artificial": 0.48}


def utterances(speakers: int = 6, sentences: int = 6) -> tuple[Utterance, ...]:
    return tuple(
        Utterance(
            id=f"{emotion}/{emotion[0]}{sentence:02} ({speaker}).wav",
            path=Path(f"{emotion}/{emotion[0]}{sentence:02} ({speaker}).wav"),
            emotion=emotion,
            speaker=str(speaker),
            sentence=str(sentence),
            digest=f"{emotion}{sentence}{speaker}",
        )
        for emotion, sentence, speaker in product(
            CLASSES, range(1, sentences + 1), range(1, speakers + 1)
        )
    )


def loso(clips: Sequence[Utterance]) -> Split:
    names = sorted({u.speaker for u in clips}, key=int)
    folds = []
    for i, tested in enumerate(names):
        chooses = names[(i + 1) % len(names)]
        train = tuple(u for u in clips if u.speaker not in (tested, chooses))
        folds.append(
            Fold(
                tested,
                train,
                tuple(u for u in clips if u.speaker == chooses),
                tuple(u for u in clips if u.speaker == tested),
            )
        )
    protocol = f"Leave one speaker out, {len(folds)} folds; the next speaker validates."
    return Split("loso", protocol, tuple(folds))


def at_random(clips: Sequence[Utterance]) -> Split:
    order = np.random.default_rng(42).permutation(len(clips))
    parts = np.split(order, [int(0.7 * len(clips)), int(0.8 * len(clips))])
    fold = Fold("1", *(tuple(clips[i] for i in sorted(part)) for part in parts))
    protocol = "80/20 at random; speakers and sentences are shared."
    return Split("author-80-20", protocol, (fold,), tests_every_epoch=True)


def study(
    split: Split,
    recipes: Sequence[str] = ("variable-3", "emelia"),
    seeds: Sequence[int] = (0, 1),
    *,
    corpus: str = "aesdd",
    demo: bool = False,
    epochs: int = 40,
) -> list[Cell]:
    """Every cell of a study, in the order a study would finish them."""
    audits = audit(split)
    return [
        _cell(RECIPES[name], split, i, audits[i], seed, corpus, demo, epochs)
        for name, seed, i in product(recipes, seeds, range(len(split.folds)))
    ]


def _cell(
    recipe: Recipe,
    split: Split,
    number: int,
    found: dict[str, Any],
    seed: int,
    corpus: str,
    demo: bool,
    epochs: int,
) -> Cell:
    fold = split.folds[number]
    rng = np.random.default_rng([seed, number, *recipe.name.encode()])
    skill = SKILL[recipe.name] + (0.15 if split.tests_every_epoch else 0.0) + rng.normal(0, 0.07)
    history = list(_history(rng, skill, epochs, split.tests_every_epoch))
    best = int(np.argmax([epoch["validation_uar"] for epoch in history])) + 1
    return Cell(
        key=digest([recipe.digest, fold.name, seed]),
        corpus=corpus,
        corpus_digest="0123abcd",
        recipe=recipe.name,
        recipe_digest=recipe.digest,
        settings=json.loads(json.dumps(asdict(recipe))),
        split=split.name,
        protocol=split.protocol,
        fold=fold.name,
        seed=seed,
        classes=CLASSES,
        parameters=PARAMETERS[recipe.model.name],
        seconds=float(rng.uniform(80, 200)),
        train_clips=len(fold.train),
        validation_clips=len(fold.validation),
        best_epoch=best,
        history=tuple(history),
        predictions=tuple(_predictions(rng, fold.test, skill)),
        audit=found,
        versions={"emelia": "0.1.0", "torch": "2.13.0", "numpy": "2.4.6"},
        demo=demo,
        folds=len(split.folds),
    )


def _history(
    rng: np.random.Generator, skill: float, epochs: int, peeks: bool
) -> Iterator[dict[str, float]]:
    for epoch in range(1, epochs + 1):
        learnt = 1 - np.exp(-4 * epoch / epochs)
        reached = 0.2 + (skill - 0.2) * learnt
        values = {
            "epoch": epoch,
            "loss": float(1.61 - 1.3 * learnt + rng.normal(0, 0.02)),
            "validation_loss": float(
                1.61 - skill * learnt + 0.6 * (epoch / epochs) ** 2 + rng.normal(0, 0.05)
            ),
            "validation_uar": float(reached + rng.normal(0, 0.04)),
            "validation_accuracy": float(reached),
            "lr": 1e-3,
            "seconds": 3.0,
        }
        if peeks:
            values |= {"test_accuracy": float(reached + rng.normal(0, 0.03)), "test_uar": reached}
        yield values


def _predictions(
    rng: np.random.Generator, clips: Sequence[Utterance], skill: float
) -> Iterator[dict[str, Any]]:
    for clip in clips:
        truth = CLASSES.index(clip.emotion)
        # Mistakes fall on the next class more often than on the others.
        chances = np.full(5, (1 - skill) / 6)
        chances[(truth + 1) % 5] *= 3
        chances[truth] = skill
        said = rng.choice(5, p=chances / chances.sum())
        probabilities = rng.dirichlet(np.where(np.arange(5) == said, 4.0, 0.5)) * 0.4
        probabilities[said] += 0.6
        yield {
            "id": clip.id,
            "speaker": clip.speaker,
            "gender": "",
            "truth": truth,
            "probabilities": [round(float(p), 4) for p in probabilities],
        }
