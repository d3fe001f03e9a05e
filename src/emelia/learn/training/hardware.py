"""Device, precision and threads of a training: how fast it is, so no recipe has them."""

from __future__ import annotations

import logging
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from emelia.errors import ConfigError

PRECISIONS = ("32-true", "bf16-mixed")  # trainings in these can be resumed
AUTO = "auto"  # bf16-mixed where the device multiplies bfloat16 matrices faster than float32
_FAST = {
    "avx512_bf16",
    "amx_bf16",
    "bf16",
}  # in Linux; the last is Arm's
_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Hardware:
    """What a cell is computed on, and in what precision.

    Device and threads change seconds, and figures in their last digits only. Products of bfloat16
    have 3 digits, so that figures differ as between two seeds: a cell tells its precision.
    """

    device: str = "cpu"  # a Lightning accelerator: cpu, cuda, mps, auto
    precision: str = PRECISIONS[0]  # one of PRECISIONS; AUTO becomes one of them here
    threads: int = 1  # of torch; one a cell, so that figures are the same however many run
    stream: bool = False  # keep training clips on disk, for corpora larger than memory

    def __post_init__(self) -> None:
        if self.precision == AUTO:
            chosen = PRECISIONS[has_fast_bfloat16(self.device)]
            object.__setattr__(self, "precision", chosen)  # the class is frozen

    @property
    def rank(self) -> int:
        """The number of this process among those that torchrun started; 0 writes and tells."""
        return int(os.environ.get("RANK", "0")) if processes() > 1 else 0

    def key(self, of: str) -> str:
        """What a checkpoint is known by: one of another precision is not gone on with."""
        return of if self.precision == PRECISIONS[0] else f"{of}-{self.precision}"

    def fabric(self) -> Fabric:
        """Make a Fabric for one device or, started by torchrun, for one a process.

        Raises:
            ConfigError: there is no such device here, or no such precision.
        """
        precision: Any = self.precision
        if precision not in PRECISIONS:
            known = ", ".join((*PRECISIONS, AUTO))
            raise ConfigError(f"precision {precision!r} is none of {known}.")
        # It says on standard error what it was told, in the middle of the progress.
        logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
        try:
            if processes() == 1:
                return Fabric(accelerator=self.device, devices=1, precision=precision)
            return self._of_several(precision)
        except (ValueError, RuntimeError, ImportError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"device {self.device!r} cannot be used here ({reason})") from None

    def _of_several(self, precision: Any) -> Fabric:
        # An encoder has layers that a recipe does not use, so they get no gradient.
        ddp = DDPStrategy(find_unused_parameters=True)
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        fabric = Fabric(
            accelerator=self.device, devices=here, num_nodes=processes() // here, strategy=ddp,
            precision=precision,
        )  # fmt: skip
        fabric.launch()
        return fabric


def has_fast_bfloat16(device: str) -> bool:
    """Whether a device multiplies bfloat16 faster than float32, as far as is known."""
    if device in ("cuda", "gpu") or (device == AUTO and torch.cuda.is_available()):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if device not in ("cpu", AUTO) or platform.system() != "Linux":
        return False
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = (line.split(":", 1)[1].split() for line in lines
             if line.lower().startswith(("flags", "features")) and ":" in line)  # fmt: skip
    return bool(_FAST.intersection(next(flags, [])))


def processes() -> int:
    """How many processes torchrun has started for this training; 1 without it."""
    started = "TORCHELASTIC_RUN_ID" in os.environ
    return int(os.environ.get("WORLD_SIZE", "1")) if started else 1


CPU = Hardware()
