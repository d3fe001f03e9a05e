"""The report of studies: `report.html`, one file that opens anywhere, `report.md`, and figures.

The page loads nothing: styles are inside, figures are SVG data URIs with text alternatives, and a
Content-Security-Policy in its head forbids everything else. Where the recordings are on this disk
it holds a few of them: whoever passes it on passes on a part of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emelia import metrics
from emelia.corpora.splits.audit import UNKNOWN_SPEAKERS
from emelia.errors import RunError
from emelia.results import Cell, Row, Study, read_results, studies
from emelia.show import beside, tables
from emelia.show.describe import known
from emelia.show.page import Figures, check_extras, file_name, render
from emelia.show.report import detail_tables, findings, plots
from emelia.show.report.limitations import limitations
from emelia.show.report.recipe_section import processing, recipe_section
from emelia.show.report.recordings import recordings
from emelia.show.report.sound import Example, Mistake, example, mistakes_with_sound
from emelia.show.report.study_tables import all_tables
from emelia.show.speakers import known_speakers, nameless
from emelia.show.tries import TRY, is_try
from emelia.storage import write_atomically
from emelia.table import Table

# Words about a recipe, which change no result.
_WORDS = ("name", "group", "title", "published", "published_epoch")
_CLIPS = 8  # recordings a page carries at most


@dataclass(frozen=True)
class Sound:
    """Recordings of a study on its page: an example, and mistakes to listen to."""

    example: Example | None
    mistakes: tuple[Mistake, ...]
    here: bool  # whether the recordings are on this disk


def write_report(
    results: str | Path | Iterable[Cell],
    folder: str | Path,
    command: str = "",
    places: Sequence[str] = (),
) -> list[Path]:
    """Write `report.md` and `report.html` of all studies among these results.

    Beside them go their figures as SVG, PNG and PDF files in `figures/`, their tables as CSV and
    LaTeX in `tables/`, and every answer to a test clip in `answers-STUDY.csv`.

    Args:
        results: `results.jsonl`, a folder with it, or cells.
        folder: where the report goes.
        command: what to type to make the results again, shown on the page.
        places: where the corpora may lie; looked at only if they hold what was studied.

    Raises:
        RunError: there is no finished cell, or the results are damaged.
        StorageError: the folder cannot be written.
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    cells = read_results(Path(results)) if isinstance(results, str | Path) else tuple(results)
    if not cells:
        where = f"{results}: " if isinstance(results, str | Path) else ""
        raise RunError(f"{where}no finished cells to report. Run a study first: emelia study.")
    check_extras()
    found, figures = studies(cells), Figures()
    clips = max(2, _CLIPS // len(found))
    sections = [_section(study, figures, places, clips) for study in found]
    values = {
        "sections": sections,
        "random_splits": detail_tables.random_against_apart(found),
        "command": command,
    }
    written = {name: render(name, **values) for name in ("report.md", "report.html")}
    files = figures.files | {name: text.encode() for name, text in written.items()}
    for section in sections:
        files |= beside.tables(section) | beside.answers(section["study"])
    for name, data in files.items():
        write_atomically(Path(folder) / name, data)
    return [Path(folder) / name for name in written]


def _section(study: Study, figures: Figures, places: Sequence[str], clips: int) -> dict[str, Any]:
    """The values of one study for the template; its figures are added to `figures`."""
    sample, name = study.sample, f"{study.sample.corpus}-{study.sample.split}"
    cells = [cell for row in study.rows for cell in row.cells]
    # In the order of the page, in which figures are numbered.
    overview = _overview(study, figures, name)
    sound = _sound(study, figures, places, clips, name)
    recipes = [recipe_section(row, figures, name) for row in study.rows]
    return {
        "study": study,
        "file": file_name(name),
        "name": tables.titled(sample, f"{sample.corpus}, {sample.split}"),
        "try": TRY if is_try(study) else "",
        "nameless": UNKNOWN_SPEAKERS if nameless(study) else "",
        "speakers": str(len(known_speakers(study.best)) or "unknown") if study.best else "",
        "guessing": metrics.chance(study.best.truth) if study.best else None,
        "headline": findings.headline(study),
        "findings": findings.findings(study),
        "limitations": limitations(study),
        "elsewhere": detail_tables.elsewhere(study),
        "tables": all_tables(study),
        "genders": detail_tables.genders(study),
        "specs": detail_tables.specs(study),
        "clips": detail_tables.clips(study),
        "processing": processing(study.rows),
        "overview": overview,
        "recipes": recipes,
        "sound": sound,
        "settings": _settings(study),
        "audit": tables.audit(study),
        "seeds": tables.seeds(study),
        "versions": [
            *sorted({f"{n} {v}" for cell in cells for n, v in cell.versions.items()}),
            *sorted({f"precision {c.precision}" for c in cells if c.precision != "32-true"}),
        ],
        "hours": sum(cell.seconds for cell in cells) / 3600,
    }


def _overview(study: Study, figures: Figures, name: str) -> list[Any]:
    sample = study.sample
    drawn = [(plots.intervals(study.rows), "Accuracy and 95 % interval", tables.main(study))]
    if len(known_speakers(study.best) if study.best else ()) > 1:
        by_speaker = plots.speakers(study.rows)
        drawn.append((by_speaker, "Accuracy by test speaker", tables.speakers(study)))
    stems = ("accuracy", "speakers")
    about = tables.drawn_from(study.best or study.rows[0])
    return [
        figures.picture(
            figure, f"{name}-{stem}", tables.titled(sample, caption), _in_words(table), about
        )
        for stem, (figure, caption, table) in zip(stems, drawn, strict=False)
    ]


def _sound(
    study: Study, figures: Figures, places: Sequence[str], clips: int, name: str
) -> Sound | None:
    """Example and mistakes of the best recipe; None where no recipe is complete."""
    best = study.best
    if best is None:
        return None
    paths = recordings(study.sample, places)
    shown = example(best, paths, figures, name)
    return Sound(shown, tuple(mistakes_with_sound(best, paths, clips)), bool(paths))


def _in_words(table: Table) -> str:
    """The figures a picture shows of a table, as its text alternative.

    Of the table by speaker those of every recipe: its column of clips is in no picture.
    """
    if table.columns[1] != "clips":
        lines = [", ".join((row[0], *row[1:2])) for row in table.rows]
        return f"{table.columns[1]} of {table.columns[0]}: " + "; ".join(lines) + "."
    recipes = table.columns[2:]
    lines = [
        f"{row[0]}: {', '.join(map(' '.join, zip(recipes, row[2:], strict=True)))}"
        for row in table.rows
    ]
    return f"{table.title}. " + "; ".join(lines) + "."


def _settings(study: Study) -> Table:
    """The settings in which recipes differ."""
    flat = [dict(tables.flattened(_all_settings(row))) for row in study.rows]
    keys = dict.fromkeys(key for one in flat for key in one if key not in _WORDS)
    varied = [key for key in keys if len({str(one.get(key)) for one in flat}) > 1]
    lines = tuple((key, *(_setting(one.get(key)) for one in flat)) for key in varied)
    return Table("Settings that differ", ("setting", *(row.recipe for row in study.rows)), lines)


def _all_settings(row: Row) -> Mapping[str, Any]:
    """The settings of a row, with defaults for those that did not exist when it was trained."""
    settings = row.cells[0].settings
    recipe = known(settings)
    return asdict(recipe) if recipe else settings


def _setting(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
