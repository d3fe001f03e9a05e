"""Utterances to spectrograms, and spectrograms to batches.

M bands, F frames, B clips, C classes. Every random draw comes from a generator seeded by its
purpose (utterance and copy, or seed and epoch), never from a global one, so that an epoch is the
same in an uninterrupted training and after a resume.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from emelia.audio import prepare
from emelia.audio.excerpts import Span, window_starts
from emelia.caches import cache_root
from emelia.config import SAMPLE_RATE, Recipe, digest
from emelia.config.fields import values_of
from emelia.corpora import Utterance
from emelia.corpora.scan import decode_again
from emelia.errors import StorageError
from emelia.learn.data.augment import (
    augment_wave,
    copies_per_clip,
    copy_seed,
    mask_spectrogram,
    mixup,
)
from emelia.learn.data.class_mask import allowed, classes_of_corpora
from emelia.learn.data.features import FrontEnd
from emelia.learn.data.sampling import sampled_places
from emelia.learn.data.spec_augment import augment_crop, crop
from emelia.learn.model.network import Network
from emelia.processes import one_openmp_thread
from emelia.storage import ArrayCache

FORMAT = 2  # of cached features; raised when what is computed from the same settings changes
EVALUATION_BATCH = 16  # clips; any number gives the same answers
WINDOW_SECONDS = 10.0  # of a clip at once: the memory of attention grows with the square of it
SPEECH_WINDOW = 4.0  # s, where a clip is its speech alone: those of a recording that is answered
BATCH_WINDOWS = 8  # windows that a batch may hold, padding included
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """The spectrogram and label of one utterance, or of an augmented copy of it."""

    utterance: Utterance
    label: int
    spec: Array  # (M, F)
    silence: Array  # (M,), a silent frame in the units of this spectrogram
    key: str = ""  # digest of all it was made from
    window: int = 0  # frames of it that a network gets at once; 0: all
    target: Array | None = None  # (C,), a soft label instead of the hard one


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips of different lengths, padded at the end to the longest."""

    inputs: Tensor  # (B, 1, M, F)
    lengths: Tensor  # (B,) frames
    targets: Tensor  # (B, C) each row sums to 1
    position: int = 0  # of the first frame, for positional embeddings; in encoder frames
    shown: Tensor | None = None  # bool (B, C), the classes of each clip's corpus; None: all


