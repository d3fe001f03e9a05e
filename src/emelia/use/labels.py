"""The labels that a recognizer is asked for, among those of its model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from emelia.emotions import canonical
from emelia.errors import ConfigError
from emelia.text import nearest


def places_of(labels: Sequence[str], emotions: Iterable[str] | None) -> list[int]:
    """Indices of the chosen emotions among the labels, in the order of the labels."""
    if emotions is None:
        return list(range(len(labels)))
    wanted = {label_of(word, labels) for word in emotions}
    if len(wanted) < 2:
        raise ConfigError(
            f"emotions: {', '.join(wanted) or 'none'}; expected two or more to choose from, of "
            f"{', '.join(labels)}."
        )
    return [place for place, label in enumerate(labels) if label in wanted]


def label_of(word: str, labels: Sequence[str]) -> str:
    """The label that a word stands for; `Angry` is anger."""
    for label in (word, canonical(word)):
        if label in labels:
            return label
    near = nearest(canonical(word), labels)
    hint = f" Did you mean {near}?" if near else ""
    raise ConfigError(f"emotions: {word!r} is unknown.{hint} The model knows {', '.join(labels)}.")
