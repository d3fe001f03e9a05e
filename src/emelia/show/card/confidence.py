"""The section of a model card on its confidence: temperature, thresholds, calibration, coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emelia.config import Card
from emelia.table import Table
from emelia.text import between, percent


def confidence(card: Card) -> str:
    """The section on what confidences are worth, in Markdown."""
    blocks = [
        f"Logits are divided by a temperature of {card.temperature:g} inside the file. "
        f"Below a confidence of {card.limits()} an answer is `unsure`. {card.threshold_rule}"
    ]
    if card.for_strangers:
        blocks[0] += " Of both choices every corpus has the same say, however large."
    if card.adaptation:
        known = card.adaptation
        blocks[0] += (
            f" Answers that are adapted to a source have a temperature of {known['temperature']:g} "
            f"and are `unsure` below {card.limits(adapted=True)}."
        )
    accepted = [_accepted(part, found) for part, found in card.metrics.items()]
    if accepted:
        blocks.append(" ".join(accepted))
    for part, found in card.metrics.items():
        # The temperature was chosen on validation clips: only where corpora took turns is their
        # calibration a test.
        if part == "test" or card.for_strangers:
            blocks.append(_calibration(part, found))
    if test := card.metrics.get("test"):
        blocks += [_bins(test), _coverage(test)]
    return "## Confidence\n\n" + "\n\n".join(filter(None, blocks))


def _accepted(part: str, found: Mapping[str, Any]) -> str:
    share = found["accepted_accuracy"]
    right = "" if share is None else f", and {percent(share)} % of these are right"
    return f"On {part} clips it accepts {percent(found['accepted'])} % of the answers{right}."


def _calibration(part: str, found: Mapping[str, Any]) -> str:
    before, after = found["ece"]
    text = (
        f"On {part} clips confidence and accuracy are {percent(after)} points apart (ECE, 10 bins"
    )
    if "ece_perfect" in found:
        ends, perfect = between(*found["ece_interval"]), percent(found["ece_perfect"])
        text += f"; 95 %: {ends}; {perfect} would be perfect"
    text += ")" + (f", {percent(before)} without the temperature" if before != after else "")
    if "brier" in found:
        first, brier = found["brier"]
        text += f"; the Brier score is {brier:.3f}"
        text += f", {first:.3f} without" if first != brier else ""
    own = [(name, one["ece"]) for name, one in found.get("per_corpus", {}).items() if "ece" in one]
    each = ", ".join(f"{name} {percent(ece)}" for name, ece in own)
    return f"{text}. Corpus by corpus: {each}." if each else f"{text}."


def _bins(test: Mapping[str, Any]) -> str:
    rows = [
        [f"{percent(b['low'], 0)} to {percent(b['high'], 0)}", str(b["n"]),
         percent(b["confidence"]), percent(b["accuracy"])]
        for b in test.get("reliability", ())
    ]  # fmt: skip
    columns = ["Confidence %", "Test clips", "Mean confidence %", "Right %"]
    return table(columns, rows) if rows else ""


def _coverage(test: Mapping[str, Any]) -> str:
    """The risk-coverage curve as a table: how many of the surest answers are right."""
    if "aurc" not in test:
        return ""
    rows = [[percent(share, 0), percent(right)] for share, right in test["risk_coverage"]]
    return (
        f"{table(['Surest answers accepted %', 'Right of these %'], rows)}\n\n"
        f"The area under the curve of errors over accepted answers (AURC) is "
        f"{percent(test['aurc'])} %; it would be {percent(1 - test['accuracy'][0])} % if the "
        "confidence told nothing."
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, of words as well as of figures."""
    return Table("", columns, rows).markdown(figures=False)
