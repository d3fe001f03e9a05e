"""Known failures of a model as sentences, from the figures of its card alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emelia.text import percent

_LITTLE = 0.5  # share of right answers under which it is told
_FREQUENT = 0.15  # share of a class from which a confusion is told
_MOST = 8  # named in a sentence


def failures(test: Mapping[str, Any], labels: Sequence[str]) -> list[str]:
    """Sentences on where the model fails on test clips; none where a card has no figures.

    Args:
        test: figures as `card_figures.figures` gives them; those of earlier versions may lack some.
        labels: the emotions, in the order of the classes.
    """
    if not test.get("per_class"):
        return []
    told = [*_seldom(test), *_confusions(test.get("confusion", ()), labels)]
    return told or ["No emotion, corpus or speaker of the test clips lies under 50 %."]


def _seldom(test: Mapping[str, Any]) -> Iterator[str]:
    """Emotions, corpora, genders and speakers with fewer than half of the answers right."""
    found = {name: own["recall"] for name, own in test["per_class"].items() if own["support"]}
    if text := _lowest(found):
        yield f"Emotions found in fewer than half of their clips: {text}."
    found = {name: own["accuracy"][0] for name, own in test.get("per_corpus", {}).items()}
    if text := _lowest(found):
        yield f"Corpora with fewer than half of the answers right: {text}."
    for key, what in (("per_sex", "Genders"), ("per_speaker", "Speakers")):
        groups = test.get(key, {})
        found = {name: own["accuracy"] for name, own in groups.items()}
        if text := _lowest(found):
            yield f"{what} with fewer than half of the answers right: {text}."


def _lowest(shares: Mapping[str, float]) -> str:
    """Names and shares under one half, the lowest first."""
    low = sorted((share, name) for name, share in shares.items() if share < _LITTLE)
    named = ", ".join(f"{name} ({percent(share)} %)" for share, name in low[:_MOST])
    return named + (f" and {len(low) - _MOST} more of {len(shares)}" if len(low) > _MOST else "")


def _confusions(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> Iterator[str]:
    """The most frequent mistakes by their share of the clips of an emotion."""
    shares = sorted(
        ((count / sum(row), count, labels[i], labels[j])
         for i, row in enumerate(matrix) for j, count in enumerate(row) if i != j and count),
        reverse=True,
    )  # fmt: skip
    named = [
        f"{true} taken for {said} ({percent(share)} % of the {true} clips, {count} of them)"
        for share, count, true, said in shares[:3]
        if share >= _FREQUENT
    ]
    if named:
        yield f"Most frequent confusions: {'; '.join(named)}."
