"""The model files that come with emelia, by their names."""

from __future__ import annotations

import os
from pathlib import Path

from emelia.errors import ModelError
from emelia.text import nearest

# A synthetic voice, "fear/f1_en1_1.wav" of the embedded corpus: no person's.
SAMPLE_CLIP = Path(__file__).parent / "web" / "clip.flac"
_FOLDER = Path(__file__).parent / "models"


def shipped() -> dict[str, Path]:
    """Paths of the shipped model files by name, in alphabetical order."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.onnx"))}


def _described() -> set[str]:
    """The names that come with a card to read: without a file of their own they have lost it."""
    return {path.stem for path in _FOLDER.glob("*.md")}


def find_model(model: str | Path) -> Path:
    """The path of a shipped model by its name, or the path that was given.

    A word without a folder or a suffix is a name; `./word` is a path.

    Raises:
        ModelError: its file is lost, or there is no such name; the message has the nearest.
    """
    known = shipped()
    if not isinstance(model, str):
        return model
    if model in known:
        return known[model]
    if model in _described():
        raise ModelError(
            f"{model}: its file is missing from this installation. "
            "Install it again from its clone or wheel: pip install --force-reinstall --no-deps PATH"
        )
    path = Path(model)
    if os.path.exists(path) or path.suffix or model != path.name:
        return path
    near = nearest(model, known)
    hint = f" Did you mean {near}?" if near else ""
    raise ModelError(
        f"{model!r}: no model of this name.{hint} There are: {', '.join(known) or 'none'}. "
        "A model of your own is named by its file."
    )
