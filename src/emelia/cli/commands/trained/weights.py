"""`emelia weights`: the weights of pre-trained encoders, listed and fetched."""

from __future__ import annotations

from typing import Annotated

import typer

from emelia import console
from emelia.cli.next_steps import suggest
from emelia.errors import ConfigError
from emelia.learn.study.recipes import all_recipes
from emelia.table import Table
from emelia.text import did_you_mean


def weights(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="fetch NAME...", help="Which to fetch, or [bold]all[/bold]."),
    ] = None,
) -> None:
    """List the pre-trained encoders that recipes begin with, or fetch their weights.

    Weights come from the Hugging Face hub, are checked, and are kept where EMELIA_WEIGHTS points,
    or in the cache folder. What is interrupted goes on with the same command.

    Examples: emelia weights · emelia weights fetch whisper-base · emelia weights fetch all
    """
    asked = words or []
    if not asked:
        _list()
    elif asked[0] != "fetch":
        raise ConfigError(f"weights {asked[0]}: expected `emelia weights fetch NAME`.")
    else:
        _fetch(asked[1:])


def _names() -> list[str]:
    """The encoders with weights of their own."""
    from emelia.learn.model.encoders import KNOWN

    return [name for name, known in KNOWN.items() if not known.reference]


def _list() -> None:
    from emelia.learn.model.encoders import KNOWN
    from emelia.learn.model.encoders.catalogue import find_weights

    rows, lacking = [], []
    for name in _names():
        # Our own encoder is initialised from another, whose weights it needs.
        needing = {name, *(own for own, known in KNOWN.items() if known.reference == name)}
        used = [one.name for one in all_recipes().values() if one.model.encoder in needing]
        here = find_weights(KNOWN[name])
        lacking += [] if here else [name]
        rows.append([name, str(here or "not here"), KNOWN[name].licence, ", ".join(used)])
    columns = ["encoder", "file", "licence", "recipes"]
    Table("Weights of pre-trained encoders", columns, rows).print()
    if lacking:
        suggest(("emelia weights fetch", *lacking))


def _fetch(names: list[str]) -> None:
    known = _names()
    if not names:
        raise ConfigError(f"fetch what? There are {', '.join(known)}; or all.")
    for name in known if names == ["all"] else names:
        if name not in known:
            hint = did_you_mean(name, known, f"there are {', '.join(known)}.")
            raise ConfigError(f"no encoder of that name, {name!r}; {hint}")
    for name in known if names == ["all"] else names:
        _fetch_one(name)
    suggest(("emelia recipes",))


def _fetch_one(name: str) -> None:
    from emelia.learn.model.encoders.fetching import fetch_weights

    task, started = f"fetching {name}", False
    with console.Progress() as progress:

        def tell(done: int, total: int) -> None:
            nonlocal started
            if not started:
                progress.start(task, total)
                started = True
            progress.step(task, done, f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")

        file = fetch_weights(name, tell)
        if started:
            progress.finish(task)
    console.say(f"{name}: {file}")
