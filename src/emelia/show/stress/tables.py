"""What a model does under stress as tables and sentences, for terminal, page and model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emelia.config.card import check_stress
from emelia.errors import ConfigError, StorageError
from emelia.metrics import Interval
from emelia.results.stress import Stressed, StressResults
from emelia.table import Table
from emelia.text import counted, from_json, percent, points, with_interval

FOR_CARD = "stress.json"  # in the folder of a test
TITLES = {
    "small": "Small changes",
    "background": "Background",
    "rooms": "Rooms",
    "telephone": "Telephone",
    "level": "Level",
    "clipping": "Clipping",
    "microphones": "Microphones",
    "pauses": "Pauses and silence",
    "length": "Length",
}
_SPARE = ("confidence %", "ECE %", "no speech %")
# Most that groups may differ by, of audEERING's tests: UAR, precision and recall of one emotion.
_FAIR = {
    "gender": {"uar": 0.075, "precision": 0.075, "recall": 0.175},
    "language": {"uar": 0.1},
}
_SHOWN = {"uar": "UAR", "precision": "precision of one emotion", "recall": "recall of one emotion"}


def title(found: StressResults) -> str:
    """Such as "default on recordings: 250 clips under stress"."""
    plain = found.plain
    kind = " (synthetic speech)" if plain.demo else ""
    clips = counted(len(plain.answers), "clip")
    return f"{plain.model} on {plain.corpus} under stress: {clips}{kind}"


def by_category(found: StressResults) -> Table:
    """A row for each category: how many conditions passed, and the worst of them."""
    rows = []
    for name in found.categories:
        own = found.of(name)
        judged = [one for one in own if one.passed is not None]
        unchanged = min(own, key=lambda one: one.unchanged)
        lost = max(own, key=lambda one: one.uar_lost)
        rows.append(
            [
                TITLES.get(name, name),
                f"{sum(bool(one.passed) for one in judged)} / {len(judged)}" if judged else "–",
                percent(unchanged.unchanged), unchanged.name,
                points(100 * lost.uar_lost), lost.name,
            ]
        )  # fmt: skip
    columns = ["category", "passed", "least unchanged %", "with", "most UAR lost", "in"]
    return Table("By category", columns, rows, "", None, ("in", "most UAR lost"))


def of_category(found: StressResults, name: str) -> Table:
    """A row for each condition of a category, below that of the clips as they are."""
    rows = [_row(one) for one in found.of(name)]
    columns = [
        "condition", "accuracy %", "UAR lost", "unchanged %", "not sure %", "no speech %", "ECE %",
        "confidence %", "passed",
    ]  # fmt: skip
    wanted = dict.fromkeys(str(one.wanted) for one in found.of(name) if one.wanted)
    note = f"Wanted: {' or '.join(wanted)}." if wanted else "Nothing is wanted of these levels."
    return Table(TITLES.get(name, name), columns, rows, note, None, _SPARE)


def _row(one: Stressed) -> list[str]:
    shares = (one.unchanged, one.unsure, one.silent, one.ece, one.confidence)
    return [
        one.name, percent(one.found.scores["accuracy"]), points(100 * one.uar_lost),
        *("–" if share is None else percent(share) for share in shares),
        {True: "yes", False: "NO", None: "–"}[one.passed],
    ]  # fmt: skip


def groups(found: StressResults) -> list[Table]:
    """A table each for genders, speakers, languages and lengths: figures with intervals."""
    tables = []
    for kind in dict.fromkeys(one.kind for one in found.groups):
        rows = [
            [
                one.name, str(one.clips), _share(one.accuracy), _share(one.uar),
                percent(one.unsure), _share(one.unchanged) if one.unchanged else "–",
            ]
            for one in found.groups
            if one.kind == kind
        ]  # fmt: skip
        columns = [
            kind, "clips", "accuracy % (95 %)", "UAR % (95 %)", "not sure %",
            "unchanged % (95 %)",
        ]  # fmt: skip
        spare = ("not sure %", "unchanged % (95 %)")
        tables.append(Table(f"By {kind}", columns, rows, _fair(found, kind), None, spare))
    return tables


def _share(of: tuple[float, Interval]) -> str:
    return with_interval(*of)


def _fair(found: StressResults, kind: str) -> str:
    most = _FAIR.get(kind)
    if not most:
        return ""
    own = found.differences(kind)
    told = [
        f"{_SHOWN[key]} {percent(own[key])} points ({percent(bound)} at most wanted"
        f"{'' if own[key] <= bound else ': NOT passed'})"
        for key, bound in most.items()
        if key in own
    ]
    return f"Largest differences: {'; '.join(told)}."


def sentences(found: StressResults) -> list[str]:
    """The outcome in a few sentences."""
    judged = [one for one in found.conditions if one.passed is not None]
    missed = [one for one in judged if not one.passed]
    plain = found.plain
    lines = [
        f"As they are {percent(plain.scores['accuracy'])} % of the clips are answered rightly "
        f"(UAR {percent(plain.scores['uar'])} %)."
    ]
    if judged:
        lines.append(f"{len(judged) - len(missed)} of {len(judged)} conditions are as wanted.")
    if missed:
        worst = sorted(missed, key=lambda one: one.unchanged)[:3]
        told = ", ".join(f"{o.name} ({percent(o.unchanged, 0)} % unchanged)" for o in worst)
        lines.append(f"Furthest from it: {told}.")
    return lines


def terminal_tables(found: StressResults) -> list[Table]:
    """The tables to print."""
    return [by_category(found), *(of_category(found, n) for n in found.categories), *groups(found)]


def for_card(found: StressResults) -> dict[str, Any]:
    """The figures of a model card's section `under stress`, as JSON.

    `card_section` writes it.
    """
    return {
        "corpus": found.plain.corpus,
        "clips": len(found.plain.answers),
        "speakers": len(found.plain.per_speaker),
        "accuracy": found.plain.scores["accuracy"],
        "conditions": [
            {
                "category": one.category, "name": one.name, "unchanged": round(one.unchanged, 4),
                "accuracy": round(one.found.scores["accuracy"], 4),
                "uar_lost": round(one.uar_lost, 4), "unsure": round(one.unsure, 4),
                "silent": round(one.silent, 4), "wanted": str(one.wanted), "passed": one.passed,
            }
            for one in found.conditions
        ],
    }  # fmt: skip


def read_for_card(path: Path) -> dict[str, Any]:
    """The figures that a stress test wrote down for a card.

    Raises:
        StorageError: the file cannot be read.
        ConfigError: it holds something else.
    """
    path = path / FOR_CARD if path.is_dir() else path
    try:
        found = dict(from_json(path.read_text(encoding="utf-8")))
        found["conditions"]  # nothing at all is no stress test, though a card may have none
        check_stress(found)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: no figures of a stress test ({error}). Give {FOR_CARD} of `emelia stress`."
        ) from None
    return found


def card_section(found: Mapping[str, Any]) -> str:
    """The section `Under stress` of a model card in Markdown, from what `for_card` gives."""
    conditions: Sequence[Mapping[str, Any]] = found["conditions"]
    judged = [one for one in conditions if one["passed"] is not None]
    rows = [
        [
            one["name"], percent(one["accuracy"]), points(100 * one["uar_lost"]),
            percent(one["unchanged"]),
            percent(one["unsure"]), percent(one["silent"]), one["wanted"] or "–",
            {True: "yes", False: "no", None: "–"}[one["passed"]],
        ]
        for one in conditions
        if one["category"] != "small"
    ]  # fmt: skip
    small = [one for one in conditions if one["category"] == "small"]
    lines = [
        f"{found['clips']} clips of {found['corpus']} ({counted(found['speakers'], 'speaker')}) "
        f"were changed, or joined with others of the speaker and emotion; "
        f"{percent(found['accuracy'])} % are answered rightly as they are. "
        f"{sum(one['passed'] for one in judged)} of {len(judged)} conditions are as wanted "
        "(`emelia stress`)."
    ]
    if small:
        least = min(small, key=lambda one: float(one["unchanged"]))
        lines.append(
            f"Of {len(small)} small changes {sum(bool(one['passed']) for one in small)} leave 95 % "
            f"of the answers as they were; {least['name']} leaves {percent(least['unchanged'])} %."
        )
    columns = ["Condition", "Accuracy %", "UAR lost", "Unchanged %", "Not sure %", "No speech %",
               "Wanted", "Passed"]  # fmt: skip
    table = Table("", columns, rows).markdown(figures=False)
    return "\n\n".join(["## Under stress", " ".join(lines), *([table] if rows else [])])
