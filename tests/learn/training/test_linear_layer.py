"""A linear layer on a frozen encoder: solved to the end, chosen by speakers it has not heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from batches import assert_near
from numpy.typing import NDArray
from tiny_encoder import BANDS, NAME, WIDTH
from torch import nn
from torch.nn import functional as F

from emelia.config import ModelConfig
from emelia.corpora import Utterance
from emelia.learn.data.loader import Batch, Clip, collate, in_windows
from emelia.learn.model.network import Encoder, build
from emelia.learn.training import linear_layer, logistic, nuisance_penalty
from emelia.learn.training.linear_layer import Setting

CLASSES = 3

pytestmark = pytest.mark.usefixtures("small_encoders")


def clip(number: int, label: int, speaker: str, corpus: str = "home", frames: int = 20) -> Clip:
    about = Utterance(str(number), Path(), str(label), speaker, corpus=corpus)
    spec = np.random.default_rng(number).standard_normal((BANDS, frames)).astype(np.float32)
    return Clip(about, label, spec, np.zeros(BANDS, np.float32), f"{number}-{label}-{frames}")


def clips(number: int = 60, speakers: int = 5) -> list[Clip]:
    return [
        clip(i, i % CLASSES, str(i // CLASSES % speakers), frames=10 + i % 7) for i in range(number)
    ]


def encoder(levels: Literal["last", "all"] = "last") -> Encoder:
    network = build(ModelConfig("encoder", encoder=NAME, pool_layers=levels), CLASSES, BANDS)
    assert isinstance(network, Encoder)
    return network.eval()


def test_what_is_pooled_of_a_long_clip_is_the_mean_over_its_windows() -> None:
    network = encoder()
    long = replace(clip(1, 0, "1", frames=70), longest=40)
    pieces, _ = in_windows([long])
    assert len(pieces) == 3
    told: list[int] = []
    found = linear_layer.pooled(network, [clip(0, 0, "1"), long, clip(2, 0, "1")], told.append)
    wanted = linear_layer.pooled(network, [replace(piece, key="") for piece in pieces]).mean(0)
    np.testing.assert_allclose(found[1], wanted, atol=1e-5)
    assert told == [1, 2, 3] and found.dtype == np.float32


# The solution


@pytest.mark.parametrize("levels", ["last", "all"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_network_answers_as_the_solution_whatever_it_attended_to_before(
    parts: int, levels: Literal["last", "all"]
) -> None:
    network, some = encoder(levels), clips(12)
    nn.init.normal_(network.pool.score.weight)
    nn.init.normal_(network.output.weight)
    x = linear_layer.features(linear_layer.pooled(network, some), 3, levels == "all")
    columns = parts * x.shape[1] // 2
    heard = linear_layer.Heard(x, some, linear_layer.alike(some))
    solution = heard.solve(CLASSES, [Setting(columns, 0.1)])
    linear_layer.put(solution, network)
    batch = collate(some, network, CLASSES)
    with torch.no_grad():
        found = network(batch.inputs, batch.lengths)
    assert_near([found], [solution(torch.from_numpy(x))], most=1e-4)
    truth = torch.from_numpy(linear_layer.labels(some))
    assert F.cross_entropy(found, truth).item() == pytest.approx(solution.loss, abs=1e-4)


def test_a_strength_multiplies_the_variance_that_is_shunned() -> None:
    some, rng = clips(), np.random.default_rng(0)
    x = rng.standard_normal((len(some), 4)).astype(np.float32)
    x[:, 1] += 2 * np.array([int(c.utterance.speaker) for c in some], np.float32)
    labels, weights = linear_layer.labels(some), linear_layer.alike(some)
    found = linear_layer.Heard(x, some, weights).solve(CLASSES, [Setting(4, 0.1, 9.0)])
    offsets = nuisance_penalty.offsets(x, labels, [c.utterance for c in some])
    expected = logistic.solve(x, labels, weights, 0.1, CLASSES, 4, nuisance=3 * offsets)
    torch.testing.assert_close(found.weight, expected.weight)
    less = logistic.solve(x, labels, weights, 0.1, CLASSES, 4, nuisance=offsets)
    assert (found.weight - less.weight).abs().max() > 1e-4


# What it is solved on


def test_pooled_features_are_mean_and_deviation_over_each_clips_own_frames() -> None:
    network, some = encoder(), clips(5)
    found = linear_layer.pooled(network, some)
    assert found.shape == (5, 4, 2 * WIDTH)  # before the first of 3 blocks, and after
    for place, one in enumerate(some):
        batch, lengths = torch.from_numpy(one.spec)[None], torch.tensor([one.spec.shape[1]])
        with torch.no_grad():
            levels, _ = network.encoder.each(batch, lengths)
        means = [level[0].mean(1) for level in levels]
        deviations = [(level[0].var(1, correction=0) + 1e-5).sqrt() for level in levels]
        expected = torch.cat([torch.stack(means), torch.stack(deviations)], 1)
        assert_near([torch.from_numpy(found[place])], [expected])


def test_pooled_features_are_kept_by_clip_and_by_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    network, some = encoder(), clips(5)
    first = linear_layer.pooled(network, some)
    asked: list[int] = []
    real = linear_layer._statistics

    def noted(network: Encoder, batch: Batch) -> np.ndarray:
        asked.append(len(batch.lengths))
        return real(network, batch)

    monkeypatch.setattr(linear_layer, "_statistics", noted)
    told: list[int] = []
    np.testing.assert_array_equal(linear_layer.pooled(network, some, told.append), first)
    assert asked == [] == told
    linear_layer.pooled(network, [*some, clip(99, 0, "1")], told.append)
    assert (asked, told) == ([1], [6])
    nn.init.normal_(network.encoder.conv1.bias)  # type: ignore[union-attr,arg-type]
    assert not np.array_equal(linear_layer.pooled(network, some), first)
    assert sum(asked) == 6


# Who chooses


@pytest.mark.parametrize("in_deviations", [False, True])
def test_the_features_in_which_the_class_is_said_are_chosen(in_deviations: bool) -> None:
    first = 5 if in_deviations else 0
    said = slice(first, first + CLASSES)
    some, rng = clips(), np.random.default_rng(0)
    for level in (1, 2, 3):
        x = rng.standard_normal((len(some), 4, 10)).astype(np.float32)
        x[:, level, said] += 2 * np.eye(CLASSES, dtype=np.float32)[linear_layer.labels(some)]
        x[:, 0, said] += 9 * np.eye(CLASSES, dtype=np.float32)[linear_layer.labels(some)]
        turns = linear_layer.turns(some, {"home"})
        found = linear_layer.choose(x, some, linear_layer.alike(some), turns, CLASSES)
        assert found.blocks == level, "and never the level before the first block"
        assert found.settings[0].columns == 10 or not in_deviations
        only = linear_layer.choose(x, some, linear_layer.alike(some), turns, CLASSES, blocks=2)
        assert only.blocks == 2


def test_features_of_every_block_are_their_means_and_then_their_deviations() -> None:
    x = np.arange(2 * 4 * 6, dtype=np.float32).reshape(2, 4, 6)  # 3 blocks of 3 features
    found = linear_layer.features(x, 2, every=True)
    assert found.shape == (2, 12)
    np.testing.assert_array_equal(found[:, :6], np.hstack([x[:, 1, :3], x[:, 2, :3]]))
    np.testing.assert_array_equal(found[:, 6:], np.hstack([x[:, 1, 3:], x[:, 2, 3:]]))
    np.testing.assert_array_equal(linear_layer.features(x, 2, every=False), x[:, 2])


def test_what_two_blocks_say_together_is_heard_where_every_block_is_pooled() -> None:
    some, rng = clips(), np.random.default_rng(0)
    x = rng.standard_normal((len(some), 3, 4)).astype(np.float32)
    truth = linear_layer.labels(some)
    x[:, 1, 0] += np.where(truth == 0, 4, -4)  # each block tells a part:
    x[:, 2, 0] += np.where((truth == 1) | ((truth == 0) & (rng.random(len(some)) < 0.5)), 4, -4)
    turns = linear_layer.turns(some, {"home"})
    alone, both = (
        linear_layer.choose(x, some, linear_layer.alike(some), turns, CLASSES, 2, every=every)
        for every in (False, True)
    )
    right = [np.mean(c.answers.argmax(1) == linear_layer.labels(c.clips)) for c in (alone, both)]
    assert right[0] < 0.8 < 0.95 < right[1]
    assert both.settings[0].columns in (4, 8), "means of two blocks, or deviations too"


def test_each_corpus_is_left_out_where_the_test_is_of_another() -> None:
    some = [clip(i, 0, str(i), "abc"[i % 3]) for i in range(9)]
    found = linear_layer.corpus_turns(some)
    assert [turn.tolist() for turn in found] == [[i % 3 == k for i in range(9)] for k in range(3)]


def test_the_answers_are_of_layers_that_had_not_heard_the_speaker() -> None:
    some, rng = clips(), np.random.default_rng(0)
    x = rng.standard_normal((len(some), 2, 4)).astype(np.float32)
    turns = linear_layer.turns(some, {"home"})
    found = linear_layer.choose(x, some, linear_layer.alike(some), turns, CLASSES)
    assert sorted(c.utterance.id for c in found.clips) == sorted(c.utterance.id for c in some)
    place = {id(one): i for i, one in enumerate(some)}
    for turn in turns:
        rest = [one for one, out in zip(some, turn, strict=True) if not out]
        heard = linear_layer.Heard(x[~turn, 1], rest, linear_layer.alike(rest))
        alone = heard.solve(CLASSES, found.settings)
        expected = alone(torch.from_numpy(x[turn, 1])).numpy()
        ours = [a for c, a in zip(found.clips, found.answers, strict=True) if turn[place[id(c)]]]
        np.testing.assert_allclose(np.stack(ours), expected, atol=5e-3)


def test_layers_with_every_penalty_are_averaged_where_none_is_chosen() -> None:
    some, rng = clips(), np.random.default_rng(0)
    x = rng.standard_normal((len(some), 3, 4)).astype(np.float32)
    x[:, 2, :CLASSES] += np.eye(CLASSES, dtype=np.float32)[linear_layer.labels(some)]
    turns = linear_layer.turns(some, {"home"})
    found = linear_layer.choose(x, some, linear_layer.alike(some), turns, CLASSES, averaged=True)
    assert found.blocks == 2
    assert {(s.columns, s.penalty, s.nuisance) for s in found.settings} == {
        (columns, penalty, 0) for columns in (2, 4) for penalty in linear_layer.EVERY
    }
    answers = []
    for setting in found.settings:
        rest = [
            linear_layer.Heard(x[~turn, 2], [c for c, t in zip(some, turn, strict=True) if not t],
                        linear_layer.alike(some)[~turn]).solve(CLASSES, [setting])
            for turn in turns
        ]  # fmt: skip
        asked = [layer(torch.from_numpy(x[t, 2])) for layer, t in zip(rest, turns, strict=True)]
        answers.append(torch.cat(asked).numpy())
    np.testing.assert_allclose(found.answers, np.mean(answers, axis=0), atol=5e-3)


def said_twice(some: Sequence[Clip], clearer: slice, apart: bool = True) -> NDArray[np.float32]:
    """Features (N, 2, 12) that tell the class twice, more clearly where voices may differ too."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((len(some), 2, 12)).astype(np.float32)
    said = np.eye(CLASSES, dtype=np.float32)[linear_layer.labels(some)]
    x[:, 1, :3] += 1.5 * said
    x[:, 1, clearer] += 3 * said
    if apart:
        voices = 4 * rng.standard_normal((8, 1)) * [1, -1, 0]
        x[:, 1, clearer] += voices[[int(c.utterance.speaker) for c in some]].astype(np.float32)
    return x


