"""The page about processing, `processing.html`, with its figures and sounds as files beside it.

The page holds the recording before and after every step, to listen to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emelia import __version__
from emelia.audio import decode
from emelia.config import AudioConfig
from emelia.corpora import Corpus, Utterance
from emelia.corpora.scan import decode_again
from emelia.errors import CorpusError
from emelia.processes import work
from emelia.show.page import Figures, Picture, check_extras, data_uri, file_name, render, wav
from emelia.show.process import plots, tables
from emelia.show.process.noise import CLEAN, Gain, cleanest, gains, tasks
from emelia.show.process.stages import AT_16K, FOUNDING, Stage, changes, measured, plan, stages
from emelia.show.style import svg
from emelia.storage import write_atomically
from emelia.table import Table
from emelia.text import decibels

HEARD = 15.0  # s of each stage on the page, for a page has to carry it
MIXED = 48  # recordings to which noise is added
LONGEST = 600.0  # s of a recording
_SECONDS, _LEVEL, _SNR = 0, 1, 3  # places in `measured`
OnProgress = Callable[[str, int, int], None]  # a task, recordings done, recordings in all


@dataclass(frozen=True)
class Shown:
    """A recording on the page: its name, why it was chosen, and each stage with its sound."""

    name: str
    why: str
    table: Table
    parts: tuple[tuple[Stage, Picture, str], ...]


@dataclass(frozen=True)
class Evidence:
    """What was measured of a corpus before and after every step."""

    corpus: Corpus
    config: AudioConfig
    clips: tuple[Utterance, ...]  # those that could be measured
    figures: NDArray[np.float32]  # (N, S, 4), see `processing_steps.measured`
    gains: tuple[Gain, ...]
    failed: dict[str, str]  # id -> why it could not be measured


def listen_to(path: Path, config: AudioConfig) -> list[Stage]:
    """Decode one recording and apply all steps.

    Raises:
        AudioError: it cannot be read, or is longer than ten minutes.
    """
    return stages(*decode(path, max_seconds=LONGEST), config)


def gather(corpus: Corpus, config: AudioConfig, jobs: int, on_progress: OnProgress) -> Evidence:
    """Measure every recording of a corpus, and add noise to the cleanest.

    Raises:
        CorpusError: none of them can be read.
        MissingExtraError: noisereduce is not installed.
    """
    clips, rows, failed = [], [], {}
    wanted = [(utterance, config) for utterance in corpus.utterances]
    for done, ((clip, _), found) in enumerate(
        zip(wanted, work(measured, wanted, jobs), strict=True), 1
    ):
        if isinstance(found, str):
            failed[clip.id] = found
        else:
            clips.append(clip)
            rows.append(found)
        on_progress("measuring", done, len(wanted))
    if not clips:
        raise CorpusError(
            f"{corpus.name}: none of its recordings can be read ({failed.popitem()[1]})."
        )
    figures = np.array(rows)
    chosen = tasks(cleanest(clips, figures[:, _place(config, AT_16K), _SNR].tolist(), MIXED))
    mixed: list[Gain] = []
    for done, gained in enumerate(work(gains, chosen, jobs), 1):
        if not isinstance(gained, str):
            mixed.extend(gained)
        on_progress("adding noise", done, len(chosen))
    return Evidence(corpus, config, tuple(clips), figures, tuple(mixed), failed)


def corpus_tables(found: Evidence) -> list[Table]:
    """Tables: mean change of each step, gain with known noise, harm to clean speech."""
    speakers = [clip.speaker for clip in found.clips]
    made = [tables.of_changes(changes(found.figures, found.config), speakers)]
    if found.gains:
        known = tables.means(found.gains)
        who = [gain.speaker for gain in found.gains]
        made += [tables.of_gains(known, who), tables.of_harm(known)]
    return made


def write_recording(name: str, made: Sequence[Stage], folder: Path, command: str = "") -> Path:
    """Write the page of one recording, its figures, and every stage as a WAV file.

    Raises:
        StorageError: the folder cannot be written.
        MissingExtraError: matplotlib, jinja2 or librosa is not installed.
    """
    check_extras()
    figures = Figures()
    figures.picture(plots.overview(made), "stages", "", "")
    for number, stage in enumerate(made):
        file = f"sound/{number}-{file_name(stage.name)}.wav"
        figures.files[file] = wav(stage.wave, stage.rate)
    return _write(folder, figures.files, name, "", [], [], [_shown(name, "", made)], command)


def write_corpus(found: Evidence, folder: Path, command: str = "") -> Path:
    """Write the page of a corpus: tables, figures, and two recordings to listen to.

    Raises: as `write_recording`.
    """
    check_extras()
    figures = Figures()
    pictures, headline = [], ""
    if found.gains:
        known = tables.means(found.gains)
        headline = tables.answer(known)
        noisy = [mean for mean in known if mean.noise != CLEAN]
        told = "; ".join(f"{m.noise} {m.snr:g} dB, {m.method}: {m.si_sdr[0]:+.1f}" for m in noisy)
        for name, measure, label in (
            ("si-sdr", "si_sdr", "SI-SDR gained, dB"),
            ("segmental-snr", "segmental", "segmental SNR gained, dB"),
        ):
            alt = f"{label} with each noise; the table has the numbers"
            alt += f": {told}." if measure == "si_sdr" else "."
            drawn = plots.gained(noisy, measure, label)
            about = f"n = {len(found.clips)} clips; {found.corpus.name}"
            pictures.append(figures.picture(drawn, name, label, alt, about))
    heard = []
    for number, (clip, why) in enumerate(_telling(found)):
        made = stages(*decode_again(clip), found.config)
        figures.picture(plots.overview(made), f"stages-{number}", "", "")
        heard.append(_shown(clip.id, why, made))
    return _write(
        folder,
        figures.files,
        found.corpus.name,
        headline,
        corpus_tables(found),
        pictures,
        heard,
        command,
    )


def _telling(found: Evidence) -> list[tuple[Utterance, str]]:
    """The recording with most background, and the one the founding study's gate harms most."""
    before = _place(found.config, next(s.before for s in plan(found.config) if s.name == FOUNDING))
    lost = (
        found.figures[:, before, _LEVEL] - found.figures[:, _place(found.config, FOUNDING), _LEVEL]
    )
    snr = found.figures[:, before, _SNR]
    short = np.flatnonzero(found.figures[:, 0, _SECONDS] <= LONGEST)  # a page has to carry them
    if not short.size:
        return []
    noisy = int(short[np.argmin(np.nan_to_num(snr[short], nan=np.inf))])
    harmed = int(short[np.argmax(np.where(np.isfinite(lost[short]), lost[short], -np.inf))])
    chosen = {
        noisy: "The recording with the lowest estimated SNR.",
        harmed: "The recording whose level the founding study's noise reduction lowers most, by "
        f"{decibels(lost[harmed])}.",
    }
    return [(found.clips[place], why) for place, why in chosen.items()]


