"""Where a training stands within an epoch, kept now and then where an epoch takes long.

The order of the clips follows from seed and epoch; with the state of the generators after a batch,
a resumed epoch goes on with the clip, the changes and the dropout that would have come next.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from emelia.learn.training.checkpoints import Progress, save_checkpoint


@dataclass
class Position:
    """Batches and clips done in an epoch, the sum of their losses, and NumPy's generator then."""

    batches: int = 0
    clips: int = 0
    total: float = 0.0
    rng: Mapping[str, Any] | None = None

    def add(self, loss: float, clips: int) -> None:
        """Note a batch by its mean loss."""
        self.batches += 1
        self.clips += clips
        self.total += loss * clips


class Saved(Protocol):
    """What a saver has to know of a job."""

    @property
    def checkpoint(self) -> Path | None: ...
    @property
    def save_every(self) -> float: ...
    @property
    def fabric(self) -> Fabric: ...


class Saver:
    """Writes the checkpoint of a training; only the first of several processes does."""

    def __init__(
        self, job: Saved, name: str, modules: nn.ModuleDict, optimizer: Optimizer,
        best: dict[str, Tensor], progress: Progress,
    ) -> None:  # fmt: skip
        self._job, self._name = job, name
        self._modules, self._optimizer = modules, optimizer
        self.best, self._progress = best, progress
        self._saved = time.monotonic()

    def save(self) -> None:
        """Write all that is needed to resume."""
        if self._job.fabric.is_global_zero:
            save_checkpoint(
                self._job.checkpoint, self._name, self._modules, self._optimizer, self.best,
                self._progress,
            )  # fmt: skip
        self._saved = time.monotonic()

    def save_sometimes(self, epoch: int, position: Position, rng: np.random.Generator) -> None:
        """Write it within an epoch, if the last time is long enough ago."""
        wait = self._job.save_every
        if not wait or time.monotonic() - self._saved < wait:
            return
        draws = _draws(self._job.fabric.device).tolist()
        position.rng = rng.bit_generator.state
        self._progress.within = {"epoch": epoch, "draws": draws, **vars(position)}
        self.save()

    def position(self, epoch: int) -> Position:
        """Where to go on in an epoch; its beginning, unless a checkpoint was written within it."""
        kept = self._progress.within
        if not kept or kept["epoch"] != epoch:
            return Position()
        known = {key: kept[key] for key in ("batches", "clips", "total", "rng")}
        # Each further process has draws of its own, which are not kept.
        if self._job.fabric.is_global_zero:
            _set_draws(torch.tensor(kept["draws"], dtype=torch.uint8), self._job.fabric.device)
        return Position(**known)


def _draws(device: torch.device) -> Tensor:
    """The state of the generator that dropout draws from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_draws(state: Tensor, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
