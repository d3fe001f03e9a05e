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
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from emelia.corpora import Corpus
from emelia.corpora.splits.scheme import Fold, make_split
from emelia.errors import RunError, SplitError
from emelia.learn.study.trials import (
    AskedTrial,
    Search,
    TrialReport,
    TrialRunner,
    one_by_one,
    open_journal,
    optuna_package,
)
from emelia.learn.study.tune_space import (
    Dimension,
    SearchResult,
    Trial,
    own_values,
    space,
    with_values,
)
from emelia.learn.training.hardware import CPU, Hardware
from emelia.text import percent

FEWEST_SPEAKERS = 3  # to search with

Report = Callable[[int, int, str], None]  # done, total, facts


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
    report_trial: TrialReport = lambda name, done, total, facts: None,
    hardware: Hardware = CPU,
    jobs: int = 1,
    runner: TrialRunner | None = None,
) -> SearchResult:
    """Run trials until there are so many.

    Args:
        out: folder with the journal; hold its lock.
        report: called with trials done, trials wanted and the best so far.
        report_trial: called with the name of a trial under way and epochs done of it.
        jobs: trials that are proposed together, and may run at the same time. Another number
            proposes others, since each is proposed by what those before it came to.
        runner: runs the trials that are proposed together; here, one by one, by default.

    Raises:
        RunError: the journal is of another search or damaged, or no trial was finished.
        KeyboardInterrupt: Ctrl-C; finished trials are kept.
    """
    torch.set_num_threads(hardware.threads)
    study, dimensions = open_journal(out, wanted), space(wanted.recipe)
    while len(done := _trials(study)) < trials:
        report(len(done), trials, _best_so_far(done))
        if not any(trial.uar is not None for trial in done):
            study.enqueue_trial(own_values(wanted.recipe, dimensions))
        numbers = range(len(done), min(len(done) + jobs, trials))
        asked = [_ask(study, wanted, dimensions, number) for number in numbers]
        ended = dict((runner or one_by_one)(asked, out, report_trial, hardware))
        for one in asked:  # in this order, whichever ended first
            study.tell(one.trial, ended[one.name], state=None if ended[one.name] is not None
                       else optuna_package().trial.TrialState.PRUNED)  # fmt: skip
    report(len(done), trials, _best_so_far(done))
    if not any(trial.uar is not None for trial in done):
        raise RunError(f"{out}: no trial was finished; the recipe itself does not learn.")
    return SearchResult(tuple(done), _importances(study))


def _ask(study: Any, wanted: Search, dimensions: Sequence[Dimension], number: int) -> AskedTrial:
    """The next trial, with the settings that are proposed for it."""
    # Seeded by the number of trials, or a resumed search would propose the same ones again.
    study.sampler = optuna_package().samplers.TPESampler(seed=wanted.seed + number)
    trial = study.ask()
    values = {dimension.key: _suggest(trial, dimension) for dimension in dimensions}
    recipe = with_values(wanted.recipe, values)
    return AskedTrial(f"trial {number + 1}", wanted, recipe, trial)


def _suggest(trial: Any, dimension: Dimension) -> Any:
    if dimension.options:
        return trial.suggest_categorical(dimension.key, dimension.options)
    return trial.suggest_float(dimension.key, dimension.low, dimension.high, log=dimension.log)


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
        found = optuna_package().importance.get_param_importances(study)
        return {key: float(share) for key, share in found.items()}
    return {}
