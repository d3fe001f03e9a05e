"""Clips in shards are the clips in memory, and a training of them goes on at the same clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import FULL, network, same, timeless, toy

from emelia.config import AugmentConfig, FeatureConfig
from emelia.corpora import read_corpus
from emelia.learn.data import shards
from emelia.learn.data.loader import Loader
from emelia.learn.data.stored import stored
from emelia.learn.training import fit as fitting
from emelia.learn.training.fit import FitJob, fit

AUGMENT = AugmentConfig(copies=2, mask_probability=0.5, masks_each_epoch=False)


def test_shards_hold_what_memory_would_and_are_made_once(
    small_corpus: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = read_corpus(small_corpus())
    recipe = replace(FULL, features=FeatureConfig(mels=16), augment=AUGMENT)
    loader = Loader(recipe, corpus.emotions)
    monkeypatch.setattr(shards, "SHARD", 10_000)
    made: list[int] = []
    broken = 9

    def tick(done: int) -> None:
        made.append(done)
        if done == broken:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored(loader, corpus.utterances, tick)
    broken = 0
    found = stored(loader, corpus.utterances, tick)
    in_memory = loader.training(corpus.utterances)
    assert len(found) == len(in_memory) == 24
    for one, other in zip(found, in_memory, strict=True):
        assert np.array_equal(one.spec, other.spec) and np.array_equal(one.silence, other.silence)
        assert (one.utterance, one.label, one.window) == (
            other.utterance,
            other.label,
            other.window,
        )
    before = len(made)
    assert len(stored(loader, corpus.utterances, tick)) == 24 and len(made) == before


def test_a_training_that_was_stopped_within_an_epoch_goes_on_at_the_same_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    clips, checked = toy(), toy(seed=1)
    recipe = replace(FULL, train=replace(FULL.train, epochs=3, batch_size=4))
    whole = network(recipe)
    expected = fit(whole, FitJob(recipe, lambda epoch: clips, checked)).history
    job = FitJob(recipe, lambda epoch: clips, checked, checkpoint=tmp_path / "c", save_every=1e-9)
    real, batches = fitting._loss, 0

    def stop(*args: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 13:  # of 8 an epoch
            raise RuntimeError("the machine went off")
        return real(*args)

    monkeypatch.setattr(fitting, "_loss", stop)
    with pytest.raises(RuntimeError):
        fit(network(recipe), job)
    again = network(recipe)
    history = fit(again, job).history
    assert batches == 13 + 8 * 3 - 12
    assert timeless(history) == timeless(expected)
    assert same(again.state_dict(), whole.state_dict())
