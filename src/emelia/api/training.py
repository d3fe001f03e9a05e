"""Train one network or compare many, from Python.

from emelia import study, train

run = train("emelia", "recordings/")
print(run.evaluation())
study("aesdd", recipes="emelia,variable-4", quick=True).to_frame()
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emelia.api.training_results import StudyResults, Training
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.reading.extra_training import add_to_training
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.splits.scheme import Split, make_split
from emelia.errors import ConfigError, EmeliaError, RunError
from emelia.learn.study.recipes import QUICK, find_recipes
from emelia.learn.study.recipes import quick as shorten
from emelia.packages import require_training
from emelia.results import Cell
from emelia.results.finding_cells import cells_at
from emelia.storage import ensure_writable, lock, write_atomically
from emelia.text import counted

if TYPE_CHECKING:
    from emelia.learn.study.tasks import Task
    from emelia.learn.training.hardware import Hardware

OnEpoch = Callable[[str, int, int, str], None]  # name, epochs done, epochs at most, facts


def train(
    recipe: str,
    corpus: Corpus | str | Path,
    *,
    split: str = "",
    fold: str = "",
    seed: int = 0,
    emotions: Sequence[str] = (),
    others: Corpus | None = None,
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    init: str | Path | None = None,
    teacher: str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    precision: str = "32-true",
    threads: int = 1,
    on_epoch: OnEpoch = lambda *_: None,
) -> Training:
    """Train one network and test it once on speakers it has not seen, as `emelia train` does.

    Args:
        recipe: a recipe's name, or a TOML file.
        corpus: see `read_corpus`.
        split: how to divide it, `folds-5` and the like; speakers apart by default.
        fold: which fold; the first by default.
        seed: of all random draws.
        emotions: only these classes.
        others: a corpus whose clips of the same classes are added to training alone.
        settings: changes of the recipe, such as `{"train.lr": 0.001}`.
        epochs: most epochs.
        init: a run or model file whose weights it begins with, or a study, of which the run of
            the same fold is taken.
        teacher: likewise the run that a recipe with knowledge distillation learns from.
        out: the run folder; runs/CORPUS-RECIPE by default.
        resume: go on with a training that was interrupted there; one that is finished is read.
        device: cpu, cuda, mps or auto.
        precision: 32-true, bf16-mixed, or auto, which is bf16-mixed where the device is faster so.
        threads: cores.
        on_epoch: called with the training's name, epochs done, epochs at most, and facts in words.

    Raises:
        ConfigError, CorpusError, SplitError: what is asked for does not exist or fit.
        RunError: the folder holds another training, or an unfinished one without `resume`.
        MissingExtraError: torch is not installed.
        KeyboardInterrupt: Ctrl-C; the best epoch so far is kept.
    """
    require_training("emelia.train")
    from emelia.learn.study.cell import forget_checkpoint
    from emelia.learn.study.tasks import tasks
    from emelia.learn.training.hardware import Hardware

    chosen = find_recipes(recipe, changes(settings, epochs))
    if len(chosen) != 1:
        raise ConfigError(f"{recipe!r} names {len(chosen)} recipes; train takes one.")
    data, parts = _divided(corpus, emotions, split, others)
    only = fold or parts.folds[0].name
    found = tasks(data, parts, chosen, [seed], _path(init), _path(teacher), only)
    if not found:
        names = ", ".join(one.name for one in parts.folds)
        raise ConfigError(f"{parts.name} has no fold {fold!r}; there are: {names}.")
    (task,) = found
    folder = Path(out) if out else Path("runs") / f"{data.name}-{chosen[0].name}"
    if resume and (cell := result_of(task, folder)):
        forget_checkpoint(folder)
    else:
        check_folder(folder, resume)
        ensure_writable(folder)
        with lock(folder):
            cell = finished(task, folder, on_epoch, Hardware(device, precision, threads))
    return Training(folder, cell)


def study(
    corpus: Corpus | str | Path = "demo",
    *,
    split: str = "loso",
    recipes: str = "",
    seeds: int = 1,
    emotions: Sequence[str] = (),
    others: Corpus | None = None,
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    init: str | Path | None = None,
    teacher: str | Path | None = None,
    quick: bool = False,
    out: str | Path | None = None,
    jobs: int = 1,
    device: str = "cpu",
    precision: str = "32-true",
    on_epoch: OnEpoch = lambda *_: None,
) -> StudyResults:
    """Train every recipe on every fold with every seed, as `emelia study` does.

    What is finished is kept in `out`: the same call goes on where it stopped. With several `jobs`
    processes are started, so that a script needs `if __name__ == "__main__":`.

    Args:
        corpus: see `read_corpus`.
        split: see `emelia study --help`.
        recipes: names, groups or TOML files, separated by commas.
        seeds: how many times all is repeated.
        emotions: only these classes.
        others: a corpus whose clips of the same classes are added to training alone.
        settings: changes of every recipe, such as `{"train.lr": 0.001}`.
        epochs: most epochs.
        init, teacher: see `train`.
        quick: for trying out: one recipe a family, few epochs.
        out: folder of the results; runs/CORPUS-SPLIT by default.
        jobs: trainings at the same time, one core each.
        device: cpu, cuda, mps or auto.
        precision: 32-true, bf16-mixed, or auto, which is bf16-mixed where the device is faster so.
        on_epoch: see `train`.

    Raises:
        ConfigError, CorpusError, SplitError: what is asked for does not exist or fit.
        EmeliaError: a training failed; the others are kept.
        MissingExtraError: torch is not installed.
    """
    require_training("emelia.study")
    from emelia.learn.study.runner import run_study
    from emelia.learn.study.tasks import tasks
    from emelia.learn.training.hardware import Hardware

    usual = ",".join(QUICK) if quick else "founding,emelia"
    chosen = find_recipes(recipes or usual, changes(settings, epochs))
    chosen = [shorten(recipe) for recipe in chosen] if quick else chosen
    data, parts = _divided(corpus, emotions, split, others)
    name = f"{data.name}-{parts.name.replace(':', '-').replace('/', '-')}"
    folder = Path(out) if out else Path("runs") / name
    wanted = tasks(data, parts, chosen, range(seeds), _path(init), _path(teacher))
    outcome = run_study(wanted, folder, on_epoch, jobs, Hardware(device, precision))
    if outcome.failed:
        first, reason = next(iter(outcome.failed.items()))
        raise EmeliaError(
            f"{counted(len(outcome.failed), 'training')} failed, such as {first}: {reason}"
        )
    return StudyResults(folder, cells_at(folder))


def finished(task: Task, folder: Path, on_epoch: OnEpoch, hardware: Hardware) -> Cell:
    """Train and test; the run folder, which the caller has locked, then holds the result.

    Raises:
        KeyboardInterrupt: Ctrl-C; the folder has the best epoch so far.
    """
    from emelia.learn.study.cell import Interrupted, forget_checkpoint, run_cell

    try:
        cell = run_cell(task, folder, lambda *told: on_epoch(task.name, *told), hardware)
    except Interrupted:
        raise KeyboardInterrupt from None
    write_atomically(folder / "result.json", cell.to_json().encode())
    forget_checkpoint(folder)
    return cell


def result_of(task: Task, folder: Path) -> Cell | None:
    """The result of this very training where the run folder has it; else None.

    A process that ended just after may have left out what follows, as pages and the model file.
    """
    file = folder / "result.json"
    cell = Cell.from_json(file.read_text(encoding="utf-8")) if file.is_file() else None
    return cell if cell and cell.key == task.key else None


def check_folder(folder: Path, resume: bool) -> None:
    """See that a run folder is free, or holds an unfinished training that may go on.

    Raises:
        RunError: it holds another training, or an unfinished one and `resume` is not set.
    """
    from emelia.learn.training.runs import CHECKPOINT

    begun = (folder / CHECKPOINT).exists()
    if begun and not resume:
        raise RunError(
            f"{folder}: holds an unfinished training. Add --resume to go on, "
            "or choose another --out."
        )
    if not begun and (folder / "run.json").exists():
        raise RunError(f"{folder}: holds a finished training. Choose another --out, or remove it.")


def usual_split(corpus: Corpus) -> str:
    """Five speaker-disjoint folds, as far as there are speakers for them."""
    if len(corpus.speakers) == 2 and UNKNOWN_SPEAKER not in corpus.speakers:
        return "loso"
    return f"folds-{min(5, max(3, len(corpus.speakers)))}"


def changes(settings: Mapping[str, Any] | None, epochs: int | None) -> list[str]:
    """Settings by name as `key=value`, whose values are TOML."""
    told = {**(settings or {}), **({"train.epochs": epochs} if epochs else {})}
    return [f"{key}={json.dumps(value)}" for key, value in told.items()]


def _divided(
    corpus: Corpus | str | Path, emotions: Sequence[str], split: str,
    others: Corpus | None,
) -> tuple[Corpus, Split]:  # fmt: skip
    data = corpus if isinstance(corpus, Corpus) else read_corpus(corpus, emotions=emotions)
    parts = make_split(data, split or usual_split(data))
    return data, add_to_training(parts, data, others) if others else parts


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)
