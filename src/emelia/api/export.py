"""Make a model file of a run, or of the best recipe of a study.

from emelia import export, load

file = export("runs/aesdd-loso", "greek.onnx")
load(file).predict("clip.wav")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from emelia.api.trained import ReadCorpus, best_row, folders_of
from emelia.console import Progress
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.reading.joining import join
from emelia.errors import ConfigError, RunError
from emelia.packages import require_training
from emelia.results import Row, read_results, summarise
from emelia.results.finding_cells import is_study
from emelia.storage import ensure_writable, lock, write_atomically

OnEpoch = Callable[[int, int, str], None]  # epochs done, epochs at most, facts


def export(
    place: str | Path,
    out: str | Path | None = None,
    *,
    title: str = "",
    licence: str = "",
    accuracy: float = 0.75,
    half: bool = False,
    recipe: str = "",
    corpus: Corpus | str | Path | None = None,
    on_epoch: OnEpoch = lambda *_: None,
) -> Path:
    """Make a model file (.onnx) with a page about it beside it; return its path.

    Of a study, its best recipe is trained once more on all speakers, with the study's figures on
    its card; what was trained so is kept in the study's folder.

    Args:
        place: the folder of a run or a study.
        out: the model file; NAME.onnx by default.
        title: one line for people.
        licence: of the weights; what those of the data allow by default.
        accuracy: share of the accepted answers that should be right.
        half: store weights in 16 bits.
        recipe: of a study: another one than the best.
        corpus: of a study: where its recordings lie, if they moved.
        on_epoch: of a study: called with epochs done, epochs at most, and facts in words.

    Raises:
        RunError: no such run or study, or its recordings are not where they were.
        ModelError: the file gives other probabilities than the network.
        MissingExtraError: torch is not installed.
    """
    require_training("emelia.export")
    from emelia.learn.export.build import export as make
    from emelia.show.card.page import to_markdown

    folder = Path(place)
    name = Path(out).stem if out else folder.resolve().name
    file = Path(out) if out else Path(f"{name}.onnx")
    if is_study(folder):
        folder = final_run(folder, recipe, corpus, on_epoch)
    with Progress() as progress:
        made = make(
            folder, progress, name=name, title=title, licence=licence, accuracy=accuracy, half=half
        )
    write_atomically(file, made.file)
    write_atomically(file.with_suffix(".md"), to_markdown(made.card).encode())
    return file


def final_run(
    study: Path,
    recipe: str = "",
    corpus: Corpus | str | Path | None = None,
    on_epoch: OnEpoch = lambda *_: None,
    read: ReadCorpus | None = None,
) -> Path:
    """The run folder of a study's recipe trained on all speakers; made if it is not there yet.

    Args:
        study: its folder.
        recipe: the name of a recipe; the one with the highest UAR by default.
        corpus: where the recordings lie, if they moved.
        on_epoch: called with epochs done, epochs at most, and facts in words.
        read: how a place is read as a corpus.

    Raises:
        RunError: the study has no such recipe, is not complete, or its recordings have changed.
    """
    from emelia.learn.study.final import train_final

    row = _row(study, recipe)
    folder = study / f"final-{row.recipe}"
    if (folder / "run.json").is_file():
        return folder
    sample = row.cells[0]
    folders = folders_of(replace(row, cells=row.counted[0]), study)
    read = read or (lambda place, names: read_corpus(place, emotions=names))
    if corpus is None:
        data = _again(folders[0], sample.corpus, sample.classes, read)
    else:
        data = corpus if isinstance(corpus, Corpus) else read(corpus, sample.classes)
    if data.digest != sample.corpus_digest:
        raise RunError(
            f"{study}: the recordings of {sample.corpus} or their labels have changed since the "
            "study, or were read with other options. Give the corpus with --corpus, as the study "
            "had it."
        )
    ensure_writable(folder)
    with lock(folder):
        train_final(row, folders, data, folder, on_epoch)
    return folder


def _row(study: Path, recipe: str) -> Row:
    row = best_row(study)
    if recipe:
        rows = {one.recipe: one for one in summarise(read_results(study))}
        if recipe not in rows:
            raise ConfigError(f"{study}: has no recipe {recipe}; there are: {', '.join(rows)}.")
        row = rows[recipe]
    if not row.complete:
        raise RunError(
            f"{study}: {row.recipe} has no seed with all folds yet, so its figures would be of "
            "some speakers alone. The same `emelia study` command goes on."
        )
    if "+" in row.cells[0].split:
        raise RunError(
            f"{study}: its trainings had other corpora added (--with), which is not repeated here. "
            "Train it with `emelia train` and export that run."
        )
    return row


def _again(run: Path, name: str, classes: tuple[str, ...], read: ReadCorpus) -> Corpus:
    """The corpus of a run, read again from where it lay."""
    from emelia.learn.training.runs import load_run

    if name == "demo":
        return read("demo", classes)
    places = [str(place) for place in load_run(run).about.get("places") or ()]
    if not places:
        raise RunError(f"{run}: does not say where its recordings lie. Give --corpus.")
    found = [read(Path(place), classes) for place in places]
    return join(found) if len(found) > 1 else found[0]