class Loader:
    """Turns utterances into clips as a recipe asks, with a cache of spectrograms."""

    def __init__(self, recipe: Recipe, classes: Sequence[str], seed: int = 0) -> None:
        self.recipe, self.seed = recipe, seed
        self.classes = tuple(classes)
        self.front_end = FrontEnd(recipe.features)
        self.cache = ArrayCache(cache_root() / "features")
        self._wave: tuple[tuple[Path, Span | None], Array] = (
            (Path(), None),
            np.zeros(0, np.float32),
        )

    def load(
        self, utterances: Sequence[Utterance], tick: Callable[[int], None] | None = None
    ) -> list[Clip]:
        """Load clips unchanged, for validation and test."""
        return self._many([(u, 0) for u in utterances], tick)

    def training(
        self, utterances: Sequence[Utterance], tick: Callable[[int], None] | None = None
    ) -> list[Clip]:
        """Load training clips and their augmented copies."""
        return self._many(self.copies(utterances), tick)

    def copies(self, utterances: Sequence[Utterance]) -> list[tuple[Utterance, int]]:
        """Each training clip with the numbers of its copies; copy 0 is the clip itself."""
        labels = [self.classes.index(u.emotion) for u in utterances]
        counts = copies_per_clip(labels, self.recipe.augment)
        found = zip(utterances, counts, strict=True)
        return [(u, copy) for u, n in found for copy in range(n)]

    def _many(
        self, wanted: Sequence[tuple[Utterance, int]], tick: Callable[[int], None] | None
    ) -> list[Clip]:
        clips = []
        for done, (utterance, copy) in enumerate(wanted, 1):
            clips.append(self.clip(utterance, copy))
            if tick:
                tick(done)
        return clips

    def clip(self, utterance: Utterance, copy: int, keep: bool = True) -> Clip:
        """One clip, or a copy of it.

        Args:
            keep: put its spectrogram into the cache.
        """
        seed = copy_seed(utterance.digest, copy, self.seed)
        key = self.key(utterance, copy)
        made = self.cache.get(key)
        if made is None:
            made = self._compute(utterance, copy, seed)
            if keep:
                with suppress(StorageError):  # a cache that cannot be written costs only time
                    self.cache.put(key, made)
        spec, silence = made[:, :-1], np.ascontiguousarray(made[:, -1])
        config = self.recipe.augment
        if copy and config.mask_probability and not config.masks_each_epoch:
            spec = mask_spectrogram(spec, config, np.random.default_rng(seed), silence)
            # Pooled features of a masked copy are cached, too, so its key tells the masks.
            key = digest([key, values_of(config, "mask")], length=64)
        label = self.classes.index(utterance.emotion)
        return Clip(utterance, label, spec, silence, key, window_frames(self.recipe))

    def key(self, utterance: Utterance, copy: int = 0) -> str:
        """Digest of all that a spectrogram is made from: recording, settings and random draw."""
        recipe = self.recipe
        parts = [FORMAT, utterance.digest, asdict(recipe.audio), asdict(recipe.features)]
        if copy:
            parts += [values_of(recipe.augment, "copy"), copy, self.seed]
        return digest(parts, length=64)

    def _compute(self, utterance: Utterance, copy: int, seed: int) -> Array:
        """Return the spectrogram with the clip's silent frame as one more column (M, F + 1)."""
        wave = self._prepared(utterance)
        if copy:
            wave = augment_wave(wave, self.recipe.augment, seed)
        with torch.no_grad():
            samples = torch.tensor([len(wave)])
            spec, _, silence = self.front_end(torch.from_numpy(wave)[None], samples)
        return np.column_stack([spec[0].numpy(), silence[0].numpy()])

    def _prepared(self, utterance: Utterance) -> Array:
        """Return the waveform after the recipe's audio steps; the last one is kept for copies."""
        clip = (utterance.path, utterance.span)
        if self._wave[0] != clip:
            wave, rate = decode_again(utterance)
            with one_openmp_thread():
                self._wave = (clip, prepare(wave, rate, self.recipe.audio))
        return self._wave[1]


def training_batches(
    clips: Sequence[Clip],
    recipe: Recipe,
    network: Network,
    rng: np.random.Generator,
    target: Collection[str] = (),
    skipped: int = 0,
    state: Mapping[str, Any] | None = None,
) -> Iterator[Batch]:
    """Give one epoch of batches in random order, augmented anew each epoch.

    Args:
        target: names of the corpora under test; see `sampling_probabilities`.
        skipped: so many batches are done already.
        state: of `rng` after them.
    """
    train, augment = recipe.train, recipe.augment
    drawn = [clips[i] for i in sampled_places(clips, train, target, rng)]
    lengths = np.array([clip.spec.shape[1] for clip in drawn])
    known = classes_of_corpora(clips) if train.class_mask else {}
    groups = plan(lengths, train.batch_size, not network.fixed_frames, rng)
    if state is not None:
        rng.bit_generator.state = state
    for group in groups[skipped:]:
        augmented = [_augment(drawn[i], clips, recipe, rng) for i in group]
        batch = collate(augmented, network)
        if augment.mixup and len(group) > 1:
            batch = mixed(batch, augment.mixup, rng)
        if augment.position_jitter:
            position = int(rng.integers(augment.position_jitter + 1)) // network.stride
            batch = replace(batch, position=position)
        if known:
            batch = replace(batch, shown=allowed(augmented, known, network.classes))
        yield batch


def window_frames(recipe: Recipe) -> int:
    """Frames of a clip that a network gets at once."""
    seconds = SPEECH_WINDOW if recipe.audio.speech else WINDOW_SECONDS
    return round(seconds * SAMPLE_RATE / recipe.features.hop)


