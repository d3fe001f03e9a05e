"""Trainings small enough for tests: toy clips, narrow networks, the command line in a child."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from emelia.config import AugmentConfig, ModelConfig, Recipe, TrainConfig
from emelia.corpora import Utterance
from emelia.learn.data.loader import Clip
from emelia.learn.model.network import Network, build
from emelia.learn.training.checkpoints import Epoch, Progress
from emelia.learn.training.distill import Teacher
from emelia.learn.training.fit import FitJob, fit
from emelia.results import Cell

ROOT = Path(__file__).resolve().parents[2]
BANDS = 8
CLASSES = 3
PLAIN = Recipe(model=ModelConfig(width=2, dropout=0.2), train=TrainConfig(8, 0, 4, lr=0.02))
# Everything that draws at random or remembers something from step to step, at once.
FULL = Recipe(
    augment=AugmentConfig(mixup=0.3, crop=12, masks_each_epoch=True, mask_probability=0.5,
                          frequency_mask=(1, 3), time_mask=(1, 4)),
    model=ModelConfig(width=4, dropout=0.4),
    train=TrainConfig(7, 0, 4, lr=0.02, optimizer="adamw", weight_decay=0.1, schedule="cosine",
                      warmup=0.2, label_smoothing=0.1, balance="sampling", clip_norm=1.0,
                      ema=0.9),
)  # fmt: skip


def toy(clips: int = 30, seed: int = 0, noise: float = 0.7) -> list[Clip]:
    """Spectrograms of noise with one louder band a class: a line divides them."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(clips):
        label = number % CLASSES
        spec = noise * rng.standard_normal((BANDS, int(rng.integers(8, 24)))).astype(np.float32)
        spec[1 + 2 * label : 3 + 2 * label] += 1.5
        about = Utterance(f"{seed}-{number}", Path(), str(label), "1", digest=f"{seed}-{number}")
        made.append(Clip(about, label, spec, np.full(BANDS, -1, np.float32)))
    return made


def relabelled(clips: Sequence[Clip], seed: int = 0) -> list[Clip]:
    """The same clips with labels drawn at random: nothing to learn."""
    labels = np.random.default_rng(seed).integers(CLASSES, size=len(clips))
    return [
        Clip(c.utterance, int(n), c.spec, c.silence) for c, n in zip(clips, labels, strict=True)
    ]


def network(recipe: Recipe = PLAIN, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return build(recipe.model, CLASSES, BANDS)


@dataclass
class Trained:
    """What a training gave, and what was seen on the way."""

    progress: Progress
    network: Network
    told: list[Epoch] = field(default_factory=list)
    states: list[dict[str, torch.Tensor]] = field(default_factory=list)  # after each epoch

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return self.network.state_dict()

    @property
    def history(self) -> list[Epoch]:
        return timeless(self.progress.history)


def train(recipe: Recipe = PLAIN, seed: int = 0, start: int = -1, **options: Any) -> Trained:
    """`fit` a fresh network on toy clips; options are those of a `FitJob`.

    Args:
        start: seed of the first weights, where it is not `seed`.
        options: `teacher` is a network, of which one for this training is made.
    """
    made = Trained(Progress(), network(recipe, seed if start < 0 else start))

    def note(epoch: Epoch) -> None:
        made.told.append(epoch)
        made.states.append({k: v.clone() for k, v in made.weights.items()})

    if teacher := options.pop("teacher", None):
        options["teacher"] = Teacher(made.network, recipe.train, teacher)
    training = options.pop("training", toy())
    clips: Callable[[int], Sequence[Clip]] = training if callable(training) else lambda _: training
    validation = options.pop("validation", toy(seed=1))
    options = {"on_epoch": note, "seed": seed, **options}
    made.progress = fit(made.network, FitJob(recipe, clips, validation, **options))
    return made


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """To the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def timeless(history: Sequence[Any]) -> list[Any]:
    """A history without its seconds, the one thing no two runs have in common."""
    return [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in history]


def figures(cell: Cell) -> dict[str, Any]:
    """All of a cell but its seconds, as it is written down."""
    values = json.loads(cell.to_json())
    return {**values, "seconds": None, "history": timeless(values["history"])}


def epochs_in(folder: Path) -> int:
    """How far the checkpoint in a run folder is."""
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        return len(json.loads(file.metadata()["progress"])["history"])


def child(*command: str, cache: Path, **options: Any) -> subprocess.Popen[str]:
    """Start `python -m emelia ...` with a cache of its own and one thread."""
    settings = {"PYTHONPATH": str(ROOT / "src"), "EMELIA_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "emelia", *command],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(
    what: Callable[[], Any], process: subprocess.Popen[str] | None = None, seconds: float = 60
) -> None:
    """Wait until something is so; fail if the process ends before, or time runs out."""
    end = time.monotonic() + seconds
    while not what():
        if process and process.poll() is not None:
            raise AssertionError(f"it ended too early:\n{process.communicate()[1]}")
        if time.monotonic() > end:
            raise AssertionError("it took too long")
        time.sleep(0.005)
