"""fit() learns, keeps the best epoch, and gives the same numbers after a resume."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.metrics import balanced_accuracy_score
from tiny import CLASSES, FULL, PLAIN, network, relabelled, same, timeless, toy, train
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR

from emelia.config import ModelConfig, Recipe, TrainConfig
from emelia.errors import EmeliaError, RunError
from emelia.learn.data.loader import Clip, collate
from emelia.learn.study.cell import facts
from emelia.learn.training.checkpoints import Progress, save_checkpoint
from emelia.learn.training.fit import FitJob, class_weights, fit
from emelia.learn.training.inference import logits, predict
from emelia.learn.training.optim import make_optimizer, rate_at
from emelia.metrics import uar

RECIPES = {
    "variable": FULL,
    "resized": replace(FULL, model=ModelConfig("resized", 2, 2, 0.3, frames=16)),
    "emelia": replace(FULL, model=ModelConfig("emelia", width=4, dropout=0.3)),
}


def changed(recipe: Recipe = PLAIN, **values: Any) -> Recipe:
    return replace(recipe, train=replace(recipe.train, **values))


# Learning


def test_it_learns_classes_that_a_line_divides() -> None:
    done = train()
    assert done.progress.best_uar > 0.9  # chance is 1/3
    assert done.history[-1]["loss"] < 0.7 * done.history[0]["loss"]
    clips = toy(seed=2)  # never seen
    chances = predict(done.network, clips)
    assert (chances.argmax(1) == [clip.label for clip in clips]).mean() > 0.9


def test_dropout_follows_from_the_seed_whatever_was_drawn_before() -> None:
    found = []
    for before in (1, 2):
        made = network(FULL)
        torch.manual_seed(before)
        fit(made, FitJob(changed(FULL, epochs=2), lambda _: toy(), toy(seed=1)))
        found.append(made.state_dict())
    assert same(*found)
    other = network(FULL)
    fit(other, FitJob(changed(FULL, epochs=2), lambda _: toy(), toy(seed=1), seed=1))
    assert not same(found[0], other.state_dict())


def test_an_epoch_tells_how_long_it_took() -> None:
    begun = time.perf_counter()
    done = train(changed(epochs=2))
    seconds = [epoch["seconds"] for epoch in done.progress.history]
    assert min(seconds) > 0 and sum(seconds) <= time.perf_counter() - begun


def test_probabilities_come_in_the_order_of_the_clips_whatever_their_company() -> None:
    done, clips = train(changed(epochs=2)), toy(40, seed=2)
    chances = predict(done.network, clips)
    assert chances.shape == (40, CLASSES)
    assert chances.sum(1) == pytest.approx(1, abs=1e-6)
    alone = np.stack([predict(done.network, [clip])[0] for clip in clips])
    assert chances == pytest.approx(alone, abs=1e-6)


def test_validation_uar_is_given_for_each_corpus_where_there_are_several() -> None:
    easy, hard = toy(30, seed=1), relabelled(toy(30, seed=2), 3)
    mixed = [of(clip, "easy") for clip in easy] + [of(clip, "hard") for clip in hard]
    done = train(changed(epochs=6, checkpoint="last"), validation=mixed)
    line = done.history[-1]
    for name, clips in (("easy", easy), ("hard", hard)):
        found = predict(done.network, clips).argmax(1)
        assert line[f"validation_uar_{name}"] == uar([clip.label for clip in clips], found)
    assert line["validation_uar_easy"] > 0.9 > 0.6 > line["validation_uar_hard"]
    assert facts(line).endswith(
        f"% (easy {100 * line['validation_uar_easy']:.1f}, "
        f"hard {100 * line['validation_uar_hard']:.1f})"
    )
    assert "(" not in facts(train(changed(epochs=1)).history[0])


def of(clip: Clip, corpus: str) -> Clip:
    return replace(clip, utterance=replace(clip.utterance, corpus=corpus))


def test_the_weights_of_the_best_epoch_on_validation_are_kept() -> None:
    done = train(changed(epochs=10, lr=0.05), validation=relabelled(toy(60, seed=1), 2))
    scores = [(e["validation_uar"], -e["validation_loss"]) for e in done.history]
    best = max(range(10), key=scores.__getitem__)
    assert done.progress.best_epoch == best + 1
    assert done.progress.best_uar == scores[best][0]
    assert 0 < best < 9, "an epoch in the middle, or this would prove little"
    assert same(done.weights, done.states[best])
    assert not same(done.weights, done.states[-1])


def test_the_figures_of_the_history_are_those_of_the_weights() -> None:
    validation, watched = toy(20, seed=1), relabelled(toy(20, seed=2))
    done = train(changed(epochs=3), validation=validation, watch=watched)
    for epoch, state in zip(done.history, done.states, strict=True):
        again = network()
        again.load_state_dict(state)
        for name, clips in (("validation", validation), ("test", watched)):
            found = predict(again, clips).argmax(1)
            truth = [clip.label for clip in clips]
            assert epoch[f"{name}_accuracy"] == pytest.approx((found == truth).mean())
            assert epoch[f"{name}_uar"] == pytest.approx(balanced_accuracy_score(truth, found))


def test_validation_uar_is_no_accuracy() -> None:
    """On clips of which most are of one class the two differ."""
    clips = toy(30, seed=1)
    uneven = [clip for clip in clips if clip.label == 0] + relabelled(clips[:12], seed=3)
    done = train(changed(epochs=2), validation=uneven)
    for line, state in zip(done.history, done.states, strict=True):
        again = network()
        again.load_state_dict(state)
        found = predict(again, uneven).argmax(1)
        truth = [clip.label for clip in uneven]
        assert line["validation_uar"] == pytest.approx(balanced_accuracy_score(truth, found))
    assert any(line["validation_uar"] != line["validation_accuracy"] for line in done.history)


def test_watching_test_clips_changes_nothing_but_what_is_written_down() -> None:
    plain, watched = train(), train(watch=toy(9, seed=2))
    assert same(plain.weights, watched.weights)
    assert all("test_uar" in epoch for epoch in watched.history)
    assert not any("test_uar" in epoch or "test_accuracy" in epoch for epoch in plain.history)


def test_it_stops_when_patience_is_at_an_end() -> None:
    done = train(changed(epochs=60, patience=3, lr=0.05), validation=relabelled(toy(60, seed=1)))
    assert len(done.history) == done.progress.best_epoch + 3 < 60


def test_without_patience_it_goes_to_the_last_epoch() -> None:
    done = train(changed(epochs=9, lr=0.05), validation=relabelled(toy(60, seed=1)))
    assert len(done.history) == 9
    assert [epoch["epoch"] for epoch in done.history] == list(range(1, 10))


def test_of_equal_recalls_the_one_with_less_loss_is_better() -> None:
    progress = Progress()
    lines = [(0.5, 1.0), (0.5, 1.0), (0.4, 0.1), (0.5, 0.9), (0.6, 2.0), (0.5, 0.1)]
    told = [progress.note({"validation_uar": u, "validation_loss": x}) for u, x in lines]
    assert told == [True, False, False, True, True, False]
    assert (progress.best_epoch, progress.best_uar, progress.best_loss) == (5, 0.6, 2.0)
    assert not progress.finished(TrainConfig(epochs=9, patience=2))
    assert progress.finished(TrainConfig(epochs=9, patience=1))
    assert progress.finished(TrainConfig(epochs=6, patience=0))
    assert not progress.finished(TrainConfig(epochs=7, patience=0))


# Chance


@pytest.mark.parametrize("recipe", [PLAIN, FULL], ids=["plain", "full"])
def test_one_seed_is_one_training(recipe: Recipe) -> None:
    first, again, other = train(recipe, 3), train(recipe, 3), train(recipe, 4)
    assert first.history == again.history
    assert same(first.weights, again.weights)
    assert first.history != other.history


def test_the_seed_alone_decides_order_and_dropout() -> None:
    first, again, other = (train(FULL, seed, start=9) for seed in (3, 3, 4))
    assert first.history == again.history != other.history


def test_what_was_drawn_before_does_not_matter() -> None:
    before = train(FULL)
    start = network(FULL)
    torch.rand(100)
    again = train(FULL)
    assert before.history == again.history
    assert not same(start.state_dict(), again.weights)


# Going on


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize("stop", [1, 4])
def test_an_interrupted_training_is_resumed_with_the_same_numbers(
    kind: str, stop: int, tmp_path: Path
) -> None:
    recipe, path = RECIPES[kind], tmp_path / "checkpoint.safetensors"
    whole = train(recipe, 7)

    class PowerCut(BaseException):
        pass

    def clips(epoch: int) -> list[Clip]:
        if epoch == stop:
            raise PowerCut
        return toy()

    with pytest.raises(PowerCut):
        train(recipe, 7, training=clips, checkpoint=path)
    torch.rand(5)
    rest = train(recipe, 7, checkpoint=path)
    assert len(rest.states) == len(whole.states), "past epochs are told again"
    assert timeless(rest.told) == rest.history == whole.history
    assert rest.progress.best_epoch == whole.progress.best_epoch
    assert same(rest.weights, whole.weights)
    assert same(rest.states[-1], whole.states[-1])


def test_a_finished_training_started_again_gives_its_weights_at_once(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    whole = train(checkpoint=path, validation=relabelled(toy(60, seed=1)))

    def refuse(epoch: int) -> list[Clip]:
        raise AssertionError("it trained again")

    again = train(seed=0, training=refuse, checkpoint=path)
    assert again.progress == whole.progress
    assert same(again.weights, whole.weights)


def test_ctrl_c_keeps_the_best_so_far(tmp_path: Path) -> None:
    recipe = changed(FULL, ema=0.0)  # so that what learns is what is kept
    path, whole = tmp_path / "checkpoint.safetensors", train(recipe)

    def clips(epoch: int) -> list[Clip]:
        if epoch == 5:
            raise KeyboardInterrupt
        return toy()

    cut = train(recipe, training=clips, checkpoint=path)
    assert cut.progress.interrupted and not whole.progress.interrupted
    assert cut.history == whole.history[:5]
    assert same(cut.weights, whole.states[cut.progress.best_epoch - 1])
    rest = train(recipe, checkpoint=path)
    assert not rest.progress.interrupted
    assert rest.history == whole.history and same(rest.weights, whole.weights)


@pytest.mark.parametrize("late", [False, True], ids=["before it is written", "after"])
def test_ctrl_c_while_an_epoch_is_kept_waits_until_all_of_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    path, writes = tmp_path / "checkpoint.safetensors", []

    def written(*given: Any) -> None:
        writes.append(given)
        for step in (given, None) if late else (None, given):
            if step:
                save_checkpoint(*step)
            elif len(writes) == 3:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("emelia.learn.training.checkpoints.save_checkpoint", written)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        cut = train(checkpoint=path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert cut.progress.interrupted and cut.progress.epoch == len(cut.states) == 3
    assert same(cut.weights, cut.states[cut.progress.best_epoch - 1])
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["progress"])["history"] == cut.progress.history


def test_the_file_to_go_on_from_is_whole_after_every_epoch(tmp_path: Path) -> None:
    path, seen = tmp_path / "checkpoint.safetensors", []

    def look(epoch: Any) -> None:
        with safe_open(path, "pt") as file:
            seen.append(json.loads(file.metadata()["progress"])["history"])

    done = train(checkpoint=path, on_epoch=look)
    assert seen == [done.progress.history[: n + 1] for n in range(8)]
    assert os.listdir(tmp_path) == [path.name]


def test_a_checkpoint_is_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    train(changed(epochs=1), checkpoint=path)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])  # the format's own: length, JSON, numbers
    ends = [about["data_offsets"][1] for name, about in header.items() if name != "__metadata__"]
    assert 8 + size + max(ends) == path.stat().st_size


DAMAGED_PROGRESS: dict[str, dict[str, Any]] = {
    "history is a number": {"history": 3},
    "history of words": {"history": ["one", "two"]},
    "history without losses": {"history": [{"epoch": 1}, {"epoch": 2}]},
    "history with nothing for a figure": {"history": [{"loss": None}]},
    "best epoch is a word": {"best_epoch": "2"},
    "best epoch that is not there": {"best_epoch": 9},
}


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    about = header["__metadata__"]
    if how == "no metadata":
        del header["__metadata__"]
    elif how == "no progress":
        del about["progress"]
    elif how == "progress is no JSON":
        about["progress"] = about["progress"][:20]
    elif how == "progress of another kind":
        about["progress"] = '{"epochs": 3}'
    elif how in DAMAGED_PROGRESS:
        about["progress"] = json.dumps(json.loads(about["progress"]) | DAMAGED_PROGRESS[how])
    elif how == "weights of another size":
        for name in header:
            if name.startswith("network.") and len(header[name]["shape"]) == 1:
                header[name]["shape"].append(1)
    text = json.dumps(header).encode()
    kinds = {
        "cut": data[: len(data) // 2],
        "empty": b"",
        "noise": bytes(range(256)) * 4,
        "zeros": bytes(len(data)),
        "text": b"no weights at all, but a line of words\n",
    }
    path.write_bytes(kinds.get(how, len(text).to_bytes(8, "little") + text + data[8 + size :]))


@pytest.mark.parametrize(
    "how",
    ["cut", "empty", "noise", "zeros", "text", "no metadata", "no progress", "progress is no JSON",
     "progress of another kind", "weights of another size", *DAMAGED_PROGRESS],
)  # fmt: skip
def test_a_damaged_checkpoint_is_named_with_the_remedy(how: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    train(changed(epochs=2), checkpoint=path)
    damage(path, how)
    left = path.read_bytes()
    with pytest.raises(RunError, match=r"checkpoint\.safetensors: (damaged|is of).*[Rr]emove it"):
        train(changed(epochs=2), checkpoint=path)
    assert path.read_bytes() == left


@pytest.mark.parametrize("other", ["recipe", "seed", "clips"])
def test_a_checkpoint_of_another_training_is_refused(other: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    train(changed(epochs=1), checkpoint=path, name="fold 1")
    left = path.read_bytes()
    recipe = changed(epochs=1, lr=0.5) if other == "recipe" else changed(epochs=1)
    name = "fold 2" if other == "clips" else "fold 1"
    with pytest.raises(RunError, match="another training"):
        train(recipe, int(other == "seed"), checkpoint=path, name=name)
    assert path.read_bytes() == left


# Textbook


def test_the_rate_follows_half_a_cosine() -> None:
    config = TrainConfig(lr=0.1, schedule="cosine")
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    textbook = CosineAnnealingLR(optimizer, T_max=50)
    for step in range(50):
        assert rate_at(config, step / 50) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        textbook.step()
    assert rate_at(config, 0.5) == pytest.approx(0.05)
    assert rate_at(config, 1.0) == pytest.approx(0.0, abs=1e-12)


def test_the_rate_rises_in_a_line_before() -> None:
    config = TrainConfig(lr=0.1, warmup=0.2)
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    textbook = LinearLR(optimizer, start_factor=1e-9, total_iters=10)
    for step in range(50):
        found = rate_at(config, step / 50)
        assert found == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        textbook.step()
    both = replace(config, schedule="cosine")
    assert rate_at(both, 0.2) == pytest.approx(0.1)
    assert rate_at(both, 0.6) == pytest.approx(0.05)
    assert rate_at(TrainConfig(lr=0.1), 0.7) == 0.1


def test_the_rate_is_set_before_every_step() -> None:
    recipe = changed(epochs=4, batch_size=10, schedule="cosine", warmup=0.25)
    done = train(recipe)
    # The last of three batches of an epoch begins after 20 of its 30 clips.
    wanted = [rate_at(recipe.train, (epoch + 20 / 30) / 4) for epoch in range(4)]
    assert [epoch["lr"] for epoch in done.history] == pytest.approx(wanted)


def test_groups_of_weights_learn_at_their_share_of_the_rate() -> None:
    recipe = changed(epochs=1)
    rates: list[list[float]] = []

    def shared(*given: Any) -> Any:
        optimizer = make_optimizer(*given)
        first, *others = optimizer.param_groups[0]["params"]
        optimizer.param_groups[0]["params"] = [first]
        optimizer.add_param_group({**optimizer.param_groups[0], "params": others, "share": 0.5})
        step = optimizer.step

        def noted(*args: Any) -> Any:
            rates.append([group["lr"] for group in optimizer.param_groups])
            return step(*args)

        optimizer.step = noted
        return optimizer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emelia.learn.training.fit.make_optimizer", shared)
        train(recipe)
    assert rates and all(rate == [0.02, 0.01] for rate in rates)


def test_epochs_are_counted_from_one_and_the_first_may_have_been_fitted_before() -> None:
    found = train(changed(epochs=3), first_loss=0.125).history
    assert [epoch["epoch"] for epoch in found] == [1, 2, 3]
    assert found[0]["loss"] == 0.125 and 0.125 not in [epoch["loss"] for epoch in found[1:]]


def test_classes_weigh_inversely_to_their_number() -> None:
    clips = [c for c in toy(30) if c.label != 2 or c.utterance.id in ("0-2", "0-5")]  # 10, 10, 2
    weights = class_weights(clips, CLASSES)
    assert weights.tolist() == pytest.approx([22 / 30, 22 / 30, 22 / 6])  # N / (C n)
    assert sum(float(weights[c.label]) for c in clips) == pytest.approx(len(clips))
    nobody = class_weights([c for c in clips if c.label], CLASSES)
    assert torch.isfinite(nobody).all()


@pytest.mark.parametrize("balance", ["none", "weights"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torch_s_with_smoothing_and_weights(balance: Any, smoothing: float) -> None:
    recipe = Recipe(
        model=ModelConfig(width=2, dropout=0.0),
        train=TrainConfig(1, 0, 30, label_smoothing=smoothing, balance=balance),
    )
    clips = toy(30)[:17]
    start = network(recipe)
    batch = collate(clips, start)
    with torch.no_grad():
        logits = start(batch.inputs, batch.lengths)
    labels = torch.tensor([clip.label for clip in clips])
    weight = class_weights(clips, CLASSES) if balance == "weights" else torch.ones(CLASSES)
    # Over N clips: torch's mean for whole labels would divide by their weights instead.
    each = F.cross_entropy(logits, F.one_hot(labels, CLASSES).float(), weight=weight,
                           label_smoothing=smoothing)  # fmt: skip
    if not smoothing:
        by_label = F.cross_entropy(logits, labels, weight=weight, reduction="sum") / 17
        assert each.item() == pytest.approx(by_label.item(), rel=1e-6)
    done = train(recipe, training=clips)
    assert done.history[0]["loss"] == pytest.approx(each.item(), rel=1e-6)


def test_the_first_loss_is_the_mean_over_clips_not_batches() -> None:
    recipe = changed(Recipe(model=ModelConfig(width=2, dropout=0)), lr=0.0, batch_size=4, epochs=1)
    clips = toy(30)[:17]  # four batches of 4 and one of 1
    start = network(recipe)
    found = predict(start, clips)
    wanted = sum(-math.log(p[c.label]) for p, c in zip(found, clips, strict=True)) / 17
    assert train(recipe, training=clips).history[0]["loss"] == pytest.approx(wanted, rel=1e-5)


def test_the_recipe_names_the_optimizer() -> None:
    adam = make_optimizer(network(), TrainConfig(lr=0.3))
    adamw = make_optimizer(network(), TrainConfig(lr=0.2, optimizer="adamw", weight_decay=0.4))
    assert type(adam) is Adam and type(adamw) is AdamW
    assert (adam.defaults["lr"], adam.defaults["weight_decay"]) == (0.3, 0.0)
    assert (adamw.defaults["lr"], adamw.defaults["weight_decay"]) == (0.2, 0.4)
    assert sum(p.numel() for g in adam.param_groups for p in g["params"]) == sum(
        p.numel() for p in network().parameters()
    )


def test_a_long_gradient_is_cut() -> None:
    recipe = changed(epochs=1, batch_size=30, optimizer="adamw", clip_norm=1e-12)
    start = network(recipe).state_dict()
    # So short a gradient is lost in Adam's epsilon, 1e-8: next to no step is made.
    cut = train(recipe, validation=toy(3)).weights
    free = train(changed(recipe, clip_norm=0.0), validation=toy(3)).weights
    assert all(torch.allclose(cut[key], start[key], atol=1e-4) for key in start)
    assert not all(torch.allclose(free[key], start[key], atol=1e-3) for key in start)


# What goes wrong


@pytest.mark.parametrize("batch_size", [4, 30])
def test_a_loss_that_is_no_number_stops_the_training(batch_size: int, tmp_path: Path) -> None:
    recipe = changed(epochs=3, lr=1e30, batch_size=batch_size)
    path = tmp_path / "checkpoint.safetensors"
    # Of one batch only the validation loss can tell in the first epoch.
    with pytest.raises(EmeliaError, match=r"no longer a number in epoch 1.*--set train\.lr=1e\+29"):
        train(recipe, checkpoint=path)
    assert not path.exists(), "nothing to go on from"


# Averaged weights


@pytest.mark.parametrize("seed", [0, 1])
def test_averaged_weights_follow_those_of_every_step(seed: int) -> None:
    """One step an epoch, so that every step's weights are seen."""
    decay = 0.7
    config = TrainConfig(6, 0, 30, lr=0.05, checkpoint="last", ema=decay)
    found = train(Recipe(model=PLAIN.model, train=config), seed)
    wanted = network(PLAIN, seed).state_dict()
    for state in found.states:
        wanted = {key: decay * old + (1 - decay) * state[key] for key, old in wanted.items()}
    for key, value in found.weights.items():
        torch.testing.assert_close(value, wanted[key])


def test_averaged_weights_are_validated_and_kept() -> None:
    config = TrainConfig(6, 0, 30, lr=0.05, ema=0.7)
    validation = toy(seed=1)
    found = train(Recipe(model=PLAIN.model, train=config), validation=validation)
    best = found.history[found.progress.best_epoch - 1]
    answers = logits(found.network, validation)
    truth = torch.tensor([clip.label for clip in validation])
    loss = F.cross_entropy(answers, truth).item()
    assert loss == pytest.approx(best["validation_loss"], rel=1e-5)
