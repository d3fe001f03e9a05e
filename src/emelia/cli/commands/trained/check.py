"""`emelia check`: what a model file is, whether it is intact, and whether it can be used."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from emelia import console


def check(
    model: Annotated[str, typer.Argument(help="A model that comes with emelia, or a .onnx file.")],
) -> None:
    """Tell what a model file is, whether it is intact, and whether this version can use it.

    Leaves with 1 and the reason where it cannot be used, or was changed since it was exported.

    Examples: emelia check default · emelia check my-own.onnx
    """
    from emelia.packages import package
    from emelia.use.bundled import find_model
    from emelia.use.model import Model
    from emelia.use.opening.rules import operators

    path = Path(find_model(model))
    found = Model(path)
    card, used = found.card, Counter(operators(path.read_bytes()))
    learn = "training can start from it" if card.settings else "training cannot start from it"
    lines = {
        "model": f"{card.name}: {card.title}" if card.title else card.name,
        "file": f"{path}, {path.stat().st_size / 1e6:.1f} MB, {card.variant}",
        "made": f"{card.created or 'unknown'}, emelia {card.versions.get('emelia', 'unknown')}",
        "intact": found.intact.value,
        "graph": f"{used.total()} nodes of {len(used)} operators, all of them known",
        "use": f"can be used, with ONNX Runtime {package('onnxruntime').__version__}; {learn}",
    }
    for what, text in lines.items():
        console.say(f"{what:<8}{text}")
