"""The table of layers says what the networks are: weights, shapes, and how far they see."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from emelia.config import FeatureConfig, ModelConfig, Recipe
from emelia.learn.catalogue import all_recipes
from emelia.learn.models import parameters
from emelia.learn.runs import new_network
from emelia.show.architecture import architecture, seconds_seen

OTHERS = (
    Recipe("odd bands", features=FeatureConfig(mels=37), model=ModelConfig("emelia", width=7)),
    Recipe("mfcc", features=FeatureConfig(kind="mfcc"), model=ModelConfig("variable", width=3)),
    Recipe("short", model=ModelConfig("resized", layers=2, width=5, frames=70)),
)
RECIPES = (*all_recipes().values(), *OTHERS)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.name)
def test_the_table_counts_every_weight(recipe: Recipe) -> None:
    assert architecture(recipe, 5).parameters == parameters(new_network(recipe, 5))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.name)
def test_the_last_map_has_the_shape_of_the_table(recipe: Recipe) -> None:
    found = architecture(recipe, 5, frames=61)
    network = new_network(recipe, 5).eval()
    x = torch.zeros(1, *found.input)
    maps = [layer.shape for layer in found.layers if len(layer.shape) == 3]
    if recipe.model.name == "resized":
        assert tuple(network.maps(x).shape[1:]) == maps[-1]  # type: ignore[operator]
    else:
        columns, lengths = network.columns(x, torch.tensor([found.input[2]]))  # type: ignore[operator]
        channels, bands, frames = maps[-1]
        assert columns.shape[1] == (
            channels if recipe.model.name == "variable" else channels * bands
        )
        assert (columns.shape[2], int(lengths)) == (frames, frames)
    flat = found.layers[-2].shape
    assert network.output.in_features == flat[0]
    assert found.layers[-1].shape == (5,)


@pytest.mark.parametrize("name", ["variable", "emelia"])
@pytest.mark.parametrize("layers", [3, 4])
def test_a_place_of_the_last_map_sees_so_many_frames(name: str, layers: int) -> None:
    recipe = Recipe(model=ModelConfig(name, layers, width=4))  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = new_network(recipe, 5).eval()
    bands, frames = recipe.features.mels, 160
    x = torch.rand(1, 1, bands, frames, requires_grad=True)
    columns, _ = network.columns(x, torch.tensor([frames]))  # type: ignore[operator]
    middle = columns.shape[2] // 2
    (gradient,) = torch.autograd.grad(columns[0, :, middle].sum(), x)
    seen = gradient[0, 0].abs().sum(0).nonzero().flatten()
    assert int(seen.max() - seen.min()) + 1 == architecture(recipe, 5).sees[1]


def test_the_frames_seen_are_told_in_seconds() -> None:
    seed = Recipe()
    assert architecture(seed, 5).sees == (18, 18)  # 3 -> 4 -> 8 -> 10 -> 18
    assert seconds_seen(seed, 1) == pytest.approx(0.128)
    assert seconds_seen(seed, 18) == pytest.approx(0.128 + 17 * 0.032)


def test_a_resized_network_takes_clips_of_its_own_length() -> None:
    recipe = replace(Recipe(), model=ModelConfig("resized"))
    assert architecture(recipe, 5, frames=90).input == (1, 128, 256)
    assert Recipe().features.hop == 512
    assert architecture(Recipe(), 5).input == (1, 128, 126)
