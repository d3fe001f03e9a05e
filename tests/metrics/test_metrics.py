"""Metrics equal scikit-learn's and textbook values; intervals have their coverage."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from emelia import metrics
from emelia.metrics import accuracy, interval, uar
from emelia.metrics.scores import Metric

Labels = NDArray[np.int64]
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness")


def guesses(n: int, seed: int = 0, right: float = 0.5) -> tuple[Labels, Labels]:
    """Unequal classes, and predictions of which at least the share `right` is right."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(5, n, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    return truth, np.where(rng.random(n) < right, truth, rng.integers(0, 5, n))


def chances(n: int, seed: int = 0) -> tuple[Labels, NDArray[np.float64]]:
    """Classes and probabilities (n, 5) that know a little of them."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 5, n)
    weights = rng.random((n, 5)) ** 4 + np.eye(5)[truth] * rng.random((n, 1))
    return truth, weights / weights.sum(axis=1, keepdims=True)


# Figures


@pytest.mark.parametrize("n", [1, 7, 300])
def test_figures_agree_with_scikit_learn(n: int) -> None:
    from sklearn import metrics as sk

    truth, predicted = guesses(n)
    every = list(range(5))
    confusion = metrics.confusion_matrix(truth, predicted, 5)
    np.testing.assert_array_equal(confusion, sk.confusion_matrix(truth, predicted, labels=every))
    assert accuracy(truth, predicted) == pytest.approx(sk.accuracy_score(truth, predicted))
    assert uar(truth, predicted) == pytest.approx(
        sk.recall_score(truth, predicted, labels=np.unique(truth), average="macro")
    )
    want = sk.precision_recall_fscore_support(truth, predicted, labels=every, zero_division=0)
    for figure, values in zip((metrics.precision, metrics.recall, metrics.f1), want, strict=False):
        np.testing.assert_allclose(figure(confusion), values, atol=1e-12)
    bundle = metrics.scores(truth, predicted, CLASSES)
    for name, values in zip(("precision", "recall", "f1", "support"), want, strict=True):
        np.testing.assert_allclose([bundle["per_class"][c][name] for c in CLASSES], values)
    present = np.unique(truth)  # of one clip four classes are missing
    means = sk.precision_recall_fscore_support(
        truth, predicted, labels=present, average="macro", zero_division=0
    )
    for name, value in zip(("precision", "recall", "f1"), means, strict=False):
        assert bundle[f"macro_{name}"] == pytest.approx(value)


def test_uar_agrees_with_balanced_accuracy() -> None:
    from sklearn.metrics import balanced_accuracy_score

    truth, predicted = guesses(400, seed=3)
    assert uar(truth, predicted) == pytest.approx(balanced_accuracy_score(truth, predicted))


def test_uar_ignores_class_sizes() -> None:
    truth = np.array([0] * 90 + [1] * 10)
    assert accuracy(truth, np.zeros_like(truth)) == 0.9
    assert uar(truth, np.zeros_like(truth)) == 0.5


def test_no_mean_over_classes_counts_those_without_clips() -> None:
    truth, predicted = [0, 0, 2, 2], [0, 1, 2, 2]  # 1 is never true, 3 neither true nor predicted
    bundle = metrics.scores(truth, predicted, ["a", "b", "c", "d"])
    assert uar(truth, predicted) == bundle["uar"] == bundle["macro_recall"] == 0.75
    assert bundle["macro_precision"] == 1.0
    assert bundle["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert bundle["per_class"]["b"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert bundle["per_class"]["d"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}


@pytest.mark.parametrize("present", [(0, 1, 2, 3, 4), (0, 2, 4), (1,)])
def test_macro_figures_and_chance_follow_scikit_learn_whatever_classes_have_clips(
    present: tuple[int, ...],
) -> None:
    from sklearn import metrics as sk
    from sklearn.dummy import DummyClassifier

    rng = np.random.default_rng(0)
    truth, predicted = rng.choice(present, 90), rng.integers(0, 5, 90)
    bundle = metrics.scores(truth, predicted, CLASSES)
    options = {"labels": np.unique(truth), "average": "macro", "zero_division": 0}
    for name, figure in (
        ("uar", sk.recall_score), ("macro_recall", sk.recall_score),
        ("macro_precision", sk.precision_score), ("macro_f1", sk.f1_score),
    ):  # fmt: skip
        assert bundle[name] == pytest.approx(figure(truth, predicted, **options))
    frequent = DummyClassifier(strategy="most_frequent").fit(truth[:, None], truth)
    guess = frequent.predict(truth[:, None])
    assert metrics.chance(truth) == pytest.approx(uar(truth, guess)) == 1 / len(present)


def test_intervals_of_macro_figures_leave_out_classes_without_clips() -> None:
    truth, predicted = guesses(200)
    truth[truth == 4] = 0
    speakers = [str(i % 10) for i in range(200)]
    found = metrics.class_intervals(truth, predicted, speakers, 5)
    four = metrics.confusion_matrix(truth, predicted, 5)
    for name, figure in (("precision", metrics.precision), ("f1", metrics.f1)):
        mean = float(metrics.macro(four, figure(four)))
        assert found[name][-1].low < mean < found[name][-1].high
        assert (found[name][4].low, found[name][4].high) == (0, 0)
    spread = metrics.interval(truth, predicted, speakers)
    assert found["recall"][-1] == spread  # UAR is macro recall, in every resample


def test_resamples_without_a_class_tell_nothing_of_it() -> None:
    truth = np.array([0, 0, 0, 0, 0, 0, 0, 1])  # one clip, which many resamples lack
    found = metrics.class_intervals(truth, truth, ["a"] * 8, 2)
    assert (found["recall"][1].low, found["recall"][1].high) == (1, 1)


def test_perfect_answers_score_one_and_random_ones_score_chance() -> None:
    truth, _ = guesses(20_000)
    perfect = metrics.scores(truth, truth, CLASSES)
    assert [v for k, v in perfect.items() if k.startswith(("acc", "uar", "macro"))] == [1.0] * 5
    random = np.random.default_rng(1).integers(0, 5, len(truth))
    assert abs(accuracy(truth, random) - 0.2) < 0.01 and abs(uar(truth, random) - 0.2) < 0.02


def test_scores_go_to_json_and_back_unchanged() -> None:
    truth, predicted = guesses(50)
    bundle = metrics.scores(truth, predicted, CLASSES)
    assert json.loads(json.dumps(bundle)) == bundle
    assert list(bundle) == [
        "n", "accuracy", "uar", "macro_precision", "macro_recall", "macro_f1", "per_class",
        "confusion",
    ]  # fmt: skip
    assert bundle["n"] == 50 and bundle["confusion"][0][0] == sum(
        t == p == 0 for t, p in zip(truth, predicted, strict=True)
    )


def test_per_group_gives_each_speaker_the_figures_of_his_clips() -> None:
    truth, predicted = guesses(90)
    speakers = [f"{i % 3}" for i in range(90)]
    table = metrics.per_group(truth, predicted, speakers)
    assert list(table) == ["0", "1", "2"] and json.loads(json.dumps(table)) == table
    for name in table:
        own = np.array(speakers) == name
        want = (30, accuracy(truth[own], predicted[own]), uar(truth[own], predicted[own]))
        assert (table[name]["n"], table[name]["accuracy"], table[name]["uar"]) == want


# Calibration


def test_brier_score_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import brier_score_loss

    truth, probabilities = chances(200)
    want = brier_score_loss(truth, probabilities, labels=list(range(5)), scale_by_half=False)
    assert metrics.brier_score(truth, probabilities) == pytest.approx(want)
    assert metrics.brier_score([0, 1], [[1, 0], [0, 1]]) == 0
    assert metrics.brier_score([0, 1], [[0, 1], [1, 0]]) == 2


def test_calibration_error_is_the_definition_of_it() -> None:
    truth, probabilities = chances(500)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    want = 0.0
    for k in range(10):
        own = (sure > k / 10) & (sure <= (k + 1) / 10)
        if own.any():
            want += own.mean() * abs(right[own].mean() - sure[own].mean())
    assert metrics.calibration_error(truth, probabilities) == pytest.approx(want)


def test_calibration_error_of_a_calibrated_forecast_is_near_zero() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 50_000)
    truth = (rng.random(50_000) > sure).astype(int)  # class 0 as often as it is forecast
    honest = np.stack([sure, 1 - sure], axis=1)
    boasting = np.tile([0.99, 0.01], (50_000, 1))
    assert metrics.calibration_error(truth, honest) < 0.01
    assert metrics.calibration_error(truth, boasting) == pytest.approx(0.99 - 0.75, abs=0.01)


def test_reliability_bins_hold_every_clip_once() -> None:
    truth, probabilities = chances(300)
    probabilities[0], truth[0] = [1, 0, 0, 0, 0], 0
    table = metrics.reliability(truth, probabilities)
    assert [row["low"] for row in table] == pytest.approx([k / 10 for k in range(10)])
    assert sum(row["n"] for row in table) == 300
    assert table[0] == {"low": 0.0, "high": 0.1, "n": 0, "confidence": 0.0, "accuracy": 0.0}
    for row in table:
        assert row["n"] == 0 or row["low"] < row["confidence"] <= row["high"]
    assert json.loads(json.dumps(table)) == table
    edge = metrics.reliability([0], [[0.5, 0.25, 0.25]])
    assert [row["n"] for row in edge] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]


# Intervals


def study(seed: int, speakers: int = 12, clips: int = 25) -> tuple[Labels, Labels, list[str]]:
    """A test set of speakers who differ: each is understood with a share of his own, mean 0.6."""
    rng = np.random.default_rng(seed)
    share = rng.beta(4.8, 3.2, speakers).repeat(clips)
    truth = rng.integers(0, 5, len(share))
    wrong = (truth + rng.integers(1, 5, len(share))) % 5
    predicted = np.where(rng.random(len(share)) < share, truth, wrong)
    return truth, predicted, [str(i // clips) for i in range(len(share))]


def test_clustered_intervals_cover_the_truth_where_clip_intervals_do_not() -> None:
    covered = {"speaker": 0, "clip": 0}
    for seed in range(200):
        truth, predicted, speakers = study(seed)
        for name, who in {"speaker": speakers, "clip": ["one"] * len(speakers)}.items():
            found = interval(truth, predicted, who, "accuracy", n=400)
            covered[name] += found.low <= 0.6 <= found.high
    assert covered["speaker"] >= 0.86 * 200
    assert covered["clip"] <= 0.75 * 200


@pytest.mark.parametrize("metric", ["accuracy", "uar"])
def test_intervals_are_those_of_drawing_speakers_and_then_their_clips_one_by_one(
    metric: str,
) -> None:
    truth, predicted, speakers = study(1)
    rare = (truth != 4) | (np.arange(len(truth)) % 7 == 0)  # classes of unequal size and difficulty
    truth, speakers = truth[rare], list(np.array(speakers)[rare])
    predicted = np.where(truth == 4, 0, predicted[rare])
    figure = {"accuracy": accuracy, "uar": uar}[metric]
    rng, values = np.random.default_rng(5), []
    groups = [np.flatnonzero(np.array(speakers) == s) for s in sorted(set(speakers))]
    for _ in range(1500):
        speakers_drawn = [groups[i] for i in rng.integers(0, len(groups), len(groups))]
        drawn = np.concatenate([rng.choice(own, len(own)) for own in speakers_drawn])
        values.append(figure(truth[drawn], predicted[drawn]))
    found = interval(truth, predicted, speakers, metric, n=4000)  # type: ignore[arg-type]
    want = np.quantile(values, [0.025, 0.975])
    np.testing.assert_allclose([found.low, found.high], want, atol=0.012)


def test_speakers_who_happen_to_be_alike_do_not_make_an_interval_narrow() -> None:
    truth = np.zeros(240, int)
    predicted = (np.arange(240) % 2).astype(int)  # half of each speaker's clips right
    found = interval(truth, predicted, [str(i // 40) for i in range(240)], "accuracy")
    half = 1.96 * math.sqrt(0.25 / 240)  # the binomial distribution's
    assert found.clustered
    np.testing.assert_allclose([found.low, found.high], [0.5 - half, 0.5 + half], atol=0.01)


def test_clip_intervals_are_the_binomial_distribution_s() -> None:
    truth = np.zeros(400, int)
    predicted = (np.arange(400) >= 280).astype(int)  # 70 % right
    found = interval(truth, predicted, ["1"] * 400, "accuracy", n=20_000)
    half = 1.96 * math.sqrt(0.7 * 0.3 / 400)
    np.testing.assert_allclose([found.low, found.high], [0.7 - half, 0.7 + half], atol=0.004)


def test_below_six_speakers_clips_are_drawn_and_the_interval_says_so() -> None:
    truth, predicted, speakers = study(0, speakers=5)
    few = interval(truth, predicted, speakers)
    assert (
        not few.clustered and few.too_narrow and "fewer than 6 test speakers are known" in few.note
    )
    truth, predicted, speakers = study(0, speakers=6)
    enough = interval(truth, predicted, speakers)
    assert enough.clustered and not enough.too_narrow and enough.note == ""
    assert enough.level == 0.95


@pytest.mark.parametrize("count", [3, 8])
def test_several_seeds_share_each_resample_and_their_mean_is_taken(count: int) -> None:
    truth, predicted, speakers = study(0, speakers=count)
    once = interval(truth, predicted, speakers, "accuracy")
    thrice = interval(truth, np.stack([predicted] * 3), speakers, "accuracy")
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    opposite = np.where(predicted == truth, (truth + 1) % 5, truth)  # right where the other is not
    both = interval(truth, np.stack([predicted, opposite]), speakers, "accuracy")
    assert (both.low, both.high) == pytest.approx((0.5, 0.5))


def test_an_interval_holds_its_figure_and_comes_out_the_same_again() -> None:
    truth, predicted, speakers = study(2)
    found = interval(truth, predicted, speakers, "uar")
    assert 0 < found.low < uar(truth, predicted) < found.high < 1
    assert found == interval(truth, predicted, speakers, "uar", seed=0)
    assert found != interval(truth, predicted, speakers, "uar", seed=1)


def test_a_rare_class_may_be_missing_from_a_resample() -> None:
    truth, speakers = np.array([0] * 20 + [1]), [str(i % 7) for i in range(21)]
    found = interval(truth, np.zeros(21, int), speakers, "uar")
    assert (found.low, found.high) == (0.5, 1.0)


def test_two_thousand_resamples_of_600_clips_take_well_under_a_second() -> None:
    truth, predicted, speakers = study(0, speakers=24)
    seeds = np.stack([predicted] * 5)
    start = time.process_time()
    interval(truth, seeds, speakers)
    interval(truth, seeds, ["1"] * len(truth))
    assert time.process_time() - start < 1.5


# Paired tests


@pytest.mark.parametrize(("right", "clips"), [(90, 121), (0, 20), (20, 20), (1, 1000)])
def test_wilson_is_the_textbook_interval(right: int, clips: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(right, clips).proportion_ci(method="wilson")
    found = metrics.wilson(right / clips, clips)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-7)
    assert found.too_narrow


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 5), (0, 6), (1, 9), (40, 62), (700, 9)])
def test_mcnemar_is_the_exact_binomial_test(only_a: int, only_b: int) -> None:
    from scipy.stats import binomtest

    truth = np.zeros(only_a + only_b + 30, int)
    a, b = np.zeros_like(truth), np.zeros_like(truth)
    b[:only_a] = 1
    a[only_a : only_a + only_b] = 2
    a[-10:] = b[-10:] = 1  # both wrong: says nothing of which is better
    total = only_a + only_b
    want = binomtest(only_a, total).pvalue if total else 1.0
    assert metrics.mcnemar(truth, a, b) == pytest.approx(want, rel=1e-9)
    assert metrics.mcnemar(truth, b, a) == metrics.mcnemar(truth, a, b)


def test_mcnemar_by_hand() -> None:
    """One against six: P(0) + P(1) of Binomial(7, 1/2) is 8/128, on two sides 1/8."""
    assert metrics.mcnemar([0] * 7, [0] + [1] * 6, [1] + [0] * 6) == 1 / 8


def test_mcnemar_takes_many_clips() -> None:
    truth = np.zeros(40_000, int)
    first = np.arange(40_000) % 2
    assert metrics.mcnemar(truth, first, 1 - first) == 1.0


def test_holm_is_the_step_down_rule() -> None:
    assert metrics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert metrics.holm([0.5, 0.6]) == [1.0, 1.0]
    assert metrics.holm([0.2]) == [0.2] and metrics.holm([]) == []


def test_holm_finds_no_difference_among_equals_most_of_the_time() -> None:
    rng = np.random.default_rng(0)
    false_alarms = np.mean([min(metrics.holm(rng.random(6).tolist())) < 0.05 for _ in range(4000)])
    assert 0.035 < false_alarms < 0.065


# Faults of the caller


@pytest.mark.parametrize(
    ("truth", "predicted", "reason"),
    [
        ([], [], "at least one clip"),
        ([[0, 1]], [[0, 1]], r"expected \(N,\)"),
        ([0, 1], [0], "predictions of shape"),
        ([0, 1], [[0, 1]], "predictions of shape"),
        ([0, 1], [0, -1], "class numbers from 0"),
        ([0.0, 1.0], [0, 1], "class numbers from 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    truth: list[int], predicted: list[int], reason: str
) -> None:
    for call in (
        lambda: accuracy(truth, predicted),
        lambda: uar(truth, predicted),
        lambda: metrics.scores(truth, predicted, CLASSES),
        lambda: metrics.per_group(truth, predicted, ["1"] * len(truth)),
        lambda: metrics.mcnemar(truth, predicted, predicted),
    ):
        with pytest.raises(ValueError, match=reason):
            call()


def test_what_does_not_go_with_the_clips_is_refused() -> None:
    with pytest.raises(ValueError, match="class number 2 given, with 2 classes"):
        metrics.scores([0, 2], [0, 1], ["a", "b"])
    with pytest.raises(ValueError, match="1 speakers for 2 clips"):
        interval([0, 1], [0, 1], ["1"])
    with pytest.raises(ValueError, match="3 groups for 2 clips"):
        metrics.per_group([0, 1], [0, 1], ["1", "2", "3"])
    with pytest.raises(ValueError, match="at least one clip"):
        interval([], [], [])
    with pytest.raises(ValueError, match="predictions of shape"):
        interval([0, 1], [[0, 1, 1], [0, 0, 0]], ["1", "2"])
    with pytest.raises(ValueError, match="predictions of shape"):
        metrics.brier_score([0, 1], [[0.5, 0.5]])
    for bad in ([[0.5, 0.6]], [[np.nan, 1]], [0.5, 0.5], [[]]):
        with pytest.raises(ValueError, match=r"expected \(N, C\), rows sum to 1"):
            metrics.reliability([0], bad)
    with pytest.raises(ValueError, match="class number 2 given"):
        metrics.calibration_error([2], [[0.5, 0.5]])


def test_a_metric_that_is_registered_is_in_scores_and_intervals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = metrics.PER_CLASS["recall"].of
    monkeypatch.setitem(metrics.OVERALL, "worst", Metric("worst", lambda c: found(c).min(axis=-1)))
    monkeypatch.setitem(metrics.PER_CLASS, "again", Metric("again", found))
    truth, guesses, who = [0, 0, 1, 1], [0, 0, 0, 1], list("abcd")
    told = metrics.scores(truth, guesses, ("a", "b"))
    assert told["worst"] == 0.5 and told["per_class"]["b"]["again"] == 0.5
    assert metrics.interval(truth, guesses, who, "worst").high <= 1
    assert metrics.class_intervals(truth, guesses, who, 2)["again"][0].low == 1
    assert metrics.titles(metrics.OVERALL) == ["accuracy %", "UAR %", "worst %"]


def test_the_interval_of_a_mean_is_that_of_the_textbook() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    span = metrics.mean_interval(values, ["one"] * 400)
    assert not span.clustered
    reach = 1.96 * values.std() / 20
    assert span.low == pytest.approx(values.mean() - reach, abs=0.03)
    assert span.high == pytest.approx(values.mean() + reach, abs=0.03)


def test_the_interval_of_a_mean_heeds_that_clips_of_a_speaker_are_alike() -> None:
    speakers = [str(i // 20) for i in range(200)]
    values = np.repeat(np.random.default_rng(0).normal(0, 1, 10), 20)
    alike = metrics.mean_interval(values, speakers)
    alone = metrics.mean_interval(values, ["one"] * 200)
    assert alike.clustered
    assert alike.high - alike.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize(("speakers", "clustered"), [(5, False), (6, True), (7, True)])
def test_speakers_are_drawn_from_six_on(speakers: int, clustered: bool) -> None:
    who = [str(i % speakers) for i in range(60)]
    values = np.arange(60.0)
    assert metrics.mean_interval(values, who).clustered is clustered
    assert (
        metrics.interval(
            (values > 30).astype(int), (values > 20).astype(int), who, "accuracy"
        ).clustered
        is clustered
    )
