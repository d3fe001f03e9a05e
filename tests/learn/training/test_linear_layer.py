"""A linear layer on a frozen encoder: solved, and chosen by held-out speakers."""

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
from emelia.learn.training import linear_layer, logistic, nuisance_penalty, pooled_features
from emelia.learn.training.linear_layer import Hyperparameters

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


def encoder(pool_layers: Literal["last", "all"] = "last") -> Encoder:
    network = build(ModelConfig("encoder", encoder=NAME, pool_layers=pool_layers), CLASSES, BANDS)
    assert isinstance(network, Encoder)
    return network.eval()


def test_pooled_features_of_a_long_clip_are_the_mean_over_its_windows() -> None:
    network = encoder()
    long = replace(clip(1, 0, "1", frames=70), window=40)
    pieces, _ = in_windows([long])
    assert len(pieces) == 3
    told: list[int] = []
    found = pooled_features.pooled(network, [clip(0, 0, "1"), long, clip(2, 0, "1")], told.append)
    wanted = pooled_features.pooled(network, [replace(piece, key="") for piece in pieces]).mean(0)
    np.testing.assert_allclose(found[1], wanted, atol=1e-5)
    assert told == [1, 2, 3] and found.dtype == np.float32


# The solution


@pytest.mark.parametrize("pool_layers", ["last", "all"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_network_answers_as_the_solution_whatever_it_attended_to_before(
    parts: int, pool_layers: Literal["last", "all"]
) -> None:
    network, some = encoder(pool_layers), clips(12)
    nn.init.normal_(network.pool.score.weight)
    nn.init.normal_(network.output.weight)
    x = pooled_features.layer_features(
        pooled_features.pooled(network, some), 3, pool_layers == "all"
    )
    columns = parts * x.shape[1] // 2
    fitted = linear_layer.FittingSet(x, some, np.ones(len(some)), CLASSES)
    solution = fitted.solve([Hyperparameters(columns, 0.1)])
    linear_layer.set_linear_layer(solution, network)
    batch = collate(some, network)
    with torch.no_grad():
        found = network(batch.inputs, batch.lengths)
    assert_near([found], [solution(torch.from_numpy(x))], most=1e-4)
    truth = torch.from_numpy(linear_layer.labels(some))
    assert F.cross_entropy(found, truth).item() == pytest.approx(solution.loss, abs=1e-4)


def test_the_nuisance_weight_multiplies_the_penalised_variance() -> None:
    some, rng = clips(), np.random.default_rng(0)
    x = rng.standard_normal((len(some), 4)).astype(np.float32)
    x[:, 1] += 2 * np.array([int(c.utterance.speaker) for c in some], np.float32)
    labels, weights = linear_layer.labels(some), np.ones(len(some))
    found = linear_layer.FittingSet(x, some, weights, CLASSES).solve([Hyperparameters(4, 0.1, 9.0)])
    offsets = nuisance_penalty.offsets(x, labels, [c.utterance for c in some])
    expected = logistic.solve(x, labels, weights, 0.1, CLASSES, 4, nuisance=3 * offsets)
    torch.testing.assert_close(found.weight, expected.weight)
    less = logistic.solve(x, labels, weights, 0.1, CLASSES, 4, nuisance=offsets)
    assert (found.weight - less.weight).abs().max() > 1e-4


# Pooled features


def test_pooled_features_are_mean_and_deviation_over_each_clips_own_frames() -> None:
    network, some = encoder(), clips(5)
    found = pooled_features.pooled(network, some)
    assert found.shape == (5, 4, 2 * WIDTH)  # before the first of 3 blocks, and after
    for place, one in enumerate(some):
        batch, lengths = torch.from_numpy(one.spec)[None], torch.tensor([one.spec.shape[1]])
        with torch.no_grad():
            layers, _ = network.encoder.hidden_states(batch, lengths)
        means = [block[0].mean(1) for block in layers]
        deviations = [(block[0].var(1, correction=0) + 1e-5).sqrt() for block in layers]
        expected = torch.cat([torch.stack(means), torch.stack(deviations)], 1)
        assert_near([torch.from_numpy(found[place])], [expected])


def test_pooled_features_are_cached_by_clip_and_by_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    network, some = encoder(), clips(5)
    first = pooled_features.pooled(network, some)
    asked: list[int] = []
    real = pooled_features._statistics

    def noted(network: Encoder, batch: Batch, attentive: bool) -> np.ndarray:
        asked.append(len(batch.lengths))
        return real(network, batch, attentive)

    monkeypatch.setattr(pooled_features, "_statistics", noted)
    told: list[int] = []
    np.testing.assert_array_equal(pooled_features.pooled(network, some, told.append), first)
    assert asked == [] == told
    pooled_features.pooled(network, [*some, clip(99, 0, "1")], told.append)
    assert (asked, told) == ([1], [6])
    nn.init.normal_(network.encoder.conv1.bias)  # type: ignore[union-attr,arg-type]
    assert not np.array_equal(pooled_features.pooled(network, some), first)
    assert sum(asked) == 6


# Cross-validation


@pytest.mark.parametrize("in_deviations", [False, True])
def test_the_features_that_tell_the_class_are_chosen(in_deviations: bool) -> None:
    first = 5 if in_deviations else 0
    said = slice(first, first + CLASSES)
    some, rng = clips(), np.random.default_rng(0)
    for block in (1, 2, 3):
        x = rng.standard_normal((len(some), 4, 10)).astype(np.float32)
        x[:, block, said] += 2 * np.eye(CLASSES, dtype=np.float32)[linear_layer.labels(some)]
        x[:, 0, said] += 9 * np.eye(CLASSES, dtype=np.float32)[linear_layer.labels(some)]
        folds = linear_layer.speaker_folds(some, {"home"})
        found = linear_layer.choose(x, some, np.ones(len(some)), folds, CLASSES)
        assert found.blocks == block, "and never the block before the first block"
        assert found.hyperparameters[0].columns == 10 or not in_deviations
        only = linear_layer.choose(x, some, np.ones(len(some)), folds, CLASSES, blocks=2)
        assert only.blocks == 2


def test_features_of_every_block_are_their_means_and_then_their_deviations() -> None:
    x = np.arange(2 * 4 * 6, dtype=np.float32).reshape(2, 4, 6)  # 3 blocks of 3 features
    found = pooled_features.layer_features(x, 2, all_layers=True)
    assert found.shape == (2, 12)
    np.testing.assert_array_equal(found[:, :6], np.hstack([x[:, 1, :3], x[:, 2, :3]]))
    np.testing.assert_array_equal(found[:, 6:], np.hstack([x[:, 1, 3:], x[:, 2, 3:]]))
    np.testing.assert_array_equal(pooled_features.layer_features(x, 2, all_layers=False), x[:, 2])


def test_two_blocks_together_are_used_where_all_layers_are_pooled() -> None:
    some, rng = clips(), np.random.default_rng(0)
    x = rng.standard_normal((len(some), 3, 4)).astype(np.float32)
    truth = linear_layer.labels(some)
    x[:, 1, 0] += np.where(truth == 0, 4, -4)  # each block tells a part:
    x[:, 2, 0] += np.where((truth == 1) | ((truth == 0) & (rng.random(len(some)) < 0.5)), 4, -4)
    folds = linear_layer.speaker_folds(some, {"home"})
    alone, both = (
        linear_layer.choose(x, some, np.ones(len(some)), folds, CLASSES, blocks=2, all_layers=every)
        for every in (False, True)
    )
    right = [np.mean(c.answers.argmax(1) == linear_layer.labels(c.clips)) for c in (alone, both)]
    assert right[0] < 0.8 < 0.95 < right[1]
    assert both.hyperparameters[0].columns in (4, 8), "means of two blocks, or deviations too"


def test_each_corpus_is_held_out_where_the_test_is_of_another() -> None:
    some = [clip(i, 0, str(i), "abc"[i % 3]) for i in range(9)]
    found = linear_layer.corpus_folds(some)
    assert [held_out.tolist() for held_out in found] == [
        [i % 3 == k for i in range(9)] for k in range(3)
    ]


def test_the_answers_are_of_layers_not_fitted_to_the_speaker() -> None:
    some, rng = clips(), np.random.default_rng(0)
    x = rng.standard_normal((len(some), 2, 4)).astype(np.float32)
    folds = linear_layer.speaker_folds(some, {"home"})
    found = linear_layer.choose(x, some, np.ones(len(some)), folds, CLASSES)
    assert sorted(c.utterance.id for c in found.clips) == sorted(c.utterance.id for c in some)
    place = {id(one): i for i, one in enumerate(some)}
    for held_out in folds:
        rest = [one for one, out in zip(some, held_out, strict=True) if not out]
        others = linear_layer.FittingSet(x[~held_out, 1], rest, np.ones(len(rest)), CLASSES)
        alone = others.solve(found.hyperparameters)
        expected = alone(torch.from_numpy(x[held_out, 1])).numpy()
        ours = [
            a for c, a in zip(found.clips, found.answers, strict=True) if held_out[place[id(c)]]
        ]
        np.testing.assert_allclose(np.stack(ours), expected, atol=5e-3)


def test_layers_of_all_penalties_are_averaged_where_none_is_chosen() -> None:
    some, rng = clips(), np.random.default_rng(0)
    x = rng.standard_normal((len(some), 3, 4)).astype(np.float32)
    x[:, 2, :CLASSES] += np.eye(CLASSES, dtype=np.float32)[linear_layer.labels(some)]
    folds = linear_layer.speaker_folds(some, {"home"})
    found = linear_layer.choose(x, some, np.ones(len(some)), folds, CLASSES, averaged=True)
    assert found.blocks == 2
    assert {(s.columns, s.penalty, s.nuisance) for s in found.hyperparameters} == {
        (columns, penalty, 0) for columns in (2, 4) for penalty in linear_layer.AVERAGED_PENALTIES
    }
    answers = []
    for one in found.hyperparameters:
        rest = [
            linear_layer.FittingSet(
                x[~held_out, 2], [c for c, t in zip(some, held_out, strict=True) if not t],
                np.ones(len(some))[~held_out], CLASSES).solve([one])
            for held_out in folds
        ]  # fmt: skip
        asked = [layer(torch.from_numpy(x[t, 2])) for layer, t in zip(rest, folds, strict=True)]
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


def test_averaged_layers_have_the_same_nuisance_penalty() -> None:
    some = clips(240, speakers=8)
    x = said_twice(some, slice(3, 6))
    folds = linear_layer.speaker_folds(some, {"home"})
    found = linear_layer.choose(
        x, some, np.ones(len(some)), folds, CLASSES, strengths=(4.0,), averaged=True
    )
    assert len(found.hyperparameters) == 2 * len(linear_layer.AVERAGED_PENALTIES)
    assert {one.nuisance for one in found.hyperparameters} == {4.0}


@pytest.mark.parametrize("apart", [True, False])
def test_held_out_speakers_choose_the_nuisance_penalty(
    apart: bool,
) -> None:
    some = clips(240, speakers=8)
    x = said_twice(some, slice(6, 9), apart)
    folds = linear_layer.speaker_folds(some, {"home"})
    plain, found = (
        linear_layer.choose(x, some, np.ones(len(some)), folds, CLASSES, strengths=strengths)
        for strengths in ((), (4.0,))
    )
    penalties = [choice.hyperparameters[0].nuisance for choice in (plain, found)]
    assert penalties == [0, 4.0 if apart else 0]
    right = [np.mean(c.answers.argmax(1) == linear_layer.labels(c.clips)) for c in (plain, found)]
    assert right[1] > right[0] + 0.01 if apart else right[1] == right[0]


@pytest.mark.parametrize("speakers", [1, 2, 6, 7, 20])
def test_no_fold_has_a_speaker_on_both_sides(speakers: int) -> None:
    some = [*clips(120, speakers), *(clip(500 + i, 0, f"other/{i}", "other") for i in range(4))]
    folds = linear_layer.speaker_folds(some, {"home"})
    assert len(folds) == min(speakers, linear_layer.GROUPS)
    for held_out in folds:
        assert not who(some, held_out) & who(some, ~held_out)
        assert not any(held_out[-4:]), "speakers of other corpora are fitted to, and never held out"
    assert sum(folds).tolist() == [1] * 120 + [0] * 4  # type: ignore[union-attr]


def who(some: Sequence[Clip], held_out: np.ndarray) -> set[str]:
    return {c.utterance.speaker for c, out in zip(some, held_out, strict=True) if out}


# Drawn towards a layer that is there


def apart(number: int, *, turned: bool = False) -> tuple[list[Clip], NDArray[np.float32]]:
    """Clips whose class one feature tells, and their features (N, 2, 4); turned: another class."""
    some = clips(number)
    x = np.random.default_rng(7).standard_normal((number, 2, 4)).astype(np.float32)
    wanted = (linear_layer.labels(some) + turned) % CLASSES
    x[:, 1, :CLASSES] += 3 * np.eye(CLASSES, dtype=np.float32)[wanted]
    return some, x


def prior_layer() -> logistic.Solution:
    some, x = apart(90)
    return logistic.solve(x[:, 1], linear_layer.labels(some), np.ones(90), 0.03, CLASSES, 4)


@pytest.mark.parametrize("turned", [False, True], ids=["of the same kind", "of another kind"])
def test_a_layer_is_drawn_towards_one_that_is_there_as_far_as_held_out_clips_agree(
    turned: bool,
) -> None:
    prior = prior_layer()
    few, x = apart(15, turned=turned)
    folds = linear_layer.speaker_folds(few, {"home"})
    weights = np.ones(len(few))
    found = linear_layer.choose(x, few, weights, folds, CLASSES, blocks=1, prior=prior)
    (one,) = found.hyperparameters
    assert (one.prior == 0) == turned
    data = linear_layer.FittingSet(x[:, 1], few, weights, CLASSES, prior)
    many, others = apart(60, turned=turned)
    answered = data.solve(found.hyperparameters)(torch.from_numpy(others[:, 1])).argmax(1)
    assert (answered.numpy() == linear_layer.labels(many)).mean() > 0.8


def test_the_largest_penalty_leaves_the_layer_that_is_there_but_for_its_bias() -> None:
    prior = prior_layer()
    few, x = apart(15)
    data = linear_layer.FittingSet(x[:, 1], few, np.ones(15), CLASSES, prior)
    found = data.solve([Hyperparameters(4, max(linear_layer.PRIOR_PENALTIES), prior=1.0)])
    change = found(torch.from_numpy(x[:, 1])) - prior(torch.from_numpy(x[:, 1]))
    assert change.std(0).max() < 0.01


def test_the_layer_of_a_network_is_what_it_answers_by() -> None:
    network = encoder()
    some = clips(6)
    x = pooled_features.layer_features(pooled_features.pooled(network, some), 1, False)
    given = logistic.solve(x, linear_layer.labels(some), np.ones(6), 0.1, CLASSES, x.shape[1])
    linear_layer.set_linear_layer(given, network)
    found = linear_layer.linear_layer_of(network)
    torch.testing.assert_close(found(torch.from_numpy(x)), given(torch.from_numpy(x)))


def test_a_layer_may_be_for_what_the_networks_own_attention_pools() -> None:
    network, some = encoder(), clips(6)
    nn.init.normal_(network.pool.score.weight)
    even, own = (pooled_features.pooled(network, some, attentive=a) for a in (False, True))
    np.testing.assert_array_equal(even[:, :-1], own[:, :-1])
    assert not np.allclose(even[:, -1], own[:, -1])
    layer = linear_layer.linear_layer_of(network)
    linear_layer.set_linear_layer(layer, network, attentive=True)
    assert network.attends
    batch = collate(some, network)
    with torch.no_grad():
        logits = network(batch.inputs, batch.lengths)
    torch.testing.assert_close(layer(torch.from_numpy(own[:, -1])), logits)
    linear_layer.set_linear_layer(layer, network)
    assert not network.attends
