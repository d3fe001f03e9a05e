"""A new setting is a field with its metadata: its uses follow, and no other file lists settings.

What else it takes is the module that does what it says, and the test of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from emelia.config import AugmentConfig, Recipe, load_recipe, reading
from emelia.config import recipe as recipe_module
from emelia.config.fields import setting
from emelia.corpora import Utterance
from emelia.errors import ConfigError
from emelia.learn.data.loader import Loader
from emelia.learn.study import ablations, finetuning

CLIPS = [Utterance(f"{n}", Path(f"{n}"), "ab"[n % 2], str(n), digest=f"{n}") for n in range(40)]
WITHOUT = Recipe("r", augment=AugmentConfig(copies=2)).digest


@dataclass(frozen=True, slots=True)
class Augment(AugmentConfig):
    """The settings of augmentation with one more."""

    echo: float = setting(
        0.0,
        "seconds of an echo of changed copies; 0 is off",
        within=(0, 2),
        without={"no echo": 0.0},
        finetune=0.0,
        part_of="copy",
    )


@dataclass(frozen=True, slots=True)
class WithEcho(Recipe):
    """A recipe that has it."""

    augment: Augment = field(default_factory=Augment)


@pytest.fixture(autouse=True)
def _one_more_setting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put it where it would stand, in config/learning.py."""
    for module in (recipe_module, reading, ablations, finetuning):
        monkeypatch.setattr(module, "Recipe", WithEcho)
    yield


def with_echo(seconds: float) -> Any:
    return WithEcho("r", augment=Augment(copies=2, echo=seconds))


def test_it_is_read_from_a_recipe_and_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("[augment]\necho = 0.5\n")
    assert load_recipe(tmp_path / "r.toml").augment.echo == 0.5  # type: ignore[attr-defined]
    changed = load_recipe(tmp_path / "r.toml", ["augment.echo=1"])
    assert changed.augment.echo == 1.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("augment.echo=3", r"augment\.echo: 3\.0 does not fit; expected a number within 0 to 2"),
        ("augment.echo=loud", r"augment\.echo: expected a number, got 'loud'"),
        ("augment.ecko=1", r"unknown setting augment\.ecko; did you mean augment\.echo\?"),
    ],
)
def test_values_that_do_not_fit_are_refused(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        reading.recipe_from({}, [given])


def test_it_is_ablated_where_it_is_used() -> None:
    recipe = with_echo(0.5)
    (without,) = [r for r in ablations.ablations(recipe) if r.name == "r, no echo"]
    assert without.augment == replace(recipe.augment, echo=0.0)  # type: ignore[type-var]
    assert not [r for r in ablations.ablations(with_echo(0.0)) if r.name == "r, no echo"]


def test_fine_tuning_resets_it() -> None:
    assert finetuning.finetuning_recipe(with_echo(0.5), "r", CLIPS).augment == Augment(copies=2)


def test_it_names_the_copies_it_changes_and_leaves_the_names_of_all_else() -> None:
    plain, changed = (Loader(with_echo(seconds), ("a", "b")) for seconds in (0.0, 0.5))
    assert plain.key(CLIPS[0]) == changed.key(CLIPS[0]), "the clip itself"
    assert plain.key(CLIPS[0], 1) != changed.key(CLIPS[0], 1)


def test_its_default_leaves_the_digests_of_recipes_as_they_were() -> None:
    assert with_echo(0.0).digest == WITHOUT
    assert with_echo(0.5).digest != WITHOUT
