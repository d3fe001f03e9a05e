"""The figures of a corpus page with caption and text alternative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emelia.config import Recipe
from emelia.show.explore import plots
from emelia.show.explore.data import Exploration, values
from emelia.show.explore.examples import Example
from emelia.show.explore.measure import Array
from emelia.show.explore.tables import COMPARED, LOGARITHMIC
from emelia.show.style import Values
from emelia.text import decibels, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """A figure with the name of its files, its caption and its text alternative."""

    name: str
    figure: Figure
    caption: str
    alt: str
    about: str = ""  # what it is drawn from, where that is not the whole corpus


def of_clips(exploration: Exploration) -> Iterator[Drawn]:
    """Numbers of clips by emotion, gender and speaker."""
    counts = [f"{name} {len(exploration.of(name))}" for name in exploration.emotions]
    genders = " by gender" if any(c.utterance.gender for c in exploration.clips) else ""
    alt = f"Clips of each emotion{genders}: {', '.join(counts)}."
    yield Drawn("emotions", plots.classes(exploration), f"Clips of each emotion{genders}", alt)
    figure = plots.speakers(exploration)
    if figure is not None:
        alt = "Clips of each speaker and emotion; the table by speaker has the same numbers."
        yield Drawn("speakers", figure, "Clips of each speaker and emotion", alt)


def of_lengths(exploration: Exploration) -> Iterator[Drawn]:
    """Durations of clips and frames of their spectrograms."""
    seconds, frames = (values(exploration.clips, name) for name in ("seconds", "frames"))
    figure = plots.histogram(seconds, "duration, s")
    yield Drawn("durations", figure, "Durations of all clips", _spread("duration", seconds, "s"))
    size = Recipe().model.frames
    figure = plots.histogram(frames, "frames of 32 ms", size, f"resized to {size}")
    alt = _spread("number of frames", frames, "")
    yield Drawn("frames", figure, "Frames of the founding study's spectrograms", alt)


def of_measures(exploration: Exploration) -> Iterator[Drawn]:
    """The distribution of each measure in each emotion."""
    for name, title, unit, decimals in COMPARED:
        groups = {
            emotion: found
            for emotion in exploration.emotions
            if (found := values(exploration.of(emotion), name)).size
        }
        if groups:
            figure = plots.ridges(groups, f"{title}, {unit}", name in LOGARITHMIC)
            told = [f"{e} {np.median(found):.{decimals}f}" for e, found in groups.items()]
            alt = f"Distribution of {title} by emotion. Medians in {unit}: {', '.join(told)}."
            caption = f"{title[0].upper()}{title[1:]} by emotion"
            yield Drawn(name.replace("_", "-"), figure, caption, alt)


def of_examples(found: Sequence[Example]) -> Iterator[Drawn]:
    """Waveform and spectrogram of each example, on the same axes."""
    seconds = max(one.spectrogram.shape[1] for one in found) * plots.FRAME
    peak = max(float(np.abs(one.wave).max()) for one in found) or 1.0
    for one in found:
        emotion, measures = one.clip.utterance.emotion, one.clip.measures
        alt = (
            f"Waveform and mel spectrogram of {one.clip.utterance.id}, {emotion}: "
            f"{measures.seconds:.2f} s, {decibels(measures.level)} RMS"
        )
        pitch = f", median pitch {measures.pitch:.0f} Hz" if np.isfinite(measures.pitch) else ""
        figure = plots.example(one, seconds, peak)
        yield Drawn(f"example-{emotion}", figure, emotion, f"{alt}{pitch}.")


def of_means(exploration: Exploration) -> Iterator[Drawn]:
    """The mean spectrogram of each emotion, and its difference from the mean of all emotions."""
    every = np.mean(list(exploration.mean_spectrograms.values()), axis=0)
    gaps = {name: resized - every for name, resized in exploration.mean_spectrograms.items()}
    most = max(1.0, float(np.percentile(np.abs(list(gaps.values())), 99.5)))
    for name, resized in exploration.mean_spectrograms.items():
        figure = plots.mean_spectrogram(resized, gaps[name], most)
        about = f"n = {len(exploration.of(name)):,} clips; {exploration.corpus.name}"
        caption = f"Mean spectrogram of {name}"
        yield Drawn(f"mean-{name}", figure, caption, _gap_in_words(name, gaps[name]), about)


def _gap_in_words(name: str, gap: Array) -> str:
    bands = gap.mean(axis=1)
    low, high = plots.hertz_of(int(bands.argmin())), plots.hertz_of(int(bands.argmax()))
    return (
        f"Mean spectrogram of {name}. Over the whole clip it differs from the mean of all emotions "
        f"by {points(bands.min())} dB around {low:.0f} Hz to {points(bands.max())} dB around "
        f"{high:.0f} Hz."
    )


def _spread(what: str, found: Values, unit: str) -> str:
    low, first, middle, third, high = np.percentile(found, [0, 25, 50, 75, 100])
    return (
        f"Histogram of the {what} of {found.size} clips: {low:.4g} to {high:.4g} {unit}".rstrip()
        + f", median {middle:.4g}, half of them between {first:.4g} and {third:.4g}."
    )
