"""Training on a fold: initial weights, fit, refit on all clips; a resume changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from tiny import same, timeless
from tiny_encoder import BANDS, NAME, SOLVED, TUNED, WIDTH, make_known

from emelia.config import ModelConfig, Recipe, TrainConfig
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.splits.scheme import Fold, make_split
from emelia.errors import ConfigError
from emelia.learn.data.loader import Clip, Loader, training_batches
from emelia.learn.data.sampling import first_of_corpora
from emelia.learn.model.encoders import load_weights
from emelia.learn.model.network import Encoder, Network, build
from emelia.learn.study.ablations import ALL_FROZEN
from emelia.learn.training import linear_layer, pooled_features, trainer
from emelia.learn.training.checkpoints import Epoch, Progress
from emelia.learn.training.fit import FitJob
from emelia.learn.training.hardware import CPU
from emelia.learn.training.inference import logits
from emelia.learn.training.job import TrainingJob
from emelia.learn.training.optim import parameter_groups
from emelia.learn.training.runs import CHECKPOINT, Run
from emelia.learn.training.trainer import REFIT_CHECKPOINT, TrainedNetwork, train

PLAIN = replace(TUNED, model=ModelConfig(width=2), train=replace(TUNED.train, refit=True))
MEL = replace(TUNED, model=ModelConfig("encoder", encoder="mel", blocks=1))


@pytest.fixture(autouse=True)
def _small(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with torch.random.fork_rng():
        make_known(monkeypatch, tmp_path / "weights")
        monkeypatch.setattr(linear_layer, "PENALTIES", (0.3, 0.03))
        yield


@pytest.fixture
def corpus(small_corpus: Callable[..., Path]) -> Corpus:
    """Four speakers say two emotions twice."""
    return read_corpus(small_corpus(speakers=4, seconds=0.4))


@pytest.fixture
def fold(corpus: Corpus) -> Fold:
    return make_split(corpus, "loso").folds[0]


def trained(
    recipe: Recipe, fold: Fold, classes: tuple[str, ...] = (), **options: Any
) -> TrainedNetwork:
    classes = classes or ("anger", "disgust")
    loader = Loader(recipe, classes)
    job = TrainingJob(recipe, fold, classes, 0, CPU.fabric(), "cell", **options)
    return train(job, loader, loader.load(fold.validation))


def as_run(found: TrainedNetwork, classes: tuple[str, ...] = ("anger", "disgust")) -> Run:
    return Run(found.recipe, classes, found.network, {})


def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], int]]:
    """What each fit from now on learns from, and after which epoch it must end."""
    seen: list[tuple[list[str], int]] = []
    real = trainer.fit

    def fit(network: Network, job: FitJob) -> Progress:
        seen.append(([clip.utterance.id for clip in job.training(0)], job.stop))
        return real(network, job)

    monkeypatch.setattr(trainer, "fit", fit)
    return seen


# Refit on training and validation clips


@pytest.mark.parametrize("recipe", [PLAIN, TUNED, MEL], ids=["plain", "tuned", "mel"])
def test_the_refit_has_the_validation_clips_and_as_many_epochs_as_they_chose(
    recipe: Recipe, fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, told = watched(monkeypatch), []
    found = trained(recipe, fold, on_epoch=told.append)
    train, validation = ([u.id for u in part] for part in (fold.train, fold.validation))
    assert seen == [(train, 0), ([*train, *validation], found.training.best_epoch)]
    assert len(told) == len(found.training.history) == 4, "the history is of the first fit"
    once = trained(replace(recipe, train=replace(recipe.train, refit=False)), fold)
    if recipe is PLAIN:  # elsewhere other speakers choose the penalty
        assert timeless(once.training.history) == timeless(found.training.history)
    assert not same(once.network.state_dict(), found.network.state_dict())


def test_validation_clips_are_answered_by_the_network_that_was_not_trained_on_them(
    fold: Fold,
) -> None:
    found = trained(PLAIN, fold)
    once = trained(replace(PLAIN, train=replace(PLAIN.train, refit=False)), fold)
    assert [c.utterance.id for c in found.checked] == [u.id for u in fold.validation]
    assert torch.equal(found.answers, once.answers)
    assert torch.equal(once.answers, logits(once.network, once.checked))
    assert not torch.allclose(found.answers, logits(found.network, found.checked))


def test_the_refit_ends_at_the_chosen_epoch_though_the_first_fit_went_on(
    fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With validation clips of wrong labels no later epoch is better."""
    real, counts = trainer.fit, []

    def fit(network: Network, job: FitJob) -> Progress:
        progress = real(network, job)
        counts.append(progress.epoch)
        return progress if job.stop else replace(progress, best_epoch=2)

    monkeypatch.setattr(trainer, "fit", fit)
    assert trained(PLAIN, fold).training.best_epoch == 2
    assert counts == [4, 2]


