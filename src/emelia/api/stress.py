"""Test what a model does under stress: noise, rooms, telephones, codecs, levels, pauses, length.

    from emelia import stress

    found = stress("default", "recordings/", clips=100)
    print(found)
    found.to_frame()

Shares lie in [0, 1].
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from emelia.api.evaluation import left_out, seen_by, worth
from emelia.api.trained import ReadCorpus
from emelia.console import Progress
from emelia.corpora import Corpus, Utterance, read_corpus
from emelia.corpora.seen import SeenClips, none_left
from emelia.errors import AudioError, ConfigError, CorpusError, RunError
from emelia.packages import require_stress, require_training
from emelia.results.evaluation import Evaluation
from emelia.results.stress import StressResults
from emelia.robustness import running
from emelia.robustness.cases import drawn, seconds_of
from emelia.robustness.conditions import conditions as all_conditions
from emelia.robustness.listeners import HUB, Asked, Listener, Ours, listener
from emelia.storage import ensure_writable, expanded, write_atomically
from emelia.use.bundled import find_model

CLIPS = 250  # of a test, unless other numbers are asked for
_COMPARED = 20  # recordings by which the file made of a run is checked; `export` takes all

OnEstimate = Callable[[int, int, float], None]  # clips, conditions, seconds it will take


def stress(
    model: str | Path,
    corpus: Corpus | str | Path,
    *,
    clips: int = CLIPS,
    conditions: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    seed: int = 0,
    jobs: int = 1,
    out: str | Path | None = None,
    on_estimate: OnEstimate | None = None,
    on_progress: running.OnProgress | None = None,
    read: ReadCorpus | None = None,
) -> StressResults:
    """Ask a model about clips as they are and under each of some eighty conditions.

    Clips that the model has seen, and those of emotions it does not know, are left out.

    Args:
        model: the name of a model that comes with emelia, an .onnx file, the folder of a run, or
            `hf:` and the folder of an audio classifier of Hugging Face.
        corpus: see `read_corpus`.
        clips: how many are drawn at most, emotions and speakers alike.
        conditions: categories, or names of conditions; all by default, see `robustness.conditions`.
        labels: what labels of a Hugging Face model stand for, as in {"hap": "happiness"}, where
            they are no usual words for an emotion.
        seed: of the draw and of all noises.
        jobs: processes that answer at the same time.
        out: a folder for what is finished: the same call goes on from there.
        on_estimate: called before the work with how much it is.
        on_progress: called with conditions done, conditions in all, and the next one's name.
        read: how a place is read as a corpus; `read_corpus` by default.

    Raises:
        CorpusError: no such corpus, or none of its clips can be asked about.
        ModelError, RunError: no such model or run.
        ConfigError: a condition that does not exist, or labels that do not fit.
        StorageError: the folder holds another test, or cannot be written.
        MissingExtraError: what the model or a condition needs is not installed.
    """
    require_stress("emelia.stress")
    folder = None if out is None else expanded(out)
    if clips < 1:
        raise ConfigError(f"clips: {clips}; expected 1 or more.")
    all_conditions(conditions)  # a name that is wrong is told before a corpus is read
    if folder:
        ensure_writable(folder)
    read = read or (lambda place, apart: read_corpus(place, apart=apart))
    with opened(model, labels or {}) as asked:
        hears = listener(asked)
        data = corpus if isinstance(corpus, Corpus) else read(corpus, hears.classes)
        seen, unseen, known = _usable(hears, data)
        chosen = drawn(known, clips, seed)
        planned = running.plan(asked, chosen, known, conditions, seed)
        if on_estimate:
            count = len(planned.conditions) + 1
            on_estimate(len(chosen), count, running.estimate(planned, jobs))
        rows = running.run(planned, jobs, folder, on_progress)
    empty = Evaluation(
        hears.name, data.name, hears.classes, (), hears.threshold,
        left_out=tuple(left_out(data, unseen, hears.classes)),
        warnings=tuple(worth(data, known, seen)), demo=data.name == "demo",
    )  # fmt: skip
    return running.results(planned, rows, empty, _lengths(chosen), _languages(data, chosen))


@contextmanager
def opened(model: str | Path, labels: Mapping[str, str]) -> Iterator[Asked]:
    """What tells processes which model to open; the file made of a run lasts as long as this.

    Raises:
        ModelError, RunError, MissingExtraError: there is none, or it cannot be used.
    """
    pairs, place = tuple(sorted(labels.items())), str(model)
    if place.startswith(HUB):
        folder = expanded(place.removeprefix(HUB))
        yield Asked(f"{HUB}{folder}", pairs, _digest(sorted(folder.glob("*.json"))))
    elif place and os.path.isdir(expanded(place)):
        run = expanded(place)
        with TemporaryDirectory() as made:
            file = _exported(run, Path(made))
            yield Asked(str(file), pairs, _digest([run / "run.json", run / "model.safetensors"]))
    elif place and not os.path.exists(expanded(place)) and os.sep in place:
        raise RunError(f"{place}: no such run folder or model file. Check the path.")
    else:
        file = find_model(model)
        yield Asked(str(file), pairs, _digest([file]))


def _exported(run: Path, folder: Path) -> Path:
    """A model file of a run, so that it answers as `predict` will."""
    require_training("a stress test of a run")
    from emelia.learn.export.build import export

    with Progress() as progress:
        made = export(run, progress, name=run.resolve().name, compared=_COMPARED)
    file = folder / "model.onnx"
    write_atomically(file, made.file)
    return file


def _digest(files: Sequence[Path]) -> str:
    total = sha256()
    for file in files:
        if file.is_file():
            total.update(file.read_bytes())
    return total.hexdigest()


def _usable(hears: Listener, data: Corpus) -> tuple[SeenClips, list[Utterance], list[Utterance]]:
    """Clips that the model has seen, those it has not, and of these the ones it can be asked."""
    seen = seen_by(hears.recognizer.file) if isinstance(hears, Ours) else SeenClips()
    unseen = [clip for clip in data.utterances if clip.digest not in seen]
    known = [clip for clip in unseen if clip.emotion in hears.classes]
    if not known:
        raise CorpusError(none_left(data, unseen, hears.classes))
    return seen, unseen, known


def _lengths(clips: Sequence[Utterance]) -> dict[str, float]:
    """Seconds of each clip that can be read, by id."""
    found = {}
    for clip in clips:
        try:
            found[clip.id] = seconds_of(clip)
        except AudioError:
            continue
    return found


def _languages(data: Corpus, clips: Sequence[Utterance]) -> dict[str, str]:
    known = {part.name: part.spec.language for part in data.sources if part.spec}
    return {clip.id: known.get(clip.corpus or data.name, "") for clip in clips}
