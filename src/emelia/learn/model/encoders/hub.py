"""Encoders of the Hugging Face hub by name: wav2vec 2.0, HuBERT, WavLM, data2vec and Whisper.

A name is OWNER/NAME, OWNER/NAME@REVISION (a branch, tag or commit) or a folder, each with or
without `hub:` before it. A folder, as the hub's, holds config.json and model.safetensors.
No code and no pickle of others is ever run: weights in files of other kinds are not read.

    source = find("hub:microsoft/wavlm-base-plus")
    encoder = new_encoder(source.config, blocks=6)
    load_weights(encoder, source)
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from emelia.caches import writable_folder
from emelia.config import PRESETS, FeatureConfig
from emelia.errors import ConfigError, EmeliaError, MissingExtraError, ModelError
from emelia.learn.model.encoders import waveform
from emelia.learn.model.encoders.waveform import WaveEncoder
from emelia.learn.model.encoders.whisper import WhisperEncoder
from emelia.packages import package
from emelia.storage import expanded
from emelia.text import from_json

HubEncoder = WaveEncoder | WhisperEncoder

CONFIG, SOUND, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
NEEDED = (CONFIG, WEIGHTS)
# Names of Whisper's parameters on the hub, and OpenAI's.
WHISPER_NAMES = {
    "encoder.conv": "conv", "encoder.layers.": "blocks.",
    "self_attn_layer_norm": "attn_ln", "self_attn.q_proj": "attn.query",
    "self_attn.k_proj": "attn.key", "self_attn.v_proj": "attn.value",
    "self_attn.out_proj": "attn.out",
    "final_layer_norm": "mlp_ln", "fc1": "mlp.0", "fc2": "mlp.2",
}  # fmt: skip
MODELS = re.compile(r"^(model|wav2vec2|hubert|wavlm|data2vec_audio)\.")  # what names begin with
# Errors of huggingface_hub and what they mean; those of a kind before the kind.
REASONS = {
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE is set, and it was not fetched before",
    "GatedRepoError": "its owner asks for consent; give it on its page, then run: hf auth login",
    "RepositoryNotFoundError": "the hub has no such model, or does not show it to you",
    "RevisionNotFoundError": "the hub has no such revision of it",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where an encoder comes from; `name`, `commit` and `digest` belong in the record of a run."""

    name: str
    folder: Path
    commit: str = ""  # of the hub's repository; a folder of one's own has none

    @property
    def config(self) -> dict[str, Any]:
        """What config.json says: all it takes for an encoder of random weights."""
        return _read(self.folder / CONFIG)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, which the hub shows too."""
        path = self.folder / WEIGHTS
        try:
            with path.open("rb") as file:
                return file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror}).") from None

    @property
    def features(self) -> FeatureConfig:
        """The front end that the encoder was trained with."""
        config, sound = self.config, self.folder / SOUND
        if config.get("model_type") == "whisper":
            if not isinstance(mels := config.get("num_mel_bins"), int):
                raise ModelError(f"{self.folder / CONFIG}: num_mel_bins is {mels!r}, no number.")
            return replace(PRESETS["whisper"], mels=mels)
        normal = not sound.exists() or _read(sound).get("do_normalize", True)
        return FeatureConfig(kind="wave", hop=1, standardise="clip" if normal else "none")


def find(name: str) -> Source:
    """Look for an encoder's files: in a folder, EMELIA_WEIGHTS/OWNER/NAME, the hub.

    What was fetched from the hub before is taken from its cache without asking the hub again.

    Raises:
        ConfigError: the name is neither a folder nor of the form OWNER/NAME.
        ModelError: a file is missing, or the hub does not have it or is out of reach.
        MissingExtraError: huggingface_hub is not installed.
    """
    name = name.removeprefix("hub:")
    repository, _, revision = name.partition("@")
    places = [name]
    if (chosen := os.environ.get("EMELIA_WEIGHTS")) and not revision:  # no folder tells its own
        places.append(f"{chosen}/{repository}")
    for folder in (expanded(place) for place in places if name):
        if os.path.isdir(folder):
            if missing := [file for file in NEEDED if not (folder / file).is_file()]:
                raise ModelError(f"{folder}: has no {missing[0]}; expected {' and '.join(NEEDED)}.")
            return Source(name, folder)
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository):
        raise ConfigError(f"model.encoder: {name!r} is neither a folder nor OWNER/NAME of the hub.")
    folder = _fetch(repository, revision or "main")
    return Source(name, folder, folder.name)


def new_encoder(values: Mapping[str, Any], blocks: int) -> HubEncoder:
    """An encoder with random weights as a config.json describes it; 0 takes all blocks.

    Raises:
        ConfigError: it is of another family, or has fewer blocks.
        ModelError: no encoder can be as described.
        MissingExtraError: it takes waveforms, and transformers is not installed.
    """
    try:
        total, make = _plan(values)
        if not 0 <= blocks <= total:
            raise ConfigError(f"model.blocks: this encoder has 1 to {total}, got {blocks}.")
        return make(blocks or total)
    except EmeliaError:
        raise
    except Exception as error:  # of transformers, which has many, for what does not fit together
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ModelError(f"{CONFIG}: an encoder cannot be as it says ({reason}).") from None


def _plan(values: Mapping[str, Any]) -> tuple[int, Callable[[int], HubEncoder]]:
    """Number of blocks, and what makes an encoder of some."""
    family = values.get("model_type")
    if family == "whisper":
        bands, width = values["num_mel_bins"], values["d_model"]
        heads = values["encoder_attention_heads"]
        return values["encoder_layers"], partial(WhisperEncoder, bands, width, heads)
    if family in waveform.FAMILIES:
        config = waveform.configuration(dict(values))
        return config.num_hidden_layers, partial(WaveEncoder, config)
    known = ", ".join((*waveform.FAMILIES, "whisper"))
    raise ConfigError(f"model.encoder: a model of type {family!r}; expected one of {known}.")


def load_weights(encoder: HubEncoder, source: Source) -> None:
    """Fill an encoder with pre-trained weights.

    Raises:
        ModelError: the weights are damaged, or are not those of such an encoder.
    """
    names = waveform.NAMES if isinstance(encoder, WaveEncoder) else WHISPER_NAMES
    path, wanted = source.folder / WEIGHTS, encoder.state_dict()
    try:
        with safe_open(path, "pt") as file:
            theirs = {_rename(key, names): key for key in file.keys()}  # noqa: SIM118
            weights = {key: file.get_tensor(theirs[key]).float() for key in wanted}
        encoder.load_state_dict(weights)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}).") from None
    except (KeyError, RuntimeError):  # a parameter is missing, or has another shape
        raise ModelError(f"{path}: not the weights of what its {CONFIG} describes.") from None


def whisper_name(key: str) -> str:
    """OpenAI's name of a parameter of Whisper that has the hub's."""
    return _rename(key, WHISPER_NAMES)


def _rename(key: str, names: Mapping[str, str]) -> str:
    key = MODELS.sub("", key)
    for theirs, ours in names.items():
        key = key.replace(theirs, ours)
    return key


def _fetch(repository: str, revision: str) -> Path:
    """The folder, called as its commit, with the files of a model; see `find`."""
    try:
        hub, errors = package("huggingface_hub"), package("huggingface_hub.errors")
        usual = Path(package("huggingface_hub.constants").HF_HUB_CACHE)
    except ImportError:
        raise MissingExtraError("the hub's encoders", "huggingface-hub", "transfer") from None
    try:
        cached = [hub.try_to_load_from_cache(repository, f, revision=revision) for f in NEEDED]
        if isinstance(cached[0], str) and isinstance(cached[1], str):
            return Path(cached[0]).parent
        there = {f.rfilename for f in hub.model_info(repository, revision=revision).siblings or ()}
        if there.issuperset(NEEDED):
            wanted = there.intersection((*NEEDED, SOUND))
            get = partial(hub.hf_hub_download, cache_dir=writable_folder(usual, "huggingface"))
            return Path([get(repository, file, revision=revision) for file in wanted].pop()).parent
        reason = f"it has no {min(set(NEEDED) - there)}, and pickles are not read"
    except Exception as error:  # of the hub, of HTTP, of the disk: they have no other base
        kinds = (text for kind, text in REASONS.items() if isinstance(error, getattr(errors, kind)))
        reason = next(kinds, f"{type(error).__name__}: {error}".partition("\n")[0])
    raise ModelError(
        f"hub:{repository}@{revision}: {reason}. Where there is a network, run: hf download "
        f"{repository} --revision {revision} --include '*.json' --include {WEIGHTS}; or put these "
        f"files below EMELIA_WEIGHTS in {repository}."
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(from_json(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}).") from None
