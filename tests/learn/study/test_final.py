"""A study's recipe is trained once more on all speakers, with the answers of its folds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emelia import study
from emelia.api.export import final_run
from emelia.corpora import read_corpus
from emelia.errors import ConfigError, RunError
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
    folder = final_run(out, corpus=corpus)
    run, answers = load_run(folder), read_answers(folder, 2)
    assert len(run.about["parts"]["train"]) == len(corpus.utterances) == len(run.seen)
    assert run.about["fold"] == "all" and "learnt from all clips" in run.about["protocol"]
    tested = {p["id"] for cell in read_results(out) for p in cell.predictions}
    assert set(answers["test"].ids) == tested
    epochs = sorted(cell.best_epoch for cell in read_results(out))
    assert run.about["best_epoch"] == epochs[1]
    assert final_run(out) == folder, "made once"


def test_a_study_that_is_not_complete_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").touch()
    with pytest.raises(RunError, match="no finished training yet"):
        final_run(tmp_path)
