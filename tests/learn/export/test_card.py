"""A model's card: what was written is read again, and what a stranger wrote is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emelia.config import AudioConfig, Card, FeatureConfig
from emelia.errors import ModelError

CARD = Card(
    name="small",
    labels=("anger", "fear"),
    features=FeatureConfig(mels=40),
    audio=AudioConfig(),
    temperature=1.5,
    threshold=0.4,
    corpora=({"name": "demo", "licence": "free"},),
    metrics={"test": {"uar": [0.5, 0.4, 0.6]}},
)


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(CARD.to_json()), **values})


def test_a_card_is_read_as_it_was_written() -> None:
    assert Card.read(CARD.to_json()) == CARD


def test_fields_with_a_default_may_be_missing() -> None:
    values = json.loads(CARD.to_json())
    for name in ("title", "corpora", "metrics", "commit"):
        del values[name]
    card = Card.read(json.dumps(values))
    assert (card.title, card.corpora, card.metrics, card.commit) == ("", (), {}, "")


def test_a_file_without_a_card_is_not_ours() -> None:
    with pytest.raises(ModelError, match="not a model of emelia"):
        Card.read(None)


@pytest.mark.parametrize("schema", [0, 2, "1", None, [1]])
def test_another_schema_is_refused_with_advice(schema: Any) -> None:
    with pytest.raises(ModelError, match="Install a newer emelia"):
        Card.read(changed(schema=schema))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "[" * 100_000,
        " " * 1_000_001,
        changed(labels=["anger"]),
        changed(labels=["anger", "anger"]),
        changed(labels=["anger", 3]),
        changed(labels=["anger", "x" * 101]),
        changed(labels=[f"class {i}" for i in range(101)]),
        changed(labels=3),
        changed(temperature=0),
        changed(temperature=float("inf")),
        changed(temperature="hot"),
        changed(threshold=1.01),
        changed(threshold=True),
        changed(thresholds=[0.5]),
        changed(thresholds={"boredom": 0.5}),
        changed(thresholds={"anger": float("nan")}),
        changed(name=None),
        changed(metrics=[]),
        changed(corpora=3),
        changed(features={"mels": "many"}),
        changed(features={"mel": 3}),
        changed(features={"hop": 0}),
        changed(features={"fmin": 8000.0}),
        changed(audio={"denoise": "loudly"}),
        changed(features=None),
    ],
)
def test_a_damaged_card_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="damaged"):
        Card.read(text)
