"""Prints the loss curves of small trainings as JSON; by itself, or started by torchrun."""

from __future__ import annotations

import json
from dataclasses import replace

import torch
from tiny import PLAIN, network, toy

from emelia.config import ModelConfig
from emelia.learn.training.fit import FitJob, fit
from emelia.learn.training.hardware import Hardware

# 30 clips of several lengths: the last batch has 2, and with 7 a half has 3 and the other 4.
RECIPES = {
    "masks": replace(
        PLAIN,
        model=ModelConfig("emelia", width=4, dropout=0.0),
        train=replace(PLAIN.train, epochs=3, batch_size=7, class_mask=True, clip_norm=1.0),
    ),
    "weights": replace(
        PLAIN,
        model=ModelConfig(width=2, dropout=0.0),
        train=replace(PLAIN.train, epochs=3, batch_size=8, balance="weights"),
    ),
    # Its biases before batch norm have rounding errors as gradients, of which Adam makes steps.
    # They change no training loss, but the mean that validation takes off: so that is not told.
    "one clip left": replace(
        PLAIN,
        model=ModelConfig("resized", 2, 2, 0.0, frames=16),
        train=replace(PLAIN.train, epochs=3, batch_size=29, ema=0.9),
    ),
}  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    hardware, found = Hardware(), {}
    for name, recipe in RECIPES.items():
        trained = network(recipe)
        job = FitJob(recipe, lambda epoch: CLIPS, toy(seed=1), fabric=hardware.fabric())
        history = fit(trained, job).history
        told = ("loss", "validation_loss", "validation_uar")
        keys = told[:1] if name == "one clip left" else told
        found[name] = [[line[key] for key in keys] for line in history]
    if hardware.rank == 0:
        print(json.dumps(found))


CLIPS = toy()
if __name__ == "__main__":
    main()
