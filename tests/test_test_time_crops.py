"""Clips whole or in pieces at test time, as the benchmark has them."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import PLAIN, network

from emelia.config import AugmentConfig
from emelia.corpora import Utterance
from emelia.learn.data import Clip
from emelia.learn.runs import Run

ROOT = Path(__file__).resolve().parents[1]
CROPS: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "test_time_crops.py"))


def clip(frames: int) -> Clip:
    spec = np.tile(np.arange(frames, dtype=np.float32), (4, 1))
    return Clip(Utterance("a", Path("a.wav"), "anger", "s"), 0, spec, spec[:, 0])


def starts(frames: int, density: int) -> list[int]:
    cut = CROPS["pieces"](clip(frames), 200, density)
    assert all(piece.spec.shape[1] == min(frames, 200) for piece in cut)
    return [int(piece.spec[0, 0]) for piece in cut]


@pytest.mark.parametrize("frames", [200, 201, 350, 1000])
def test_pieces_begin_and_end_with_the_clip_and_leave_no_gap(frames: int) -> None:
    for density in (2, 4):
        found = starts(frames, density)
        assert found[0] == 0 and found[-1] == frames - 200
        assert all(0 <= step <= 200 // density for step in np.diff(found))


def test_a_short_clip_is_heard_whole_and_so_is_each_where_no_pieces_are_wanted() -> None:
    assert starts(90, 4) == [0]
    assert CROPS["pieces"](clip(900), 200, 0)[0].spec.shape == (4, 900)


def test_a_clips_answer_is_the_mean_of_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Clip] = []

    def predict(network: Any, clips: list[Clip], classes: int) -> Any:
        heard.extend(clips)
        return np.array([[piece.spec[0, 0], 0.0] for piece in clips], np.float32)

    chances = CROPS["chances"]
    monkeypatch.setitem(chances.__globals__, "predict", predict)
    recipe = replace(PLAIN, augment=AugmentConfig(crop=200))
    run = Run(recipe, ("anger", "fear"), network(), {})
    found = chances(run, [clip(300), clip(100)], 2)
    assert len(heard) == 3  # from 0 and from 100, and the short one
    np.testing.assert_allclose(found, [[50, 0], [0, 0]])
