"""The layers of a network, from its settings alone: shapes, weights and how far it sees.

Plain arithmetic, so that a page needs no torch; what it says is tested against the networks.
Shapes are (channels, bands, frames) for a clip of F frames, or (values,) after pooling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emelia.config import SAMPLE_RATE, Recipe

SECONDS = 4.0  # of the clip whose shapes are shown
_ATTENTION = 64  # hidden channels of the attentive pooling
_OURS, _AROUND = "mel", 31  # frames that its blocks gather
# Width and blocks.
_ENCODERS = {_OURS: (384, 2), "whisper-tiny.en": (384, 4), "whisper-base": (512, 4)}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One line of the table of layers."""

    name: str
    shape: Shape  # of what it gives
    parameters: int
    sees: tuple[int, int] | None = None  # bands and frames of the input; None: all of them


@dataclass(frozen=True)
class Architecture:
    """A network as a table."""

    layers: tuple[Layer, ...]
    input: Shape

    @property
    def parameters(self) -> int:
        """Number of values that are learnt."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def sees(self) -> tuple[int, int] | None:
        """Bands and frames that one place of the last map depends on; None: all of them."""
        return [layer.sees for layer in self.layers if len(layer.shape) == 3][-1]


def is_known(recipe: Recipe) -> bool:
    """Whether its network can be counted through here: encoders of others come in any shape."""
    return recipe.model.name != "encoder" or recipe.model.encoder in _ENCODERS


def architecture(recipe: Recipe, classes: int, frames: int = 0) -> Architecture:
    """Count through the network of a recipe.

    Args:
        recipe: its settings of features and model are looked at; of a network that `is_known`.
        classes: C, the number of logits.
        frames: F of the clip; 0 for one of four seconds. Resized networks take their own.
    """
    bands = recipe.features.rows
    frames = frames or round(SECONDS * SAMPLE_RATE) // recipe.features.hop + 1
    if recipe.model.name == "resized":
        frames = recipe.model.frames
    stack = _Stack((1, bands, frames))
    _NETWORKS[recipe.model.name](stack, recipe, classes)
    return Architecture(tuple(stack.layers), (1, bands, frames))


def seconds_seen(recipe: Recipe, frames: int) -> float:
    """What so many frames hear, with the windows of the first and the last."""
    return ((frames - 1) * recipe.features.hop + recipe.features.window) / SAMPLE_RATE


@dataclass
class _Stack:
    """Layers put on each other, and what one place of the last map sees."""

    shape: Shape
    sees: tuple[int, int] = (1, 1)
    step: tuple[int, int] = (1, 1)  # of the input, to the next place
    layers: list[Layer] = field(default_factory=list)

    def widen(self, kernel: int, stride: tuple[int, int]) -> None:
        """See through a convolution or pooling."""
        self.sees = (
            self.sees[0] + (kernel - 1) * self.step[0],
            self.sees[1] + (kernel - 1) * self.step[1],
        )
        self.step = self.step[0] * stride[0], self.step[1] * stride[1]

    def add(self, name: str, shape: Shape, parameters: int, everywhere: bool = False) -> None:
        self.shape = shape
        self.layers.append(Layer(name, shape, parameters, None if everywhere else self.sees))

    def convolve(self, channels: int, norm: bool) -> None:
        """A convolution of 3 x 3 that keeps the size; batch norm and ReLU belong to it."""
        inputs, bands, frames = self.shape
        self.widen(3, (1, 1))
        weights = 9 * inputs * channels + channels + (2 * channels if norm else 0)
        name = "convolution 3 × 3, batch norm, ReLU" if norm else "convolution 3 × 3, ReLU"
        self.add(name, (channels, bands, frames), weights)

    def pool(self) -> None:
        channels, bands, frames = self.shape
        self.widen(2, (2, 2))
        self.add("max-pooling 2 × 2", (channels, bands // 2, frames // 2), 0)

    def attend(self, levels: int = 1) -> None:
        """Attentive statistics pooling over frames, bands and channels of all levels as one."""
        channels, bands, _ = self.shape
        values = channels * bands * levels
        weights = (values * _ATTENTION + _ATTENTION) + (_ATTENTION * values + values)
        self.add("attentive mean and deviation over frames", (2 * values,), weights, True)

    def classify(self, classes: int, dropout: float) -> None:
        (values,) = self.shape
        self.add(f"dropout {dropout:g}, linear", (classes,), values * classes + classes, True)


def _variable(stack: _Stack, recipe: Recipe, classes: int) -> None:
    model = recipe.model
    for number in range(model.layers):
        if number:
            stack.pool()
        stack.convolve(model.width * 2**number, norm=False)
    stack.add("average over bands and frames", stack.shape[:1], 0, True)
    stack.classify(classes, model.dropout)


def _resized(stack: _Stack, recipe: Recipe, classes: int) -> None:
    model = recipe.model
    for number in range(model.layers):
        stack.convolve(model.width * 2**number, norm=True)
        stack.pool()
    channels, bands, frames = stack.shape
    stack.add("flattened", (channels * bands * frames,), 0, True)
    stack.classify(classes, model.dropout)


def _emelia(stack: _Stack, recipe: Recipe, classes: int) -> None:
    width = recipe.model.width
    _, bands, frames = stack.shape
    stack.widen(3, (2, 2))
    shape = (width, _half(bands), _half(frames))
    stack.add("convolution 3 × 3, step 2, batch norm, ReLU", shape, 9 * width + 2 * width)
    for channels, stride in ((3 * width // 2, (2, 2)), (2 * width, (2, 1)), (3 * width, (2, 1))):
        _residual(stack, channels, stride)
    stack.attend()
    stack.classify(classes, recipe.model.dropout)


def _encoder(stack: _Stack, recipe: Recipe, classes: int) -> None:
    """Two convolutions over time, which see all bands, blocks, and pooling of one or of all."""
    model = recipe.model
    width, known = _ENCODERS[model.encoder]
    blocks = model.blocks or known
    _, bands, frames = stack.shape
    stack.widen(3, (1, 1))
    stack.sees = bands, stack.sees[1]
    weights = 3 * bands * width + width
    stack.add("convolution of 3 frames, GELU", (width, 1, frames), weights)
    stack.sees, stack.step = (bands, stack.sees[1] + 2), (1, 2)
    shape = (width, 1, _half(frames))
    stack.add("convolution of 3 frames, step 2, GELU", shape, 3 * width**2 + width)
    for number in range(1, blocks + 1):
        _block(stack, number, model.encoder == _OURS)
    stack.attend(blocks if model.levels == "all" else 1)
    stack.classify(classes, model.dropout)


def _block(stack: _Stack, number: int, ours: bool) -> None:
    """What gathers from other frames, and a perceptron."""
    width, bands = stack.shape[0], stack.sees[0]
    if ours:
        stack.sees = bands, stack.sees[1] + (_AROUND - 1) * stack.step[1]
        name = f"block {number}: convolution of {_AROUND} frames, perceptron"
        gathered, hidden = 5 * width // 12, 23 * width // 12
        between = gathered * (2 * width + _AROUND) + hidden * (2 * width + 1)
        stack.add(name, stack.shape, between + 6 * width)
    else:
        name = f"transformer block {number}: attention to the whole clip, perceptron"
        stack.add(name, stack.shape, 12 * width**2 + 12 * width, True)


def _residual(stack: _Stack, channels: int, stride: tuple[int, int]) -> None:
    """Two convolutions and a way past them, each with its batch norm."""
    inputs, bands, frames = stack.shape
    stack.widen(3, stride)
    stack.widen(3, (1, 1))
    shape = (
        channels,
        _half(bands) if stride[0] == 2 else bands,
        _half(frames) if stride[1] == 2 else frames,
    )
    weights = 9 * inputs * channels + 9 * channels * channels + inputs * channels + 6 * channels
    stack.add(f"residual block 2 × (3 × 3), step {stride[0]} × {stride[1]}", shape, weights)


def _half(size: int) -> int:
    """Places left by a convolution of width 3, step 2 and padding 1."""
    return (size + 1) // 2


_NETWORKS: dict[str, Callable[[_Stack, Recipe, int], None]] = {
    "variable": _variable,
    "resized": _resized,
    "emelia": _emelia,
    "encoder": _encoder,
}
