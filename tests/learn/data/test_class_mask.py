"""The softmax over the classes that a clip's corpus contains."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from emelia.learn.data.class_mask import allowed, classes_of_corpora, cross_entropy
from emelia.learn.training.logistic import solve

CLASSES = 3


def _clips(*pairs: tuple[str, int]) -> list:
    return [SimpleNamespace(utterance=SimpleNamespace(corpus=c), label=k) for c, k in pairs]


def test_a_clip_has_the_classes_of_its_corpus():
    clips = _clips(("two", 0), ("two", 1), ("all", 0), ("all", 1), ("all", 2))
    found = allowed(clips, classes_of_corpora(clips), CLASSES)
    assert found.tolist() == [[True, True, False]] * 2 + [[True] * 3] * 3


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_a_softmax_without_the_other_classes(smoothing):
    logits = torch.tensor([[1.0, 0.5, 9.0], [0.2, 0.1, 0.3]])
    shown = torch.tensor([[True, True, False], [True, True, True]])
    targets = F.one_hot(torch.tensor([1, 2]), CLASSES).float()
    found = cross_entropy(logits, targets, shown, None, smoothing)
    narrow = F.cross_entropy(logits[:1, :2], torch.tensor([1]), label_smoothing=smoothing)
    wide = F.cross_entropy(logits[1:], torch.tensor([2]), label_smoothing=smoothing)
    assert found.item() == pytest.approx((narrow + wide).item() / 2, rel=1e-6)


def test_a_hidden_class_gets_no_gradient():
    logits = torch.zeros(1, CLASSES, requires_grad=True)
    shown = torch.tensor([[True, True, False]])
    cross_entropy(logits, torch.tensor([[1.0, 0, 0]]), shown, None, 0.1).backward()
    assert logits.grad is not None and logits.grad[0, 2] == 0 and logits.grad[0, 1] > 0


def test_a_class_that_a_mixed_target_asks_for_is_shown():
    shown = torch.tensor([[True, False, False]])
    targets, logits = torch.tensor([[0.5, 0.5, 0]]), torch.zeros(1, CLASSES)
    found = cross_entropy(logits, targets, shown, None, 0.0)
    assert found.item() == pytest.approx(np.log(2), rel=1e-6)


def test_a_solved_layer_learns_nothing_about_a_class_from_a_corpus_without_it():
    """Corpus one lacks class 2, and lies where class 2 of corpus two lies."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 0, 1, 2], 40)
    one = np.arange(200) < 80
    centres = np.array([[0, 4], [4, 4], [0, 0], [4, 0], [2, 4]])[np.repeat(np.arange(5), 40)]
    x = (centres + rng.normal(0, 0.3, (200, 2))).astype(np.float32)
    shown = torch.from_numpy(np.stack([np.ones(200), np.ones(200), ~one], 1) > 0)
    layer = [
        solve(x, labels, np.ones(200), 0.01, CLASSES, 2, shown=each)(torch.from_numpy(x))
        for each in (None, shown)
    ]
    share = [each.softmax(1)[one, 2].mean().item() for each in layer]
    assert share[1] > 2 * share[0]  # plain counts corpus one as evidence against class 2


def test_the_weights_of_classes_count_among_those_that_are_shown():
    logits, shown = torch.tensor([[1.0, 0.5, 9.0], [0.2, 0.1, 0.3]]), torch.ones(2, 3) > 0
    shown[0, 2] = False
    weight = torch.tensor([1.0, 4.0, 0.5])
    targets = F.one_hot(torch.tensor([1, 2]), CLASSES).float()
    narrow = 4.0 * F.cross_entropy(logits[:1, :2], torch.tensor([1]))
    wide = 0.5 * F.cross_entropy(logits[1:], torch.tensor([2]))
    found = cross_entropy(logits, targets, shown, weight, 0.0)
    assert found.item() == pytest.approx((narrow + wide).item() / 2, rel=1e-6)


def test_a_mask_is_of_truth_values_so_that_it_can_be_turned_round():
    clips = _clips(("one", 0), ("one", 1))
    assert allowed(clips, classes_of_corpora(clips), CLASSES).dtype == torch.bool
