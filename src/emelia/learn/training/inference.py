"""What a network answers: long clips in windows, as everybody who asks it needs them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from emelia.learn.data.loader import Clip, evaluation_batches, in_windows
from emelia.learn.model.network import Network


@torch.no_grad()
def logits(network: Network, clips: Sequence[Clip], classes: int) -> Tensor:
    """Logits (N, C) of clips, in their order; of a long one the mean of its windows'."""
    network.eval()
    device = next(network.parameters()).device
    pieces, owners = in_windows(clips)
    found = torch.zeros(len(pieces), classes)
    for places, batch in evaluation_batches(pieces, network, classes):
        found[places] = network(batch.inputs.to(device), batch.lengths.to(device)).float().cpu()
    if len(pieces) == len(clips):
        return found
    counts = torch.from_numpy(np.bincount(owners))[:, None]
    return torch.zeros(len(clips), classes).index_add(0, torch.from_numpy(owners), found) / counts
