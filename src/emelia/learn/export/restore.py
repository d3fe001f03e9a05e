"""From a model file back to the run it was made from, so that training can start from it.

The card has all settings, the graph the weights. The metadata has what neither can: buffers that
no output depends on, such as batch norm's number of batches, and the clips the network has seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from emelia.config import Card, Recipe, recipe_from
from emelia.config.card import INT8, KEY
from emelia.config.operators import is_intact
from emelia.corpora.seen import SEEN, SeenClips
from emelia.errors import ConfigError, ModelError
from emelia.learn.export.int8 import holds_steps, whole_weights
from emelia.learn.export.modelfile import NETWORK, SPACE
from emelia.learn.training.runs import Run, new_network
from emelia.learn.training.source_space import SourceSpace
from emelia.text import from_json

COUNTS = f"{KEY}.counts"  # key of the metadata
_IN_CARD = ("features", "audio")  # settings that have a place of their own there


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Settings of a recipe for its card, besides those of the front end and the audio steps."""
    return {name: value for name, value in asdict(recipe).items() if name not in _IN_CARD}


def metadata_of(run: Run, model: onnx.ModelProto) -> dict[str, str]:
    """Metadata of a model file besides the card, by key."""
    there = {tensor.name for tensor in model.graph.initializer}
    state = run.network.state_dict()
    counts = {k: v.tolist() for k, v in state.items() if NETWORK + k not in there}
    found = {COUNTS: json.dumps(counts)} if counts else {}
    seen = run.seen.to_text()
    return {**found, SEEN: seen} if seen else found


def load_model_run(path: Path) -> Run:
    """Read a model file back as a run.

    Weights are those of the run to the last bit, or rounded to 16 or 8 bits where the file
    stores them so. `about` has what the card tells of corpora and split, and the seen clips.

    Raises:
        ModelError: not a model file, damaged, or not one that training can start from.
    """
    try:
        return _run(path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _run(path: Path) -> Run:
    model = read_model(path)
    metadata = {pair.key: pair.value for pair in model.metadata_props}
    card = Card.read(metadata.get(KEY))
    if card.variant == INT8 and not holds_steps(model):
        raise ModelError(
            "its weights are rounded to 8 bits, too coarse to learn from. Take the file it was "
            "made beside, without .int8 in its name."
        )
    recipe = _recipe(card)
    try:
        network = new_network(recipe, len(card.labels))
        network.load_state_dict(_weights(model, metadata, network.state_dict()))
    except ConfigError as error:
        raise ModelError(f"has settings that fit no network ({error})") from None
    space = _space(model, card) if card.adaptation else None
    return Run(recipe, card.labels, network.eval(), _about(card, metadata), space)


def read_model(path: Path) -> onnx.ModelProto:
    """Read a model file whole.

    Raises:
        ModelError: it cannot be read, is no ONNX file, or has changed since it was exported.
    """
    try:
        data = path.read_bytes()
        model: onnx.ModelProto = onnx.load_from_string(data)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror or error}).") from None
    except Exception:  # protobuf's own, which come without types
        raise ModelError("not an ONNX file, or a damaged one. Use an intact copy.") from None
    if is_intact(data) is False:
        raise ModelError("was changed or damaged since it was exported. Use an intact copy.")
    return model


def _recipe(card: Card) -> Recipe:
    if not card.settings:
        raise ModelError(
            "does not say how it was trained: it was made by an earlier emelia. Take the run it "
            "was made from, or export that again."
        )
    own = {name: getattr(card, name) for name in _IN_CARD}
    try:
        return recipe_from({**card.settings, **{name: asdict(v) for name, v in own.items()}})
    except ConfigError as error:
        raise ModelError(
            f"was made with settings this version does not know ({error}) Install a newer emelia."
        ) from None


def _weights(
    model: onnx.ModelProto, metadata: Mapping[str, str], wanted: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights of a network, by name, in the types that it has."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    rounded = whole_weights(model, {NETWORK + name: own.shape for name, own in wanted.items()})
    try:
        counts = from_json(metadata.get(COUNTS, "{}"))
        for name, own in wanted.items():
            tensor = stored.get(NETWORK + name)
            values = onnx.numpy_helper.to_array(tensor) if tensor else np.array(counts[name])
            values = rounded.get(NETWORK + name, values)
            found[name] = torch.tensor(values).to(own.dtype).reshape(own.shape)
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError):
        raise ModelError(
            f"its weights {name} are missing or of another size, so that training cannot go on "
            "from it. Take the run it was made from, or export that again."
        ) from None
    return found


def _space(model: onnx.ModelProto, card: Card) -> SourceSpace:
    """The source space, which lies in the graph and the card."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    parts = ("centre", "directions", "back")
    try:
        kept = [torch.tensor(onnx.numpy_helper.to_array(stored[SPACE + name])) for name in parts]
    except KeyError as error:
        raise ModelError(f"its card tells how to adapt it, its graph lacks {error}.") from None
    numbers = (torch.tensor(card.adaptation[name]) for name in ("means", "variances"))
    return SourceSpace(*kept, *numbers)


def _about(card: Card, metadata: Mapping[str, str]) -> dict[str, Any]:
    kept = {key: card.split[key] for key in ("protocol", "fold", "seed") if key in card.split}
    return {
        **kept,
        "split": card.split.get("name", ""),
        "corpora": [dict(corpus) for corpus in card.corpora],
        "heard": SeenClips.from_text(metadata.get(SEEN, "")),
        "versions": dict(card.versions),
    }
