"""Logistic regression: that of scikit-learn, and a penalty that grows along given directions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from emelia.learn.training import logistic

CLASSES = 3


@pytest.mark.parametrize("penalty", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_solution_is_that_of_scikit_learn(penalty: float, weighted: bool) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(1)
    labels = rng.integers(CLASSES, size=90)
    x = (rng.standard_normal((90, 6)) * [1, 5, 0.1, 1, 2, 30] + 3).astype(np.float32)
    x[:, :3] += labels[:, None] * [0.7, 3.0, -0.1]
    weights = rng.uniform(0.1, 3, 90) if weighted else np.ones(90)
    found = logistic.solve(x, labels, weights, penalty, CLASSES, 6)

    share = weights / weights.sum()
    mean = share @ x
    deviation = np.sqrt(share @ (x - mean) ** 2) + logistic.SMALL
    # There the penalty is divided by C and the losses are added up.
    theirs = linear.LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=10_000)
    theirs.fit((x - mean) / deviation, labels, sample_weight=share)
    chances = found(torch.from_numpy(x)).softmax(1).numpy()
    expected = theirs.predict_proba((x - mean) / deviation)
    np.testing.assert_allclose(chances, expected, atol=2e-3)
    np.testing.assert_allclose(found.weight.numpy(), theirs.coef_, atol=5e-3)
    entropy = -(share * np.log(expected[np.arange(90), labels])).sum()
    assert found.loss == pytest.approx(entropy, abs=2e-3)


def test_a_feature_that_never_changes_does_no_harm() -> None:
    x = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
    x[:, 1] = 7
    found = logistic.solve(x, np.arange(30) % CLASSES, np.ones(30), 0.1, CLASSES, 3)
    assert found(torch.from_numpy(x)).isfinite().all()
    assert found.weight[:, 1].abs().max() < 1e-4


def test_nuisance_directions_are_penalised_by_their_variance_too() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(2)
    labels = rng.integers(CLASSES, size=90)
    x = rng.standard_normal((90, 4)).astype(np.float32)
    x[:, :3] += np.eye(CLASSES, dtype=np.float32)[labels]
    offsets = (rng.standard_normal((5, 4)) * [3, 0.5, 0.5, 1]).astype(np.float32)
    found = logistic.solve(x, labels, np.ones(90), 0.1, CLASSES, 4, nuisance=offsets)

    mean, deviation = x.mean(0), x.std(0) + logistic.SMALL
    rows = offsets / deviation
    penalty = torch.from_numpy(0.1 * (np.eye(4) + rows.T @ rows))
    inputs, truth = torch.from_numpy((x - mean) / deviation).double(), torch.from_numpy(labels)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value = torch.from_numpy(flat.reshape(CLASSES, 5)).requires_grad_()
        weight, bias = value[:, :4], value[:, 4]
        entropy = F.cross_entropy(inputs @ weight.T + bias, truth)
        loss = entropy + torch.einsum("ci,ij,cj->", weight, penalty, weight) / 2
        loss.backward()  # type: ignore[no-untyped-call]
        assert value.grad is not None
        return loss.item(), value.grad.numpy().ravel()

    expected = optimize.minimize(cost, np.zeros(CLASSES * 5), jac=True, tol=1e-10).x
    np.testing.assert_allclose(found.weight, expected.reshape(CLASSES, 5)[:, :4], atol=3e-3)
    plain = logistic.solve(x, labels, np.ones(90), 0.1, CLASSES, 4)
    assert found.weight[:, 0].abs().max() < 0.7 * plain.weight[:, 0].abs().max()


def data(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=60)
    x = rng.standard_normal((60, 4)).astype(np.float32) * [1, 4, 0.2, 1] + 2
    x[:, :3] += labels[:, None] * [0.7, 3.0, -0.1]
    return x.astype(np.float32), labels


@pytest.mark.parametrize(("own", "other"), [(4, 4), (2, 4), (4, 2)])
def test_combined_layers_give_the_sum_of_their_logits(own: int, other: int) -> None:
    x, labels = data()
    first = logistic.solve(x, labels, np.ones(60), 0.1, CLASSES, own)
    second = logistic.solve(3 * x + 1, labels[::-1].copy(), np.ones(60), 0.3, CLASSES, other)
    new = torch.from_numpy(data(4)[0])
    found = logistic.combine(first, second, 0.5)
    torch.testing.assert_close(found(new), first(new) + 0.5 * second(new), atol=1e-4, rtol=1e-4)


def test_a_layer_is_fitted_to_what_given_logits_leave_over() -> None:
    x, labels = data()
    given = torch.randn(60, CLASSES, generator=torch.Generator().manual_seed(0))
    heavy = logistic.solve(x, labels, np.ones(60), 1e6, CLASSES, 4, given=given)
    assert heavy.weight.abs().max() < 1e-4, "only the bias is free"
    light = logistic.solve(x, labels, np.ones(60), 1e-3, CLASSES, 4, given=given)
    entropy = F.cross_entropy(light(torch.from_numpy(x)) + given, torch.from_numpy(labels))
    assert light.loss == pytest.approx(entropy.item(), abs=1e-5)
    assert light.loss < heavy.loss
