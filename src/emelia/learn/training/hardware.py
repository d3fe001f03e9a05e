"""Device, precision and threads of a training: they change no result, so no recipe has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from emelia.errors import ConfigError

PRECISIONS = ("32-true", "bf16-mixed")  # trainings in these can be resumed
AUTO = "auto"  # bfloat16 where the device computes with it itself, which is faster only there
_FLAGS = {"avx512_bf16", "amx_bf16"}  # of a processor that multiplies in bfloat16
_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Hardware:
    """What a cell is computed on: it changes seconds, and figures in their last digits only."""

    device: str = "cpu"  # a Lightning accelerator: cpu, cuda, mps, auto
    precision: str = "32-true"  # or bf16-mixed, auto
    threads: int = 1  # of torch; one a cell, so that figures are the same however many run
    stream: bool = False  # keep training clips on disk, for corpora larger than memory

    @property
    def rank(self) -> int:
        """The number of this process among those that torchrun started; 0 writes and tells."""
        return int(os.environ.get("RANK", "0")) if processes() > 1 else 0

    @property
    def used_precision(self) -> str:
        """The precision that `auto` comes to on this machine; any other one as it is."""
        if self.precision != AUTO:
            return self.precision
        return "bf16-mixed" if self.device == "cpu" and multiplies_bfloat16() else "32-true"

    def fabric(self) -> Fabric:
        """Make a Fabric for one device or, started by torchrun, for one a process.

        Raises:
            ConfigError: there is no such device here, or no such precision.
        """
        precision: Any = self.used_precision
        if precision not in PRECISIONS:
            names = ", ".join((AUTO, *PRECISIONS))
            raise ConfigError(f"precision {precision!r} is none of {names}.")
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


def multiplies_bfloat16(info: Path = _CPU_INFO) -> bool:
    """Whether the processor has instructions for bfloat16; not where it cannot be read."""
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(_FLAGS & set(line.split()) for line in lines if line.startswith("flags"))


def processes() -> int:
    """How many processes torchrun has started for this training; 1 without it."""
    started = "TORCHELASTIC_RUN_ID" in os.environ
    return int(os.environ.get("WORLD_SIZE", "1")) if started else 1


CPU = Hardware()
