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
from emelia.show.page import Picture, check_extras, data_uri, file_name, render
from emelia.show.style import png, svg
from emelia.show.tables import DEMO
from emelia.storage import write_atomically

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
    """Write tables as CSV, figures as PNG and SVG, and the page last.

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
    files: dict[str, bytes] = {}
    content = _content(exploration, problems, files)
    text = render("explore.html", command=command, **content)
    for name, table in tables.all_csv(exploration, problems).items():
        files[name] = table.encode()
    files["explore.html"] = text.encode()
    for name, data in files.items():
        write_atomically(folder / name, data)
    return folder / "explore.html"


def _content(
    exploration: Exploration, problems: Sequence[Problem], files: dict[str, bytes]
) -> dict[str, Any]:
    """The values of the template; its figures are added to `files`."""
    corpus = exploration.corpus
    found = examples(exploration, problems)
    shown = [_saved(drawn, files) for drawn in pictures.of_examples(found)]
    return {
        "name": corpus.name,
        "specs": [source.spec for source in corpus.sources if source.spec],
        "demo": DEMO if any(source.name == "demo" for source in corpus.sources) else "",
        "headline": headline(exploration),
        "findings": findings(exploration, problems),
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
        "clip_pictures": _all(pictures.of_clips(exploration), files),
        "length_pictures": _all(pictures.of_lengths(exploration), files),
        "measure_pictures": _all(pictures.of_measures(exploration), files),
        "mean_pictures": _all(pictures.of_means(exploration), files),
        "players": [_player(one, picture) for one, picture in zip(found, shown, strict=True)],
        "digest": corpus.digest,
        "versions": f"emelia {__version__}, librosa {version('librosa')}",
    }


def _all(drawn: Iterable[Drawn], files: dict[str, bytes]) -> list[Picture]:
    return [_saved(one, files) for one in drawn]


def _saved(drawn: Drawn, files: dict[str, bytes]) -> Picture:
    vector, name = svg(drawn.figure), file_name(drawn.name)
    files[f"figures/{name}.svg"] = vector
    files[f"figures/{name}.png"] = png(drawn.figure)
    return Picture(drawn.caption, drawn.alt, data_uri("image/svg+xml", vector))


def _player(one: Example, picture: Picture) -> Player:
    utterance = one.clip.utterance
    known = {"speaker": utterance.speaker, "sentence": utterance.sentence}
    told = [f"{key} {name}" for key, name in known.items() if name not in ("", UNKNOWN_SPEAKER)]
    if one.cut:
        told.append(f"the first {one.wave.size / SAMPLE_RATE:.0f} s")
    about = ", ".join([Path(utterance.id).name, *told])
    return Player(picture, data_uri("audio/wav", one.sound()), about)


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
