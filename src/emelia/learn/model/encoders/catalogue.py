"""Encoders by name: their sizes, and where their weights lie."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from emelia.caches import persistent_cache
from emelia.config import FeatureConfig, Recipe
from emelia.errors import ConfigError, ModelError
from emelia.learn.model.encoders import hub
from emelia.learn.model.encoders.least_squares_init import initialise
from emelia.learn.model.encoders.mel_student import MelEncoder
from emelia.learn.model.encoders.whisper import WhisperEncoder
from emelia.storage import expanded
from emelia.text import did_you_mean, from_json


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A pre-trained encoder whose weights lie in a file of our own."""

    bands: int
    width: int
    heads: int
    blocks: int  # in the file
    file: str
    digest: str  # SHA-256 of the file
    licence: str
    reference: str = ""  # of ours: the encoder from which its weights are solved for
    hub: str = ""  # where the hub has the whole model
    contents: str = ""  # `contents_digest` of its weights, however a file stores them

    def parameters(self) -> list[str]:
        """The names of the weights that are used."""
        return list(WhisperEncoder(self.bands, self.width, self.heads, self.blocks).state_dict())


HUB = "hub:"  # what names of the hub's encoders begin with
TINY = Pretrained(
    80, 384, 6, 4, "whisper-tiny.en-encoder.safetensors",
    "0f18f10ff820bb2f29f47eeb3ac46eb3e511957fc72f80750be9accd42c94098",
    "MIT, Copyright (c) 2022 OpenAI",
    hub="openai/whisper-tiny.en",
    contents="3e374e1b28b842c0cb7fdad46ec314d6287d1a59cc0468276df9f4d20a4bf61e",
)  # fmt: skip
KNOWN = {
    "mel": replace(TINY, blocks=2, reference="whisper-tiny.en"),
    "whisper-tiny.en": TINY,
    "whisper-base": Pretrained(
        80, 512, 8, 4, "whisper-base-encoder-4blocks.safetensors",
        "8e19a71d9b53d40d139a005602ea7f70a609dff68ace0221318f7a38da7f4402",
        "MIT, Copyright (c) 2022 OpenAI",
        hub="openai/whisper-base",
        contents="bad379833af4d8d064e7a5f7b6a8ecfc0a849b7694c27515e1d4fe9d3539f207",
    ),
}  # fmt: skip


