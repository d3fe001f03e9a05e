"""A study as a page: `report.html`, one file that opens anywhere, and `report.md`.

The page loads nothing: styles are inside, figures are SVG data URIs with their content in
words beside them, and a policy in its head forbids the rest.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from emelia import metrics
from emelia.errors import MissingExtraError, RunError
from emelia.results import Cell, Row, Study, read_results, studies
from emelia.show import findings, plots, tables
from emelia.show.tables import Table, percent
from emelia.storage import write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


# Words about a recipe, which change no result.
_WORDS = ("name", "group", "title", "published", "published_epoch")


@dataclass(frozen=True)
class Picture:
    """A figure for a page: what it shows in one line, in words, and as data URI."""

    caption: str
    alt: str
    uri: str


@dataclass(frozen=True)
class Portrait:
    """What a page shows of one recipe."""

    row: Row
    title: str
    pictures: tuple[Picture, ...]
    classes: Table
    settings: str


def write_report(
    results: str | Path | Iterable[Cell], folder: str | Path, command: str = ""
) -> list[Path]:
    """Write `report.md` and `report.html` of all studies among these results.

    Args:
        results: `results.jsonl`, a folder with it, or cells.
        folder: where the report goes.
        command: what to type to make the results again, shown on the page.

    Raises:
        RunError: there is no finished cell, or the results are damaged.
        StorageError: the folder cannot be written.
    """
    cells = read_results(Path(results)) if isinstance(results, str | Path) else tuple(results)
    if not cells:
        where = f"{results}: " if isinstance(results, str | Path) else ""
        raise RunError(f"{where}no finished cells to report. Run a study first: emelia study.")
    found = studies(cells)
    pages = {
        "report.md": _render("report.md", [_words(study) for study in found], command),
        "report.html": _render("report.html", [_page(study) for study in found], command),
    }
    for name, text in pages.items():
        write_atomically(Path(folder) / name, text.encode())
    return [Path(folder) / name for name in pages]


def _words(study: Study) -> dict[str, Any]:
    """What the Markdown and the HTML page both say of a study."""
    cells = [cell for row in study.rows for cell in row.cells]
    return {
        "study": study,
        "name": tables.titled(study.sample, f"{study.sample.corpus}, {study.sample.split}"),
        "headline": findings.headline(study),
        "findings": findings.findings(study),
        "limitations": findings.limitations(study),
        "tables": tables.all_tables(study),
        "settings": _settings(study),
        "audit": tables.audit(study),
        "seeds": tables.seeds(study),
        "versions": sorted({f"{n} {v}" for cell in cells for n, v in cell.versions.items()}),
        "hours": sum(cell.seconds for cell in cells) / 3600,
    }


def _page(study: Study) -> dict[str, Any]:
    shown = _words(study)
    demo = study.sample.demo
    main, *others = shown["tables"]
    overview = [
        _picture(plots.intervals(study.rows), "Accuracy and 95 % interval", _in_words(main), demo)
    ]
    if len(study.best.per_speaker if study.best else ()) > 1:
        figure = plots.speakers(study.rows)
        overview.append(_picture(figure, "Accuracy by test speaker", _in_words(others[0]), demo))
    return shown | {
        "overview": overview,
        "portraits": [_portrait(row, demo) for row in study.rows],
    }


def _portrait(row: Row, demo: bool) -> Portrait:
    sample = row.cells[0]
    pictures = (
        _picture(plots.losses(row), "Loss over the epochs", _losses_in_words(row), demo),
        _picture(plots.progress(row), "Validation UAR, chosen epochs", _chosen_in_words(row), demo),
        _picture(
            plots.confusion(row.confusion, sample.classes),
            "Confusion matrix, all seeds",
            _confusion_in_words(row),
            demo,
        ),
    )
    flat = tables.flattened(sample.settings)
    settings = "\n".join(f"{key} = {value!r}" for key, value in flat)
    title = str(sample.settings.get("title", ""))
    return Portrait(row, title, pictures, _classes(row), settings)


def _picture(figure: Figure, caption: str, alt: str, demo: bool) -> Picture:
    uri = "data:image/svg+xml;base64," + b64encode(plots.svg(figure)).decode()
    return Picture(f"{caption} (synthetic speech)" if demo else caption, alt, uri)


def _in_words(table: Table) -> str:
    """A table's first figures, for those who cannot see the picture of them."""
    lines = [", ".join((row[0], *row[1:2])) for row in table.rows]
    return f"{table.columns[1]} of {table.columns[0]}: " + "; ".join(lines) + "."


def _losses_in_words(row: Row) -> str:
    first = fmean(cell.history[0]["loss"] for cell in row.cells)
    last = fmean(cell.history[-1]["loss"] for cell in row.cells)
    longest = max(len(cell.history) for cell in row.cells)
    return (
        f"Loss of {row.recipe} in {len(row.cells)} trainings of up to {longest} epochs: on average "
        f"the training loss goes from {first:.2f} to {last:.2f}."
    )


def _chosen_in_words(row: Row) -> str:
    chosen = [cell.best_epoch for cell in row.cells]
    return (
        f"Validation UAR of {row.recipe} in {len(row.cells)} trainings: the chosen epochs are "
        f"{min(chosen)} to {max(chosen)}, with {percent(row.validation_uar)} % on average."
    )


def _confusion_in_words(row: Row) -> str:
    found = [f"{line[0]} {line[3]} %" for line in _classes(row).rows]
    return f"Confusion matrix of {row.recipe}. Found of each class: {', '.join(found)}."


def _render(name: str, pages: list[dict[str, Any]], command: str) -> str:
    text = _environment().get_template(name).render(pages=pages, command=command)
    return text.rstrip() + "\n"


def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
    except ImportError:
        raise MissingExtraError("writing a report", "jinja2", "plots") from None
    environment = Environment(
        loader=PackageLoader("emelia.show"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "plain": tables.escaped}
    return environment


def _classes(row: Row) -> Table:
    """Precision, recall and F1 of each class of one recipe, over all seeds."""
    matrix = row.confusion
    figures = (metrics.precision(matrix), metrics.recall(matrix), metrics.f1(matrix))
    clips = matrix.sum(axis=1) // len(row.counted)
    lines = tuple(
        (name, str(clips[i]), *(percent(values[i]) for values in figures))
        for i, name in enumerate(row.cells[0].classes)
    )
    title = tables.titled(row.cells[0], "By class")
    return Table(title, ("class", "clips", "precision %", "recall %", "F1 %"), lines)


def _settings(study: Study) -> Table:
    """The settings in which recipes differ."""
    flat = [dict(tables.flattened(row.cells[0].settings)) for row in study.rows]
    keys = dict.fromkeys(key for one in flat for key in one if key not in _WORDS)
    varied = [key for key in keys if len({str(one.get(key)) for one in flat}) > 1]
    lines = tuple((key, *(_setting(one.get(key)) for one in flat)) for key in varied)
    return Table("Settings that differ", ("setting", *(row.recipe for row in study.rows)), lines)


def _setting(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
