"""Fetch the weights of known encoders from the Hugging Face hub.

The hub has whole models in 32 bits; kept is what emelia uses of them, in the 16 bits that OpenAI
published. The file that comes is checked by the hub's own SHA-256, what is kept by a digest of its
numbers that is known here, so that no other weights can take their place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from emelia.caches import persistent_cache
from emelia.corpora.fetching.download import download
from emelia.corpora.fetching.http import get_json
from emelia.corpora.sources import Remote
from emelia.errors import CorpusError, ModelError
from emelia.learn.model.encoders import hub
from emelia.learn.model.encoders.catalogue import Pretrained, contents_digest, find, find_weights
from emelia.storage import ensure_writable, expanded, write_atomically

HOST = "https://huggingface.co"
_SOURCE = "model.safetensors"

OnBytes = Callable[[int, int], None]  # bytes that have arrived, and in all


def weights_folder() -> Path:
    """Where weights are kept: the folder that EMELIA_WEIGHTS names, or one in the cache folder."""
    chosen = os.environ.get("EMELIA_WEIGHTS")
    return expanded(chosen) if chosen else persistent_cache() / "weights"


def fetch_weights(
    name: str, on_bytes: OnBytes = lambda done, total: None, host: str = HOST
) -> Path:
    """The file of an encoder's weights; fetched from the hub unless it is here already.

    What is interrupted goes on with the next call.

    Args:
        name: of the encoder, `whisper-base`; one that is initialised from another has the other's.
        on_bytes: called with the bytes that have arrived, and in all.
        host: of the hub.

    Raises:
        ConfigError: no such encoder.
        ModelError: the hub has other weights, or is out of reach.
        StorageError: the folder cannot be written.
    """
    known = find(name)
    if here := find_weights(known):
        return here
    folder = weights_folder()
    ensure_writable(folder)
    part = folder / f"{known.file}.whole"
    try:
        remote = _remote(known.hub, host)
        download(remote, part, lambda done: on_bytes(done, remote.size))
    except CorpusError as error:  # what fetches corpora fetches this, too
        raise ModelError(
            f"{name}: {error} Where there is a network, run: emelia weights fetch {name}; then "
            f"copy {known.file} into {folder}."
        ) from None
    weights = _encoder(part, known)
    if contents_digest(weights) != known.contents:
        part.unlink()
        raise ModelError(
            f"{name}: {known.hub} on {host} has other weights than those that are known here, so "
            "figures would not be comparable. Nothing is kept."
        )
    write_atomically(folder / known.file, save(weights))
    part.unlink()
    return folder / known.file


def _remote(repository: str, host: str) -> Remote:
    """The hub's file of a model, at the commit it has now."""
    url = f"{host}/api/models/{repository}/revision/main?blobs=true"
    answer = get_json(url)
    try:
        (file,) = [one for one in answer["siblings"] if one["rfilename"] == _SOURCE]
        place = f"{host}/{repository}/resolve/{answer['sha']}/{quote(_SOURCE)}"
        return Remote(_SOURCE, place, f"sha256:{file['lfs']['sha256']}", int(file["size"]))
    except (LookupError, TypeError, ValueError) as error:
        raise CorpusError(f"{url}: has no {_SOURCE} as expected ({error!r}).") from None


def _encoder(path: Path, known: Pretrained) -> dict[str, Tensor]:
    """The encoder's weights among those of a whole model, by OpenAI's names, in 16 bits."""
    try:
        with safe_open(path, "pt") as file:
            ours = {hub.whisper_name(key): key for key in file.keys()}  # noqa: SIM118
            return {name: file.get_tensor(ours[name]).half() for name in known.parameters()}
    except (OSError, SafetensorError, KeyError) as error:
        path.unlink(missing_ok=True)
        raise ModelError(f"{known.hub}: not the weights of Whisper ({error}).") from None
