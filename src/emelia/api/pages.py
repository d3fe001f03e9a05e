"""Pages from Python: the report of a study or a run, and a corpus to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from emelia.api.training_results import StudyResults
from emelia.corpora import Corpus, read_corpus
from emelia.results import studies
from emelia.results.evaluation import of_cell
from emelia.results.finding_cells import cells_at, is_study
from emelia.show.evaluation.page import write_page
from emelia.show.report import findings as of_study
from emelia.show.report.page import write_report
from emelia.show.report.recordings import places_of
from emelia.storage import ensure_writable

if TYPE_CHECKING:
    from emelia.show.explore.data import Exploration


def report(place: str | Path, out: str | Path | None = None) -> Path:
    """Write the page of a study, of a run, or of one cell of a study; return its path.

    Args:
        place: its folder.
        out: folder of the page; `place` by default.

    Raises:
        RunError: no finished training is there.
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    folder = Path(place)
    cells = cells_at(folder)
    target = Path(out) if out else folder if folder.is_dir() else folder.parent
    if folder.is_dir() and not is_study(folder):
        return write_page(of_cell(cells[0]), target)
    file = folder / "results.jsonl" if folder.is_dir() else folder
    written = write_report(cells, target, places=places_of([file]))
    return next(path for path in written if path.suffix == ".html")


def findings(found: Exploration | StudyResults) -> list[str]:
    """The sentences that the page of a corpus or a study begins with, the main one first.

    Args:
        found: what `explore`, `study` or `read_results` returns.
    """
    if isinstance(found, StudyResults):
        one = studies(found.cells)[0]
        return [of_study.headline(one), *of_study.findings(one)]
    from emelia.show.explore import findings as of_corpus
    from emelia.show.explore.problems import problems

    return [of_corpus.headline(found), *of_corpus.findings(found, problems(found))]


def explore(
    corpus: Corpus | str | Path,
    out: str | Path | None = None,
    *,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Exploration:
    """Measure all clips of a corpus and, with `out`, write a page to look at and listen to.

    Args:
        corpus: see `read_corpus`.
        out: folder of the page; none by default.
        jobs: processes.
        on_progress: called with clips done and clips in all.

    Raises:
        CorpusError: there is no such corpus.
        MissingExtraError: librosa or, for the page, matplotlib is not installed.
    """
    from emelia.show.explore.data import gather
    from emelia.show.explore.page import write_exploration
    from emelia.show.explore.problems import problems

    data = corpus if isinstance(corpus, Corpus) else read_corpus(corpus)
    found = gather(data, jobs, on_progress)
    if out is not None:
        ensure_writable(Path(out))
        write_exploration(found, problems(found, jobs), Path(out), "")
    return found
