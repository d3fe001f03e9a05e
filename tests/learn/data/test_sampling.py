"""How often training clips are drawn: by class, by corpus, by the share of the target."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from emelia.config import Recipe, TrainConfig
from emelia.config.reading import recipe_from
from emelia.corpora import Utterance
from emelia.errors import ConfigError
from emelia.learn.data.loader import Clip
from emelia.learn.data.sampling import sampled_places, sampling_probabilities, target_corpora


def clip(corpus: str, label: int) -> Clip:
    utterance = Utterance("a", Path("a"), "anger", "1", corpus=corpus)
    return Clip(utterance, label, np.zeros((1, 1), np.float32), np.zeros(1, np.float32))


HOME = [clip("", 0)] * 10 + [clip("", 1)] * 30
OTHERS = [clip("small", 0)] * 16 + [clip("large", 0)] * 40 + [clip("large", 1)] * 104


def test_corpora_are_drawn_by_the_root_of_their_size_with_balanced_classes() -> None:
    clips = [clip("small", 0)] * 4 + [clip("large", 0)] * 4 + [clip("large", 1)] * 60
    chances = sampling_probabilities(clips, "corpora")
    assert chances.sum() == pytest.approx(1)
    # sqrt(4) : sqrt(64) = 1 : 4, and the two classes of the large one share its part
    parts = [chances[:4].sum(), chances[4:8].sum(), chances[8:].sum()]
    assert parts == pytest.approx([0.2, 0.4, 0.4])


def test_classes_are_balanced_over_all_corpora_where_only_they_are_to_be() -> None:
    clips = [clip("small", 0)] * 2 + [clip("large", 1)] * 6
    assert sampling_probabilities(clips, "sampling")[:2].sum() == pytest.approx(0.5)


@pytest.mark.parametrize("balance", ["none", "sampling", "corpora"])
def test_the_corpus_under_test_gets_its_share_and_the_others_the_rest(balance: str) -> None:
    chances = sampling_probabilities([*HOME, *OTHERS], balance, {""}, 0.3)
    assert chances.sum() == pytest.approx(1)
    # At home classes alike; of the others sqrt(16) : sqrt(144) = 1 : 3, classes alike in each.
    parts = np.split(chances, [10, 40, 56, 96])
    expected = [0.15, 0.15, 0.7 / 4, 0.7 * 3 / 8, 0.7 * 3 / 8]
    assert [part.sum() for part in parts] == pytest.approx(expected)
    assert all(np.ptp(part) == pytest.approx(0) for part in parts)


def test_the_order_of_the_clips_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(200)
    clips = [*HOME, *OTHERS]
    chances = sampling_probabilities(clips, "none", {""}, 0.6)
    mixed = sampling_probabilities([clips[i] for i in order], "none", {""}, 0.6)
    assert mixed == pytest.approx(chances[order])


def test_a_joined_corpus_under_test_shares_its_part_by_size() -> None:
    clips = [clip("a", 0)] * 4 + [clip("b", 0)] * 16 + [clip("more", 0)] * 50
    parts = np.split(sampling_probabilities(clips, "none", {"a", "b"}, 0.6), [4, 20])
    assert [part.sum() for part in parts] == pytest.approx([0.2, 0.4, 0.4])


@pytest.mark.parametrize("clips", [HOME, OTHERS])
@pytest.mark.parametrize("balance", ["sampling", "corpora"])
def test_with_nobody_to_share_with_balance_decides(clips: list[Clip], balance: str) -> None:
    assert sampling_probabilities(clips, balance, {""}, 0.3) == pytest.approx(
        sampling_probabilities(clips, balance)
    )


def test_all_of_the_share_leaves_nothing_to_the_others() -> None:
    chances = sampling_probabilities([*HOME, *OTHERS], "none", {""}, 1.0)
    assert chances[:40].sum() == pytest.approx(1) and not chances[40:].any()


def test_clips_of_the_corpus_under_test_are_those_that_choose_the_epoch() -> None:
    assert target_corpora([clip("a", 0), clip("b", 1)]) == {"a", "b"}
    assert target_corpora(HOME) == {""}


@pytest.mark.parametrize(
    ("train", "target", "drawn"),
    [
        (TrainConfig(), {""}, False),
        (TrainConfig(target_share=0.5), {""}, True),
        (TrainConfig(target_share=0.5), {"elsewhere"}, False),
        (TrainConfig(balance="weights"), {""}, False),
        (TrainConfig(balance="sampling"), {""}, True),
    ],
)
def test_clips_are_drawn_only_where_a_recipe_asks(
    train: TrainConfig, target: set[str], drawn: bool
) -> None:
    clips = [*HOME, *OTHERS]
    picked = sampled_places(clips, train, target, np.random.default_rng(0))
    assert len(picked) == len(clips)
    assert (list(picked) != list(range(len(clips)))) == drawn


def test_the_target_corpus_is_drawn_as_often_as_the_recipe_asks() -> None:
    clips, rng = [*HOME, *OTHERS], np.random.default_rng(0)
    train = TrainConfig(target_share=0.75)
    drawn = Counter(
        clips[i].utterance.corpus
        for _ in range(50)
        for i in sampled_places(clips, train, {""}, rng)
    )
    assert drawn[""] / drawn.total() == pytest.approx(0.75, abs=0.02)


def test_the_share_is_part_of_a_recipes_name_only_where_it_is_used() -> None:
    assert recipe_from({"name": "a", "train": {"target_share": 0.0}}).digest == Recipe("a").digest
    assert recipe_from({"name": "a", "train": {"target_share": 0.5}}).digest != Recipe("a").digest


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_is_within_none_and_all(share: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"train.target_share: .* expected a number within 0 to 1"
    ):
        recipe_from({"train": {"target_share": share}})