def _place(config: AudioConfig, name: str) -> int:
    """The index of a stage among those of `measured`."""
    return 1 + [step.name for step in plan(config)].index(name)


def _shown(name: str, why: str, made: Sequence[Stage]) -> Shown:
    parts = []
    for stage in made:
        f = stage.figures
        told = (
            f"{f.seconds:.2f} s, level {decibels(f.level)}, peak {decibels(f.peak)}, "
            f"SNR {decibels(f.snr)}"
        )
        alt = f"Waveform and mel spectrogram of {name}, {stage.name}: {told}."
        beginning = wav(stage.wave[: round(HEARD * stage.rate)], stage.rate)
        sound = data_uri("audio/wav", beginning)
        vector = data_uri("image/svg+xml", svg(plots.single(stage, made)))
        parts.append((stage, Picture(told, alt, vector), sound))
    return Shown(name, why, tables.of_stages(made), tuple(parts))


def _write(
    folder: Path,
    files: dict[str, bytes],
    name: str,
    headline: str,
    found: Sequence[Table],
    pictures: Sequence[Picture],
    heard: Sequence[Shown],
    command: str,
) -> Path:
    text = render(
        "processing.html", name=name, headline=headline, tables=found, pictures=pictures,
        heard=heard, seconds=HEARD, command=command,
        versions=f"emelia {__version__}, noisereduce {version('noisereduce')}",
    )  # fmt: skip
    for path, data in files.items():
        write_atomically(folder / path, data)
    markdown = "\n\n".join(table.markdown() for table in found)
    write_atomically(folder / "processing.md", f"{markdown}\n".encode())
    write_atomically(folder / "processing.html", text.encode())
    return folder / "processing.html"
