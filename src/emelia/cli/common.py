"""What several commands share: reading a corpus with a progress bar, and dividing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from emelia import console
from emelia.audio.mel import empty_bands
from emelia.cli.options import split_names
from emelia.cli.reading_rules import reading_rules
from emelia.config import Recipe
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.reading.extra_training import add_to_training
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.splits.imbalance import imbalanced
from emelia.corpora.splits.scheme import (
    UNKNOWN_SPEAKERS,
    Fold,
    Split,
    audit,
    audit_lines,
    make_split,
)
from emelia.errors import SplitError
from emelia.table import Table
from emelia.text import counted

_MANY_ALIKE = 5  # files left out for one reason; more are told of in one line
_SHOWN = 3  # of them


def open_corpus(
    where: str,
    emotions: str = "",
    apart: Sequence[str] = (),
    speakers_from: str = "",
    complete: bool = True,
) -> Corpus:
    """Read a corpus with a progress bar and print its warnings.

    Args:
        emotions: the classes to keep, separated by commas; all where empty.
        apart: classes that are known, which the corpus is not to count as others.
        speakers_from, complete: see `read_corpus`.
    """
    wanted = split_names(emotions)
    corpus = _read(where, wanted, complete=complete, apart=apart, speakers_from=speakers_from)
    if corpus.parts:
        _show_parts("Joined corpora", corpus.parts, corpus.emotions)
    return corpus


def _read(
    where: str,
    emotions: Sequence[str],
    *,
    complete: bool = True,
    apart: Sequence[str] = (),
    speakers_from: str = "",
) -> Corpus:
    with console.Progress() as progress:
        started = False

        def tell(done: int, total: int) -> None:
            nonlocal started
            if done == 1:  # each of several corpora has its own bar
                progress.start("reading", total)
                started = True
            progress.step("reading", done)

        corpus = read_corpus(
            where,
            tell,
            emotions,
            complete=complete,
            apart=apart,
            speakers_from=speakers_from,
            **reading_rules(),
        )
        if started:
            progress.finish("reading", counted(len(corpus.utterances), "clip"))
    _tell_left_out(corpus)
    for text in corpus.warnings:
        console.warn(text)
    return corpus


def _tell_left_out(corpus: Corpus) -> None:
    """Name the files that were left out: a line each, or one for many of one reason."""
    alike: dict[str, list[str]] = {}
    for rejected in corpus.rejected:
        alike.setdefault(rejected.reason, []).append(rejected.path.name)
    for reason, names in alike.items():
        if len(names) > _MANY_ALIKE:
            some = ", ".join(names[:_SHOWN])
            console.warn(f"left out {counted(len(names), 'file')}, such as {some}: {reason}")
            continue
        for name in names:
            console.warn(f"left out {name}: {reason}")


def divide(
    corpus: Corpus, split: str, imbalance: float = 1.0, others: str = ""
) -> tuple[Split, list[dict[str, Any]]]:
    """Split a corpus; print the audit, and what was added or left out on purpose.

    Args:
        others: where corpora lie whose clips are added to training; none where empty.

    Returns:
        The split, and the audit of each of its folds.
    """
    parts = make_split(corpus, split)
    if others:
        parts = add_to_training(parts, corpus, _read(others, corpus.emotions, complete=False))
        _show_parts("Added to training", parts.added, corpus.emotions)
    parts = imbalanced(parts, imbalance)
    if others or imbalance > 1:
        console.say(f"{parts.name}: {parts.protocol}")
    audits = audit(parts)
    for line in audit_lines(audits):
        console.say(line)
    if any("nameless" in one for one in audits):
        console.warn(UNKNOWN_SPEAKERS)
    return parts, audits


def warn_of_bands(recipes: Iterable[Recipe]) -> None:
    """Warn of recipes with more mel bands than their Fourier transform fills."""
    for recipe in recipes:
        if empty := empty_bands(recipe.features):
            mels, n_fft = recipe.features.mels, recipe.features.n_fft
            console.warn(
                f"{recipe.name}: {empty} of {mels} mel bands are empty, since n_fft {n_fft} has "
                "too few frequencies for them. Take fewer features.mels, or a larger "
                "features.n_fft."
            )


def fold_of(parts: Split, name: str) -> Fold:
    """The fold of a name, the first where it is empty.

    Raises:
        SplitError: there is no such fold.
    """
    names = [fold.name for fold in parts.folds]
    if name and name not in names:
        raise SplitError(f"{parts.name} has no fold {name!r}; there are: {', '.join(names)}.")
    return parts.folds[names.index(name) if name else 0]


def _show_parts(title: str, parts: Sequence[Corpus], emotions: Sequence[str]) -> None:
    """Print how many clips of each class each corpus has."""
    rows = []
    for part in parts:
        counts = part.counts()
        numbers = [str(counts[name] or "-") for name in emotions]
        rows.append([part.name, _how_many(part.speakers), *numbers, str(len(part.utterances))])
    Table(title, ["corpus", "speakers", *emotions, "clips"], rows).print()


def _how_many(speakers: Sequence[str]) -> str:
    """`5`, `unknown`, or `5, unknown` where only some are known."""
    known = [name for name in speakers if name != UNKNOWN_SPEAKER]
    unknown = ["unknown"] if len(known) < len(speakers) else []
    return ", ".join([str(len(known))] * bool(known) + unknown)


def settings(changes: list[str] | None, epochs: int | None) -> list[str]:
    """All changes to recipes as `key=value` strings."""
    return [*(changes or []), *([f"train.epochs={epochs}"] if epochs else [])]
