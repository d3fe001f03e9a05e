"""Device, precision and threads of a training: they change no result, so no recipe has them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from emelia.errors import ConfigError

PRECISIONS = ("32-true", "bf16-mixed")  # trainings in these can be resumed


@dataclass(frozen=True)
class Hardware:
    """What a cell is computed on: it changes seconds, and figures in their last digits only."""

    device: str = "cpu"  # a Lightning accelerator: cpu, cuda, mps, auto
    precision: str = "32-true"  # or bf16-mixed, ...
    threads: int = 1  # of torch; one a cell, so that figures are the same however many run
    stream: bool = False  # keep training clips on disk, for corpora larger than memory

    @property
    def rank(self) -> int:
        """The number of this process among those that torchrun started; 0 writes and tells."""
        return int(os.environ.get("RANK", "0")) if processes() > 1 else 0

    def fabric(self) -> Fabric:
        """Make a Fabric for one device or, started by torchrun, for one a process.

        Raises:
            ConfigError: there is no such device here, or no such precision.
        """
        precision: Any = self.precision
        if precision not in PRECISIONS:
            raise ConfigError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}.")
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


def processes() -> int:
    """How many processes torchrun has started for this training; 1 without it."""
    started = "TORCHELASTIC_RUN_ID" in os.environ
    return int(os.environ.get("WORLD_SIZE", "1")) if started else 1


CPU = Hardware()
