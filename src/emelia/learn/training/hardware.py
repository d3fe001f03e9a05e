"""Device, precision and threads of a training: they change no result, so no recipe has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightning_fabric import Fabric

from emelia.errors import ConfigError

PRECISIONS = ("32-true", "bf16-mixed")  # trainings in these can be resumed


@dataclass(frozen=True)
class Hardware:
    """What a cell is computed on: it changes seconds, and figures in their last digits only."""

    device: str = "cpu"  # a Lightning accelerator: cpu, cuda, mps, auto
    precision: str = "32-true"  # or bf16-mixed, ...
    threads: int = 1  # of torch; one a cell, so that figures are the same however many run

    def fabric(self) -> Fabric:
        """Make a Fabric for one device.

        Raises:
            ConfigError: there is no such device here, or no such precision.
        """
        precision: Any = self.precision
        if precision not in PRECISIONS:
            raise ConfigError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}.")
        try:
            return Fabric(accelerator=self.device, devices=1, precision=precision)
        except (ValueError, RuntimeError, ImportError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"device {self.device!r} cannot be used here ({reason})") from None


CPU = Hardware()
