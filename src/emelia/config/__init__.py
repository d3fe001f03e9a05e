"""What an experiment is: settings, presets, recipes read from TOML."""

from emelia.config.card import Card
from emelia.config.fields import all_settings
from emelia.config.front_end import PRESETS, SAMPLE_RATE, AudioConfig, FeatureConfig
from emelia.config.learning import AugmentConfig, ModelConfig, TrainConfig
from emelia.config.reading import load_recipe, recipe_from
from emelia.config.recipe import Recipe, digest
from emelia.config.writing import recipe_toml

__all__ = [
    "PRESETS",
    "SAMPLE_RATE",
    "AudioConfig",
    "AugmentConfig",
    "Card",
    "FeatureConfig",
    "ModelConfig",
    "Recipe",
    "TrainConfig",
    "all_settings",
    "digest",
    "load_recipe",
    "recipe_from",
    "recipe_toml",
]
