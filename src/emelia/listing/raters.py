"""One label of several: the one that most raters gave."""

from __future__ import annotations

import re
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


def labels_in(cell: str) -> list[str]:
    """The labels in a cell: those of a list as Python writes it, `['sad', 'calm']`, or the cell."""
    if not (cell.startswith("[") and cell.endswith("]")):
        return [cell]
    quoted = [one or other for one, other in re.findall(r"'([^']*)'|\"([^\"]*)\"", cell)]
    return quoted or [part.strip() for part in cell[1:-1].split(",")]
