"""The shares of a stress test, counted by hand.

.venv/bin/python -m pytest tests/results/test_stress.py
"""

from __future__ import annotations

import pytest

from emelia.results.evaluation import ClipAnswer, Evaluation
from emelia.results.stress import Stressed, StressResults, Wanted
from emelia.show.stress.tables import by_category, groups, of_category, sentences

CLASSES = ("anger", "sadness")


def evaluation(*answers: tuple[int, int | None, float, bool]) -> Evaluation:
    """Truth, answer, its probability and whether it is unsure, of clips of speakers a and b."""
    return Evaluation(
        "toy", "own", CLASSES,
        tuple(
            ClipAnswer(
                str(place), truth, answer,
                () if answer is None else ((sure, 1 - sure) if answer == 0 else (1 - sure, sure)),
                unsure, "ab"[place % 2], ("female", "male")[place % 2],
            )
            for place, (truth, answer, sure, unsure) in enumerate(answers)
        ),
        0.5,
    )  # fmt: skip


PLAIN = evaluation((0, 0, 0.9, False), (0, 0, 0.8, False), (1, 1, 0.7, False), (1, 0, 0.6, True))
NOISY = evaluation((0, 0, 0.7, False), (0, 1, 0.6, True), (1, None, 0, False), (1, 0, 0.7, False))
EACH = ((0,), (1,), (2,), (3,))


def test_shares_are_those_counted_by_hand() -> None:
    one = Stressed("background", "noise", Wanted(0.5, 0.5), NOISY, PLAIN, EACH)
    assert one.unchanged == 0.5  # the first and the last
    assert one.unsure == one.silent == 0.25
    assert PLAIN.scores["uar"] == 0.75 and NOISY.scores["uar"] == 0.25
    assert one.uar_lost == 0.5 and one.passed
    assert one.confidence == pytest.approx((0.7 + 0.6 + 0.7) / 3)
    # Bins of 0.6 (wrong) and 0.7 (one of two right): 1/3 * 0.6 + 2/3 * |0.7 - 0.5|
    assert one.ece == pytest.approx(0.6 / 3 + 2 / 3 * 0.2)
    assert one.row()[2:5] == [4, 0.25, 0.25]


@pytest.mark.parametrize(
    ("wanted", "passed", "words"),
    [
        (Wanted(), None, ""),
        (Wanted(unchanged=0.51), False, "51 % unchanged"),
        (Wanted(lost=0.49), False, "UAR lost 49 at most"),
        (Wanted(accurate=True), False, "accuracy not lower"),
        (Wanted(0.5, 0.5), True, "50 % unchanged, UAR lost 50 at most"),
    ],
)
def test_what_is_wanted_decides(wanted: Wanted, passed: bool | None, words: str) -> None:
    one = Stressed("background", "noise", wanted, NOISY, PLAIN, EACH)
    assert one.passed is passed and str(wanted) == words and bool(wanted) == bool(words)


def test_joined_clips_are_compared_with_all_that_are_in_them() -> None:
    long = evaluation((0, 0, 0.9, False), (1, 1, 0.9, False))
    one = Stressed("length", "joined", Wanted(accurate=True), long, PLAIN, ((0, 1), (2, 3)))
    assert one.unchanged == 0.75 and one.passed and one.uar_lost == -0.25


def test_groups_and_tables() -> None:
    one = Stressed("background", "noise", Wanted(0.9), NOISY, PLAIN, EACH)
    found = StressResults(PLAIN, (one,), {str(n): {"length": "under 2 s"} for n in range(4)})
    women, men = (g for g in found.groups if g.kind == "gender")
    assert (women.name, women.accuracy[0], men.accuracy[0]) == ("female", 1.0, 0.5)
    assert women.unchanged and women.unchanged[0] == 0.5  # clip 0 stays, clip 2 does not
    assert {g.kind for g in found.groups} == {"gender", "speaker"}  # one length is no group
    assert found.differences("gender") == {"uar": 0.5, "precision": 1.0, "recall": 1.0}
    assert of_category(found, "background").rows[0][-1] == "NO"
    assert by_category(found).rows[0][1] == "0 / 1"
    assert "NOT passed" in groups(found)[0].note
    assert "0 of 1 conditions are as wanted." in sentences(found)
