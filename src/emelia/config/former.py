"""Names of settings in earlier versions, which model files, runs, results and digests have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emelia.errors import ConfigError

# What a setting was called before. Digests go on counting it under that name, so that the names of
# finished experiments stay.
FORMER: dict[str, str] = {
    "augment.position_jitter": "augment.place",
    "augment.spec_augment": "augment.spectral",
    "model.init": "model.start",
    "model.pool_layers": "model.levels",
    "train.checkpoint": "train.choose",
    "train.distill": "train.teacher",
    "train.distill_alpha": "train.teacher_share",
    "train.ema": "train.average",
    "train.feature_distill": "train.imitate",
    "train.nuisance_penalty": "train.shun",
    "train.samples_per_epoch": "train.draws",
    "train.selection_groups": "train.left_out",
    "train.target_share": "train.home_share",
}
FORMER_VALUES: dict[str, dict[Any, Any]] = {"audio.denoise": {"founding": "seed"}}
# Settings that are gone, with what is always done now. Recipes, runs and cards that say just this
# are read as before; their digests never counted it, since it was the default.
RETIRED: dict[str, Any] = {
    "augment.gain_db": [0.0, 0.0],
    "augment.online": False,
    "model.depth": 1,
    "model.kernel": "3x3",
    "model.norm": "batch",
    "model.position": False,
    "model.squeeze": 0,
    "train.bucket": True,
    "train.encoder_lr": 1.0,
}
# Words that other parts of a run or of results had, with what they are called now.
_WORDS = {
    "seed": "founding",
    "seed-70-20-10": "founding-70-20-10",
    "seed-denoise": "founding-denoise",
}
_NOW = {former: name for name, former in FORMER.items()}
_VALUES_NOW = {
    key: {former: value for value, former in values.items()}
    for key, values in FORMER_VALUES.items()
}


def present_word(word: str) -> str:
    """The name of a split, recipe or group as this version has it."""
    name, plus, rest = word.partition("+")  # of a split, after it: corpora added to training
    return f"{_WORDS.get(name, name)}{plus}{rest}"


def former_word(name: str) -> str:
    """The name that digests count a split or recipe by; the inverse of `present_word`."""
    return next((former for former, now in _WORDS.items() if now == name), name)


def present_names(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings, nested by part, with names of earlier versions replaced by those of this one.

    Args:
        prefix: of their names where they are those of one part, such as "train.".
    """
    return _renamed(values, prefix, _NOW, _VALUES_NOW)


def former_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under the names that digests count them by; the inverse of `present_names`."""
    return _renamed(values, "", FORMER, FORMER_VALUES)


def _renamed(
    values: Mapping[str, Any],
    prefix: str,
    names: Mapping[str, str],
    words: Mapping[str, Mapping[Any, Any]],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found[key] = _renamed(value, f"{name}.", names, words)
        else:
            word = words.get(name, {}).get(value, value) if isinstance(value, str) else value
            found[names.get(name, name).rpartition(".")[2]] = word
    return found


def is_retired(name: str, value: Any) -> bool:
    """Whether an earlier version's setting says what is done anyway.

    Raises:
        ConfigError: it asks for what this version cannot do.
    """
    if name not in RETIRED:
        return False
    if (list(value) if isinstance(value, tuple) else value) != RETIRED[name]:
        raise ConfigError(
            f"{name}: got {value!r}, which earlier versions could do; this one always has "
            f"{RETIRED[name]!r}. Leave it out."
        )
    return True
