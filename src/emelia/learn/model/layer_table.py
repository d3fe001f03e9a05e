"""The layers of a network, found by forward hooks: shapes, weights and receptive fields.

Hooks on all modules record what each gives for a clip of silence. The receptive field grows with
the kernels, strides and dilations of convolutions and pooling, in the order in which they compute.
A kernel of one changes nothing: it lies beside wider ones, as the shortcut of a residual block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from emelia.config import SAMPLE_RATE, Recipe
from emelia.learn.model.encoders.mel_student import KERNEL, ConvolutionBlock
from emelia.learn.model.layers import AttentiveStatistics, Average, Residual
from emelia.learn.model.network import Network, parameters
from emelia.results import Architecture, Layer

SECONDS = 4.0  # length of the clip whose shapes are shown
_KERNELS = (nn.Conv1d, nn.Conv2d, nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d)
_FEATURES_LAST = (nn.Linear, nn.LayerNorm)  # which give (B, N, D), where convolutions (B, D, N)
_UNSEEN = (nn.Dropout, nn.Identity)  # no lines of the table
_NAMES: dict[type[nn.Module], Callable[[Any], str]] = {
    nn.Conv2d: lambda m: f"convolution {_by(m.kernel_size)}{_step(m)}",
    nn.Conv1d: lambda m: f"convolution of {m.kernel_size[0]} frames{_step(m)}",
    nn.MaxPool2d: lambda m: f"max-pooling {_by(_pair(m.kernel_size))}",
    nn.BatchNorm2d: lambda m: "batch norm",
    nn.LayerNorm: lambda m: "layer norm",
    nn.Linear: lambda m: "linear",
    nn.Flatten: lambda m: "flattened",
    Average: lambda m: "average over bands and frames",
    AttentiveStatistics: lambda m: "attentive mean and deviation over frames",
    Residual: lambda m: f"residual block 2 × (3 × 3), step {_by(m.stride)}",
    ConvolutionBlock: lambda m: f"convolution of {KERNEL} frames, perceptron",
}


@torch.no_grad()
def architecture(network: Network, recipe: Recipe, frames: int = 0) -> Architecture:
    """Run a network on silence and record its layers; the network is left as it was.

    Args:
        recipe: has the features that the network takes.
        frames: F of the clip; 0 for one of four seconds. Resized networks take their own number.
    """
    bands, device = recipe.features.rows, network.output.weight.device
    frames = frames or round(SECONDS * SAMPLE_RATE) // recipe.features.hop + 1
    frames = network.fixed_frames or max(frames, network.min_frames)
    trace, modes = _Trace(bands), {module: module.training for module in network.modules()}
    network.eval()
    with ExitStack() as stack:
        for name, line in _lines(network):
            for module in line.modules():
                hook = module.register_forward_hook(trace.hook(name, line))
                stack.callback(hook.remove)
        network(torch.zeros(1, 1, bands, frames, device=device), torch.tensor([frames]).to(device))
    for module, training in modes.items():
        module.training = training
    return Architecture(tuple(trace.layers()), (1, bands, frames))


def _lines(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Names and modules of the lines of the table."""
    for key, part in module.named_children():
        if isinstance(part, nn.ModuleList) or key == "encoder":
            yield from _lines(part)
        elif not isinstance(part, _UNSEEN):
            yield _name(key, part), part


def _name(key: str, part: nn.Module) -> str:
    numbered = f"block {int(key) + 1}: " if key.isdecimal() else ""
    if any(map(_attends, part.modules())):
        return f"transformer {numbered}attention to the whole clip, perceptron"
    found = next((name(part) for kind, name in _NAMES.items() if isinstance(part, kind)), "")
    return f"{numbered}{found}" if isinstance(part, ConvolutionBlock) else found or key


@dataclass
class _Line:
    """A line while its module computes."""

    name: str
    part: nn.Module
    output: Tensor | None = None
    features_last: bool = False
    receptive_field: tuple[int, int] | None = None  # bands and frames; None: all
    done: bool = False  # its module has given its output

    def layer(self, weights: int) -> Layer:
        assert self.output is not None  # a line is made where a module gave something
        shape = tuple(self.output.shape[1:])
        if len(shape) == 2:  # no bands
            frames, width = shape if self.features_last else shape[::-1]
            shape = width, 1, frames
        return Layer(self.name, shape, weights, self.receptive_field if len(shape) == 3 else None)


@dataclass
class _Trace:
    """What the hooks have recorded so far."""

    bands: int
    lines: list[_Line] = field(default_factory=list)
    receptive_field: tuple[int, int] | None = (1, 1)  # bands and frames; None: all
    step: tuple[int, int] = (1, 1)  # of the input, from one place to the next

    def hook(self, name: str, part: nn.Module) -> Callable[[nn.Module, Any, Any], None]:
        def note(module: nn.Module, _: Any, given: Any) -> None:
            if not self.lines or self.lines[-1].part is not part or self.lines[-1].done:
                self.lines.append(_Line(name, part))
            self._grow_field(module)
            line = self.lines[-1]
            line.output = given[0] if isinstance(given, tuple) else given
            line.receptive_field = self.receptive_field
            line.features_last |= isinstance(module, _FEATURES_LAST)
            line.done = module is part

        return note

    def layers(self) -> Iterator[Layer]:
        """All layers; the weights of a module that is called twice count once."""
        counted: set[nn.Module] = set()
        for line in self.lines:
            yield line.layer(0 if line.part in counted else parameters(line.part))
            counted.add(line.part)

    def _grow_field(self, module: nn.Module) -> None:
        """Widen the receptive field by a convolution or pooling; attention makes it unlimited."""
        if _attends(module):
            self.receptive_field = None
        if self.receptive_field is None or not isinstance(module, _KERNELS):
            return
        known: Any = module
        kernel, stride = _pair(known.kernel_size), _pair(known.stride)
        dilation = _pair(getattr(known, "dilation", 1))
        if max(kernel) == 1:
            return
        before = self.receptive_field
        bands, frames = (
            seen + (k - 1) * d * s
            for seen, k, d, s in zip(before, kernel, dilation, self.step, strict=True)
        )
        # Over time alone: every band is among the channels.
        self.receptive_field = (bands if _is_flat(module) else self.bands), frames
        self.step = self.step[0] * stride[0], self.step[1] * stride[1]


def _is_flat(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)


def _attends(module: nn.Module) -> bool:
    """Whether it is attention of any kind, ours or of others' encoders."""
    return "Attention" in type(module).__name__


def _pair(size: int | tuple[int, ...]) -> tuple[int, int]:
    """Of bands and frames; what goes over frames alone has one of bands."""
    if isinstance(size, int):
        return size, size
    return (size[0], size[1]) if len(size) == 2 else (1, size[0])


def _by(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))


def _step(module: nn.Conv1d | nn.Conv2d) -> str:
    steps = set(module.stride)
    return "" if steps == {1} else f", step {_by(module.stride) if len(steps) > 1 else min(steps)}"
