"""Every figure, time and list has one spelling."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emelia import text
from emelia.metrics import Interval

WIDE, NARROW = (Interval(0.503, 0.619, clustered) for clustered in (True, False))


@pytest.mark.parametrize(
    ("function", "given", "written"),
    [
        (text.percent, (0.5607,), "56.1"),
        (text.percent, (0.5607, 0), "56"),
        (text.between, (0.503, 0.619), "50.3–61.9"),
        (text.interval, (WIDE,), "50.3–61.9"),
        (text.interval, (NARROW,), "50.3–61.9*"),
        (text.with_interval, (0.561, WIDE), "56.1 (50.3–61.9)"),
        (text.with_interval, (0.561, NARROW), "56.1 (50.3–61.9)*"),
        (text.with_ends, (-3.14, -6.0, 0.44), "-3.1 (-6.0 to +0.4)"),
        (text.with_ends, (-0.04, -1.0, 2.0), "+0.0 (-1.0 to +2.0)"),
        (text.with_ends, (3.14, -6.0, 8.4, 0, ""), "3 (-6 to 8)"),
        (text.decibels, (-3.14,), "-3.1 dB"),
        (text.decibels, (-0.04,), "0.0 dB"),
        (text.decibels, (float("-inf"),), "-inf dB"),
        (text.decibels, (float("nan"),), "unknown"),
        (text.amount, (41.34,), "41.3"),
        (text.amount, (0.034,), "0.03"),
        (text.amount, (0.07,), "0.1"),
        (text.amount, (0.0,), "0.0"),
        (text.amount, (0.4, 0), "0.4"),
        (text.p_value, (0.0004,), "<0.001"),
        (text.p_value, (0.04567,), "0.046"),
        (text.duration, (7.4,), "0:07"),
        (text.duration, (750,), "12:30"),
        (text.duration, (3_599.6,), "1:00:00"),
        (text.duration, (11_100,), "3:05:00"),
        (text.clock, (7.34,), "0:07.3"),
        (text.clock, (59.96,), "1:00.0"),
        (text.clock, (11_100.5,), "3:05:00.5"),
        (text.listed, ([],), ""),
        (text.listed, (["a"],), "a"),
        (text.listed, (["a", "b", "c"],), "a, b and c"),
        (text.counted, (1, "clip"), "1 clip"),
        (text.counted, (2000, "clip"), "2,000 clips"),
        (text.by_length, ({"10", "2", "1"},), ["1", "2", "10"]),
        (text.nearest, ("angr", ["anger", "fear"]), "anger"),
        (text.nearest, ("xyz", ["anger", "fear"]), ""),
        (text.did_you_mean, ("los", ["loso"], "known is loso."), "did you mean loso?"),
        (text.did_you_mean, ("xyz", ["loso"], "known is loso."), "known is loso."),
    ],
)
def test_it_is_written(
    function: Callable[..., object], given: tuple[object, ...], written: object
) -> None:
    assert function(*given) == written
