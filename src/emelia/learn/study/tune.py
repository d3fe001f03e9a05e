"""Hyperparameter search on inner folds, without the test speakers of the outer fold.

The speakers that an outer fold trains and validates on are divided into inner folds. Each trial
trains a variant of the recipe on all inner folds but one and validates on that one, in turn; the
mean validation UAR is its score. Trials are proposed by Optuna (Akiba et al. 2019; tree-structured
Parzen estimator), hopeless ones are pruned (median rule), and all are kept in a journal, so that a
search can be resumed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from emelia.config import Recipe, digest
from emelia.corpora import Corpus
from emelia.corpora.splits.scheme import Fold, make_split
from emelia.errors import MissingExtraError, RunError, SplitError
from emelia.learn.data.loader import Loader
from emelia.learn.study.tune_space import (
    Dimension,
    SearchResult,
    Trial,
    own_values,
    space,
    with_values,
)
from emelia.learn.training.checkpoints import Epoch
from emelia.learn.training.fit import Diverged
from emelia.learn.training.hardware import CPU, Hardware
from emelia.learn.training.job import TrainingJob
from emelia.learn.training.trainer import train
from emelia.text import percent

JOURNAL = "trials.journal"
FEWEST_SPEAKERS = 3  # to search with
_STARTUP = 5  # trials before any is pruned

Report = Callable[[int, int, str], None]  # done, total, facts


@dataclass(frozen=True)
class Search:
    """The recipe that is searched around, and the data."""

    recipe: Recipe
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]  # inner ones, without a test part
    seed: int = 0

    @property
    def key(self) -> str:
        """Digest of recipe, clips and seed: a journal of other ones is refused."""
        ids = [[[u.id, u.digest] for u in (*f.train, *f.validation)] for f in self.folds]
        return digest([self.recipe.digest, self.classes, ids, self.seed])

    @property
    def epochs(self) -> int:
        """Epochs of one trial at most."""
        return self.recipe.train.epochs * len(self.folds)


def inner_folds(corpus: Corpus, outer: Fold, count: int = 3) -> tuple[Fold, ...]:
    """Divide the training and validation speakers of an outer fold; no test clip is in them.

    Raises:
        SplitError: test speakers also train, or too few speakers are left.
    """
    clips = (*outer.train, *outer.validation)
    speakers = {u.speaker for u in clips}
    if shared := sorted(speakers & {u.speaker for u in outer.test}):
        raise SplitError(
            f"fold {outer.name}: its test speakers {', '.join(shared)} are also in "
            "training, so a search would meet them. Choose a split with disjoint speakers."
        )
    if len(speakers) < FEWEST_SPEAKERS:
        raise SplitError(
            f"fold {outer.name}: {len(speakers)} speakers are left to search with; expected "
            f"{FEWEST_SPEAKERS} or more besides those of the test."
        )
    rest = replace(corpus, utterances=clips, rejected=(), parts=())
    folds = make_split(rest, f"folds-{min(count, len(speakers))}").folds
    return tuple(Fold(f.name, (*f.train, *f.validation), f.test, ()) for f in folds)


def search(
    wanted: Search,
    out: Path,
    trials: int,
    report: Report,
    report_trial: Report = lambda done, total, facts: None,
    hardware: Hardware = CPU,
) -> SearchResult:
    """Run trials until there are so many.

    Args:
        out: folder with the journal; hold its lock.
        report: called with trials done, trials wanted and the best so far.
        report_trial: called with epochs done of the trial under way.

    Raises:
        RunError: the journal is of another search or damaged, or no trial was finished.
        KeyboardInterrupt: Ctrl-C; finished trials are kept.
    """
    torch.set_num_threads(hardware.threads)
    study, dimensions = _open(out / JOURNAL, wanted), space(wanted.recipe)
    objective = partial(_objective, wanted, dimensions, report_trial, hardware)
    while len(done := _trials(study)) < trials:
        report(len(done), trials, _best_so_far(done))
        if not any(trial.uar is not None for trial in done):
            study.enqueue_trial(own_values(wanted.recipe, dimensions))
        # Seeded by the number of trials, or a resumed search would propose the same ones again.
        study.sampler = _optuna().samplers.TPESampler(seed=wanted.seed + len(done))
        study.optimize(objective, n_trials=1)
    report(len(done), trials, _best_so_far(done))
    if not any(trial.uar is not None for trial in done):
        raise RunError(f"{out}: no trial was finished; the recipe itself does not learn.")
    return SearchResult(tuple(done), _importances(study))


def _objective(
    wanted: Search, dimensions: Sequence[Dimension], report: Report, hardware: Hardware, trial: Any
) -> float:
    """Mean validation UAR of the inner folds with the settings a trial proposes."""
    recipe = with_values(
        wanted.recipe, {dimension.key: _suggest(trial, dimension) for dimension in dimensions}
    )
    scores: list[float] = []
    for number, fold in enumerate(wanted.folds):
        reached = [0.0]

        def note(epoch: Epoch, before: int = number, reached: list[float] = reached) -> None:
            reached.append(epoch["validation_uar"])
            step = before * recipe.train.epochs + int(epoch["epoch"])
            score = fmean([*scores, max(reached)])
            report(step, wanted.epochs, f"validation UAR {percent(score)} %")
            trial.report(score, step)
            if trial.should_prune():
                raise _optuna().TrialPruned

        try:
            scores.append(_train(wanted, recipe, fold, note, hardware))
        except Diverged:
            raise _optuna().TrialPruned from None
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


def _suggest(trial: Any, dimension: Dimension) -> Any:
    if dimension.options:
        return trial.suggest_categorical(dimension.key, dimension.options)
    return trial.suggest_float(dimension.key, dimension.low, dimension.high, log=dimension.log)


def _open(path: Path, wanted: Search) -> Any:
    optuna = _optuna()
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    # The first third of an inner fold's epochs says little.
    pruner = optuna.pruners.MedianPruner(_STARTUP, wanted.recipe.train.epochs // 3)
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
        if {study.study_name for study in storage.get_all_studies()} - {wanted.key}:
            raise RunError(
                f"{path.parent}: holds a search of another recipe, corpus, fold or seed. "
                "Choose another --out."
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


def _trials(study: Any) -> list[Trial]:
    """Trials that ended; those that Ctrl-C or a crash interrupted are ignored."""
    found: list[Trial] = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name in ("COMPLETE", "PRUNED"):
            state = "finished" if trial.state.name == "COMPLETE" else "pruned"
            value = trial.value if state == "finished" else None
            folds = tuple(trial.user_attrs.get("folds", ()))
            seconds = trial.duration.total_seconds()
            found.append(Trial(len(found) + 1, state, value, trial.params, folds, seconds))
    return found


def _best_so_far(done: Sequence[Trial]) -> str:
    scores = [trial.uar for trial in done if trial.uar is not None]
    return f"best validation UAR {percent(max(scores))} %" if scores else ""


def _importances(study: Any) -> dict[str, float]:
    """Importance of each setting, as shares of 1 (PED-ANOVA, Watanabe et al. 2023)."""
    with suppress(ValueError, RuntimeError), warnings.catch_warnings():  # too few trials
        warnings.simplefilter("ignore")
        found = _optuna().importance.get_param_importances(study)
        return {key: float(share) for key, share in found.items()}
    return {}


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("a search for settings", "optuna", "tune") from None
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # we report it ourselves
    return optuna
