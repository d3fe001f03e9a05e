"""Recordings in a report: an example of the best recipe, and its surest mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from emelia.audio import decode, prepare
from emelia.audio.mel import log_mel
from emelia.config import SAMPLE_RATE, Recipe
from emelia.errors import AudioError, MissingExtraError
from emelia.results import Row
from emelia.show import describe
from emelia.show.page import Figures, Picture, data_uri
from emelia.show.report.plots import conversion
from emelia.show.report.recordings import (
    ClipAnswer,
    Recordings,
    beginning,
    flac,
    mistakes,
    surest,
)
from emelia.show.tables import titled
from emelia.text import percent


@dataclass(frozen=True)
class Example:
    """A recording with the picture of its waveform and spectrogram."""

    picture: Picture
    text: str


@dataclass(frozen=True)
class Mistake:
    """A wrong answer, with the recording to judge it by."""

    answer: ClipAnswer
    sound: str  # data URI; empty where the recording is not on this disk
    cut: bool  # whether the sound is the beginning of a longer recording

    @property
    def text(self) -> str:
        """True emotion, answer and confidence."""
        sure = percent(self.answer.confidence)
        return f"{self.answer.meant} taken for {self.answer.said}, {sure} % sure"


def example(row: Row, paths: Recordings, figures: Figures, name: str) -> Example | None:
    """The surest right answer as waveform and spectrogram; None without its recording."""
    recipe, answer = describe.known(row.cells[0].settings), surest(row)
    if recipe is None or answer is None or answer.clip not in paths:
        return None
    try:
        return _example(row, recipe, answer, paths[answer.clip], figures, name)
    except (AudioError, MissingExtraError):  # moved since, or no scipy: a page does without
        return None


def _example(
    row: Row, recipe: Recipe, answer: ClipAnswer, path: Path, figures: Figures, name: str
) -> Example:
    speech = prepare(*decode(path), recipe.audio)
    values = log_mel(speech, recipe.features)
    seconds = speech.size / SAMPLE_RATE
    text = (
        f"{answer.clip}: {answer.meant}, the clip that {row.recipe} is surest of. {seconds:.2f} s "
        f"({speech.size:,} samples) become {values.shape[0]} bands × {values.shape[1]} frames. "
        f"{describe.features(recipe.features)}"
    )
    if recipe.features.kind == "mfcc":
        text += " The coefficients are made from this spectrogram."
    if recipe.features.kind == "pcen":
        text += " Drawn in decibels, before PCEN."
    alt = f"Wave and mel spectrogram of a recording of {answer.meant}, {seconds:.1f} s long. {text}"
    caption = titled(row.cells[0], "From sound to mel spectrogram")
    drawn = conversion(speech, values, recipe.features)
    about = f"One clip of {row.cells[0].corpus}"
    return Example(figures.picture(drawn, f"{name}-mel", caption, alt, about), text)


def mistakes_with_sound(row: Row, paths: Recordings, most: int) -> Iterator[Mistake]:
    """The surest mistakes, with the sound where it is on this disk."""
    for answer in mistakes(row, most):
        sound, cut = "", False
        if answer.clip in paths:
            with suppress(AudioError):  # moved since
                speech, cut = beginning(paths[answer.clip])
                sound = data_uri("audio/flac", flac(speech))
        yield Mistake(answer, sound, cut)
