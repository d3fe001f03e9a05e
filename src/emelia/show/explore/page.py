"""The page about a corpus, `explore.html`, with its figures and tables as files beside it.

The page is one file and loads nothing. It holds a recording of each emotion: whoever passes it on
passes on a part of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emelia import __version__
from emelia.config import SAMPLE_RATE
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.show.explore import pictures, tables
from emelia.show.explore.data import Exploration
from emelia.show.explore.examples import Example, examples
from emelia.show.explore.findings import findings, headline
from emelia.show.explore.pictures import Drawn
from emelia.show.explore.problems import Problem
from emelia.show.page import Figures, Picture, check_extras, data_uri, render, wav
from emelia.show.tables import DEMO
from emelia.storage import write_atomically

_LEADING = 3  # findings that the page begins with
_SHOWN = 100  # problems on the page; all are in problems.csv


@dataclass(frozen=True)
class Player:
    """A recording on the page: its picture, its sound as data URI, and a line about it."""

    picture: Picture
    sound: str
    about: str


def write_exploration(
    exploration: Exploration, problems: Sequence[Problem], folder: Path, command: str = ""
) -> Path:
    """Write tables as CSV, figures as PNG, SVG and PDF, and the page last.

    Args:
        exploration: a corpus and what was measured of it.
        problems: what is wrong with it.
        folder: where all of it goes.
        command: what to type to make the page again, shown on it.

    Raises:
        StorageError: the folder cannot be written.
        MissingExtraError: matplotlib, jinja2 or librosa is not installed.
    """
    check_extras()
    figures = Figures()
    content = _content(exploration, problems, figures)
    text = render("explore.html", command=command, **content)
    rows = tables.all_csv(exploration, problems)
    files = figures.files | {name: table.encode() for name, table in rows.items()}
    files["explore.html"] = text.encode()
    for name, data in files.items():
        write_atomically(folder / name, data)
    return folder / "explore.html"


def _content(
    exploration: Exploration, problems: Sequence[Problem], figures: Figures
) -> dict[str, Any]:
    """The values of the template; its figures are added to `figures`."""
    corpus = exploration.corpus
    found = examples(exploration, problems)
    # In the order of the page, in which figures are numbered.
    every = f"n = {len(exploration.clips):,} clips; {corpus.name}"
    shown = _all(pictures.of_examples(found), figures, f"One clip of {corpus.name}")
    measures = _all(pictures.of_measures(exploration), figures, every)
    means = _all(pictures.of_means(exploration), figures)
    clips = _all(pictures.of_clips(exploration), figures, every)
    lengths = _all(pictures.of_lengths(exploration), figures, every)
    told = findings(exploration, problems)
    return {
        "name": corpus.name,
        "specs": [source.spec for source in corpus.sources if source.spec],
        "demo": DEMO if any(source.name == "demo" for source in corpus.sources) else "",
        "headline": headline(exploration),
        "leading": told[:_LEADING],
        "findings": told[_LEADING:],
        "tiles": _tiles(exploration, problems),
        "problems": tables.found(problems, _SHOWN) if problems else None,
        "looked_for": tables.summary(problems),
        "notes": corpus.warnings,
        "emotions": tables.emotions(exploration),
        "sources": tables.sources(exploration),
        "speakers": tables.speakers(exploration),
        "sentences": tables.sentences(exploration),
        "storage": tables.storage(exploration),
        "explained": tables.explained(exploration),
        "clip_pictures": clips,
        "length_pictures": lengths,
        "measure_pictures": measures,
        "mean_pictures": means,
        "players": [_player(one, picture) for one, picture in zip(found, shown, strict=True)],
        "digest": corpus.digest,
        "versions": f"emelia {__version__}, librosa {version('librosa')}",
    }


def _all(drawn: Iterable[Drawn], figures: Figures, about: str = "") -> list[Picture]:
    return [
        figures.picture(one.figure, one.name, one.caption, one.alt, one.about or about)
        for one in drawn
    ]


def _player(one: Example, picture: Picture) -> Player:
    utterance = one.clip.utterance
    known = {"speaker": utterance.speaker, "sentence": utterance.sentence}
    told = [f"{key} {name}" for key, name in known.items() if name not in ("", UNKNOWN_SPEAKER)]
    if one.cut:
        told.append(f"the first {one.wave.size / SAMPLE_RATE:.0f} s")
    about = ", ".join([Path(utterance.id).name, *told])
    return Player(picture, data_uri("audio/wav", wav(one.wave, SAMPLE_RATE)), about)


def _tiles(exploration: Exploration, problems: Sequence[Problem]) -> list[tuple[str, str]]:
    clips = exploration.clips
    speakers = {clip.utterance.speaker for clip in clips} - {UNKNOWN_SPEAKER}
    sentences = {clip.utterance.sentence for clip in clips} - {""}
    return [
        ("clips", f"{len(clips):,}"),
        ("minutes", tables.minutes(clips)),
        ("emotions", str(len(exploration.emotions))),
        ("speakers", str(len(speakers)) if speakers else "unknown"),
        ("sentences", str(len(sentences)) if sentences else "unknown"),
        ("problems", str(len(problems))),
    ]
