"""Divide a long sound into windows of equal length that overlap by half or more."""

from __future__ import annotations

import math


def window_starts(length: int, window: int, step: int = 1) -> list[int]:
    """First positions of windows that cover a sound, evenly spaced by half a window or less.

    Args:
        length: of the sound, in samples or frames.
        window: length of a window; a sound of this length or less has one window, at 0.
        step: positions are rounded to multiples of it.
    """
    last = length - window
    if last <= 0:
        return [0]
    count = math.ceil(last / (window // 2))
    return [round(last * i / count / step) * step for i in range(count + 1)]
