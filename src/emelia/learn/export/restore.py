"""A model file as the run it was made from: recipe, classes and network, to go on from.

What the graph itself cannot hold travels in the metadata beside the card: whatever the network
counts and does not compute with, and which clips it has heard. The card has all settings.
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
from emelia.config.card import KEY
from emelia.errors import ConfigError, ModelError
from emelia.learn.export.modelfile import NETWORK
from emelia.learn.training.runs import Run, new_network
from emelia.learn.training.seen import lengthen, shorten

HEARD, COUNTS = f"{KEY}.heard", f"{KEY}.counts"  # of the metadata
_IN_CARD = ("features", "audio")  # settings that have a place of their own there


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """What a card keeps of a recipe besides its front end and audio steps."""
    return {name: value for name, value in asdict(recipe).items() if name not in _IN_CARD}


def notes_of(run: Run, model: onnx.ModelProto) -> dict[str, str]:
    """What a model file keeps of a run besides graph and card: metadata, by key."""
    there = {tensor.name for tensor in model.graph.initializer}
    state = run.network.state_dict()
    counts = {k: v.tolist() for k, v in state.items() if NETWORK + k not in there}
    notes = {COUNTS: json.dumps(counts)} if counts else {}
    heard = shorten(run.about.get("heard") or ())
    return {**notes, HEARD: heard} if heard else notes


def network_of(path: Path) -> Run:
    """Read a model file back as a run.

    Weights are those of the run to the last bit, or rounded to 16 bits where the file stores
    them so. `about` has what the card tells of corpora and split, and `heard`, a `Heard`.

    Raises:
        ModelError: not a model file, damaged, or not one that training can go on from.
    """
    try:
        return _run(path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _run(path: Path) -> Run:
    model = _read(path)
    notes = {pair.key: pair.value for pair in model.metadata_props}
    card = Card.read(notes.get(KEY))
    recipe = _recipe(card)
    try:
        network = new_network(recipe, len(card.labels))
        network.load_state_dict(_weights(model, notes, network.state_dict()))
    except ConfigError as error:
        raise ModelError(f"has settings that fit no network ({error})") from None
    return Run(recipe, card.labels, network.eval(), _about(card, notes))


def _read(path: Path) -> onnx.ModelProto:
    try:
        model: onnx.ModelProto = onnx.load_from_string(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror or error}).") from None
    except Exception:  # protobuf's own, which come without types
        raise ModelError("not an ONNX file, or a damaged one. Use an intact copy.") from None
    return model


def _recipe(card: Card) -> Recipe:
    if card.variant == "int8":
        raise ModelError(
            "its weights are rounded to 8 bits, too coarse to learn from. Take the file it was "
            "made beside, without .int8 in its name."
        )
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
    model: onnx.ModelProto, notes: Mapping[str, str], wanted: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The weights a network wants, by name, in its own types."""
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    try:
        counts = json.loads(notes.get(COUNTS, "{}"))
        for name, own in wanted.items():
            tensor = stored.get(NETWORK + name)
            values = onnx.numpy_helper.to_array(tensor) if tensor else np.array(counts[name])
            found[name] = torch.tensor(values).to(own.dtype).reshape(own.shape)
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError):
        raise ModelError(
            f"its weights {name} are missing or of another size, so that training cannot go on "
            "from it. Take the run it was made from, or export that again."
        ) from None
    return found


def _about(card: Card, notes: Mapping[str, str]) -> dict[str, Any]:
    kept = {key: card.split[key] for key in ("protocol", "fold", "seed") if key in card.split}
    return {
        **kept,
        "split": card.split.get("name", ""),
        "corpora": [dict(corpus) for corpus in card.corpora],
        "heard": lengthen(notes.get(HEARD, "")),
        "versions": dict(card.versions),
    }
