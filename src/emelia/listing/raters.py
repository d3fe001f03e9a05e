"""One label of several: the one that most raters gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def majority(labels: Sequence[str]) -> str:
    """The label given most often; empty where there is none, or two equally often.

    Args:
        labels: one a rater; empty where a rater gave none.
    """
    counts = Counter(filter(None, labels)).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return ""
    return counts[0][0]
