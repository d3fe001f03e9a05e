"""How much sources differ, and that a source's offset is told from its mix of emotions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from emelia.corpora import Utterance
from emelia.learn.training.logistic import Solution
from emelia.learn.training.source_space import (
    CAUTION,
    adapted,
    load_space,
    save_space,
    source_space,
)
from emelia.source_offset import Space, estimate, usual_prior

CLASSES, SIZE, SPEAKERS, EACH = 3, 6, 30, 40
RNG = np.random.default_rng(0)
MEANS = 2.5 * RNG.standard_normal((CLASSES, SIZE))
SPREAD = np.array([4.0, 3.0, 1.0, 0.1, 0.1, 0.1])  # deviation of offsets
TURN = np.linalg.qr(RNG.standard_normal((SIZE, SIZE)))[0] * 3.0  # features are no coordinates


def made(speakers: int, seed: int, shares: tuple[float, ...] = (1, 1, 1)) -> tuple:
    rng = np.random.default_rng(seed)
    offsets = SPREAD * rng.standard_normal((speakers, SIZE))
    who = np.repeat(np.arange(speakers), EACH)
    labels = rng.choice(CLASSES, len(who), p=np.array(shares) / sum(shares))
    x = MEANS[labels] + offsets[who] + rng.standard_normal((len(who), SIZE))
    return (x @ TURN).astype(np.float32), labels, who, offsets


def space_of(seed: int = 1):
    x, labels, who, _ = made(SPEAKERS, seed)
    clips = [Utterance(str(i), Path(), "", str(w), corpus="home") for i, w in enumerate(who)]
    return source_space(x, labels, clips, np.ones(len(x)), CLASSES)


def test_what_is_left_has_variance_1_and_offsets_that_of_their_speakers():
    space = space_of()
    x, labels, who, _ = made(60, 2)
    z = (torch.from_numpy(x) - space.centre) @ space.directions.T
    rest = (z - space.means[torch.from_numpy(labels)]).numpy()
    rest -= np.stack([rest[who == w].mean(0) for w in range(60)])[who]
    np.testing.assert_allclose(np.cov(rest.T), np.eye(SIZE), atol=0.12)
    found = np.sort(space.variances.numpy())[::-1]
    np.testing.assert_allclose(found[:3], CAUTION * SPREAD[:3] ** 2, rtol=0.6)
    assert (found[3:] < 0.3 * CAUTION).all()


def test_the_way_back_undoes_the_way_ahead():
    space = space_of()
    together = space.directions @ space.back
    np.testing.assert_allclose(together.numpy(), np.eye(SIZE), atol=1e-4)


def test_a_space_is_kept_to_the_bit():
    space = space_of()
    again = load_space(save_space(space))
    assert all(
        torch.equal(getattr(space, name), getattr(again, name))
        for name in ("centre", "directions", "back", "means", "variances")
    )


@pytest.mark.parametrize("shares", [(1, 1, 1), (8, 1, 1), (0, 1, 0)])
def test_an_offset_is_found_whatever_the_mix(shares):
    """Even where all clips are of one class, which the plain mean would take off."""
    space = space_of()
    known = Space(
        space.means.double().numpy(),
        space.variances.double().numpy(),
        np.full(len(space.means), 0.1),
    )
    x, labels, who, _ = made(20, 3, shares)
    z = ((torch.from_numpy(x) - space.centre) @ space.directions.T).double().numpy()
    errors, plain = [], []
    for speaker in range(20):
        own = who == speaker
        true = (z[own] - known.means[labels[own]]).mean(0)
        errors.append(np.linalg.norm(estimate(known, z[own]) - true))
        plain.append(np.linalg.norm(true))
    assert np.median(errors) < 0.35 * np.median(plain)


def test_no_clips_have_no_offset_and_few_a_small_one():
    known = Space(np.zeros((2, 3)), np.array([1.0, 1.0, 0.0]), np.full(2, 0.1))
    assert not estimate(known, np.zeros((0, 3))).any()
    for clips in (1, 99):
        found = estimate(known, np.tile([[2.0, 2.0, 2.0]], (clips, 1)))
        share = clips / (clips + 1)  # n v / (n v + 1)
        np.testing.assert_allclose(found, [2 * share, 2 * share, 0.0])


def test_a_source_of_one_emotion_is_taken_for_neutral_speech_in_an_odd_room():
    """Where all of its clips lie between two classes, what is usual decides which they are."""
    odd = np.tile(0.55 * MEANS[0] + 0.45 * MEANS[1], (30, 1))
    for names in (("neutral", "anger", "fear"), ("anger", "neutral", "fear")):
        found = estimate(Space(MEANS, SPREAD**2, usual_prior(names)), odd)
        nearest = np.square(odd[0] - found - MEANS).sum(1).argmin()
        assert names[nearest] == "neutral"


def test_clips_and_groups_of_like_clips_tell_the_same():
    known = Space(MEANS, SPREAD**2, np.full(len(MEANS), 0.1))
    places = np.repeat(MEANS + 1.0, 4, axis=0)
    by_clip = estimate(known, places)
    by_group = estimate(known, MEANS + 1.0, np.array([4.0, 4.0, 4.0]))
    np.testing.assert_allclose(by_clip, by_group, atol=1e-9)


def test_a_layer_adapted_to_a_source_answers_as_if_its_offset_were_not_there():
    space = space_of()
    x, _, who, offsets = made(1, 5)
    layer = Solution(space.centre, torch.ones(SIZE), torch.randn(CLASSES, SIZE), torch.zeros(3), 0)
    found = adapted(layer, space, x)(torch.from_numpy(x))
    wanted = layer(torch.from_numpy(x - (offsets[who] @ TURN).astype(np.float32)))
    plain = layer(torch.from_numpy(x))
    assert (found - wanted).abs().mean() < 0.3 * (plain - wanted).abs().mean()
