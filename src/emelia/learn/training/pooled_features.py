"""Features of a frozen encoder for a linear layer: pooled over frames, and cached.

N clips, L layers (the input of the first block and the output of each), D features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emelia.caches import cache_root
from emelia.config import digest
from emelia.errors import StorageError
from emelia.learn.data.loader import Batch, Clip, evaluation_batches, in_windows
from emelia.learn.model.layers import statistics
from emelia.learn.model.network import Encoder
from emelia.storage import ArrayCache

FORMAT = 3  # of what is cached; raised when what is computed from the same encoder changes
Array = NDArray[np.float32]
Tick = Callable[[int], None]
Compute = Callable[[Sequence[Clip]], Iterable[tuple[int, NDArray[Any]]]]


def pooled(
    network: Encoder,
    clips: Sequence[Clip],
    tick: Tick = lambda done: None,
    *,
    attentive: bool = False,
) -> Array:
    """Mean and deviation over frames at every layer: (N, L, 2D); kept in the cache.

    Those of a long clip are the means over its windows, as it is answered in windows, too.

    Args:
        tick: called with the number of clips done.
        attentive: whether the frames after the last block have the network's own attention. It is
            even in all other layers.
    """
    network.eval()
    attentive = attentive and network.attends and not network.all_layers

    def compute(missing: Sequence[Clip]) -> Iterator[tuple[int, Array]]:
        done, sums = len(clips) - len(missing), dict[int, Any]()
        windows, owners = in_windows(missing)
        left = np.bincount(owners, minlength=len(missing))
        counts = left.copy()
        for places, batch in evaluation_batches(windows, network):
            batch_owners = owners[places].tolist()
            for owner, found in zip(
                batch_owners, _statistics(network, batch, attentive), strict=True
            ):
                sums[owner] = sums.get(owner, 0) + found
                left[owner] -= 1
                if not left[owner]:
                    yield owner, sums.pop(owner) / np.float32(counts[owner])
                    tick(done := done + 1)

    made_by: list[object] = [FORMAT, fingerprint(network.encoder)]
    made_by += [fingerprint(network.pool)] if attentive else []
    return np.stack(cached_arrays("pooled", made_by, clips, compute))


@torch.no_grad()
def pooled_by(network: Encoder, clips: Sequence[Clip], tick: Tick = lambda done: None) -> Array:
    """What a network pools, with its own attention: (N, 2D), the mean over a clip's windows."""
    network.eval()
    windows, owners = in_windows(clips)
    found: list[Array] = [np.zeros(0, np.float32)] * len(windows)
    done = 0
    for places, batch in evaluation_batches(windows, network):
        frames, counts = network.frames(batch.inputs, batch.lengths)
        for place, row in zip(places, network.pool(frames, counts).numpy(), strict=True):
            found[place] = row
        done += len(places)
        tick(done * len(clips) // len(windows))
    sums = np.zeros((len(clips), len(found[0])), np.float32)
    np.add.at(sums, owners, np.stack(found))
    windows_each: Array = np.bincount(owners).astype(np.float32)[:, None]
    mean: Array = sums / windows_each
    return mean


def cached_arrays(
    folder: str, made_by: Sequence[object], clips: Sequence[Clip], compute: Compute
) -> list[Any]:
    """An array of each clip, from a folder of the cache where it is there.

    Args:
        made_by: all but the clip that an array is made from.
        compute: gives place and array of each clip whose array is not cached.
    """
    cache, (kind, *rest) = ArrayCache(cache_root() / folder), made_by
    keys = [clip.key and digest([kind, clip.key, *rest], length=64) for clip in clips]
    found: list[Any] = [cache.get(key) if key else None for key in keys]
    missing = [i for i, array in enumerate(found) if array is None]
    for place, array in compute([clips[i] for i in missing]):
        found[missing[place]] = array
        if key := keys[missing[place]]:
            with suppress(StorageError):  # a cache that cannot be written costs only time
                cache.put(key, array)
    return found


def fingerprint(encoder: nn.Module) -> str:
    """SHA-256 of an encoder's structure and weights."""
    found = sha256(str(encoder).encode())
    for value in encoder.state_dict().values():
        found.update(value.cpu().numpy().tobytes())
    return found.hexdigest()


@torch.no_grad()
def _statistics(network: Encoder, batch: Batch, attentive: bool) -> Array:
    """(B, L, 2D) over each clip's own frames."""
    layers, counts = network.encoder.hidden_states(batch.inputs.squeeze(1), batch.lengths)
    found = [statistics(x, counts) for x in layers]
    if attentive:
        found[-1] = network.pool(layers[-1], counts)
    return torch.stack(found, 1).numpy()


def layer_features(x: Array, blocks: int, all_layers: bool) -> Array:
    """Features of a linear layer: (N, L, 2D) to (N, 2D) of one block, or of all up to it.

    Means come first, then deviations, as pooling gives them.
    """
    used = x[:, 1 : blocks + 1] if all_layers else x[:, blocks : blocks + 1]
    means, deviations = np.split(used, 2, axis=2)
    return np.concatenate([means, deviations], 1).reshape(len(x), -1)
