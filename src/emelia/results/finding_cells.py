"""Find finished trainings: in the folder of a study, of a run, or of one cell of a study."""

from __future__ import annotations

from pathlib import Path

from emelia.errors import RunError
from emelia.results.cells import Cell, read_results


def is_study(place: Path) -> bool:
    """Whether a folder holds the results of a study."""
    return (place / "results.jsonl").is_file()


def cells_at(place: Path) -> tuple[Cell, ...]:
    """The finished trainings of a study, a run folder or a cell's folder, or in a results file.

    Raises:
        RunError: there are none, or they are damaged.
    """
    if place.is_file() or is_study(place):
        found = read_results(place)
    elif (place / "result.json").is_file():
        found = (_read(place / "result.json"),)
    else:
        found = _of_cell(place)
    if not found:
        raise RunError(
            f"{place}: no finished training here; expected the folder of a study or a run. "
            "`emelia study` and `emelia train` make them."
        )
    return found


def _read(file: Path) -> Cell:
    try:
        return Cell.from_json(file.read_text(encoding="utf-8"))
    except RunError as error:
        raise RunError(f"{file}: damaged ({error}). Train it again.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{file}: cannot be read ({error}).") from None


def _of_cell(folder: Path) -> tuple[Cell, ...]:
    """The line of a study's results that a folder in its `cells/` is about."""
    folder = folder.absolute()
    study = folder.parents[1] if len(folder.parents) > 1 else folder
    if not (folder / "run.json").is_file() or not is_study(study):
        return ()
    return tuple(cell for cell in read_results(study) if folder.name.endswith(f"-{cell.key}"))
