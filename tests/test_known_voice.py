"""Spectrograms standardised over a speaker's clips, as the benchmark has them."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emelia import read_corpus
from emelia.corpora.splits import make_split
from emelia.learn.data import Clip

pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[1]
BENCH: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "known_voice.py"))
Made = Callable[[str], tuple[Any, Any]]


@pytest.fixture
def loaded(small_corpus: Callable[..., Path]) -> Made:
    """A loader that has heard a fold as one of the ways does, and the fold."""
    corpus = read_corpus(small_corpus())
    fold = make_split(corpus, "loso").folds[0]

    def make(way: str) -> tuple[Any, Any]:
        recipe, name = BENCH["plain"]("emelia", 2), BENCH["WAYS"][way]
        loader = BENCH["Known"](recipe, corpus.emotions, 0, name)
        loader.hear(BENCH["heard"](fold, name))
        return loader, fold

    return make


def frames(clips: Sequence[Clip]) -> NDArray[np.float32]:
    return np.concatenate([clip.spec for clip in clips], 1)


def standard(values: NDArray[np.float32]) -> bool:
    even = np.allclose(values.mean(1), 0, atol=1e-3)
    return even and np.allclose(values.std(1), 1, atol=1e-3)


def test_a_speakers_frames_are_standard_together_and_a_clips_own_alone(loaded: Made) -> None:
    loader, fold = loaded("all clips of the speaker")
    clips = loader.load(fold.test)
    assert standard(frames(clips)) and not standard(clips[0].spec)
    loader, fold = loaded("its own frames")
    assert all(standard(clip.spec) for clip in loader.training(fold.train))


def test_only_a_speakers_own_way_hears_the_test(loaded: Made) -> None:
    loader, fold = loaded("all training clips")
    assert standard(frames(loader.load(fold.train)))
    assert not standard(frames(loader.load(fold.test)))


def test_a_changed_copy_is_standardised_like_the_clip_it_was_made_from(loaded: Made) -> None:
    loader, fold = loaded("all clips of the speaker")
    first, *copies = loader.training(fold.train)[:3]
    assert {clip.utterance.id for clip in copies} == {first.utterance.id}
    mean, deviation = loader._known[first.utterance.speaker]
    plain = BENCH["Loader"](loader.recipe, loader.classes, 0).training(fold.train)[:3]
    for clip, before in zip([first, *copies], plain, strict=True):
        np.testing.assert_allclose(
            clip.spec * deviation[:, None] + mean[:, None], before.spec, atol=1e-3
        )
        np.testing.assert_allclose(clip.silence * deviation + mean, before.silence, atol=1e-3)


@pytest.mark.usefixtures("one_thread")
def test_each_way_answers_for_every_test_clip(
    small_corpus: Callable[..., Path],
) -> None:
    recipe = BENCH["plain"]("emelia", 1)
    recipe = replace(recipe, model=replace(recipe.model, width=4))
    table = BENCH["measure"](str(small_corpus()), recipe, 0)
    assert [row[0] for row in table.rows] == list(BENCH["WAYS"])
    assert table.note.startswith("12 test clips of 3 speakers")
