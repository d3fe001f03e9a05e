"""Calibration metrics: textbook values, coverage of intervals, temperature."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from emelia import metrics

Labels = NDArray[np.int64]
Chances = NDArray[np.float64]


def softmax(logits: Chances) -> Chances:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def world(
    seed: int, boast: float = 1.0, speakers: int = 12, clips: int = 25
) -> tuple[Labels, Chances, list[str]]:
    """Answers of a network that knows its chances, and multiplies its logits by `boast`.

    Speakers differ in how clear they are, which the network does not know.
    """
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((speakers * clips, 5))
    who = np.arange(len(logits)) // clips
    clear = np.exp(rng.normal(0, 0.3, speakers))[who]
    sure = softmax(logits * clear[:, None])
    truth = (rng.random((len(logits), 1)) > sure.cumsum(axis=1)).sum(axis=1).clip(0, 4)
    return truth, softmax(boast * logits), [str(name) for name in who]


# Temperature


@pytest.mark.parametrize("heat", [0.3, 1.0, 2.7])
def test_a_temperature_divides_the_logits(heat: float) -> None:
    logits = 5 * np.random.default_rng(0).standard_normal((2, 30, 6))
    found = metrics.with_temperature(softmax(logits), heat)
    np.testing.assert_allclose(found, softmax(logits / heat), atol=1e-12)


@pytest.mark.parametrize("heat", [0.05, 1.0, 20.0])
def test_a_temperature_takes_certainty_and_zeros(heat: float) -> None:
    found = metrics.with_temperature([[1, 0, 0], [0.5, 0.5, 0], [1e-45, 1, 0]], heat)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[:2], [[1, 0, 0], [0.5, 0.5, 0]])
    assert found[2].argmax() == 1 and found[2, 2] == 0


def test_a_training_that_diverged_stays_without_numbers() -> None:
    assert np.isnan(metrics.with_temperature([[np.nan, np.nan]], 2.0)).all()


# Calibration error


def test_the_interval_of_the_calibration_error_is_frozen() -> None:
    truth, chances, speakers = world(0, 2.0)
    found = metrics.calibration_interval(truth, chances, speakers)
    error = metrics.calibration_error(truth, chances)
    figures = [error, found.low, found.high, metrics.perfect_calibration_error(chances)]
    np.testing.assert_allclose(figures, [0.161439, 0.09581, 0.237794, 0.054649], atol=2e-5)
    assert found == metrics.calibration_interval(truth, chances, speakers)
    assert found != metrics.calibration_interval(truth, chances, speakers, seed=1)


def test_resamples_are_speakers_and_then_their_clips_one_by_one() -> None:
    """The width is that of figures computed anew from clips drawn by hand."""
    truth, chances, speakers = world(1, 2.0)
    rng, values = np.random.default_rng(5), []
    groups = [np.flatnonzero(np.array(speakers) == s) for s in sorted(set(speakers))]
    for _ in range(800):
        names = [groups[i] for i in rng.integers(0, len(groups), len(groups))]
        drawn = np.concatenate([rng.choice(own, len(own)) for own in names])
        values.append(metrics.calibration_error(truth[drawn], chances[drawn]))
    shift = np.mean(values) - metrics.calibration_error(truth, chances)
    found = metrics.calibration_interval(truth, chances, speakers)
    want = np.quantile(values, [0.025, 0.975]) - shift
    np.testing.assert_allclose([found.low, found.high], want, atol=0.012)


@pytest.mark.parametrize("boast", [1.0, 2.0])
def test_the_interval_covers_what_other_speakers_would_show(boast: float) -> None:
    elsewhere = [metrics.calibration_error(*world(1000 + seed, boast)[:2]) for seed in range(300)]
    covered = 0
    for seed in range(60):
        found = metrics.calibration_interval(*world(seed, boast), n=300)
        assert found.clustered
        covered += found.low <= np.mean(elsewhere) <= found.high
    assert covered >= 0.9 * 60


def test_below_six_speakers_the_interval_is_marked() -> None:
    found = metrics.calibration_interval(*world(0, speakers=5))
    assert found.too_narrow and "fewer than 6 test speakers" in found.note


def test_several_seeds_share_each_resample_and_their_mean_is_taken() -> None:
    truth, chances, speakers = world(0, 2.0)
    once = metrics.calibration_interval(truth, chances, speakers)
    thrice = metrics.calibration_interval(truth, np.stack([chances] * 3), speakers)
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))
    calm = metrics.with_temperature(chances, 2.0)
    both = metrics.calibration_interval(truth, np.stack([chances, calm]), speakers)
    errors = [metrics.calibration_error(truth, row) for row in (chances, calm)]
    assert both.low < np.mean(errors) < both.high


def test_perfect_confidences_show_an_error_that_shrinks_with_clips() -> None:
    """One bin: the mean distance of a share of n coins from its chance, known in closed form."""
    from scipy.stats import binom

    for clips in (20, 200):
        chances = np.tile([0.75, 0.25], (clips, 1))
        k = np.arange(clips + 1)
        want = (binom.pmf(k, clips, 0.75) * abs(k / clips - 0.75)).sum()
        found = metrics.perfect_calibration_error(chances, n=1500)
        assert found == pytest.approx(want, rel=0.06)


def test_a_calibrated_network_shows_on_average_what_a_perfect_one_would() -> None:
    rng = np.random.default_rng(3)
    chances = softmax(rng.standard_normal((200, 5)))
    cumulated = chances.cumsum(axis=1)
    draws = [(rng.random((200, 1)) > cumulated).sum(axis=1).clip(0, 4) for _ in range(600)]
    mean = np.mean([metrics.calibration_error(truth, chances) for truth in draws])
    assert metrics.perfect_calibration_error(chances) == pytest.approx(mean, rel=0.05)


# Risk and coverage


def tied(seed: int, n: int = 60) -> tuple[Labels, Chances]:
    """Answers of which many are equally sure."""
    rng = np.random.default_rng(seed)
    sure = rng.integers(5, 10, n) / 10
    truth = (rng.random(n) > sure).astype(int)
    return truth, np.stack([sure, 1 - sure], axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_risk_and_coverage_are_the_definition_of_them(seed: int) -> None:
    """Geifman and El-Yaniv: of the answers at least so sure, how many, and how many right."""
    for truth, chances in (tied(seed), world(seed)[:2]):
        sure, right = chances.max(axis=1), chances.argmax(axis=1) == truth
        found = metrics.risk_coverage(truth, chances)
        assert list(found.confidence) == sorted(set(sure), reverse=True)
        risks = []
        for limit, share, accuracy in zip(
            found.confidence, found.coverage, found.accuracy, strict=True
        ):
            accepted = [r for r, s in zip(right, sure, strict=True) if s >= limit]
            assert share == pytest.approx(len(accepted) / len(truth))
            assert accuracy == pytest.approx(sum(accepted) / len(accepted))
        for own in sure.tolist():  # the area is the mean risk over the answers' own confidences
            accepted = [r for r, s in zip(right, sure, strict=True) if s >= own]
            risks.append(1 - sum(accepted) / len(accepted))
        assert found.area == pytest.approx(np.mean(risks))


def test_areas_by_hand() -> None:
    """Surest first right, right, wrong, right: risks 0, 0, 1/3 and 1/4."""
    chances = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    found = metrics.risk_coverage([0, 0, 1, 0], chances)
    assert found.area == pytest.approx((1 / 3 + 1 / 4) / 4)
    assert list(found.coverage) == [0.25, 0.5, 0.75, 1.0]
    assert found.accuracy_at(0.5) == 1.0 and found.accuracy_at(0.51) == pytest.approx(2 / 3)
    assert found.coverage_for(1.0) == 0.5 and found.coverage_for(0.76) == 0.5
    assert found.coverage_for(0.75) == 1.0
    assert metrics.risk_coverage([1, 0, 1, 0], chances).coverage_for(0.9) == 0.0
    assert found.accuracy_at(1.0) == 0.75 and found.accuracy_at(0.0) == 1.0


def test_an_area_without_knowledge_is_the_share_of_wrong_answers() -> None:
    truth = np.arange(100) % 4
    assert metrics.risk_coverage(truth, np.tile([0.4, 0.2, 0.2, 0.2], (100, 1))).area == 0.75
    assert metrics.risk_coverage(truth, np.eye(4)[truth]).area == 0
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 20_000)
    found = metrics.risk_coverage(rng.integers(0, 2, 20_000), np.stack([sure, 1 - sure], axis=1))
    assert found.area == pytest.approx(0.5, abs=0.02)


def test_what_is_no_probability_is_refused() -> None:
    for call in (metrics.risk_coverage, metrics.calibration_error):
        with pytest.raises(ValueError, match="rows sum to 1"):
            call([0, 1], [[0.5, 0.1], [0.2, 0.2]])
    with pytest.raises(ValueError, match="1 speakers for 2 clips"):
        metrics.calibration_interval([0, 1], [[1, 0], [0, 1]], ["1"])
