"""Where trainings run: in processes of this machine, or on a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emelia.learn.study.runner import Runner
    from emelia.learn.study.trials import TrialRunner
    from emelia.learn.training.hardware import Hardware


@dataclass(frozen=True)
class Runners:
    """What runs trainings and trials.

    Attributes:
        trainings, trials: None for this machine.
        cpus: cores of the cluster; 0 of this machine.
    """

    trainings: Runner | None = None
    trials: TrialRunner | None = None
    cpus: int = 0


@contextlib.contextmanager
def work_on(
    on: str, cpus: int, hardware: Hardware, places: Sequence[str | Path]
) -> Iterator[Runners]:
    """Connect to what --on names, and leave it with the block.

    Args:
        on: empty for this machine.
        cpus: cores of a cluster that is started for this command.
        places: folders that all nodes have to see.

    Raises:
        EmeliaError: see `connect` and `Cluster.check`.
    """
    if not on:
        yield Runners()
        return
    from emelia.scale.cluster import connect
    from emelia.scale.training import LEAST_MEMORY, trainings_on, trials_on
    from emelia.storage import ensure_writable

    with connect(on, cpus) as cluster:
        ensure_writable(Path(places[0]))  # so that it is there to be seen
        cluster.check(places, LEAST_MEMORY)
        yield Runners(
            trainings_on(cluster), trials_on(cluster), cluster.cpus // hardware.threads or 1
        )
