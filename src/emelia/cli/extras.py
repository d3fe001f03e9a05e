"""What a command needs before it begins, so that nobody waits for what then cannot be done."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from typer.core import TyperCommand

from emelia.errors import MissingExtraError

TRAINING = ("torch", "lightning_fabric", "safetensors", "onnx", "onnxscript")  # `learn` is made of


class Learning(TyperCommand):
    """A command that trains, or opens what was trained."""

    def invoke(self, ctx: Any) -> Any:
        for name in TRAINING:
            if find_spec(name) is None:
                missing = name.replace("_", "-")
                raise MissingExtraError(f"emelia {ctx.info_name}", missing, "train")
        return super().invoke(ctx)
