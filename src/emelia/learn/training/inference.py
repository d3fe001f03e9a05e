"""Logits and probabilities of a network for clips of any length, long ones in windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emelia.learn.data.loader import Clip, evaluation_batches, in_windows
from emelia.learn.model.network import Network


@torch.no_grad()
def logits(network: Network, clips: Sequence[Clip]) -> Tensor:
    """Logits (N, C) of clips, in their order; of a long one the mean over its windows."""
    network.eval()
    device = next(network.parameters()).device
    windows, owners = in_windows(clips)
    found = torch.zeros(len(windows), network.classes)
    for places, batch in evaluation_batches(windows, network):
        found[places] = network(batch.inputs.to(device), batch.lengths.to(device)).float().cpu()
    if len(windows) == len(clips):
        return found
    counts = torch.from_numpy(np.bincount(owners))[:, None]
    sums = torch.zeros(len(clips), network.classes)
    return sums.index_add(0, torch.from_numpy(owners), found) / counts


def predict(network: Network, clips: Sequence[Clip]) -> NDArray[np.float32]:
    """Probabilities (N, C) of clips, in their order."""
    return logits(network, clips).softmax(1).numpy()
