"""Two processes learn what one does from the same batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SUPPORT
from tiny import PLAIN, network, toy

from emelia.learn.data.loader import Batch, training_batches
from emelia.learn.data.several import SharedBatchNorm, share_of


def batch_of(count: int) -> Batch:
    recipe = replace(PLAIN, train=replace(PLAIN.train, batch_size=count))
    return next(training_batches(toy(), recipe, network(), np.random.default_rng(0)))


@pytest.mark.parametrize("count", [2, 7, 8])
def test_shares_make_up_the_batch_and_weigh_by_their_clips(count: int) -> None:
    batch = batch_of(count)
    shares = [share_of(batch, rank, 2) for rank in range(2)]
    assert sum(weight for _, weight in shares) / 2 == pytest.approx(1)
    rows = torch.cat([part.targets for part, _ in shares])
    assert torch.equal(rows, batch.targets)
    for part, _ in shares:
        assert part.inputs.shape[-1] == int(part.lengths.max())


def test_a_batch_too_small_to_share_is_taken_whole_by_all() -> None:
    batch = batch_of(2)
    assert [share_of(batch, rank, 3) for rank in range(3)] == [(batch, 1.0)] * 3


def test_batch_norm_keeps_its_parameters_under_their_names() -> None:
    norm = torch.nn.BatchNorm2d(4)
    shared = SharedBatchNorm.of(norm)
    assert shared.weight is norm.weight and shared.state_dict().keys() == norm.state_dict().keys()
    shared.shared = False
    sound = torch.randn(3, 4, 5, 6)
    assert torch.allclose(shared(sound), norm(sound), atol=1e-6)


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one_with_the_whole_batch() -> None:
    alone = curves([sys.executable])
    both = curves([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"])
    assert both.keys() == alone.keys()
    for name, curve in alone.items():
        assert np.array(both[name]) == pytest.approx(np.array(curve), abs=1e-5), name


def curves(command: list[str]) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [*command, str(SUPPORT / "loss_curves.py")], capture_output=True, text=True, timeout=900,
        check=False, env=environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])
