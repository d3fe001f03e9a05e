"""What an experiment is: settings, presets, recipes read from TOML."""

from emelia.config.card import Card
from emelia.config.reading import LIMITS, load_recipe, recipe_from
from emelia.config.settings import (
    PRESETS,
    SAMPLE_RATE,
    AudioConfig,
    AugmentConfig,
    FeatureConfig,
    ModelConfig,
    Recipe,
    TrainConfig,
    digest,
)
from emelia.config.writing import recipe_toml

__all__ = [
    "LIMITS",
    "PRESETS",
    "SAMPLE_RATE",
    "AudioConfig",
    "AugmentConfig",
    "Card",
    "FeatureConfig",
    "ModelConfig",
    "Recipe",
    "TrainConfig",
    "digest",
    "load_recipe",
    "recipe_from",
    "recipe_toml",
]
