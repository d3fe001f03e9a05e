"""`emelia models`: list the models that come with emelia, show the card of one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from emelia import console
from emelia.api.shipped import ordered, side_by_side
from emelia.cli.next_steps import suggest
from emelia.cli.options import WideOption
from emelia.config import SAMPLE_RATE, Card
from emelia.config.card import UNSEEN
from emelia.corpora.splits.audit import UNKNOWN_SPEAKERS
from emelia.metrics import OVERALL, PER_CLASS, titles
from emelia.table import Table
from emelia.text import amount, between, listed, percent

_OWN = "on corpora never heard: UAR % (95 %)"
_HEARD = "new speakers of its own corpora: UAR % (95 %)"
_SPEED = "s of sound a s, one core"
_TIMED = 5  # passes
_MEANING = (
    "Corpora never heard: answered by trainings by the same recipe that left them out. Your own "
    "recordings are such: expect no more of them. Where that was not measured (–) expect much less "
    "than on its own corpora. UAR is the mean recall of the emotions; guessing gives chance. "
    "emelia models NAME shows the card."
)
_CORPUS = ("name", "title", "language", "clips", "licence", "home")


def models(
    model: Annotated[
        str | None,
        typer.Argument(help="Show the card of this one: a name or a file.", show_default=False),
    ] = None,
    speed: Annotated[
        bool, typer.Option("--speed", help="Also measure how fast each is on this computer.")
    ] = False,
    wide: WideOption = False,
) -> None:
    """List the models that come with emelia, or show the card of one.

    The list begins with those that are most often right on recordings from elsewhere than
    their training data, as yours are. The card tells which emotions a model knows, on whose
    speech it was trained and tested, and under which licence it may be used.

    Examples: emelia models · emelia models --speed · emelia models aesdd ·
    emelia models my-own.onnx
    """
    from emelia.use.bundled import find_model, shipped
    from emelia.use.model import read_card

    if model is not None:
        path = find_model(model)
        _show(read_card(path), path, wide)
        suggest(("emelia evaluate", Path(model), "RECORDINGS"))
        return
    cards = {name: read_card(path) for name, path in shipped().items()}
    sizes = {name: _size(path) for name, path in shipped().items()}
    _list(cards, sizes, speed, wide)
    suggest(("emelia evaluate", "NAME", "RECORDINGS"), ("emelia predict --model", "NAME", "CLIP"))


def _list(cards: Mapping[str, Card], sizes: Mapping[str, str], speed: bool, wide: bool) -> None:
    """A row for each model: first those with the best figures on corpora never heard."""
    cards = ordered(cards)
    rows = []
    for name, card in cards.items():
        test, own = _mapping(card.metrics.get("test")), card.expected
        corpora = ", ".join(str(_mapping(corpus).get("name", "?")) for corpus in card.corpora)
        rows.append([
            name, _share(own.get("uar")), _counts(own), f"{100 / len(card.labels):.0f}",
            ", ".join(card.labels), _share(test.get("uar")), _counts(test), corpora,
            sizes[name], *([_speed(name)] if speed else []),
        ])  # fmt: skip
    columns = [
        "name", _OWN, "clips / speakers", "chance %", "emotions", _HEARD,
        "clips / speakers of these", "trained on", "size", *([_SPEED] if speed else []),
    ]  # fmt: skip
    spare = ("size", "trained on", "clips / speakers of these", "emotions")
    meaning = f"{_MEANING} {_compared(cards)}".strip()
    Table("Models that come with emelia", columns, rows, meaning, spare=spare).print(wide)
    licences: dict[str, list[str]] = {}
    for name, card in cards.items():  # the first words tell what for; the corpora stand in the card
        licences.setdefault(card.licence.partition(":")[0].rstrip("."), []).append(name)
    for licence, names in licences.items():
        console.say(f"licence of {listed(names)}: {licence}")


def _compared(cards: Mapping[str, Card]) -> str:
    """Where models were not asked about the same corpora, their figures on those that all were."""
    corpora, means = side_by_side(cards)
    asked = {len(cards[name].expected["per_corpus"]) for name in means}
    if len(asked) < 2:
        return ""
    told = ", ".join(f"{name} {percent(means[name])}" for name in cards if name in means)
    return (
        f"Not all were asked about the same corpora. UAR on {listed(corpora)}, each counting "
        f"alike, of all that were: {told} %."
    )


def _counts(figures: Mapping[str, Any]) -> str:
    """Clips and speakers of figures."""
    if "clips" not in figures:
        return "–"
    return f"{figures['clips']:,} / {figures.get('speakers') or 'unknown'}"


def _speed(name: str) -> str:
    """How many seconds of sound a second are answered by one core."""
    import numpy as np

    from emelia.use.recognizer import load

    recognizer = load(name)
    sound = np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE).astype(np.float32)
    recognizer.probabilities([sound])  # the first is slower
    begun = time.perf_counter()
    recognizer.probabilities([sound] * _TIMED)
    return f"{4 * _TIMED / (time.perf_counter() - begun):.0f}"


def _show(card: Card, path: Path, wide: bool) -> None:
    """The whole card, in lines and tables."""
    console.say(f"{card.name}: {card.title}")
    console.say(f"  {_of_own_recordings(card)}\n")
    for what, text in _facts(card, path):
        console.say(f"  {what:<12}{text}")
    console.say("")
    corpora = [[str(_mapping(c).get(key, "-")) for key in _CORPUS] for c in card.corpora]
    if corpora:
        Table("Corpora", _CORPUS, corpora).print(wide)
    if figures := _figures(card):
        columns = ["tested on", "clips", "speakers", *titles(OVERALL)]
        note = next((str(m["note"]) for m in map(_mapping, card.metrics.values())
                     if m.get("note")), "")  # fmt: skip
        Table("Figures, with 95 % intervals", columns, figures, note).print(wide)
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
        title = f"On test clips: {card.title_of('test')}"
        Table(title, ["emotion", *titles(PER_CLASS)], rows).print(wide)


def _of_own_recordings(card: Card) -> str:
    """What may be expected of the model where its training has heard nothing alike."""
    own, chance = card.expected, f"chance {100 / len(card.labels):.0f} %"
    if not own:
        return (
            "On your own recordings: not measured. Expect much less than its test figures, which "
            f"are of the corpora it was trained on ({chance})."
        )
    return (
        f"On your own recordings: expect about {_share(own.get('uar'))} % UAR ({chance}). So it "
        f"was on corpora never heard, {own.get('clips', 0):,} clips of "
        f"{own.get('speakers') or 'unknown'} speakers."
    )


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
        ("not sure", f"below {card.limits()}. {card.threshold_rule}"),
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
                       "the same say in temperature and threshold"
                       if card.expected and UNSEEN not in card.metrics else ""),
        ("temperature", f"{card.temperature:.3f}"),
        ("made", f"{card.created} {card.commit[:12]}"),
        ("with", versions),
    ]  # fmt: skip
    return [(what, text.strip()) for what, text in facts if text.strip(" ()")]


def _figures(card: Card) -> list[list[str]]:
    """A row for each part, and below it for each of its corpora."""
    rows = []
    for part, figures in card.metrics.items():
        corpora = _mapping(_mapping(figures).get("per_corpus"))
        named = {card.title_of(part): figures, **{f"· {c}": of for c, of in corpora.items()}}
        for name, values in named.items():
            of = _mapping(values)
            counts = [str(of.get("clips", "-")), str(of.get("speakers", "-") or "unknown")]
            rows.append([name, *counts, *(_share(of.get(key)) for key in OVERALL)])
    return rows


def _share(value: Any) -> str:
    """A share with its interval, [value, low, high], in percent."""
    if not isinstance(value, list) or len(value) != 3:
        return "–"
    middle, low, high = value
    return f"{_percent(middle)} ({between(low, high)})"


def _percent(share: Any) -> str:
    return percent(share) if isinstance(share, int | float) else "-"


def _size(path: Path) -> str:
    return f"{amount(path.stat().st_size / 1e6)} MB"


def _mapping(value: Any) -> Mapping[str, Any]:
    """The table in a card under a key; empty where the card holds something else."""
    return value if isinstance(value, Mapping) else {}
