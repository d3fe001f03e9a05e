"""Every clip's spectrogram as a picture: PNG files in a folder for each emotion.

`index.csv` beside them tells which picture is of which sound, so that an interrupted run goes on
where it stopped and a changed recording is drawn again.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emelia.audio import resample
from emelia.audio.mel import log_mel
from emelia.config import SAMPLE_RATE
from emelia.corpora import Utterance
from emelia.corpora.scan import decode_again
from emelia.errors import AudioError
from emelia.processes import work
from emelia.show.explore.measure import FRONT_END, Array
from emelia.show.explore.plots import mel_image
from emelia.show.page import file_name
from emelia.show.style import INK, empty_figure, plain, png, words
from emelia.storage import append_line, read_lines, write_atomically
from emelia.text import csv_text

_SECOND, _WIDEST = 1.6, 40.0  # inches
_HEIGHT, _LEFT, _RIGHT, _BELOW, _ABOVE = 2.6, 0.55, 0.15, 0.5, 0.35  # inches
_INDEX = "index.csv"
OnProgress = Callable[[int, int], None]  # pictures done, pictures in all


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A picture to be drawn."""

    utterance: Utterance
    folder: Path
    name: str  # relative to the folder


def write_images(
    utterances: Sequence[Utterance], folder: Path, jobs: int, on_progress: OnProgress
) -> dict[str, str]:
    """Draw what is not there yet.

    Returns:
        For each clip that could not be drawn, why.

    Raises:
        StorageError: the folder cannot be written.
        MissingExtraError: scipy or matplotlib is not installed.
    """
    index = folder / _INDEX
    if not read_lines(index):
        append_line(index, "picture,digest")
    known = {tuple(row) for row in csv.reader(read_lines(index))}
    every = [_Wanted(u, folder, name) for u, name in _named(utterances)]
    wanted = [one for one in every if _row(one) not in known or not (folder / one.name).is_file()]
    done = len(every) - len(wanted)
    on_progress(done, len(every))
    failed = {}
    for one, reason in zip(wanted, work(_draw, wanted, jobs), strict=True):
        if reason:
            failed[one.utterance.id] = reason
        elif _row(one) not in known:
            append_line(index, csv_text([_row(one)]).removesuffix("\n"))
        done += 1
        on_progress(done, len(every))
    return failed


def _named(utterances: Sequence[Utterance]) -> list[tuple[Utterance, str]]:
    """EMOTION/NAME.png, where the whole id is the name if its last part names several clips."""
    found, taken = [], set()
    for utterance in utterances:
        name = f"{file_name(utterance.emotion)}/{file_name(Path(utterance.id).stem)}.png"
        # Some file systems do not tell capital letters from small ones.
        if name.lower() in taken:
            name = f"{file_name(utterance.emotion)}/{file_name(utterance.id)}.png"
        taken.add(name.lower())
        found.append((utterance, name))
    return found


def _row(one: _Wanted) -> tuple[str, ...]:
    return one.name, one.utterance.digest


def _draw(one: _Wanted) -> str:
    """Draw one picture; the reason where its recording cannot be read."""
    try:
        wave, rate = decode_again(one.utterance)
    except AudioError as error:
        return str(error)
    spectrogram = log_mel(resample(wave, rate), FRONT_END)
    write_atomically(one.folder / one.name, _png(one.utterance, spectrogram))
    return ""


def _png(utterance: Utterance, spectrogram: Array) -> bytes:
    """Time and mel bands on axes; a second is as wide in every picture, as far as one goes."""
    seconds = spectrogram.shape[1] * FRONT_END.hop / SAMPLE_RATE
    width, height = min(_SECOND * seconds, _WIDEST), _HEIGHT
    whole = width + _LEFT + _RIGHT, height + _BELOW + _ABOVE
    drawn = empty_figure(*whole, layout=None)
    axes = drawn.add_axes(
        (_LEFT / whole[0], _BELOW / whole[1], width / whole[0], height / whole[1])
    )
    plain(axes)
    mel_image(axes, spectrogram, (0, seconds))
    axes.set_xlabel("s")
    axes.set_title(words(f"{utterance.emotion}: {utterance.id}"), fontsize=9, color=INK, loc="left")
    return png(drawn, 100)
