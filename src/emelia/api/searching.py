"""Search settings of a recipe from Python, as `emelia tune` does.

from emelia import tune

found = tune("recordings/", "emelia", trials=20)
print(found)
found.to_frame()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emelia.api.training import OnEpoch, changes, usual_split
from emelia.api.training_results import StudyResults
from emelia.config import Recipe, recipe_toml
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.splits.scheme import Split, make_split
from emelia.errors import ConfigError, EmeliaError, SplitError
from emelia.learn.study.recipes import find_recipes
from emelia.learn.study.tune_space import SearchResult, space, with_values
from emelia.packages import require_training
from emelia.storage import ensure_writable, lock, write_atomically
from emelia.table import data_frame

if TYPE_CHECKING:
    from emelia.learn.study.trials import TrialReport, TrialRunner
    from emelia.learn.training.hardware import Hardware

OnTrial = Callable[[int, int, str], None]  # trials done, trials wanted, the best so far in words


@dataclass(frozen=True)
class Tuned:
    """The settings that a search found best, and how they do on speakers it never met."""

    folder: Path
    recipe: Recipe  # with these settings
    search: SearchResult
    tested: StudyResults  # the recipe as it was, and with these settings

    @property
    def file(self) -> Path:
        """The recipe as a file, which `train` and `study` take."""
        return self.folder / "best.toml"

    def __str__(self) -> str:
        best = self.search.best
        told = ", ".join(f"{key} {value}" for key, value in best.values.items())
        return (
            f"{self.file}: best of {len(self.search.trials)} trials, validation UAR "
            f"{100 * (best.uar or 0):.1f} %: {told}"
        )

    def to_frame(self) -> Any:
        """The trials as a pandas DataFrame: number, state, validation UAR, seconds, settings.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        keys = list(self.search.best.values)
        rows = [
            [one.number, one.state, one.uar, one.seconds, *(one.values.get(key) for key in keys)]
            for one in self.search.trials
        ]
        return data_frame(["trial", "state", "validation_uar", "seconds", *keys], rows)


def tune(
    corpus: Corpus | str | Path,
    recipe: str = "emelia",
    *,
    trials: int = 30,
    split: str = "",
    fold: str = "",
    inner: int = 3,
    test_seeds: int = 3,
    seed: int = 0,
    emotions: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    out: str | Path | None = None,
    device: str = "cpu",
    precision: str = "32-true",
    threads: int = 1,
    on_trial: OnTrial = lambda *_: None,
    on_epoch: OnEpoch = lambda *_: None,
) -> Tuned:
    """Search better settings for a recipe without the test speakers of a fold, then test them.

    What is finished is kept in `out`: the same call goes on where it stopped.

    Args:
        corpus: see `read_corpus`.
        recipe: a recipe's name, or a TOML file.
        trials: how many settings are tried.
        split: how to divide the corpus; speakers apart by default.
        fold: the outer fold, whose test speakers are kept out of the search; the first by default.
        inner: folds that the other speakers are divided into.
        test_seeds: how many times the test at the end is repeated.
        seed: of the search.
        emotions: only these classes.
        settings: changes of the recipe, such as `{"train.lr": 0.001}`.
        epochs: most epochs.
        out: the folder; runs/CORPUS-RECIPE-tuned by default.
        device: cpu, cuda, mps or auto.
        precision: 32-true, bf16-mixed, or auto, which is bf16-mixed where the device is faster so.
        threads: cores.
        on_trial: called with trials done, trials wanted, and the best so far in words.
        on_epoch: of the trainings tested at the end; see `train`.

    Raises:
        ConfigError, CorpusError, SplitError: what is asked for does not exist or fit.
        RunError: the folder has another search.
        EmeliaError: a training at the end failed.
        MissingExtraError: torch or optuna is not installed.
        KeyboardInterrupt: Ctrl-C; finished trials are kept.
    """
    require_training("emelia.tune")
    from emelia.learn.study.runner import run_study
    from emelia.learn.study.tasks import tasks
    from emelia.learn.training.hardware import Hardware

    chosen = find_recipes(recipe, changes(settings, epochs))
    if len(chosen) != 1:
        raise ConfigError(f"{recipe!r} names {len(chosen)} recipes; tune takes one.")
    data = corpus if isinstance(corpus, Corpus) else read_corpus(corpus, emotions=emotions)
    outer = outer_fold(make_split(data, split or usual_split(data)), fold)
    folder = Path(out) if out else Path("runs") / f"{data.name}-{chosen[0].name}-tuned"
    hardware = Hardware(device, precision, threads)
    best, found = search_settings(
        chosen[0], data, outer, folder, trials=trials, inner=inner, seed=seed, hardware=hardware,
        on_trial=on_trial,
    )  # fmt: skip
    cells = tasks(data, outer, compared(chosen[0], best), range(test_seeds))
    outcome = run_study(cells, folder, on_epoch, 1, hardware)
    if outcome.failed:
        raise EmeliaError("; ".join(f"{name}: {why}" for name, why in outcome.failed.items()))
    return Tuned(folder, best, found, StudyResults(folder, tuple(outcome.cells)))


def outer_fold(parts: Split, name: str = "") -> Split:
    """One fold of a split as a split of its own, the first by default.

    Raises:
        SplitError: there is no such fold.
    """
    folds = {fold.name: fold for fold in parts.folds}
    if name and name not in folds:
        raise SplitError(f"{parts.name} has no fold {name!r}; there are: {', '.join(folds)}.")
    kept = folds[name] if name else parts.folds[0]
    return Split(parts.name, f"{parts.protocol} Fold {kept.name} alone.", (kept,))


def search_settings(
    recipe: Recipe, corpus: Corpus, outer: Split, folder: Path, *, trials: int, inner: int,
    seed: int, hardware: Hardware, on_trial: OnTrial,
    on_trial_epoch: TrialReport = lambda *_: None, jobs: int = 1,
    runner: TrialRunner | None = None,
) -> tuple[Recipe, SearchResult]:  # fmt: skip
    """The recipe with the best settings, and all trials; both are written into the folder.

    Args:
        outer: see `outer_fold`; its test speakers are never met.
        on_trial_epoch, jobs, runner: see `learn.study.tune.search`.

    Raises:
        RunError: the folder has another search.
        KeyboardInterrupt: Ctrl-C; finished trials are kept.
    """
    from emelia.learn.study.trials import Search
    from emelia.learn.study.tune import inner_folds, search

    wanted = Search(
        recipe, corpus.emotions, inner_folds(corpus, outer.folds[0], inner), seed,
        hardware.precision,
    )  # fmt: skip
    ensure_writable(folder)
    with lock(folder):
        found = search(wanted, folder, trials, on_trial, on_trial_epoch, hardware, jobs, runner)
    best = with_values(recipe, found.best.values, f"{recipe.name}-tuned")
    _write(folder, recipe, best, found)
    return best, found


def compared(recipe: Recipe, best: Recipe) -> list[Recipe]:
    """What is tested at the end: the recipe as it was, and the better one if it is another."""
    return [recipe] if best == recipe else [recipe, best]


def _write(folder: Path, recipe: Recipe, best: Recipe, found: SearchResult) -> None:
    """Write the best settings and all trials, before the test."""
    from emelia.show.report.tuning import picture, trials_csv
    from emelia.show.style import png

    dimensions = space(recipe)
    write_atomically(folder / "best.toml", recipe_toml(best).encode())
    write_atomically(folder / "trials.csv", trials_csv(found, dimensions).encode())
    write_atomically(folder / "tuning.png", png(picture(found, dimensions)))
