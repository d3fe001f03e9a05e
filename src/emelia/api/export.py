"""Make a model file of a run, or of the best recipe of a study.

from emelia import export, load

file = export("runs/aesdd-loso", "greek.onnx")
load(file).predict("clip.wav")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emelia.api.trained import ReadCorpus, best_row, folders_of
from emelia.console import Progress
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.reading.joining import join
from emelia.errors import ConfigError, RunError
from emelia.packages import require_training
from emelia.results import Cell, Row, read_results, summarise
from emelia.results.finding_cells import is_study
from emelia.storage import ensure_writable, lock, write_atomically
from emelia.text import listed

if TYPE_CHECKING:
    from emelia.learn.study.warm_start import EarlierRun

ONLY_THE_CARD = (
    "{}: is a model file; only its card can change: name, title, licence and figures of stress. "
    "What else there is to choose needs the run it was made from."
)
OnEpoch = Callable[[int, int, str], None]  # epochs done, epochs at most, facts


def export(
    place: str | Path,
    out: str | Path | None = None,
    *,
    title: str = "",
    licence: str = "",
    accuracy: float = 0.75,
    half: bool = False,
    stress: str | Path | None = None,
    recipe: str = "",
    corpus: Corpus | str | Path | None = None,
    others: Corpus | str | Path | None = None,
    init: str | Path | None = None,
    teacher: str | Path | None = None,
    on_epoch: OnEpoch = lambda *_: None,
) -> Path:
    """Make a model file (.onnx) with a page about it beside it; return its path.

    Of a study, its best recipe is trained once more on all speakers, with the study's figures on
    its card; what was trained so is kept in the study's folder. Of a model file only the card
    changes: title, licence and stress.

    Args:
        place: the folder of a run or a study, or a model file.
        out: the model file; NAME.onnx by default.
        title: one line for people.
        licence: of the weights; what those of the data allow by default.
        accuracy: share of the accepted answers that should be right.
        half: store weights in 16 bits.
        stress: stress.json of a stress test, whose figures the card shall tell.
        recipe: of a study: another one than the best.
        corpus: of a study: where its recordings lie, if they moved.
        others, init, teacher: of a study: where the corpora added to training lie, the run it
            begins with and the one that teaches, if they moved.
        on_epoch: of a study: called with epochs done, epochs at most, and facts in words.

    Raises:
        RunError: no such run or study, or its recordings are not where they were.
        ModelError: the file gives other probabilities than the network.
        MissingExtraError: torch is not installed.
    """
    require_training("emelia.export")
    from emelia.learn.export.build import export as make
    from emelia.learn.export.recard import recarded
    from emelia.show.card.page import to_markdown
    from emelia.show.stress.tables import read_for_card

    folder = Path(place)
    name = Path(out or folder.resolve()).name.removesuffix(".onnx")
    file = Path(out) if out else Path(f"{name}.onnx")
    known = read_for_card(Path(stress)) if stress else None
    if is_model_file(folder):
        if half or recipe or accuracy != 0.75:
            raise ConfigError(ONLY_THE_CARD.format(folder))
        data, card = recarded(folder, name=name, title=title, licence=licence, stress=known)
    else:
        if is_study(folder):
            moved = Moved(corpus, others, _path(init), _path(teacher))
            folder = final_run(folder, recipe, moved, on_epoch)
        with Progress() as progress:
            made = make(
                folder, progress, name=name, title=title, licence=licence, accuracy=accuracy,
                half=half, stress=known,
            )  # fmt: skip
        data, card = made.file, made.card
    write_atomically(file, data)
    write_atomically(file.with_suffix(".md"), to_markdown(card).encode())
    return file


def is_model_file(place: Path) -> bool:
    """Whether a place is a model file rather than the folder of a run or a study."""
    return place.suffix == ".onnx" and not place.is_dir()


@dataclass(frozen=True)
class Moved:
    """What a study was made from, where it lies elsewhere now; None where it is in its place.

    Attributes:
        others: corpora added to training.
        init: the run, or study, whose weights it begins with.
        teacher: the run, or study, that it is distilled from.
    """

    corpus: Corpus | str | Path | None = None
    others: Corpus | str | Path | None = None
    init: Path | None = None
    teacher: Path | None = None


def final_run(
    study: Path,
    recipe: str = "",
    moved: Moved | None = None,
    on_epoch: OnEpoch = lambda *_: None,
    read: ReadCorpus | None = None,
) -> Path:
    """The run folder of a study's recipe trained on all speakers; made if it is not there yet.

    What began with the runs of another study, or was taught by them, begins with the network that
    one gives of all its speakers, which is trained before it.

    Args:
        study: its folder.
        recipe: the name of a recipe; the one with the highest UAR by default.
        moved: what lies elsewhere than at the time of the study.
        on_epoch: called with epochs done, epochs at most, and facts in words.
        read: how a place is read as a corpus.

    Raises:
        RunError: the study has no such recipe, is not complete, or its recordings have changed.
    """
    from emelia.learn.study.final import train_final
    from emelia.learn.study.warm_start import read_about

    row = _row(study, recipe)
    folder = study / f"final-{row.recipe}"
    if (folder / "run.json").is_file():
        return folder
    sample, moved = row.cells[0], moved or Moved()
    folders = folders_of(replace(row, cells=row.counted[0]), study)
    read = read or (lambda place, names: read_corpus(place, emotions=names))
    made_from = [read_about(one / "run.json") for one in folders]
    data = _corpus(folders[0], made_from[0], sample, moved.corpus, read)
    if data.digest != sample.corpus_digest:
        raise RunError(
            f"{study}: the recordings of {sample.corpus} or their labels have changed since the "
            "study, or were read with other options. Give the corpus with --corpus, as the study "
            "had it."
        )
    others = _others(folders[0], made_from[0], moved.others)
    init, teacher = (
        _earlier(study, [dict(one.get(role) or {}) for one in made_from], option, given, read)
        for role, option, given in (
            ("start", "--init-from", moved.init), ("teacher", "--teacher", moved.teacher)
        )
    )  # fmt: skip
    ensure_writable(folder)
    with lock(folder):
        train_final(row, folders, data, folder, on_epoch, others=others, init=init, teacher=teacher)
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
    return row


def _corpus(
    run: Path, about: Mapping[str, Any], sample: Cell, given: Corpus | str | Path | None,
    read: ReadCorpus,
) -> Corpus:  # fmt: skip
    """The corpus of a run, read again from where it lay or lies now."""
    if isinstance(given, Corpus):
        return given
    if given is not None or sample.corpus == "demo":
        return read(given or "demo", sample.classes)
    places, _ = _places(run, about, "--corpus")
    return _joined([read(place, sample.classes) for place in places])


def _others(
    run: Path, about: Mapping[str, Any], given: Corpus | str | Path | None
) -> Corpus | None:
    """The corpora that were added to the training of a run; None where there are none.

    Raises:
        RunError: their clips or labels have changed.
    """
    added = dict(about.get("added") or {})
    if not added:
        return None
    if given is None:
        named = zip(added, _places(run, about, "--with")[1], strict=True)
        where = ["demo" if name == "demo" else place for name, place in named]
        found = _joined([read_corpus(one, complete=False) for one in where])
    else:
        found = given if isinstance(given, Corpus) else read_corpus(given, complete=False)
    if lacking := sorted(added.keys() - {source.name for source in found.sources}):
        raise RunError(f"{run}: {listed(lacking)} was added to its training. Give it by --with.")
    return found


def _places(
    run: Path, about: Mapping[str, Any], option: str
) -> tuple[list[Path], list[Path]]:  # fmt: skip
    """Where the corpora of a run lie, and those that were added to its training."""
    places = [Path(place) for place in about.get("places") or ()]
    own = len(places) - len(about.get("added") or ())
    if not places:
        raise RunError(f"{run}: does not say where its recordings lie. Give {option}.")
    return places[:own], places[own:]


def _joined(corpora: list[Corpus]) -> Corpus:
    return join(corpora) if len(corpora) > 1 else corpora[0]


def _earlier(
    study: Path, told: Sequence[Mapping[str, Any]], option: str, given: Path | None,
    read: ReadCorpus,
) -> EarlierRun | None:  # fmt: skip
    """The run that a study's trainings began with, or were taught by; None where there is none.

    Args:
        told: what run.json of each fold tells of it.

    Raises:
        RunError: it is not where it was, or is another.
    """
    from emelia.learn.study.warm_start import read as earlier_run

    digests = {one.get("digest") for one in told}
    if None in digests:
        return None
    place = given or Path(told[0].get("place", ""))
    if (given is None and not place.exists()) or place == Path():
        raise RunError(
            f"{study}: the run {told[0].get('name')} that it was made with is not where it was. "
            f"Say where it lies: {option}."
        )
    if len(digests) > 1:  # each fold had that of its own: of another study
        place = place.parent.parent if place.parent.name == "cells" else place
        return earlier_run(final_run(place, read=read) if is_study(place) else place)
    found = earlier_run(place)
    if found.digest not in digests:
        raise RunError(f"{place}: another run than {told[0]['name']}, which {study} was made with.")
    return found


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)
