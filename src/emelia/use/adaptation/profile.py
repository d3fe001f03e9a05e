"""The file of a source: JSON with the model it belongs to and the sums of its groups.

It may come from anybody, so that nothing in it is believed: `read_profile` checks size, kinds and
ranges, and that it belongs to the model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emelia.config import Card
from emelia.errors import ModelError
from emelia.storage import expanded, write_atomically
from emelia.text import from_json
from emelia.use.adaptation.source import FARTHEST, KNOWN, UNIT, Group, SourceProfile

_SCHEMA = 1
_MOST_BYTES = 20_000_000
_MOST_CLIPS = 10**7  # so that sums stay below 2^63, of several put together too


def write_profile(path: str | Path, source: SourceProfile) -> None:
    """Write the file of a source.

    Raises:
        StorageError: it cannot be written; what was there before is untouched.
    """
    groups = [
        {**_told(source, group), "count": int(sums[0]), "sum": sums[1:].tolist()}
        for group, sums in sorted(source.groups.items())
    ]
    told = {
        "emelia_source": _SCHEMA,
        **_identity(source),
        "clips": source.clips,
        "unit": UNIT,
        "groups": groups,
    }
    write_atomically(expanded(path), (json.dumps(told, ensure_ascii=False) + "\n").encode())


def read_profile(path: str | Path, card: Card) -> SourceProfile:
    """Read the file of a source, for the model of a card.

    Raises:
        ModelError: the model cannot be adapted; the file is missing, damaged, or belongs to
            another model.
    """
    source = SourceProfile(card)
    told = _parsed(expanded(path))
    mine = _identity(source)
    if any(told.get(key) != value for key, value in mine.items()):
        raise ModelError(
            f"{path}: was made for the model {_short(told.get('model'))}"
            f" ({_short(told.get('space'))}), now it is {card.name} ({mine['space']}). "
            f"Choose that model, or adapt again: emelia adapt FOLDER --out {Path(path).name}"
        )
    try:
        for group in told["groups"]:
            _take(source, group)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: damaged ({error}). Make it again: emelia adapt.") from None
    return source


def _identity(source: SourceProfile) -> dict[str, Any]:
    return {
        "model": source.model,
        "recipe_digest": source.recipe_digest,
        "space": source.digest,
        "labels": list(source.labels),
    }


def _told(source: SourceProfile, group: Group) -> dict[str, Any]:
    first, second = group
    if first == KNOWN:
        return {"known": source.labels[second]}
    return {"nearest": [source.labels[first], source.labels[second]]}


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError(f"{path}: over {_MOST_BYTES // 10**6} MB is no file of a source.")
        told = from_json(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror or error}). `emelia adapt FOLDER --out "
            f"{path.name}` makes it."
        ) from None
    except ValueError:
        told = None
    if not isinstance(told, dict) or "emelia_source" not in told:
        raise ModelError(f"{path}: not the file of a source. `emelia adapt` makes one.")
    if (schema := told["emelia_source"]) != _SCHEMA or told.get("unit") != UNIT:
        raise ModelError(
            f"{path}: has schema {_short(schema)}, this version reads {_SCHEMA}. Install a newer "
            "emelia, or make it again: emelia adapt."
        )
    return told


def _take(source: SourceProfile, told: Mapping[str, Any]) -> None:
    """Add a group of the file.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    place = source.labels.index
    group = (KNOWN, place(told["known"])) if "known" in told else tuple(map(place, told["nearest"]))
    sums = [told["count"], *told["sum"]]
    if len(group) != 2 or group in source.groups or len(sums) != 1 + source.size:
        raise ValueError(f"a group of {len(sums) - 1} coordinates")
    if any(type(one) is not int for one in sums) or not 0 < sums[0] <= _MOST_CLIPS * UNIT:
        raise ValueError("sums that are no whole numbers, or a count that cannot be")
    if any(abs(one) > FARTHEST * (sums[0] + 1) for one in sums[1:]):
        raise ValueError("sums beyond what their clips can have")
    source.groups[group] = np.array(sums, np.int64)


def _short(value: Any) -> str:
    return str(value)[:40]
