"""How often speech passes for speech, and what is none for none.

    python benchmarks/speech_check.py [CORPUS ...] [--every 1] [--into FILE]

Corpora of acted speech, where every clip is speech, shouted and whispered too; and sounds made
on the spot that are none. Nothing is tuned here: the numbers are counted after the fact.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emelia import console, read_corpus
from emelia.audio import decode, resample
from emelia.audio.speech.detector import has_speech
from emelia.corpora import Corpus
from emelia.show.tables import write_block
from emelia.table import Table

RATE = 16_000  # Hz
SECONDS = 10
LEVELS = (0.5, 0.05, 0.005)  # of full scale


def main() -> None:
    """Count, print, and write down where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpora", nargs="*", default=["demo"])
    options.add_argument("--every", type=int, default=1, help="ask only every so many clips")
    options.add_argument("--into", help="also write the tables into this Markdown file")
    chosen = options.parse_args()
    tables = [_speech(chosen.corpora, chosen.every), _other()]
    text = "\n\n".join(table.markdown() for table in tables)
    console.say(text)
    if chosen.into:
        write_block(Path(chosen.into), "speech-check", text)


def _speech(places: list[str], every: int) -> Table:
    rows = [_row(read_corpus(place), every) for place in places]
    note = f"Every clip is speech. Asked: one clip in {every}."
    columns = ["corpus", "clips", "found", "found %", "missed, by emotion"]
    return Table("Clips found to hold speech", columns, rows, note)


def _row(corpus: Corpus, every: int) -> list[str]:
    asked = corpus.utterances[::every]
    missed: Counter[str] = Counter()
    for utterance in asked:
        if not has_speech(resample(*decode(utterance.path))):
            missed[utterance.emotion] += 1
    found = len(asked) - missed.total()
    which = ", ".join(f"{name} {count}" for name, count in sorted(missed.items())) or "none"
    return [corpus.name, str(len(asked)), str(found), f"{100 * found / len(asked):.1f}", which]


def _other() -> Table:
    rows = []
    for name, sound in _sounds():
        heard = [bool(has_speech((level * sound).astype(np.float32))) for level in LEVELS]
        rows.append([name, str(len(heard)), str(sum(heard))])
    note = f"{SECONDS} s each, with a peak of {', '.join(map(str, LEVELS))} of full scale."
    return Table("Sounds that are no speech", ["sound", "levels", "taken for speech"], rows, note)


def _sounds() -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Sounds of peak 1."""
    rng = np.random.default_rng(0)
    time = np.arange(SECONDS * RATE) / RATE
    white = rng.standard_normal(time.size)
    spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(time.size // 2 + 1)))
    hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 8))
    beeps = np.sin(2 * np.pi * 1000 * time) * (time % 1 < 0.2)
    siren = np.sin(2 * np.pi * np.cumsum(800 + 400 * np.sin(2 * np.pi * 0.5 * time)) / RATE)
    yield "silence", np.zeros(time.size)
    for name, sound in (
        ("white noise", white),
        ("pink noise", np.fft.irfft(spectrum, time.size)),
        ("hum of 50 Hz", hum),
        ("tone of 440 Hz", np.sin(2 * np.pi * 440 * time)),
        ("beeps", beeps),
        ("siren", siren),
        ("clicks", (time * 3 % 1 < 1 / RATE).astype(float)),
    ):
        yield name, sound / np.abs(sound).max()


if __name__ == "__main__":
    main()
