"""Fine-tune a model on labels of one's own, from Python.

from emelia import finetune

tuned = finetune("default", "recordings/")
print(tuned)
tuned.load().predict("clip.wav")
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emelia.api.training import OnEpoch, changes, check_folder, finished
from emelia.api.training_results import Training
from emelia.console import Progress
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.splits.scheme import make_split
from emelia.packages import require_training
from emelia.results import Cell
from emelia.storage import ensure_writable, expanded, lock, write_atomically
from emelia.use.bundled import find_model
from emelia.use.recognizer import Recognizer, load

if TYPE_CHECKING:
    from emelia.learn.export.temperature import Answers
    from emelia.learn.study.keeping import Verdict
    from emelia.learn.study.tasks import Task
    from emelia.learn.study.warm_start import EarlierRun
    from emelia.learn.training.runs import Run


@dataclass(frozen=True)
class Kept:
    """The network that a fine-tuned model file is made of: the new one, or the original.

    Attributes:
        run: the network.
        answers: its answers by part, for calibration and card.
        title: of the model; empty for the usual one.
        verdict: how original and new one answered the same held-out clips; None where the
            original does not know all labels, so that the new one is kept.
        before: answers of the original for the test clips; None without a verdict.
    """

    run: Run
    answers: Mapping[str, Answers]
    title: str = ""
    verdict: Verdict | None = None
    before: Answers | None = None


@dataclass(frozen=True)
class FineTuned(Training):
    """A fine-tuned model: its run folder, result, and model file.

    Attributes:
        file: the model file.
        kept: whether the file has what was learnt; otherwise it is the original.
    """

    file: Path
    kept: bool

    def load(self, **options: Any) -> Recognizer:
        """The model, ready to be asked; options are those of `emelia.load`."""
        return load(self.file, **options)


def place_of_model(model: str | Path) -> Path:
    """A run folder, a file, or the file of a model that comes with emelia."""
    folder = expanded(str(model))
    return folder if os.path.isdir(folder) else expanded(find_model(model))


def choose(
    start: EarlierRun, task: Task, cell: Cell, folder: Path, tick: Any = lambda done: None
) -> Kept:
    """The new network or the original: whichever answers held-out clips better.

    Args:
        start: the original.
        task: what was trained.
        cell: its result.
        folder: of its run.
        tick: called with the number of clips that the original has been asked about.
    """
    from emelia.learn.export.temperature import read_answers
    from emelia.learn.study.keeping import about_unchanged, judge, unchanged_run
    from emelia.learn.training.runs import load_run

    taught, after = load_run(folder), read_answers(folder, len(cell.classes))
    if set(cell.classes) - set(start.run().classes):
        return Kept(taught, after)
    held_out = after["validation"]
    run, before = unchanged_run(start.run(), task, held_out.ids, tick)
    verdict = judge(before["validation"], held_out)
    if verdict.better:
        return Kept(taught, after, verdict=verdict, before=before["test"])
    about = about_unchanged(taught.about, before, start.name, verdict)
    title = f"{start.name} as it was, calibrated on {cell.corpus}"
    return Kept(replace(run, about=about), before, title, verdict, before["test"])


def finetune(
    model: str | Path,
    corpus: Corpus | str | Path,
    *,
    split: str = "",
    fold: str = "",
    seed: int = 0,
    emotions: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    out: str | Path | None = None,
    device: str = "cpu",
    precision: str = "32-true",
    threads: int = 1,
    on_epoch: OnEpoch = lambda *_: None,
) -> FineTuned:
    """Train a model further on recordings and labels of your own, as `emelia finetune` does.

    Part of the clips is kept to test what it has learnt. A model that knew all labels stays as it
    was where held-out clips are answered no better for what it learnt.

    Args:
        model: a model file, the name of one that comes with emelia, or a run folder.
        corpus: see `read_corpus`; clips that the model has seen are left out.
        split, fold, seed, emotions, settings, epochs, device, precision, threads, on_epoch: see
            `train`.
        out: the run folder; runs/CORPUS-MODEL by default.

    Raises:
        CorpusError: there are too few clips.
        ConfigError, RunError, ModelError, MissingExtraError: see `train`.
    """
    require_training("emelia.finetune")
    from emelia.learn.export.build import export_run
    from emelia.learn.study.finetuning import check_sizes, finetuning_recipe, unseen, usual_split
    from emelia.learn.study.tasks import tasks
    from emelia.learn.study.warm_start import read
    from emelia.learn.training.hardware import Hardware
    from emelia.learn.training.init import initial_linear_layer
    from emelia.show.card.page import to_markdown

    start = read(place_of_model(model))
    data = corpus if isinstance(corpus, Corpus) else read_corpus(corpus, emotions=emotions)
    data = unseen(data, start.seen)
    check_sizes(data)
    parts = make_split(data, split or usual_split(data))
    chosen = next((f for f in parts.folds if f.name == fold), parts.folds[0])
    run = start.run()
    prior = initial_linear_layer(run.recipe, data.emotions, run) is not None
    recipe = finetuning_recipe(
        run.recipe, start.recipe, chosen.train, changes(settings, epochs), prior=prior
    )
    (task,) = tasks(data, parts, [recipe], [seed], start.place, only=chosen.name)
    folder = Path(out) if out else Path("runs") / f"{data.name}-{start.name}"
    check_folder(folder, resume=False)
    ensure_writable(folder)
    with lock(folder):
        cell = finished(task, folder, on_epoch, Hardware(device, precision, threads))
        kept = choose(start, task, cell, folder)
        name = folder.resolve().name
        with Progress() as progress:
            made = export_run(kept.run, kept.answers, progress, name=name, title=kept.title)
        file = folder / f"{name}.onnx"
        write_atomically(file, made.file)
        write_atomically(file.with_suffix(".md"), to_markdown(made.card).encode())
    return FineTuned(folder, cell, file, kept.verdict is None or kept.verdict.better)
