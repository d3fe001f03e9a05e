"""`emelia corpora`: what speech there is."""

from __future__ import annotations

from typing import Annotated

import typer

from emelia import console
from emelia.cli.common import EmotionsOption, open_corpus
from emelia.corpora import CORPORA, Corpus
from emelia.corpora.splits import possible_splits


def corpora(
    where: Annotated[
        str | None,
        typer.Argument(
            metavar="[CORPUS]", help="Look at this one: a folder, a CSV manifest or a name."
        ),
    ] = None,
    emotions: EmotionsOption = "",
) -> None:
    """List the corpora emelia can read, or look at one.

    A folder is recognised by its file names. Speech of your own works as a folder per
    emotion, or as a CSV file with the columns file, emotion, speaker.

    Examples: emelia corpora · emelia corpora recordings/ · emelia corpora labels.csv
    """
    if where is None:
        _list_known()
    else:
        _show(open_corpus(where, emotions))


def _list_known() -> None:
    rows = [
        [s.name, s.language, *(str(n or "-") for n in (s.clips, s.speakers)), str(len(s.emotions)),
         s.licence, s.home]
        for s in CORPORA.values()
    ]  # fmt: skip
    columns = ["name", "language", "clips", "speakers", "emotions", "licence", "home"]
    console.table("Corpora that are recognised by their file names", columns, rows)


def _show(corpus: Corpus) -> None:
    counts = corpus.counts()
    rows = [[name, str(counts[name])] for name in corpus.emotions]
    rows.append(["all", str(len(corpus.utterances))])
    splits = ", ".join(possible_splits(corpus)) or "none"
    note = f"Speakers: {', '.join(corpus.speakers)}. Splits: {splits}."
    console.table(f"{corpus.name}: clips by emotion", ["emotion", "clips"], rows, note)
    for spec in (source.spec for source in corpus.sources if source.spec):
        console.say(f"Licence: {spec.licence}\nCitation: {spec.citation}\nHome: {spec.home}")
        if spec.note:
            console.say(f"Note: {spec.note}")
