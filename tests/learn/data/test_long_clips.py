"""Recordings of minutes among clips of seconds: learnt from, examined and exported in windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import soundfile
import torch
from conftest import RATE, voice

from emelia.config import AudioConfig, FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.corpora import Utterance, read_corpus
from emelia.learn.data import loader
from emelia.learn.data.loader import Clip, Loader, evaluation_batches, in_windows, training_batches
from emelia.learn.export import parity
from emelia.learn.export.parity import Sound, compare, decoded
from emelia.learn.model.network import build
from emelia.learn.training.inference import logits
from emelia.learn.training.runs import Run

WINDOW = 40  # frames
BANDS = 8
NETWORK = build(ModelConfig(dropout=0.0), 3, BANDS)


def clips(*lengths: int) -> list[Clip]:
    rng = np.random.default_rng(0)
    return [
        Clip(
            Utterance(f"{i}.wav", Path(f"{i}.wav"), "anger", "1"), i % 3,
            rng.standard_normal((BANDS, length)).astype(np.float32), np.zeros(BANDS, np.float32),
            window=WINDOW,
        )
        for i, length in enumerate(lengths)
    ]  # fmt: skip


def test_only_long_clips_are_cut_into_windows_which_cover_all_of_them() -> None:
    made = clips(30, 90, 40)
    windows, owners = in_windows(made)
    assert owners.tolist() == [0, 1, 1, 1, 1, 2]
    assert windows[0].spec is not None and windows[0].spec.shape[1] == 30
    starts = [0, 17, 33, 50]
    for window, start in zip(windows[1:5], starts, strict=True):
        np.testing.assert_array_equal(window.spec, made[1].spec[:, start : start + WINDOW])


def test_clips_of_no_limit_are_whole() -> None:
    made = [replace(clip, window=0) for clip in clips(500)]
    windows, owners = in_windows(made)
    assert len(windows) == 1 and windows[0].spec.shape[1] == 500 and owners.tolist() == [0]


def test_the_logits_of_a_long_clip_are_the_mean_of_its_windows() -> None:
    made = clips(30, 90, 40, 133)
    found = logits(NETWORK, made)
    windows, owners = in_windows(made)
    alone = torch.cat([logits(NETWORK, [window]) for window in windows])
    for place in range(4):
        wanted = alone[torch.from_numpy(owners == place)].mean(0)
        torch.testing.assert_close(found[place], wanted, atol=1e-5, rtol=1e-5)


def test_a_batch_holds_fewer_clips_where_they_are_long() -> None:
    made = clips(*[10] * 40, *[40] * 40)
    seen: list[int] = []
    for places, batch in evaluation_batches(made, NETWORK):
        assert batch.inputs.shape[0] * batch.inputs.shape[3] <= loader.BATCH_WINDOWS * WINDOW
        seen += places
    assert sorted(seen) == list(range(80))


def test_training_gets_a_random_window_of_a_long_clip() -> None:
    made = clips(200, 30)
    recipe = Recipe("r", train=TrainConfig(batch_size=2))
    drawn = []
    for seed in range(3):
        (batch,) = training_batches(made, recipe, NETWORK, np.random.default_rng(seed))
        assert sorted(batch.lengths.tolist()) == [30, WINDOW]
        drawn.append(float(batch.inputs[batch.lengths.argmax(), 0, 0, 0]))
    assert len(set(drawn)) == 3


@pytest.mark.parametrize("kind", ["logmel", "wave"])
def test_a_loader_gives_clips_their_window(kind: Any, small_corpus: Callable[..., Path]) -> None:
    corpus = read_corpus(small_corpus())
    features = FeatureConfig(kind=kind, hop=1 if kind == "wave" else 160)
    (clip,) = Loader(Recipe("r", features=features), corpus.emotions).load(corpus.utterances[:1])
    assert clip.window == (160_000 if kind == "wave" else 1000)


# The check of an export


def test_the_parity_check_takes_long_recordings_in_windows_and_counts_them_once(
    tmp_path: Path,
) -> None:
    for name, seconds in (("short", 2.0), ("long", 25.0)):
        soundfile.write(tmp_path / f"{name}.wav", voice(150, seconds, 0), RATE)
    run = cast(Run, SimpleNamespace(recipe=Recipe("r"), classes=("a", "b", "c"), network=NETWORK))
    run.network.eval()
    paths = {"short": tmp_path / "short.wav", "long": tmp_path / "long.wav"}
    sounds = list(decoded(run, paths))
    assert [sound.id for sound in sounds] == ["short", *["long"] * 4]
    assert max(len(sound.for_file) for sound in sounds) == loader.WINDOW_SECONDS * RATE
    assert {sound.seconds for sound in sounds} == {2.0, 25.0}


def test_its_counts_and_lengths_are_of_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = np.ones(100, np.float32)
    sounds = [Sound("a", wave, wave, 2.0), *[Sound("b", wave, wave, 25.0)] * 3]
    shares = np.full((4, 3), 1 / 3, np.float32)
    monkeypatch.setattr(parity, "_clip", lambda *_: None)
    monkeypatch.setattr(parity, "logits", lambda network, clips: torch.zeros(4, 3))
    run = cast(Run, SimpleNamespace(recipe=Recipe("r"), classes=("a", "b", "c"), network=NETWORK))
    ticks: list[int] = []
    found = compare(run, cast(Any, lambda waves: [shares]), 1.0, iter(sounds), ticks.append)
    assert (found.clips, found.same, ticks) == (2, 1.0, [2])
    assert found.seconds == (2.0, 13.5, 25.0)


def test_a_clip_of_speech_alone_has_no_pauses_and_windows_of_four_seconds(
    small_corpus: Callable[..., Path],
) -> None:
    root = small_corpus()
    path = sorted(root.rglob("*.wav"))[0]
    wave, rate = soundfile.read(path, dtype="float32")
    quiet = np.zeros(3 * rate, np.float32)
    corpus = read_corpus(root)
    (first,) = (u for u in corpus.utterances if u.path == path)
    features = FeatureConfig(hop=160)
    recipe = Recipe("r", audio=AudioConfig(speech=True), features=features)
    (alone,) = Loader(recipe, corpus.emotions).load([first])
    soundfile.write(path, np.concatenate([quiet, wave, quiet]), rate)
    corpus = read_corpus(root)
    (padded,) = (u for u in corpus.utterances if u.path == path)
    (among,) = Loader(recipe, corpus.emotions).load([padded])
    (kept,) = Loader(Recipe("r", features=features), corpus.emotions).load([padded])
    assert alone.window == among.window == 400
    assert abs(among.spec.shape[1] - alone.spec.shape[1]) < 40 < 600 <= kept.spec.shape[1]
