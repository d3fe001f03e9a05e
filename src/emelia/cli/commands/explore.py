"""`emelia explore`: a page of figures, pictures and examples of a corpus."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.cli.common import open_corpus
from emelia.cli.next_steps import quick_study, suggest
from emelia.cli.options import (
    CorpusArgument,
    EmotionsOption,
    JobsOption,
    SpeakersOption,
    WideOption,
    cores,
)
from emelia.text import counted

if TYPE_CHECKING:
    from emelia.corpora import Corpus
    from emelia.show.explore.data import Exploration
    from emelia.show.explore.problems import Problem

_SHOWN = 20  # problems in the terminal


def explore(
    corpus: CorpusArgument = "demo",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the page, figures and tables. \\[default: runs/CORPUS-explore]",
            show_default=False,
        ),
    ] = None,
    emotions: EmotionsOption = "",
    speakers_from: SpeakersOption = "",
    all_: Annotated[
        bool,
        typer.Option("--all", help="Also draw the spectrogram of every clip, as PNG files."),
    ] = False,
    jobs: JobsOption = None,
    wide: WideOption = False,
) -> None:
    """Look at a corpus: what is in it, how it sounds, and what is wrong with it.

    Writes a page with players and figures, the figures as PNG and SVG, and tables as CSV.
    What was measured is kept, so a second look takes seconds.

    Examples: emelia explore demo · emelia explore recordings/ --all ·
    emelia explore aesdd+emodb --emotions anger,sadness --out look/
    """
    data = open_corpus(corpus, emotions, speakers_from=speakers_from)
    folder = out or Path("runs") / f"{data.name}-explore"

    from emelia.show.explore.page import write_exploration
    from emelia.show.explore.problems import problems
    from emelia.show.page import check_extras
    from emelia.storage import ensure_writable, lock

    check_extras()  # before minutes of work depend on them
    ensure_writable(folder)
    with lock(folder):
        found = _gather(data, jobs or cores())
        wrong = problems(found, jobs or cores())
        page = write_exploration(found, wrong, folder, shlex.join(["emelia", *sys.argv[1:]]))
        _tell(found, wrong, wide)
        console.say(f"Page: {page}")
        if all_:
            _draw_all(found, folder / "spectrograms", jobs or cores())
    suggest(*quick_study(data, Path(corpus)))


def _gather(data: Corpus, jobs: int) -> Exploration:
    from emelia.show.explore.data import gather

    with console.Progress() as progress:
        progress.start("measuring", len(data.utterances))
        found = gather(data, jobs, lambda done, total: progress.step("measuring", done))
        progress.finish("measuring", counted(len(found.clips), "clip"))
    return found


def _tell(found: Exploration, wrong: list[Problem], wide: bool) -> None:
    """Print the table by emotion, the findings, and the most serious problems."""
    from emelia.show.explore import tables
    from emelia.show.explore.findings import findings, headline

    main = tables.emotions(found)
    replace(main, title=found.corpus.name).print(wide)
    console.say(headline(found))
    for sentence in findings(found, wrong):
        console.say(f"- {sentence}")
    if wrong:
        tables.found(wrong, _SHOWN).print(wide)


def _draw_all(found: Exploration, folder: Path, jobs: int) -> None:
    from emelia.show.explore.images import write_images

    clips = [clip.utterance for clip in found.clips]
    with console.Progress() as progress:
        started = False

        def tell(done: int, total: int) -> None:
            nonlocal started
            if not started:
                progress.start("drawing", total, done)
                started = True
            progress.step("drawing", done)

        failed = write_images(clips, folder, jobs, tell)
        progress.finish("drawing", f"{len(clips) - len(failed)} spectrograms in {folder}")
    for name, reason in failed.items():
        console.warn(f"{name}: {reason}")
