"""The table of layers says what the networks are: weights, shapes, and how far they see."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from emelia.config import PRESETS, FeatureConfig, ModelConfig, Recipe
from emelia.learn.model import layer_table as recorded
from emelia.learn.model.encoders.catalogue import KNOWN
from emelia.learn.model.network import Encoder, Network, parameters
from emelia.learn.study.recipes import all_recipes
from emelia.learn.training.runs import new_network
from emelia.results import Architecture
from emelia.show.report.detail_tables import layers, seconds_seen

OTHERS = (
    Recipe("odd bands", features=FeatureConfig(mels=37), model=ModelConfig("emelia", width=7)),
    Recipe("mfcc", features=FeatureConfig(kind="mfcc"), model=ModelConfig("variable", width=3)),
    Recipe("short", model=ModelConfig("resized", layers=2, width=5, frames=70)),
    *(
        Recipe(
            f"{name}, {blocks}, {levels}",
            features=PRESETS["whisper"],
            model=ModelConfig("encoder", encoder=name, blocks=blocks, pool_layers=levels),
        )
        for name, blocks, levels in (
            ("mel", 1, "last"),
            ("whisper-tiny.en", 1, "last"),
            ("whisper-base", 3, "all"),
        )
    ),
)
RECIPES = (*all_recipes().values(), *OTHERS)


def architecture(recipe: Recipe, classes: int, frames: int = 0) -> Architecture:
    """What is recorded of a new network, written and read again as a cell does it."""
    found = recorded.architecture(new_network(recipe, classes), recipe, frames)
    again = Architecture.read(json.loads(json.dumps(found.records())))
    assert again == found
    return again


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
    elif isinstance(network, Encoder):
        frames, counts = network.encoder(x.squeeze(1), torch.tensor([found.input[2]]))
        assert (frames.shape[1], 1, frames.shape[2]) == maps[-1]
        assert int(counts) == frames.shape[2]
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


@pytest.mark.parametrize("recipe", OTHERS[-2:], ids=lambda r: r.name)
def test_a_place_of_an_encoders_last_map_sees_the_whole_clip(recipe: Recipe) -> None:
    found = architecture(recipe, 5)
    assert found.sees is None
    assert "sees the whole clip, however long" in layers(recipe, found).note
    torch.manual_seed(0)
    network = new_network(recipe, 5).eval()
    assert isinstance(network, Encoder)
    x = torch.rand(1, found.input[1], 300, requires_grad=True)
    frames, _ = network.encoder(x, torch.tensor([300]))
    (gradient,) = torch.autograd.grad(frames[0, :, 10].sum(), x)
    assert (gradient[0].abs().sum(0) > 0).all()


def test_our_own_encoder_is_a_convolutional_network_of_less_than_two_million_weights() -> None:
    recipe = all_recipes()["mel"]
    network = new_network(recipe, 7)
    assert parameters(network) == architecture(recipe, 7).parameters < 2_000_000
    assert not any("attn." in name for name, _ in network.named_parameters())


def test_our_own_encoder_sees_as_far_as_the_table_says() -> None:
    found = architecture(OTHERS[-3], 5)
    torch.manual_seed(0)
    network = new_network(OTHERS[-3], 5).eval()
    assert isinstance(network, Encoder)
    x = torch.rand(1, found.input[1], 300, requires_grad=True)
    frames, _ = network.encoder(x, torch.tensor([300]))
    (gradient,) = torch.autograd.grad(frames[0, :, 75].sum(), x)
    seen = gradient[0].abs().sum(0).nonzero().flatten()
    assert found.sees == (80, int(seen.max() - seen.min()) + 1)


def test_before_its_blocks_an_encoder_sees_as_far_as_the_table_says() -> None:
    for recipe in OTHERS[-2:]:
        last = [layer for layer in architecture(recipe, 5).layers if layer.sees][-1]
        torch.manual_seed(0)
        network = new_network(recipe, 5).eval()
        assert isinstance(network, Encoder)
        bands = architecture(recipe, 5).input[1]
        x = torch.rand(1, bands, 160, requires_grad=True)
        levels, _ = network.encoder.hidden_states(x, torch.tensor([160]))
        (gradient,) = torch.autograd.grad(levels[0][0, :, levels[0].shape[2] // 2].sum(), x)
        seen = gradient[0].abs().sum(0).nonzero().flatten()
        assert (bands, int(seen.max() - seen.min()) + 1) == last.sees


def test_every_known_encoder_has_a_line_for_each_block() -> None:
    for name, about in KNOWN.items():
        recipe = Recipe(features=FeatureConfig(mels=about.bands))
        whole = replace(recipe, model=ModelConfig("encoder", encoder=name))
        assert len(architecture(whole, 5).layers) == 2 + about.blocks + 2


def test_the_receptive_field_is_given_in_seconds() -> None:
    seed = Recipe()
    assert architecture(seed, 5).sees == (18, 18)  # 3 -> 4 -> 8 -> 10 -> 18
    assert seconds_seen(seed, 1) == pytest.approx(0.128)
    assert seconds_seen(seed, 18) == pytest.approx(0.128 + 17 * 0.032)


def test_a_resized_network_takes_clips_of_its_own_length() -> None:
    recipe = replace(Recipe(), model=ModelConfig("resized"))
    assert architecture(recipe, 5, frames=90).input == (1, 128, 256)
    assert Recipe().features.hop == 512
    assert architecture(Recipe(), 5).input == (1, 128, 126)


def test_a_network_is_left_as_it_was() -> None:
    recipe = Recipe(model=ModelConfig("emelia", width=4))
    network = new_network(recipe, 5).train()
    network.blocks[0].eval()  # type: ignore[operator,index]
    modes = [module.training for module in network.modules()]
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.get_rng_state()
    found = recorded.architecture(network, recipe)
    assert torch.equal(torch.get_rng_state(), state), "or the next draws would be others"
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks for module in network.modules())
    assert recorded.architecture(network, recipe) == found


def test_kernels_steps_and_dilations_add_up() -> None:
    class Wide(Network):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(1, 2, (3, 5), stride=(1, 2), dilation=(1, 3))
            self.pooling = torch.nn.AvgPool2d((2, 3), stride=(2, 1))
            self.second = torch.nn.Conv2d(2, 3, 3, padding=1)
            self.output = torch.nn.Linear(3, 4)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.output(self.map(x).mean((2, 3)))
            return found

        def map(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.second(self.pooling(self.first(x)))
            return found

    network, recipe = Wide().eval(), Recipe()
    found = recorded.architecture(network, recipe)
    assert [layer.sees for layer in found.layers] == [(3, 13), (4, 17), (8, 21), None]
    x = torch.rand(1, 1, 60, 90, requires_grad=True)
    map = network.map(x)
    (gradient,) = torch.autograd.grad(map[0, :, 10, 15].sum(), x)
    for axis, reach in enumerate(found.sees or ()):
        seen = gradient[0, 0].abs().sum(1 - axis).nonzero().flatten()
        assert int(seen.max() - seen.min()) + 1 == reach
