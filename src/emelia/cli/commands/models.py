"""`emelia models`: list the models that come with emelia, show the card of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from emelia import console
from emelia.cli.next_steps import suggest
from emelia.config import SAMPLE_RATE, Card
from emelia.corpora.splits.audit import UNKNOWN_SPEAKERS
from emelia.metrics import OVERALL, PER_CLASS, titles
from emelia.table import Table
from emelia.text import between, percent

_CORPUS = ("name", "title", "language", "clips", "licence", "home")


def models(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="Show the card of this one: a name or a file."),
    ] = None,
) -> None:
    """List the models that come with emelia, or show the card of one.

    The card tells which emotions a model knows, on whose speech it was trained and tested,
    what it reached there, and under which licence it may be used.

    Examples: emelia models · emelia models aesdd · emelia models my-own.onnx
    """
    from emelia.use.bundled import find_model, shipped
    from emelia.use.model import read_card

    if model is not None:
        path = find_model(model)
        _show(read_card(path), path)
        suggest(("emelia evaluate", Path(model), "RECORDINGS"))
        return
    cards = {name: read_card(path) for name, path in shipped().items()}
    sizes = {name: _size(path) for name, path in shipped().items()}
    _list(cards, sizes)
    suggest(("emelia evaluate", "NAME", "RECORDINGS"), ("emelia predict --model", "NAME", "CLIP"))


def _list(cards: Mapping[str, Card], sizes: Mapping[str, str]) -> None:
    rows = []
    for name, card in cards.items():
        test = _mapping(card.metrics.get("test"))
        corpora = ", ".join(str(_mapping(corpus).get("name", "?")) for corpus in card.corpora)
        figures = [_share(test.get(key)) for key in ("accuracy", "uar")]
        rows.append([name, ", ".join(card.labels), *figures, corpora, sizes[name]])
    columns = ["name", "emotions", "test accuracy %", "test UAR %", "trained on", "size"]
    licences = [f"licence of {name}: {card.licence}" for name, card in cards.items()]
    Table("Models that come with emelia", columns, rows, "\n".join(licences)).print()


def _show(card: Card, path: Path) -> None:
    """The whole card, in lines and tables."""
    console.say(f"{card.name}: {card.title}")
    for what, text in _facts(card, path):
        console.say(f"  {what:<12}{text}")
    corpora = [[str(_mapping(c).get(key, "-")) for key in _CORPUS] for c in card.corpora]
    if corpora:
        Table("Corpora", _CORPUS, corpora).print()
    if figures := _figures(card.metrics):
        columns = ["part", "clips", "speakers", *titles(OVERALL)]
        note = next((str(m["note"]) for m in map(_mapping, card.metrics.values())
                     if m.get("note")), "")  # fmt: skip
        Table("Figures, with 95 % intervals", columns, figures, note).print()
        if any(_mapping(part).get("nameless") for part in card.metrics.values()):
            console.warn(UNKNOWN_SPEAKERS)
    test = _mapping(card.metrics.get("test"))
    if classes := _mapping(test.get("per_class")):
        rows = [
            [
                str(name),
                *(
                    _percent(_mapping(c).get(key)) if _mapping(c).get("support", 1) else "-"
                    for key in PER_CLASS
                ),
            ]
            for name, c in classes.items()
        ]
        Table("On the test clips", ["emotion", *titles(PER_CLASS)], rows).print()


def _facts(card: Card, path: Path) -> list[tuple[str, str]]:
    features, audio, split = card.features, card.audio, card.split
    clips = ", ".join(f"{count} {part}" for part, count in _mapping(split.get("clips")).items())
    steps = {
        "DC removed": audio.dc,
        "noise reduced": audio.denoise != "none",
        f"ends {audio.trim_db:g} dB below the peak trimmed": bool(audio.trim_db),
        f"{audio.level} brought to the same level": audio.level != "none",
    }
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    facts = [
        ("emotions", ", ".join(card.labels)),
        ("not sure", f"below {card.threshold:.2f}. {card.threshold_rule}"),
        ("licence", card.licence),
        ("file", f"{path}, {_size(path)}, {card.variant}, {card.parameters:,} parameters"),
        ("front end", f"{features.kind}, {features.mels} mel bands of {features.fmin:g} to "
                      f"{features.fmax:g} Hz, {1000 * features.window / SAMPLE_RATE:g} ms every "
                      f"{1000 * features.hop / SAMPLE_RATE:g} ms"),
        ("sound", ", ".join(step for step, done in steps.items() if done) or "as it is"),
        ("recipe", f"{card.recipe} ({card.recipe_digest})"),
        ("split", f"{split.get('protocol') or split.get('name', '')} {clips}"),
        ("unchanged", card.unchanged),
        ("validation", "by layers that had seen nothing of the clip's corpus; every corpus has "
                       "the same say in temperature and threshold" if card.for_strangers else ""),
        ("temperature", f"{card.temperature:.3f}"),
        ("made", f"{card.created} {card.commit[:12]}"),
        ("with", versions),
    ]  # fmt: skip
    return [(what, text.strip()) for what, text in facts if text.strip(" ()")]


def _figures(metrics: Mapping[str, Any]) -> list[list[str]]:
    """A row for each part, and below it for each of its corpora."""
    rows = []
    for part, figures in metrics.items():
        corpora = _mapping(_mapping(figures).get("per_corpus"))
        for name, values in {part: figures, **{f"  {c}": of for c, of in corpora.items()}}.items():
            of = _mapping(values)
            counts = [str(of.get("clips", "-")), str(of.get("speakers", "-") or "unknown")]
            rows.append([name, *counts, *(_share(of.get(key)) for key in OVERALL)])
    return rows


def _share(value: Any) -> str:
    """A share with its interval, [value, low, high], in percent."""
    if not isinstance(value, list) or len(value) != 3:
        return "-"
    middle, low, high = value
    return f"{_percent(middle)} ({between(low, high)})"


def _percent(share: Any) -> str:
    return percent(share) if isinstance(share, int | float) else "-"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _mapping(value: Any) -> Mapping[str, Any]:
    """The table in a card under a key; empty where the card holds something else."""
    return value if isinstance(value, Mapping) else {}
