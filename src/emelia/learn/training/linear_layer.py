"""A linear layer on a frozen encoder: which block, how much penalty, and the solution itself.

N clips, L levels (before the first block and after each), D features, C classes. Logistic
regression on the mean of each clip's frames, or mean and deviation, solved to the end. Block,
statistics and penalty are those that answer best for speakers that were left out, whose
answers also serve calibration; or layers with all statistics and penalties are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product, starmap
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from emelia.caches import cache_root
from emelia.config import digest
from emelia.errors import StorageError
from emelia.learn.data.loader import Batch, Clip, evaluation_batches, in_windows
from emelia.learn.model.layers import statistics
from emelia.learn.model.network import Encoder
from emelia.learn.training import nuisance_penalty
from emelia.learn.training.logistic import STEPS, Solution, Weights, average, solve
from emelia.metrics import uar
from emelia.storage import ArrayCache

PENALTIES = (0.3, 0.1, 0.03)  # on squared weights of standardised features, to choose from
EVERY = (1.0, *PENALTIES, 0.01)  # to average over
GLANCE = 25  # steps of L-BFGS to compare candidates; 30 answer within 0.2 points of 100
GROUPS = 6  # speakers are left out in turn, or in so many groups
FORMAT = 3  # of what is cached; raised when what is computed from the same encoder changes
Tick = Callable[[int], None]
Compute = Callable[[Sequence[Clip]], Iterable[tuple[int, NDArray[Any]]]]


@dataclass(frozen=True, slots=True)
class Setting:
    """How a linear layer is solved."""

    columns: int  # D: the mean alone; 2D: the deviation too
    penalty: float
    nuisance: float = 0.0  # weight of the penalty on what tells speakers and corpora apart


@dataclass(frozen=True, slots=True)
class Choice:
    """What left-out speakers chose."""

    blocks: int
    settings: tuple[Setting, ...]  # of one layer, or of those that are averaged
    answers: NDArray[np.float32]  # logits (V, C) for `clips`, by layers that had not heard them
    clips: tuple[Clip, ...]  # V of them


@dataclass(frozen=True, slots=True)
class Heard:
    """What a linear layer learns from."""

    x: NDArray[np.float32]  # (N, 2D)
    clips: Sequence[Clip]
    weights: Weights  # (N,)

    def solve(self, classes: int, settings: Sequence[Setting], steps: int = STEPS) -> Solution:
        """The linear layer that answers these clips best, or the mean of those of each setting."""
        return average([self._solve(classes, setting, steps) for setting in settings])

    def _solve(self, classes: int, setting: Setting, steps: int) -> Solution:
        truth, offsets = labels(self.clips), None
        if setting.nuisance:
            said_by = [clip.utterance for clip in self.clips]
            offsets = nuisance_penalty.offsets(self.x, truth, said_by) * np.float32(
                setting.nuisance**0.5
            )
        penalty, columns = setting.penalty, setting.columns
        return solve(self.x, truth, self.weights, penalty, classes, columns, steps, offsets)

    def only(self, kept: NDArray[np.bool_]) -> Heard:
        """Some of the clips: those that are marked (N,)."""
        clips = [clip for clip, keep in zip(self.clips, kept, strict=True) if keep]
        return Heard(self.x[kept], clips, self.weights[kept])


def pooled(
    network: Encoder, clips: Sequence[Clip], tick: Tick = lambda done: None
) -> NDArray[np.float32]:
    """Mean and deviation over frames at every level: (N, L, 2D); kept in the cache.

    Those of a long clip are the means of its windows': what a window is heard by in use.
    """
    network.eval()

    def compute(missing: Sequence[Clip]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        done, classes = len(clips) - len(missing), network.output.out_features
        pieces, owners = in_windows(missing)
        left, sums = np.bincount(owners, minlength=len(missing)), dict[int, Any]()
        wanted = left.copy()
        for places, batch in evaluation_batches(pieces, network, classes):
            for owner, found in zip(
                owners[places].tolist(), _statistics(network, batch), strict=True
            ):
                sums[owner] = sums.get(owner, 0) + found
                left[owner] -= 1
                if not left[owner]:
                    yield owner, sums.pop(owner) / np.float32(wanted[owner])
                    tick(done := done + 1)

    made_by = (FORMAT, fingerprint(network.encoder))
    return np.stack(remembered("pooled", made_by, clips, compute))


def remembered(
    folder: str, made_by: Sequence[object], clips: Sequence[Clip], compute: Compute
) -> list[Any]:
    """An array of each clip, kept in a folder of the cache.

    Args:
        made_by: all but the clip that an array is made from.
        compute: gives the place and the array of each clip that is not kept yet.
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
    """Names an encoder with its weights."""
    found = sha256(str(encoder).encode())
    for value in encoder.state_dict().values():
        found.update(value.cpu().numpy().tobytes())
    return found.hexdigest()


