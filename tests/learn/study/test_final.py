"""A study's recipe is trained once more on all speakers, with the answers of its folds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import soundfile

from emelia import study
from emelia.api.export import Moved, final_run
from emelia.corpora import read_corpus
from emelia.errors import ConfigError, EmeliaError, RunError
from emelia.learn.export.temperature import read_answers
from emelia.learn.training.runs import load_run
from emelia.results import read_results


@pytest.mark.usefixtures("one_thread")
def test_the_best_recipe_learns_from_all_speakers(
    small_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    corpus, out = read_corpus(small_corpus()), tmp_path / "study"
    tiny = {"model.width": 2, "features.mels": 16}
    found = study(corpus, recipes="variable-3", settings=tiny, epochs=2, out=out)
    assert str(found).endswith("%") and len(found.rows) == 1
    with pytest.raises(ConfigError, match=r"has no recipe emelia; there are: variable-3"):
        final_run(out, "emelia")
    folder = final_run(out, moved=Moved(corpus))
    run, answers = load_run(folder), read_answers(folder, 2)
    assert len(run.about["parts"]["train"]) == len(corpus.utterances) == len(run.seen)
    assert run.about["fold"] == "all" and "learnt from all clips" in run.about["protocol"]
    tested = {p["id"] for cell in read_results(out) for p in cell.predictions}
    assert set(answers["test"].ids) == tested
    epochs = sorted(cell.best_epoch for cell in read_results(out))
    assert run.about["best_epoch"] == epochs[1]
    assert final_run(out) == folder, "made once"


@pytest.mark.usefixtures("one_thread")
def test_a_study_with_added_corpora_a_warm_start_and_a_teacher_is_made_whole(
    small_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    place, more = small_corpus(), tmp_path / "more"
    for clip in sorted(place.rglob("*.wav"))[::2]:
        (more / clip.parent.name).mkdir(parents=True, exist_ok=True)
        sound, rate = soundfile.read(clip)
        soundfile.write(more / clip.parent.name / clip.name, 0.5 * sound, rate)
    tiny = {"model.width": 2, "features.mels": 16}
    asked = {"recipes": "variable-3", "epochs": 1}
    first, out = tmp_path / "first", tmp_path / "second"
    taught, others = {**tiny, "train.distill_alpha": 0.5}, read_corpus(more)
    study(place, others=others, settings=tiny, out=first, **asked)
    study(place, others=others, settings=taught, init=first, teacher=first, out=out, **asked)
    run = load_run(final_run(out))
    own, added = read_corpus(place), len(others.utterances)
    assert len(run.about["parts"]["train"]) == len(own.utterances) + added
    assert list(run.about["added"]) == [others.name]
    before = first / "final-variable-3" / "model.safetensors"
    known = sha256(before.read_bytes()).hexdigest()[:16]
    assert run.about["start"]["digest"] == run.about["teacher"]["digest"] == known
    shutil.rmtree(more)
    shutil.rmtree(out / "final-variable-3")
    with pytest.raises(EmeliaError, match="more"):
        final_run(out)
    final_run(out, moved=Moved(others=others))
    shutil.rmtree(out / "final-variable-3")
    first.rename(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=r"is not where it was\. Say where it lies: --init-from"):
        final_run(out, moved=Moved(others=others))
    there = tmp_path / "elsewhere"
    final_run(out, moved=Moved(others=others, init=there, teacher=there))


def test_a_study_that_is_not_complete_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").touch()
    with pytest.raises(RunError, match="no finished training yet"):
        final_run(tmp_path)
