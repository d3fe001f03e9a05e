"""Progress of a training, and the file it is resumed from: weights and JSON, no pickle."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from emelia.config import TrainConfig
from emelia.config.value_kinds import check_kinds
from emelia.errors import RunError
from emelia.storage import write_atomically
from emelia.text import from_json

Epoch = dict[str, float]  # one line of the history
BY_CORPUS = "validation_uar_"  # begins the key of a corpus, where there are several


@dataclass
class Progress:
    """History and best epoch so far: what a checkpoint holds besides weights."""

    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_uar: float = -1.0
    best_loss: float = math.inf
    interrupted: bool = False
    within: dict[str, Any] | None = None  # where it stands in an epoch that is not over

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def note(self, epoch: Epoch, choose: str = "best") -> bool:
        """Add an epoch; whether its weights are kept.

        Args:
            choose: `best` keeps one of higher validation UAR, or of the same with a smaller loss;
                `last` keeps every one.
        """
        self.history.append(epoch)
        score, loss = epoch["validation_uar"], epoch["validation_loss"]
        better = (score, -loss) > (self.best_uar, -self.best_loss)
        if not better and choose == "best":
            return False
        self.best_epoch, self.best_uar, self.best_loss = self.epoch, score, loss
        return True

    def finished(self, config: TrainConfig, stop: int = 0) -> bool:
        """Whether all epochs are done, or `patience` epochs without a better one.

        Args:
            stop: epochs, where they are not those of the recipe.
        """
        stale = self.epoch - self.best_epoch
        return self.epoch >= (stop or config.epochs) or 0 < config.patience <= stale


def save_checkpoint(
    path: Path | None,
    name: str,
    modules: nn.ModuleDict,
    optimizer: Optimizer,
    best: dict[str, Tensor],
    progress: Progress,
) -> None:
    """Write all that is needed to resume: tensors, and the rest as JSON in the header.

    Args:
        path: nothing is written where it is None.
        modules: the network, and whatever else is trained with it, by name.
    """
    if path is None:
        return
    tensors = modules.state_dict()
    tensors |= {f"best.{key}": value for key, value in best.items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items()}
    about = {"name": name, "progress": json.dumps(vars(progress))}
    whole = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    write_atomically(path, save(whole, about))


def restore(
    path: Path | None, name: str, modules: nn.ModuleDict, optimizer: Optimizer
) -> tuple[Progress, dict[str, Tensor]]:
    """Put what `save_checkpoint` wrote back into modules and optimizer, if there is a file.

    Returns:
        Progress so far, and the weights of the best epoch.

    Raises:
        RunError: the file is damaged, or of another training.
    """
    if path is None or not path.exists():
        return Progress(), {}
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata()
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if about["name"] == name:
            progress = Progress(**from_json(about["progress"]))
            _check(progress)
            _put_back(tensors, modules, optimizer)
            return progress, _part(tensors, "best.")
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise RunError(
            f"{path}: damaged ({reason}). Remove it to start this training anew."
        ) from None
    raise RunError(
        f"{path}: is of another training (recipe, seed, clips or precision). "
        "Choose another folder, or remove it."
    )


def _check(progress: Progress) -> None:
    """Refuse a progress that nobody can have made.

    Raises:
        ValueError: it has values of a wrong kind, or a best epoch that is not in its history.
    """
    check_kinds(progress)
    if not 0 <= progress.best_epoch <= progress.epoch:
        raise ValueError(f"best epoch {progress.best_epoch} of {progress.epoch}")
    if not all({"loss", "validation_loss", "validation_uar"} <= set(e) for e in progress.history):
        raise ValueError("an epoch of the history without its losses")


def _put_back(tensors: dict[str, Tensor], modules: nn.ModuleDict, optimizer: Optimizer) -> None:
    for name, part in modules.items():
        part.load_state_dict(_part(tensors, f"{name}."))
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _part(tensors, "optimizer.").items():
        number, _, entry = key.partition(".")
        state.setdefault(int(number), {})[entry] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): v for key, v in tensors.items() if key.startswith(prefix)}


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