def contents_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, shapes and numbers in 16 bits, whatever their order in a file."""
    digest = sha256()
    for name in sorted(weights):
        digest.update(f"{name} {list(weights[name].shape)}".encode())
        digest.update(weights[name].half().contiguous().numpy().tobytes())
    return digest.hexdigest()


def new_encoder(name: str, blocks: int, bands: int, architecture: str = "") -> hub.HubEncoder:
    """An encoder with random weights, cut after a block; 0 takes all that are known.

    Args:
        architecture: config.json of an encoder of the hub; where empty it is looked for.

    Raises:
        ConfigError: no such encoder or block, or it takes another number of bands.
    """
    if name.startswith(HUB):
        return hub.new_encoder(from_json(architecture or _described(name)), blocks)
    known = find(name)
    if not 0 <= blocks <= known.blocks:
        raise ConfigError(
            f"model.blocks: {name} has 1 to {known.blocks} blocks here, got {blocks}."
        )
    if bands != known.bands:
        raise ConfigError(
            f"features: {name} takes {known.bands} mel bands, got {bands}. Set features=whisper."
        )
    if known.reference:
        return MelEncoder(bands, known.width, blocks or known.blocks)
    return WhisperEncoder(bands, known.width, known.heads, blocks or known.blocks)


def has_weights(name: str) -> bool:
    """Whether an encoder comes pre-trained."""
    return name in KNOWN or name.startswith(HUB)


def ready(recipe: Recipe, with_weights: bool) -> Recipe:
    """The recipe with commit and digest of its encoder, if of the hub, once that is found.

    Args:
        with_weights: whether a known encoder's weights are needed, too.

    Raises:
        ConfigError: it was trained on other features.
        ConfigError, ModelError, MissingExtraError: see `hub.find` and `weights_file`.
    """
    model = recipe.model
    if with_weights and model.encoder in KNOWN:
        weights_file(model.encoder)
    if not model.encoder.startswith(HUB) or model.architecture:
        return recipe
    source = hub.find(model.encoder)
    _check_features(recipe.features, source)
    pinned = f"{HUB}{source.name.partition('@')[0]}@{source.commit}"
    model = replace(
        model,
        encoder=pinned if source.commit else model.encoder,
        architecture=_described(model.encoder),
        weights=source.digest,
    )
    return replace(recipe, model=model)


def _check_features(features: FeatureConfig, source: hub.Source) -> None:
    needed = asdict(source.features)
    changed = {key: value for key, value in needed.items() if value != getattr(features, key)}
    if changed:
        settings = " ".join(f"--set features.{key}={value}" for key, value in changed.items())
        raise ConfigError(f"{source.name} was trained on other features. Add {settings}")


def _described(name: str) -> str:
    return json.dumps(hub.find(name).config, sort_keys=True)


def reference_of(name: str) -> str:
    """The name of the encoder from which ours is initialised; empty for others."""
    return KNOWN[name].reference if name in KNOWN else ""


def load_reference(name: str, blocks: int) -> hub.HubEncoder:
    """The reference of our encoder, pre-trained, cut after as many blocks."""
    theirs = KNOWN[name].reference
    weights_file(name)  # so that an error names the encoder that was asked for
    found = new_encoder(theirs, blocks or KNOWN[name].blocks, KNOWN[name].bands)
    load_weights(found, theirs)
    return found


def load_weights(
    encoder: hub.HubEncoder, name: str, digest: str = "", clips: Sequence[Tensor] = ()
) -> None:
    """Fill an encoder with pre-trained weights.

    Args:
        digest: SHA-256 that weights of the hub must have; empty takes any.
        clips: spectrograms (M, F), on which ours is initialised by least squares.

    Raises:
        ModelError: the file is missing, or is not the one that is known.
    """
    if name.startswith(HUB):
        source = hub.find(name)
        if digest not in ("", source.digest):
            raise ModelError(f"{name}: its weights have changed. Pin a commit with @.")
        hub.load_weights(encoder, source)
        return
    if isinstance(encoder, MelEncoder):
        theirs = load_reference(name, len(encoder.blocks))
        assert isinstance(theirs, WhisperEncoder)
        initialise(encoder, theirs, clips)
        return
    weights = _read(weights_file(name), find(name))
    encoder.load_state_dict({key: weights[key].float() for key in encoder.state_dict()})


def weights_file(name: str) -> Path:
    """Where the weights lie: below EMELIA_WEIGHTS, or in the cache folder.

    Raises:
        ModelError: they are in neither.
    """
    known = find(name)
    if here := find_weights(known):
        return here
    places = " nor ".join(map(str, _folders()))
    raise ModelError(
        f"{name}: {known.file} is not in {places}. Fetch it: emelia weights fetch {name}; or let "
        "EMELIA_WEIGHTS name its folder."
    )


def find_weights(known: Pretrained) -> Path | None:
    """The file of an encoder's weights on this disk; None where it is not here."""
    files = (folder / known.file for folder in _folders())
    return next((file for file in files if file.is_file()), None)


def _folders() -> list[Path]:
    chosen = os.environ.get("EMELIA_WEIGHTS")
    return [*([expanded(chosen)] if chosen else []), persistent_cache() / "weights"]


def find(name: str) -> Pretrained:
    """The entry of an encoder in the catalogue.

    Raises:
        ConfigError: there is none.
    """
    if name in KNOWN:
        return KNOWN[name]
    hint = did_you_mean(name, KNOWN, f"there are {', '.join(KNOWN)}.")
    raise ConfigError(f"model.encoder: no encoder is called {name!r}; {hint}")


def _read(path: Path, known: Pretrained) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
        weights = load(data)
        # A fetched file holds the same numbers in another order than the one known by its bytes.
        if sha256(data).hexdigest() != known.digest and contents_digest(weights) != known.contents:
            raise ModelError(
                f"{path}: not the weights that are known (its SHA-256 differs). Get them again."
            )
        return weights
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}).") from None
