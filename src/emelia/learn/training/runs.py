"""A run folder: one trained network and all that is needed to use, evaluate and repeat it.

run.json            recipe, classes, corpus, split, seed, test clips, versions
model.safetensors   weights of the epoch chosen on validation
history.jsonl       one line an epoch
adaptation.safetensors   how sources differ, where the recipe measures it
answers.json        logits of every validation and test clip, for calibration
checkpoint.safetensors   only while the training is unfinished, to resume it
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from emelia.config import Recipe, recipe_from
from emelia.corpora.seen import SeenClips
from emelia.errors import ConfigError, RunError
from emelia.learn.data.features import FrontEnd
from emelia.learn.model.network import Network, build
from emelia.learn.training.checkpoints import Epoch
from emelia.learn.training.source_space import SourceSpace, load_space, save_space
from emelia.storage import write_atomically
from emelia.text import from_json

SCHEMA = 1  # of run.json
CHECKPOINT, SPACE = "checkpoint.safetensors", "adaptation.safetensors"
# What the names of parameters begin with that a run of other classes, or of other pooled layers,
# need not have.
LAST, ALL_BUT_ENCODER = ("output.",), ("output.", "pool.", "shift", "scale")


@dataclass(frozen=True)
class Run:
    """A finished training read back from its folder."""

    recipe: Recipe
    classes: tuple[str, ...]
    network: Network
    about: Mapping[str, Any]  # the rest of run.json: corpus, split, fold, seed, parts, ...
    space: SourceSpace | None = None  # what it can be adapted to a source with

    @property
    def seen(self) -> SeenClips:
        """The clips it was trained or selected on; empty where the run does not say."""
        return seen_clips(self.about)


def seen_clips(about: Mapping[str, Any]) -> SeenClips:
    """The seen clips that run.json lists; empty where it lists none."""
    digests: Iterable[str] = about.get("heard") or ()  # the name that files have always had
    return SeenClips(digests)


def new_network(recipe: Recipe, classes: int) -> Network:
    """Make the network of a recipe, with fresh weights from torch's current random state."""
    return build(recipe.model, classes, FrontEnd(recipe.features).bands)


def copy_weights(
    weights: Mapping[str, Tensor], network: Network, fresh: tuple[str, ...] = LAST
) -> None:
    """Copy weights into a network, by name, where the shapes agree.

    Args:
        fresh: prefixes of parameters that stay as they are where nothing fits.

    Raises:
        ConfigError: another parameter does not fit: they are of another kind of network.
    """
    own = network.state_dict()
    fits = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    if lacking := [key for key in own if key not in fits and not key.startswith(fresh)]:
        raise ConfigError(
            f"the run to start from is no network of this recipe: {lacking[0]} does not fit. "
            "Start from a run of the same recipe."
        )
    network.load_state_dict({**own, **fits})


def save_run(
    folder: Path,
    recipe: Recipe,
    classes: Sequence[str],
    network: Network,
    history: Sequence[Epoch],
    about: Mapping[str, Any],
    space: SourceSpace | None = None,
) -> None:
    """Write a run folder; run.json last, so that a folder with it is whole."""
    weights = {key: value.contiguous() for key, value in network.state_dict().items()}
    write_atomically(folder / "model.safetensors", save(weights))
    if space:
        write_atomically(folder / SPACE, save_space(space))
    save_history(folder, history)
    known = {"schema": SCHEMA, "recipe": asdict(recipe), "classes": list(classes)}
    text = json.dumps({**known, **about}, indent=1, ensure_ascii=False)
    write_atomically(folder / "run.json", text.encode())


def save_answers(folder: Path, **parts: Sequence[Mapping[str, Any]]) -> None:
    """Write the logits of each clip, by part."""
    text = json.dumps(parts, ensure_ascii=False)
    write_atomically(folder / "answers.json", text.encode())


def save_history(folder: Path, history: Sequence[Epoch]) -> None:
    """Write the history so far, to be followed while a training runs."""
    lines = "".join(f"{json.dumps(line)}\n" for line in history)
    write_atomically(folder / "history.jsonl", lines.encode())


def load_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        RunError: it is not there, unfinished, damaged or of a later schema.
    """
    try:
        about = from_json((folder / "run.json").read_text(encoding="utf-8"))
        _check_schema(folder, about.pop("schema"))
        recipe, classes = recipe_from(about.pop("recipe")), tuple(about.pop("classes"))
        weights = load((folder / "model.safetensors").read_bytes())
        network = new_network(recipe, len(classes))
        network.load_state_dict(weights)
        there = (folder / SPACE).exists()
        space = load_space((folder / SPACE).read_bytes()) if there else None
    except (FileNotFoundError, NotADirectoryError):
        raise RunError(_why_none(folder)) from None
    except ConfigError as error:
        raise RunError(
            f"{folder}: was made with settings this version does not know ({error})"
        ) from None
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OSError,
        RuntimeError,
        SafetensorError,
    ) as error:
        reason = str(error).splitlines()[0]
        raise RunError(
            f"{folder}: damaged ({reason}). Train it again with `emelia train`."
        ) from None
    return Run(recipe, classes, network, about, space)


def _check_schema(folder: Path, schema: Any) -> None:
    if schema != SCHEMA:
        raise RunError(
            f"{folder}: schema {schema}, this version reads {SCHEMA}. Install a newer emelia."
        )


def _why_none(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder}: no such run folder. `emelia train RECIPE CORPUS` makes one."
    if (folder / "run.json").exists():
        return (
            f"{folder}: damaged (it has no model.safetensors). Train it again with `emelia train`."
        )
    if (folder / CHECKPOINT).exists():
        return f"{folder}: its training is not finished. Go on with `emelia train --resume`."
    return (
        f"{folder}: not a run folder (it has no run.json). `emelia train RECIPE CORPUS` makes one."
    )


def versions() -> dict[str, str]:
    """Versions of the packages that figures depend on."""
    names = ("emelia", "torch", "numpy", "soundfile", "soxr", "audiomentations")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # not installed, or run from a source tree
            continue
    return found
