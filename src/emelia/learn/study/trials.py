"""One trial of a search: a recipe trained on all inner folds but one, in turn.

The journal of a search is a file of Optuna's, which several processes may write to: a trial runs
beside the search, or anywhere that sees its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from emelia.config import Recipe, digest
from emelia.corpora.splits.scheme import Fold
from emelia.errors import MissingExtraError, RunError
from emelia.learn.data.loader import Loader
from emelia.learn.training.checkpoints import Epoch
from emelia.learn.training.fit import Diverged
from emelia.learn.training.hardware import Hardware
from emelia.learn.training.job import TrainingJob
from emelia.learn.training.trainer import train
from emelia.text import percent

JOURNAL = "trials.journal"
_STARTUP = 5  # trials before any is pruned

TrialReport = Callable[[str, int, int, str], None]  # name, epochs done, epochs at most, facts


@dataclass(frozen=True)
class Search:
    """The recipe that is searched around, and the data."""

    recipe: Recipe
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]  # inner ones, without a test part
    seed: int = 0
    precision: str = "32-true"  # of its trainings

    @property
    def key(self) -> str:
        """Digest of recipe, clips, seed and precision: a journal of other ones is refused."""
        ids = [[[u.id, u.digest] for u in (*f.train, *f.validation)] for f in self.folds]
        told = [self.recipe.digest, self.classes, ids, self.seed]
        return digest(told if self.precision == "32-true" else [*told, self.precision])

    @property
    def epochs(self) -> int:
        """Epochs of one trial at most."""
        return self.recipe.train.epochs * len(self.folds)


@dataclass(frozen=True)
class AskedTrial:
    """A trial whose settings are proposed.

    Attributes:
        recipe: with them.
        trial: as Optuna knows it.
    """

    name: str
    wanted: Search
    recipe: Recipe
    trial: Any


# Runs trials whose journal is in a folder; gives the name and score of each, None if pruned.
TrialRunner = Callable[
    [Sequence[AskedTrial], Path, TrialReport, Hardware], Iterator[tuple[str, float | None]]
]


def one_by_one(
    asked: Sequence[AskedTrial], out: Path, report: TrialReport, hardware: Hardware
) -> Iterator[tuple[str, float | None]]:
    """Run trials here, one after the other."""
    for one in asked:
        yield one.name, run_trial(one, report, hardware)


def run_trial(asked: AskedTrial, report: TrialReport, hardware: Hardware) -> float | None:
    """The score of a trial; None where it was pruned."""
    try:
        return _score(asked, report, hardware)
    except optuna_package().TrialPruned:
        return None


def run_trial_of(
    number: int, asked: AskedTrial, out: Path, report: TrialReport, hardware: Hardware
) -> float | None:
    """As `run_trial` in another process, which opens the journal by itself.

    Args:
        number: Optuna's id of the trial.
        asked: without `trial`.
        out: folder with the journal.
    """
    study = open_journal(out, asked.wanted)
    trial = optuna_package().trial.Trial(study, number)
    return run_trial(replace(asked, trial=trial), report, hardware)


def _score(asked: AskedTrial, report: TrialReport, hardware: Hardware) -> float:
    """Mean validation UAR of the inner folds with the settings of a trial."""
    wanted, recipe, trial = asked.wanted, asked.recipe, asked.trial
    scores: list[float] = []
    for number, fold in enumerate(wanted.folds):
        reached = [0.0]

        def note(epoch: Epoch, before: int = number, reached: list[float] = reached) -> None:
            reached.append(epoch["validation_uar"])
            step = before * recipe.train.epochs + int(epoch["epoch"])
            score = fmean([*scores, max(reached)])
            report(asked.name, step, wanted.epochs, f"validation UAR {percent(score)} %")
            trial.report(score, step)
            if trial.should_prune():
                raise optuna_package().TrialPruned

        try:
            scores.append(_train(wanted, recipe, fold, note, hardware))
        except Diverged:
            raise optuna_package().TrialPruned from None
        trial.set_user_attr("folds", scores)
    return fmean(scores)


def _train(
    wanted: Search, recipe: Recipe, fold: Fold, note: Callable[[Epoch], None], hardware: Hardware
) -> float:
    """Train on one inner fold; return the UAR of the chosen epoch on its validation part."""
    loader = Loader(recipe, wanted.classes, wanted.seed)
    validation = loader.load(fold.validation)
    recipe = replace(
        recipe, train=replace(recipe.train, refit=False)
    )  # validation is all that counts
    job = TrainingJob(recipe, fold, wanted.classes, wanted.seed, hardware.fabric(), on_epoch=note)
    progress = train(job, loader, validation).training
    if progress.interrupted:
        raise KeyboardInterrupt
    return progress.history[progress.best_epoch - 1]["validation_uar"]


def open_journal(out: Path, wanted: Search) -> Any:
    """The study in a folder, as Optuna calls it, which holds all trials of a search.

    Raises:
        RunError: it is of another search, or damaged.
    """
    optuna, path = optuna_package(), out / JOURNAL
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    # The first third of an inner fold's epochs says little.
    pruner = optuna.pruners.MedianPruner(_STARTUP, wanted.recipe.train.epochs // 3)
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
        if {study.study_name for study in storage.get_all_studies()} - {wanted.key}:
            raise RunError(
                f"{path.parent}: holds a search of another recipe, corpus, fold, seed or "
                "precision. Choose another --out."
            )
        return optuna.create_study(
            storage=storage,
            pruner=pruner,
            study_name=wanted.key,
            direction="maximize",
            load_if_exists=True,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: damaged ({error}). Remove it to search anew.") from None


def optuna_package() -> Any:
    """Optuna, without its log.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("a search for settings", "optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # we report it ourselves
    return optuna