@torch.no_grad()
def _statistics(network: Encoder, batch: Batch) -> NDArray[np.float32]:
    """(B, L, 2D) over each clip's own frames."""
    levels, counts = network.encoder.each(batch.inputs.squeeze(1), batch.lengths)
    return torch.stack([statistics(x, counts) for x in levels], 1).numpy()


def features(x: NDArray[np.float32], blocks: int, every: bool) -> NDArray[np.float32]:
    """What a linear layer hears: (N, L, 2D) to (N, 2D) of one level, or of each after a block.

    Means come first, then deviations, as pooling gives them.
    """
    used = x[:, 1 : blocks + 1] if every else x[:, blocks : blocks + 1]
    means, deviations = np.split(used, 2, axis=2)
    return np.concatenate([means, deviations], 1).reshape(len(x), -1)


def choose(
    x: NDArray[np.float32],
    clips: Sequence[Clip],
    weights: Weights,
    left_out: Sequence[NDArray[np.bool_]],
    classes: int,
    blocks: int = 0,
    every: bool = False,
    strengths: Sequence[float] = (),
    averaged: bool = False,
) -> Choice:
    """Choose the block and the penalty with which left-out clips are answered best.

    Args:
        x: (N, L, 2D), features of all clips.
        weights: (N,) of each clip.
        left_out: for each turn, which clips are answered and not learnt from (N,).
        blocks: the only candidate, unless 0.
        every: whether the levels before a block's count too.
        strengths: candidates, beside none, for how much what tells speakers and corpora apart
            is penalised.
        averaged: whether the layers of all penalties and statistics are averaged instead of one
            of them chosen; a few speakers choose by chance, and the wrong one for the next.
    """
    best = []
    for level in [blocks] if blocks else range(1, x.shape[1]):
        heard = Heard(features(x, level, every), clips, weights)
        asked, width = _Asked(level, heard, left_out, classes), heard.x.shape[1]
        penalties = EVERY if averaged else PENALTIES
        settings = tuple(starmap(Setting, product((width // 2, width), penalties)))
        groups = [settings] if averaged else [(one,) for one in settings]
        plain = max((asked.answer(group) for group in groups), key=_score)
        # Every strength with every setting would take three times as long.
        best += [plain, *(asked.answer(_penalised(plain.settings, s)) for s in strengths)]
    return max(best, key=_score)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Clips of a level that are answered, each in its turn, by what is learnt from the others."""

    level: int
    heard: Heard
    left_out: Sequence[NDArray[np.bool_]]
    classes: int

    def answer(self, settings: tuple[Setting, ...]) -> Choice:
        answers: list[Tensor] = []
        clips: list[Clip] = []
        for out in self.left_out:
            rest, asked = self.heard.only(~out), self.heard.only(out)
            layer = rest.solve(self.classes, settings, GLANCE)
            answers.append(layer(torch.from_numpy(asked.x)))
            clips += asked.clips
        return Choice(self.level, settings, torch.cat(answers).numpy(), tuple(clips))


def _penalised(settings: Sequence[Setting], strength: float) -> tuple[Setting, ...]:
    return tuple(replace(setting, nuisance=strength) for setting in settings)


def _score(choice: Choice) -> tuple[float, float]:
    """UAR, then the smaller loss."""
    truth = labels(choice.clips)
    loss = F.cross_entropy(torch.from_numpy(choice.answers), torch.from_numpy(truth))
    return uar(truth, choice.answers.argmax(1)), -loss.item()


def labels(clips: Sequence[Clip]) -> NDArray[np.int64]:
    """Class numbers (N,)."""
    return np.array([clip.label for clip in clips])


def alike(clips: Sequence[Clip]) -> Weights:
    """The same weight for every clip (N,)."""
    return np.ones(len(clips))


def places(some: Sequence[Clip], clips: Sequence[Clip]) -> NDArray[np.bool_]:
    """Which of `clips` are among `some` (N,)."""
    wanted = {id(clip) for clip in some}
    return np.array([id(clip) in wanted for clip in clips])


def turns(clips: Sequence[Clip], home: set[str]) -> list[NDArray[np.bool_]]:
    """Which clips each turn leaves out: the speakers of the corpora under test, in groups."""
    speakers = sorted({clip.utterance.speaker for clip in clips if clip.utterance.corpus in home})
    groups = [set(speakers[i::GROUPS]) for i in range(min(GROUPS, len(speakers)))]
    return [np.array([clip.utterance.speaker in group for clip in clips]) for group in groups]


def corpus_turns(clips: Sequence[Clip]) -> list[NDArray[np.bool_]]:
    """Which clips each turn leaves out where a corpus is tested that was never heard: a corpus."""
    corpora = np.array([clip.utterance.corpus for clip in clips])
    return [corpora == corpus for corpus in np.unique(corpora)]


def put(solution: Solution, network: Encoder) -> None:
    """Let a network answer as the solution does, evenly attentive; the rest has no weight."""
    network.shift, network.scale = solution.mean, 1 / solution.deviation
    network.listen_evenly()
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.weight[:, : solution.weight.shape[1]] = solution.weight
        network.output.bias.copy_(solution.bias)