def test_corpora_are_held_out_where_the_test_is_of_an_unseen_corpus(
    fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In turn each corpus that is clips; where the test is of one, its speakers, if not asked."""
    one, two = (
        [replace(u, corpus=corpus) for u in part]
        for corpus, part in (("a", fold.train), ("b", fold.validation))
    )
    home = [*two[:1], *one[:1]]  # both corpora validate
    asked: list[list[set[str]]] = []
    real = linear_layer.choose

    def choose(x: Any, clips: Any, weights: Any, held_out: Any, *rest: Any, **options: Any) -> Any:
        asked.append([{c.utterance.corpus for c in np.array(clips)[o]} for o in held_out])
        return real(x, clips, weights, held_out, *rest, **options)

    monkeypatch.setattr(linear_layer, "choose", choose)
    strangers = replace(SOLVED, train=replace(SOLVED.train, selection_groups="corpora"))
    for recipe, corpus in ((SOLVED, "c"), (SOLVED, "a"), (strangers, "a")):
        test = tuple(replace(u, corpus=corpus) for u in fold.test)
        found = trained(recipe, Fold("1", (*one[1:], *two[1:]), tuple(home), test))
    assert asked[0] == asked[2] == [{"a"}, {"b"}]
    assert len(asked[1]) > 2, "speakers"
    assert [c.utterance.corpus for c in found.checked] == len(one) * ["a"] + len(two) * ["b"]


def test_a_single_corpus_cannot_be_held_out(fold: Fold) -> None:
    strangers = replace(SOLVED, train=replace(SOLVED.train, selection_groups="corpora"))
    with pytest.raises(ConfigError, match="all that is learnt from is of one corpus, so none"):
        trained(strangers, fold)


# Interruptions


def stop_first(folder: Path, recipe: Recipe, fold: Fold, **options: Any) -> TrainedNetwork:
    """Ctrl-C in the second epoch of the first fit."""

    def on_epoch(epoch: Epoch) -> None:
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt

    return trained(recipe, fold, folder=folder, on_epoch=on_epoch, **options)


def stop_second(folder: Path, recipe: Recipe, fold: Fold, **options: Any) -> TrainedNetwork:
    """Ctrl-C after the first epoch of the second fit."""

    def tell(done: int, total: int, facts: str) -> None:
        if facts.startswith("once more, loss"):
            raise KeyboardInterrupt

    return trained(recipe, fold, folder=folder, report=tell, **options)


@pytest.mark.parametrize("recipe", [PLAIN, TUNED], ids=["plain", "tuned"])
@pytest.mark.parametrize("stop", [stop_first, stop_second])
def test_a_resumed_training_gives_the_numbers_of_an_uninterrupted_one(
    stop: Callable[..., TrainedNetwork], recipe: Recipe, fold: Fold, tmp_path: Path
) -> None:
    whole, folder = trained(recipe, fold), tmp_path / "run"
    folder.mkdir()
    cut = stop(folder, recipe, fold)
    assert cut.training.interrupted
    assert (folder / CHECKPOINT).exists()
    assert (folder / REFIT_CHECKPOINT).exists() == (stop is stop_second)
    again = trained(recipe, fold, folder=folder)
    assert not again.training.interrupted
    assert timeless(again.training.history) == timeless(whole.training.history)
    assert same(again.network.state_dict(), whole.network.state_dict())
    assert torch.equal(again.answers, whole.answers)


def test_interrupted_in_the_refit_the_first_network_is_kept(fold: Fold, tmp_path: Path) -> None:
    cut = stop_second(tmp_path, PLAIN, fold)
    once = trained(replace(PLAIN, train=replace(PLAIN.train, refit=False)), fold)
    assert same(cut.network.state_dict(), once.network.state_dict())


# A linear layer alone


def test_a_recipe_of_one_epoch_is_solved_and_not_stepped(fold: Fold) -> None:
    found = trained(SOLVED, fold)
    assert found.recipe.model.blocks in (1, 2, 3), "chosen, and filled in"
    assert len(found.training.history) == 1
    network = found.network
    assert isinstance(network, Encoder)
    fresh = build(found.recipe.model, 2, BANDS)
    assert isinstance(fresh, Encoder)
    load_weights(fresh.encoder, NAME)
    assert same(network.encoder.state_dict(), fresh.encoder.state_dict())

    every = Loader(SOLVED, ("anger", "disgust")).load((*fold.train, *fold.validation))
    x = pooled_features.pooled(network, every)[:, -1]
    weights = np.ones(len(every))  # as many of each class here
    given = [
        linear_layer.FittingSet(x, every, weights, 2).solve(
            [linear_layer.Hyperparameters(columns, p)]
        )(torch.from_numpy(x))
        for p in linear_layer.PENALTIES
        for columns in (WIDTH, 2 * WIDTH)
    ]
    ours = logits(network, every)
    assert min(float((ours - one).abs().max()) for one in given) < 1e-3


def test_with_refit_every_speaker_is_answered_by_a_layer_fitted_to_the_others(
    fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds: list[Any] = []
    real = linear_layer.choose
    monkeypatch.setattr(
        linear_layer,
        "choose",
        lambda *rest, **options: folds.append(rest[3]) or real(*rest, **options),  # type: ignore[func-returns-value]
    )
    found = trained(SOLVED, fold)
    ids = {u.id for u in (*fold.train, *fold.validation)}
    assert {c.utterance.id for c in found.checked} == ids
    assert len(folds[0]) == len({u.speaker for u in (*fold.train, *fold.validation)}) == 3
    once = trained(replace(SOLVED, train=replace(SOLVED.train, refit=False)), fold)
    assert [c.utterance.id for c in once.checked] == [u.id for u in fold.validation]
    assert len(folds[1]) == 1


@pytest.mark.parametrize("penalised", [False, True])
def test_the_layer_has_the_nuisance_penalty_that_held_out_speakers_chose(
    penalised: bool, fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "STRENGTHS", (5.0,))
    monkeypatch.setattr(
        linear_layer, "_score", lambda choice: choice.hyperparameters[0].nuisance
    )  # the more the better
    recipe = replace(SOLVED, train=replace(SOLVED.train, nuisance_penalty=penalised))
    network = trained(recipe, fold).network
    assert isinstance(network, Encoder)
    clips = Loader(recipe, ("anger", "disgust")).load((*fold.train, *fold.validation))
    x = pooled_features.pooled(network, clips)[:, 1]  # the first of what is best
    layer = linear_layer.FittingSet(x, clips, np.ones(len(clips)), 2).solve(
        [linear_layer.Hyperparameters(WIDTH, 0.3, 5.0 if penalised else 0.0)]
    )
    ours = logits(network, clips)
    assert (ours - layer(torch.from_numpy(x))).abs().max() < 1e-3
    plain = linear_layer.FittingSet(x, clips, np.ones(len(clips)), 2).solve(
        [linear_layer.Hyperparameters(WIDTH, 0.3)]
    )
    assert ((ours - plain(torch.from_numpy(x))).abs().max() > 0.01) == penalised


def test_the_layer_is_the_mean_over_all_penalties_where_the_recipe_averages(fold: Fold) -> None:
    recipe = replace(SOLVED, train=replace(SOLVED.train, penalty="averaged"))
    found = trained(recipe, fold)
    clips = Loader(recipe, ("anger", "disgust")).load((*fold.train, *fold.validation))
    assert isinstance(found.network, Encoder)
    block = found.recipe.model.blocks
    x = pooled_features.pooled(found.network, clips)[:, block]
    every = [
        linear_layer.Hyperparameters(c, p)
        for c in (WIDTH, 2 * WIDTH)
        for p in linear_layer.AVERAGED_PENALTIES
    ]
    layers = [
        linear_layer.FittingSet(x, clips, np.ones(len(clips)), 2).solve([one]) for one in every
    ]
    wanted = torch.stack([layer(torch.from_numpy(x)) for layer in layers]).mean(0)
    assert (logits(found.network, clips) - wanted).abs().max() < 1e-3


def test_a_single_speaker_is_enough_for_a_linear_layer(fold: Fold) -> None:
    one = tuple(replace(u, speaker="1") for u in fold.train)
    alone = Fold("1", one, tuple(replace(u, speaker="1") for u in fold.validation), ())
    found = trained(SOLVED, alone)
    assert [c.utterance.id for c in found.checked] == [u.id for u in fold.validation]
    assert found.answers.isfinite().all()


@pytest.mark.parametrize("balance", ["weights", "sampling", "corpora"])
def test_classes_weigh_the_same_where_the_recipe_balances(
    balance: Any, fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = replace(fold, train=fold.train[:7])
    given: list[Any] = []
    real = linear_layer.solve
    monkeypatch.setattr(
        linear_layer,
        "solve",
        lambda x, y, w, *rest: given.append((y, w)) or real(x, y, w, *rest),  # type: ignore[func-returns-value]
    )
    trained(replace(SOLVED, train=TrainConfig(1, balance=balance)), rare)
    labels, weights = given[-1]
    sums = [weights[labels == n].sum() for n in (0, 1)]
    assert np.bincount(labels).tolist() != [len(labels) / 2] * 2, "or this would prove nothing"
    assert sums == pytest.approx([len(labels) / 2] * 2)


# Rates and draws


def test_each_block_learns_at_its_share_of_the_rate() -> None:
    network = build(ModelConfig("encoder", encoder=NAME), 2, BANDS)
    config = TrainConfig(layer_decay=0.1)
    groups = parameter_groups(network, config)
    assert [share for _, share in groups] == pytest.approx([0.001, 0.01, 0.1, 1, 1])
    encoder = network.encoder
    parts = [[*encoder.conv1.parameters(), *encoder.conv2.parameters()],  # type: ignore[union-attr,operator]
             *([*block.parameters()] for block in encoder.blocks)]  # type: ignore[union-attr]  # fmt: skip
    for (parameters, _), part in zip(groups, parts, strict=False):
        assert {id(p) for p in parameters} == {id(p) for p in part}
    every = [id(p) for parameters, _ in groups for p in parameters]
    assert sorted(every) == sorted(id(p) for p in network.parameters()), "each once"


def distance(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> float:
    """The largest difference of any weight."""
    return max(float((a[key] - b[key]).abs().max()) for key in a)


def test_a_frozen_encoder_is_unchanged_and_earlier_blocks_change_less(fold: Fold) -> None:
    def moved(**settings: float) -> list[float]:
        train = replace(TUNED.train, refit=False, checkpoint="last", optimizer="adamw", **settings)
        network = trained(replace(TUNED, train=train), fold).network
        assert isinstance(network, Encoder)
        fresh = build(TUNED.model, 2, BANDS)
        assert isinstance(fresh, Encoder)
        load_weights(fresh.encoder, NAME)
        pairs = zip(network.layers(), fresh.layers(), strict=True)
        return [distance(now.state_dict(), before.state_dict()) for now, before in pairs]

    assert moved(frozen=ALL_FROZEN, weight_decay=0.1) == [0, 0, 0]
    first, second, third = moved(layer_decay=0.1)
    assert 0 < 3 * first < second and 3 * second < third


def test_an_epoch_may_be_fewer_or_more_clips_than_there_are(fold: Fold) -> None:
    clips: list[Clip] = Loader(PLAIN, ("anger", "disgust")).load(fold.train)
    network = build(PLAIN.model, 2, BANDS)
    for draws, expected in ((0, len(clips)), (3, 3), (50, 50)):
        recipe = replace(PLAIN, train=replace(PLAIN.train, samples_per_epoch=draws))
        rng = np.random.default_rng(0)
        batches = list(training_batches(clips, recipe, network, rng))
        assert sum(len(batch.lengths) for batch in batches) == expected


# Initial weights of an earlier run


def test_initial_weights_are_those_of_an_earlier_run(fold: Fold) -> None:
    first = trained(replace(PLAIN, train=replace(PLAIN.train, refit=False)), fold)
    still = replace(PLAIN, train=TrainConfig(1, lr=0.0))
    found = trained(still, fold, init=as_run(first))
    assert same(found.network.state_dict(), first.network.state_dict())


def test_the_output_layer_is_random_where_the_classes_are_others(fold: Fold) -> None:
    first = trained(replace(PLAIN, train=TrainConfig(1)), fold)
    still, ours = replace(PLAIN, train=TrainConfig(1, lr=0.0)), first.network.state_dict()
    for classes in (("anger", "disgust", "fear"), ("disgust", "anger")):
        found = trained(still, fold, classes, init=as_run(first)).network.state_dict()
        for key, value in ours.items():
            assert torch.equal(found[key], value) != key.startswith("output.")


def test_a_run_of_another_network_gives_no_initial_weights(fold: Fold) -> None:
    other = trained(replace(PLAIN, model=ModelConfig(width=3), train=TrainConfig(1)), fold)
    with pytest.raises(ConfigError, match=r"no network of this recipe: .* does not fit"):
        trained(PLAIN, fold, init=as_run(other))


def test_blocks_that_were_chosen_before_are_kept(fold: Fold) -> None:
    first = trained(SOLVED, fold)
    first = replace(first, recipe=replace(first.recipe, model=replace(SOLVED.model, blocks=1)))
    first = trained(first.recipe, fold)
    found = trained(SOLVED, fold, init=as_run(first))
    assert found.recipe.model.blocks == 1


@pytest.mark.parametrize("pool_layers", ["last", "all"])
def test_a_run_that_pools_other_layers_gives_only_its_encoder(
    fold: Fold, pool_layers: Literal["last", "all"]
) -> None:
    first = trained(replace(TUNED, train=replace(TUNED.train, checkpoint="last")), fold)
    other = replace(SOLVED, model=replace(TUNED.model, pool_layers=pool_layers))
    found = trained(other, fold, init=as_run(first)).network
    assert isinstance(found, Encoder) and isinstance(first.network, Encoder)
    assert same(found.encoder.state_dict(), first.network.encoder.state_dict())
    width = first.network.output.in_features * (2 if pool_layers == "all" else 1)
    assert found.output.in_features == width


def test_our_own_encoder_gets_a_linear_layer_once_it_is_trained(fold: Fold) -> None:
    first = trained(replace(MEL, train=replace(TUNED.train, checkpoint="last")), fold)
    solved = replace(MEL, train=SOLVED.train)
    found = trained(solved, fold, init=as_run(first)).network
    assert isinstance(found, Encoder) and isinstance(first.network, Encoder)
    assert same(found.encoder.state_dict(), first.network.encoder.state_dict())
    assert not same(found.output.state_dict(), first.network.output.state_dict())


# A linear layer drawn towards that of the initial run

DRAWN = replace(SOLVED, train=replace(SOLVED.train, penalty="prior", refit=True))


def test_a_solved_layer_may_be_drawn_towards_that_of_the_initial_run(
    fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(SOLVED, fold)
    monkeypatch.setattr(linear_layer, "PRIOR_PENALTIES", (1e7,))
    monkeypatch.setattr(linear_layer, "PRIOR_SHARES", (1.0,))
    found = trained(DRAWN, fold, init=as_run(first))
    clips = list(found.checked)
    change = logits(found.network, clips) - logits(first.network, clips)
    assert change.std(0).max() < 0.01 and found.training.best_epoch == 1
    # Its classes may be some of the initial run's, in another order.
    other = trained(DRAWN, fold, ("disgust", "anger"), init=as_run(first))
    turned = logits(other.network, clips) - logits(first.network, clips)[:, [1, 0]]
    assert turned.std(0).max() < 0.01


@pytest.mark.parametrize("why", ["no run", "other classes", "other layers"])
def test_without_such_a_layer_there_is_none_to_be_drawn_towards(why: str, fold: Fold) -> None:
    first = as_run(trained(SOLVED, fold))
    classes, recipe = ("anger", "disgust"), DRAWN
    if why == "other classes":
        first = replace(first, classes=("anger", "calm"))
    elif why == "other layers":
        recipe = replace(DRAWN, model=replace(DRAWN.model, pool_layers="all"))
    with pytest.raises(ConfigError, match=r'train\.penalty: "prior" needs an initial run'):
        trained(recipe, fold, classes, init=None if why == "no run" else first)


def test_a_layer_is_drawn_towards_one_for_what_attention_pools(fold: Fold) -> None:
    first = as_run(trained(SOLVED, fold))
    assert isinstance(first.network, Encoder)
    torch.nn.init.normal_(first.network.pool.score.weight)
    found = trained(DRAWN, fold, init=first)
    assert isinstance(found.network, Encoder) and found.network.attends
    clips = Loader(DRAWN, ("anger", "disgust")).load(fold.test)
    change = logits(found.network, clips) - logits(first.network, clips)
    assert change.std(0).max() < 0.01


def test_large_corpora_are_trained_on_in_part_and_the_first_layer_solved_on_few(
    small_encoders: Path, fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved: list[int] = []
    real = linear_layer.FittingSet.solve

    def noted(data: Any, *given: Any) -> Any:
        solved.append(len(data.clips))
        return real(data, *given)

    monkeypatch.setattr(linear_layer.FittingSet, "solve", noted)
    less = replace(TUNED.train, refit=False, epochs=2, corpus_clips=6, solve_clips=4)
    found = trained(replace(TUNED, train=less), fold)
    assert set(solved) == {4}
    assert found.training.best_epoch in (1, 2)
    assert len(first_of_corpora(fold.train, 6)) == 6
    assert first_of_corpora(fold.train, 6) == first_of_corpora(fold.train[::-1], 6)[::-1]


def test_a_recipe_that_measures_its_sources_has_a_space(small_encoders: Path, fold: Fold) -> None:
    recipe = replace(TUNED, train=replace(TUNED.train, refit=False, epochs=1, source_space=True))
    found = trained(recipe, fold)
    assert found.space is not None
    assert found.space.means.shape == (2, len(found.space.variances))
    assert trained(TUNED, fold).space is None
