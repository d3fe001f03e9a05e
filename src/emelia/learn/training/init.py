"""What a network knows before it learns from a fold: nothing, a run's weights, or an encoder's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from emelia.config import ModelConfig, Recipe
from emelia.learn.data.loader import Clip
from emelia.learn.model.encoders import has_weights, load_weights, source
from emelia.learn.model.encoders.least_squares_init import can_stand_in, stand_in
from emelia.learn.model.encoders.mel_student import MelEncoder
from emelia.learn.model.encoders.whisper import WhisperEncoder
from emelia.learn.model.network import Encoder, Network
from emelia.learn.training.runs import ALL_BUT_ENCODER, LAST, Run, new_network, take_over

SPEECH = 240  # clips of which an encoder that stands in for another is solved
JOINED = 4  # of them to a long one, so that the end of a long recording is heard too
LONGEST = 1000  # frames that are heard of each


def solve_encoder(
    recipe: Recipe, classes: int, clips: Sequence[Clip], teacher: Run | None = None
) -> Mapping[str, Tensor]:
    """Weights of an encoder that stands in for another, solved on speech; none for others.

    Args:
        teacher: it stands in for that one's encoder, where it can.

    Raises:
        ModelError: the other's weights are not there.
    """
    network = new_network(recipe, classes)
    if not isinstance(network, Encoder) or not stands_in(recipe.model):
        return {}
    ours, speech = network.encoder, _speech(clips)
    theirs = teacher.network.encoder if teacher and isinstance(teacher.network, Encoder) else None
    if theirs and can_stand_in(ours, theirs):
        assert isinstance(ours, MelEncoder) and isinstance(theirs, WhisperEncoder)
        stand_in(ours, theirs, speech)
    else:
        load_weights(ours, recipe.model.encoder, clips=speech)
    weights: Mapping[str, Tensor] = ours.state_dict()
    return weights


def stands_in(model: ModelConfig) -> bool:
    """Whether a network's encoder is one of ours that stands in for another's."""
    return model.name == "encoder" and source(model.encoder) != ""


def begin(
    recipe: Recipe,
    classes: Sequence[str],
    start: Run | None = None,
    solved: Mapping[str, Tensor] | None = None,
) -> Network:
    """A network before it learns; what nobody knows is drawn from torch's random state.

    Args:
        start: whose weights it begins with.
        solved: see `solve_encoder`.

    Raises:
        ConfigError: the start is of another kind of network.
        ModelError: the weights of an encoder are not there.
    """
    network, model = new_network(recipe, len(classes)), recipe.model
    if start:
        _go_on(network, recipe, classes, start)
    elif isinstance(network, Encoder) and solved:
        own = network.encoder.state_dict()
        network.encoder.load_state_dict({key: solved[key] for key in own})
    elif isinstance(network, Encoder) and has_weights(model.encoder):
        load_weights(network.encoder, model.encoder, model.weights)
    return network


def _go_on(network: Network, recipe: Recipe, classes: Sequence[str], start: Run) -> None:
    weights = start.network.state_dict()
    if start.classes != tuple(classes):  # what tells other classes apart begins anew
        weights = {k: v for k, v in weights.items() if not k.startswith("output.")}
    # Where other levels are pooled, so does all that follows the encoder.
    alike = start.recipe.model.pool_layers == recipe.model.pool_layers
    take_over(weights, network, LAST if alike else ALL_BUT_ENCODER)


def _speech(clips: Sequence[Clip]) -> list[Tensor]:
    """Some clips evenly taken: half of them alone, half joined."""
    picked = clips[:: max(1, len(clips) // SPEECH)]
    specs = [torch.from_numpy(clip.spec[:, :LONGEST]) for clip in picked]
    alone, others = specs[::2], specs[1::2]
    joined = [torch.cat(others[i : i + JOINED], 1) for i in range(0, len(others), JOINED)]
    return [*alone, *(spec[:, :LONGEST] for spec in joined)]
