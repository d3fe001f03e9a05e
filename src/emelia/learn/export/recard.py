"""Write the card of a model file anew; its graph and weights stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from emelia.config import Card
from emelia.config.card import KEY
from emelia.config.operators import SEAL_KEY
from emelia.errors import ModelError
from emelia.learn.export.modelfile import with_card
from emelia.learn.export.restore import read_model


def recarded(
    file: Path,
    *,
    name: str = "",
    title: str = "",
    licence: str = "",
    stress: Mapping[str, Any] | None = None,
) -> tuple[bytes, Card]:
    """A model file with another card: its bytes, and the card.

    Args:
        file: a model file of this project.
        name, title, licence: as those of `export`; what is empty stays as it was.
        stress: figures of a stress test; those that the card has stay where there are none.

    Raises:
        ModelError: not a model file, damaged, or of an operator that no reader accepts.
    """
    try:
        model = read_model(file)
        metadata = {pair.key: pair.value for pair in model.metadata_props}
        card = Card.read(metadata.get(KEY))
    except ModelError as error:
        raise ModelError(f"{file}: {error}") from None
    given: dict[str, Any] = {"name": name, "title": title, "licence": licence, "stress": stress}
    card = replace(card, **{key: value for key, value in given.items() if value})
    others = {key: value for key, value in metadata.items() if key not in (KEY, SEAL_KEY)}
    return with_card(model, card, others), card
