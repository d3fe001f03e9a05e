"""The main path on real speech: AESDD from folder to figures, in about two minutes.

.venv/bin/python -m pytest -m slow tests/use/test_real_speech.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from emelia.corpora import read_corpus
from emelia.corpora.splits.scheme import make_split

pytest.importorskip("torch")

from emelia.learn.study.recipes import find_recipes
from emelia.learn.study.runner import run_study
from emelia.learn.study.tasks import tasks
from emelia.results import studies


@pytest.mark.slow
def test_networks_learn_emotions_of_speakers_they_never_heard(
    corpora: Callable[[str], Path], tmp_path: Path
) -> None:
    corpus = read_corpus(corpora("aesdd"))
    split = make_split(corpus, "published")
    recipes = find_recipes("variable-3,emelia", ["train.epochs=6"])
    outcome = run_study(tasks(corpus, split, recipes, [0]), tmp_path, lambda *news: None)
    assert not outcome.failed
    (study,) = studies(outcome.cells)
    assert len(study.rows[0].truth) == 207  # clips of speakers 1 and 5
    for row in study.rows:
        assert row.uar_interval.low > 0.2, row.recipe  # surely better than guessing
        assert row.best_test_accuracy is None  # nobody looked at the test clips on the way