def in_windows(clips: Sequence[Clip]) -> tuple[list[Clip], NDArray[np.int64]]:
    """Cut long clips into windows; with the place (W,) of the clip that each window is of."""
    windows, owners = [], []
    for place, clip in enumerate(clips):
        length = clip.window or clip.spec.shape[1]
        for start in window_starts(clip.spec.shape[1], length):
            windows.append(replace(clip, spec=clip.spec[:, start : start + length]))
            owners.append(place)
    return windows, np.array(owners, np.int64)


def evaluation_batches(
    clips: Sequence[Clip], network: Network
) -> Iterator[tuple[list[int], Batch]]:
    """Give every clip once, short ones first, with its place in `clips`.

    A batch holds `EVALUATION_BATCH` clips at most, and fewer where they are long.
    """
    order = sorted(range(len(clips)), key=lambda i: clips[i].spec.shape[1])
    group: list[int] = []
    for place in order:
        frames, room = clips[place].spec.shape[1], BATCH_WINDOWS * clips[place].window
        if group and (len(group) == EVALUATION_BATCH or 0 < room < (len(group) + 1) * frames):
            yield group, collate([clips[i] for i in group], network)
            group = []
        group.append(place)
    if group:
        yield group, collate([clips[i] for i in group], network)


def plan(
    lengths: NDArray[np.int64], size: int, bucket: bool, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Divide clips into batches: of like length where `bucket`, so that little is padding."""
    order = rng.permutation(len(lengths))
    if bucket and size > 1:
        # The jitter makes other batches each epoch; a tenth costs next to no padding.
        order = np.argsort(lengths * rng.uniform(0.9, 1.1, len(lengths)), kind="stable")
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    return [groups[i] for i in rng.permutation(len(groups))]


def collate(clips: Sequence[Clip], network: Network) -> Batch:
    """Bring clips to a size the network takes and pad them to one length."""
    sized = [resize(clip, network) for clip in clips]
    lengths = torch.tensor([spec.shape[1] for spec in sized])
    inputs = torch.empty(len(sized), 1, sized[0].shape[0], int(lengths.max()))
    for row, clip, spec in zip(inputs, clips, sized, strict=True):
        row[0] = torch.from_numpy(clip.silence)[:, None]  # it counts only where clips are mixed
        row[0, :, : spec.shape[1]] = torch.from_numpy(spec)
    labels = torch.tensor([clip.label for clip in clips])
    targets = F.one_hot(labels, network.classes).float()
    for row, clip in zip(targets, clips, strict=True):
        if clip.target is not None:
            row[:] = torch.from_numpy(clip.target)
    # Channels last is the faster layout for these convolutions on a CPU.
    return Batch(inputs.contiguous(memory_format=torch.channels_last), lengths, targets)


def mixed(batch: Batch, alpha: float, rng: np.random.Generator) -> Batch:
    """Mix the clips of a batch, and their targets."""
    inputs, targets, lengths = mixup(batch.inputs, batch.targets, batch.lengths, alpha, rng)
    return Batch(inputs, lengths, targets)


def resize(clip: Clip, network: Network) -> Array:
    """Pad short clips; interpolate long ones in time where the size is fixed."""
    spec, frames = clip.spec, clip.spec.shape[1]
    if frames < network.min_frames:
        missing = network.min_frames - frames
        level = clip.silence[:, None] if network.padding == "silence" else spec.mean()
        pad = np.broadcast_to(level, (len(spec), missing))
        return np.column_stack([spec, pad])
    if network.fixed_frames and frames > network.fixed_frames:
        tensor = torch.from_numpy(np.ascontiguousarray(spec))[None]
        return F.interpolate(tensor, size=network.fixed_frames, mode="linear")[0].numpy()
    return spec


def _augment(clip: Clip, others: Sequence[Clip], recipe: Recipe, rng: np.random.Generator) -> Clip:
    """A random window of a clip, with the changes that are drawn anew each epoch."""

    def other() -> Array:
        return others[int(rng.integers(len(others)))].spec

    spec = crop(clip.spec, clip.window, rng) if clip.window else clip.spec
    return replace(clip, spec=augment_crop(spec, clip.silence, other, recipe, rng))
