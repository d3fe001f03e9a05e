"""Windows over a long sound: equal ones, side by side, that overlap by half or more."""

from __future__ import annotations

import math


def window_starts(length: int, window: int, step: int = 1) -> list[int]:
    """Where windows begin that cover a sound, at equal distances of at most half a window.

    Args:
        length: of the sound, in samples or frames.
        window: the length of each; a sound that is no longer has one, at 0.
        step: starts are brought to multiples of it; a part of the window.
    """
    last = length - window
    if last <= 0:
        return [0]
    count = math.ceil(last / (window // 2))
    return [round(last * i / count / step) * step for i in range(count + 1)]
