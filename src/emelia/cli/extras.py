"""Extras that a command needs, checked before it begins any work."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from emelia.cli.command import Command
from emelia.errors import MissingExtraError

TRAINING = ("torch", "lightning_fabric", "safetensors", "onnx", "onnxscript")  # `learn` is made of


class Learning(Command):
    """A command that needs the extra `train`."""

    def invoke(self, ctx: Any) -> Any:
        for name in TRAINING:
            if find_spec(name) is None:
                missing = name.replace("_", "-")
                raise MissingExtraError(f"emelia {ctx.info_name}", missing, "train")
        return super().invoke(ctx)
