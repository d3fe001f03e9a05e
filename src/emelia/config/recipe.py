"""A recipe: all settings of an experiment, and the digest that names it.

A recipe is everything that changes a result and nothing else: device, workers and
verbosity live outside, so that the digest of a recipe names an experiment.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, is_dataclass
from hashlib import sha256
from typing import Any

from emelia.config.former import former_names, former_word
from emelia.config.front_end import AudioConfig, FeatureConfig
from emelia.config.learning import AugmentConfig, ModelConfig, TrainConfig


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that changes the result of a training, and nothing else."""

    name: str = "recipe"
    group: str = "own"
    title: str = ""  # one line for tables and help
    published: float = (
        0.0  # accuracy in percent that the founding study gives; 0 where it gives none
    )
    published_epoch: int = 0  # the epoch it was reached in
    audio: AudioConfig = field(default_factory=AudioConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    @property
    def digest(self) -> str:
        """Eight hexadecimal characters that name this experiment.

        Words about it do not count, nor do settings at their default, so that a setting
        added later leaves the names of finished experiments as they were. A default,
        once used, is therefore never changed.
        """
        values = former_names(_differences(self, Recipe()))
        for label in ("group", "title", "published", "published_epoch"):
            values.pop(label, None)
        if "name" in values:
            values["name"] = former_word(values["name"])
        if self.model.weights and "@" not in self.model.encoder:
            values["model"]["encoder"] = "own"  # of a folder: what is in it counts, not its name
        return digest(values)


def digest(values: Any, length: int = 8) -> str:
    """A few hexadecimal characters that name a JSON-able value."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:length]


def _differences(value: Any, default: Any) -> dict[str, Any]:
    """Fields of a settings dataclass that differ from `default`, nested by part."""
    found: dict[str, Any] = {}
    for name, ours in asdict(value).items():
        other = getattr(default, name)
        if is_dataclass(other):
            found[name] = _differences(getattr(value, name), other)
        elif ours != other:
            found[name] = ours
    return found
