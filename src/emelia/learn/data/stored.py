"""Training clips that stay on disk, for corpora larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emelia.caches import cache_root
from emelia.config import digest
from emelia.corpora import Utterance
from emelia.learn.data.loader import FORMAT, Array, Clip, Loader, window_frames
from emelia.learn.data.shards import Shards, open_shards


@dataclass(frozen=True)
class StoredClips(Sequence[Clip]):
    """Training clips whose spectrograms are read from shards when they are used."""

    utterances: tuple[Utterance, ...]
    classes: tuple[str, ...]
    shards: Shards
    window: int  # frames of a clip that a network gets at once

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        utterance = self.utterances[place]
        spec, silence, key = self.shards.read(place)
        label = self.classes.index(utterance.emotion)
        return Clip(utterance, label, spec, silence, key, self.window)


def stored(
    loader: Loader, utterances: Sequence[Utterance], tick: Callable[[int], None]
) -> StoredClips:
    """As `Loader.training`, with spectrograms in shards of the cache, made if they are not there.

    Args:
        tick: called with the number of clips done.

    Raises:
        StorageError: the cache cannot be written.
    """
    copies = loader.copies(utterances)

    def made() -> Iterator[tuple[Array, Array, str]]:
        for done, (utterance, copy) in enumerate(copies, 1):
            clip = loader.clip(utterance, copy, keep=False)
            tick(done)
            yield clip.spec, clip.silence, clip.key

    # Masks that a copy keeps are in its key and not in that of the loader's cache.
    about = [FORMAT, loader.recipe.augment.masks_each_epoch, loader.recipe.augment]
    keys = [loader.key(utterance, copy) for utterance, copy in copies]
    name = digest([repr(about), keys], length=64)
    shards = open_shards(cache_root() / "shards", name, made)
    return StoredClips(
        tuple(one for one, _ in copies), loader.classes, shards, window_frames(loader.recipe)
    )
