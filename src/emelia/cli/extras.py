"""Extras that a command needs, checked before it begins any work."""

from __future__ import annotations

from typing import Any

from emelia.cli.command import Command
from emelia.packages import require_training


class Learning(Command):
    """A command that needs the extra `train`."""

    def invoke(self, ctx: Any) -> Any:
        require_training(f"emelia {ctx.info_name}")
        return super().invoke(ctx)
