"""Initial weights of a network: random, those of an earlier run, or of a pre-trained encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from emelia.config import ModelConfig, Recipe
from emelia.learn.data.loader import Clip
from emelia.learn.model.encoders import has_weights, load_weights, reference_of
from emelia.learn.model.encoders.least_squares_init import can_initialise, initialise
from emelia.learn.model.encoders.mel_student import MelEncoder
from emelia.learn.model.encoders.whisper import WhisperEncoder
from emelia.learn.model.network import Encoder, Network
from emelia.learn.training.linear_layer import linear_layer_of
from emelia.learn.training.logistic import Solution
from emelia.learn.training.runs import ALL_BUT_ENCODER, LAST, Run, copy_weights, new_network

CLIPS = 240  # on which the least squares are solved: some minutes of speech
JOINED = 4  # clips to a long one, so that late positions of long recordings are fitted too
FRAMES = 1000  # of each clip at most


def least_squares_weights(
    recipe: Recipe, classes: int, clips: Sequence[Clip], teacher: Run | None = None
) -> Mapping[str, Tensor]:
    """Weights of an encoder that approximates its reference encoder; none for other encoders.

    Args:
        teacher: its encoder is the reference, where it has the same width and blocks.

    Raises:
        ModelError: the weights of the reference are missing.
    """
    network = new_network(recipe, classes)
    if not isinstance(network, Encoder) or not has_reference(recipe.model):
        return {}
    ours, spectrograms = network.encoder, _spectrograms(clips)
    theirs = teacher.network.encoder if teacher and isinstance(teacher.network, Encoder) else None
    if theirs and can_initialise(ours, theirs):
        assert isinstance(ours, MelEncoder) and isinstance(theirs, WhisperEncoder)
        initialise(ours, theirs, spectrograms)
    else:
        load_weights(ours, recipe.model.encoder, clips=spectrograms)
    weights: Mapping[str, Tensor] = ours.state_dict()
    return weights


def has_reference(model: ModelConfig) -> bool:
    """Whether a network's encoder is initialised by least squares from a reference encoder."""
    return model.name == "encoder" and reference_of(model.encoder) != ""


def initial_network(
    recipe: Recipe,
    classes: Sequence[str],
    init: Run | None = None,
    encoder: Mapping[str, Tensor] | None = None,
) -> Network:
    """A network before training; what has no initial weights is drawn from torch's random state.

    Args:
        init: the run whose weights it begins with.
        encoder: weights of its encoder, if solved for; see `least_squares_weights`.

    Raises:
        ConfigError: `init` is of another kind of network.
        ModelError: the weights of an encoder are missing.
    """
    network, model = new_network(recipe, len(classes)), recipe.model
    if init:
        _copy_run(network, recipe, classes, init)
    elif isinstance(network, Encoder) and encoder:
        own = network.encoder.state_dict()
        network.encoder.load_state_dict({key: encoder[key] for key in own})
    elif isinstance(network, Encoder) and has_weights(model.encoder):
        load_weights(network.encoder, model.encoder, model.weights)
    return network


def initial_linear_layer(recipe: Recipe, classes: Sequence[str], init: Run) -> Solution | None:
    """The solved linear layer of a run for these classes, which a new one can be drawn towards.

    None where the run does not know all of them, has no such layer, or pools other features.
    """
    ours, theirs = recipe.model, init.recipe.model
    same = ours.pool_layers == theirs.pool_layers and ours.blocks in (0, theirs.blocks)
    if not same or not isinstance(init.network, Encoder) or not set(classes) <= set(init.classes):
        return None
    if init.network.all_layers and init.network.attends:
        return None  # attention over all layers at once cannot be told layer by layer
    layer, rows = linear_layer_of(init.network), [init.classes.index(name) for name in classes]
    return replace(layer, weight=layer.weight[rows], bias=layer.bias[rows])


def _copy_run(network: Network, recipe: Recipe, classes: Sequence[str], init: Run) -> None:
    """Copy the weights of a run as far as they fit."""
    weights = init.network.state_dict()
    if init.classes != tuple(classes):  # the rows of the output layer mean other classes
        weights = {k: v for k, v in weights.items() if not k.startswith("output.")}
    # Where other layers are pooled, all that follows the encoder has another size.
    same_layers = init.recipe.model.pool_layers == recipe.model.pool_layers
    copy_weights(weights, network, LAST if same_layers else ALL_BUT_ENCODER)


def _spectrograms(clips: Sequence[Clip]) -> list[Tensor]:
    """Spectrograms (M, F) of clips at equal distances: half of them alone, half joined."""
    picked = clips[:: max(1, len(clips) // CLIPS)]
    specs = [torch.from_numpy(clip.spec[:, :FRAMES]) for clip in picked]
    alone, others = specs[::2], specs[1::2]
    joined = [torch.cat(others[i : i + JOINED], 1) for i in range(0, len(others), JOINED)]
    return [*alone, *(spec[:, :FRAMES] for spec in joined)]
