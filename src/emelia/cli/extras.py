"""Extras that a command needs, checked before it begins any work."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from emelia.packages import require_training


class Learning(TyperCommand):
    """A command that needs the extra `train`."""

    def invoke(self, ctx: Any) -> Any:
        require_training(f"emelia {ctx.info_name}")
        return super().invoke(ctx)