def test_averaged_layers_shun_alike() -> None:
    some = clips(240, speakers=8)
    x = said_twice(some, slice(3, 6))
    turns = linear_layer.turns(some, {"home"})
    found = linear_layer.choose(
        x, some, linear_layer.alike(some), turns, CLASSES, strengths=(4.0,), averaged=True
    )
    assert len(found.settings) == 2 * len(linear_layer.EVERY)
    assert {setting.nuisance for setting in found.settings} == {4.0}


@pytest.mark.parametrize("apart", [True, False])
def test_speakers_who_are_left_out_choose_whether_what_tells_them_apart_is_shunned(
    apart: bool,
) -> None:
    some = clips(240, speakers=8)
    x = said_twice(some, slice(6, 9), apart)
    turns = linear_layer.turns(some, {"home"})
    plain, found = (
        linear_layer.choose(x, some, linear_layer.alike(some), turns, CLASSES, strengths=strengths)
        for strengths in ((), (4.0,))
    )
    shunned = [choice.settings[0].nuisance for choice in (plain, found)]
    assert shunned == [0, 4.0 if apart else 0]
    right = [np.mean(c.answers.argmax(1) == linear_layer.labels(c.clips)) for c in (plain, found)]
    assert right[1] > right[0] + 0.01 if apart else right[1] == right[0]


@pytest.mark.parametrize("speakers", [1, 2, 6, 7, 20])
def test_no_turn_has_a_speaker_on_both_sides(speakers: int) -> None:
    some = [*clips(120, speakers), *(clip(500 + i, 0, f"other/{i}", "other") for i in range(4))]
    turns = linear_layer.turns(some, {"home"})
    assert len(turns) == min(speakers, linear_layer.GROUPS)
    for turn in turns:
        assert not who(some, turn) & who(some, ~turn)
        assert not any(turn[-4:]), "speakers of other corpora are learnt from, and never asked"
    assert sum(turns).tolist() == [1] * 120 + [0] * 4  # type: ignore[union-attr]


def who(some: Sequence[Clip], turn: np.ndarray) -> set[str]:
    return {c.utterance.speaker for c, out in zip(some, turn, strict=True) if out}
