"""`emelia process`: the effect of each processing step on a recording or a corpus."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.audio.files import SUFFIXES
from emelia.cli.common import open_corpus
from emelia.cli.next_steps import quick_study, suggest
from emelia.cli.options import EmotionsOption, JobsOption, SpeakersOption, WideOption, cores
from emelia.config import AudioConfig
from emelia.config.reading import recipe_from
from emelia.errors import ConfigError
from emelia.text import counted

if TYPE_CHECKING:
    from emelia.corpora import Corpus
    from emelia.show.process.page import Evidence

_USUAL = {"denoise": "quiet", "trim_db": 40.0}  # so that every step is seen


def process(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RECORDING | CORPUS",
            help="A recording, or a corpus: a folder, a CSV manifest or a name.",
            show_default=False,
        ),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="audio.KEY=VALUE",
            show_default=False,
            help="Change a step: audio.dc, audio.denoise (none, quiet, founding), audio.trim_db, "
            "audio.level (none, peak, loudness). \\[default: quiet, 40 dB, peak]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the page and the figures. \\[default: runs/NAME-process]",
            show_default=False,
        ),
    ] = None,
    emotions: EmotionsOption = "",
    speakers_from: SpeakersOption = "",
    jobs: JobsOption = None,
    wide: WideOption = False,
) -> None:
    """Show what each step of processing does to a recording, before and after.

    Of a recording: waveform, spectrogram, level, estimated SNR and sound of every step. Of a
    corpus: the mean change of each step, and what noise reduction is worth where the truth is
    known, on clean recordings with noise added.

    Examples: emelia process clip.wav · emelia process clip.wav --set audio.denoise=founding ·
    emelia process aesdd/ --out look/
    """
    config = _config(set_ or [])
    path = Path(what)

    from emelia.show.page import check_extras

    check_extras()  # before minutes of work depend on them
    command = shlex.join(["emelia", *sys.argv[1:]])
    kind = path.suffix.lower()
    if kind in SUFFIXES or (path.is_file() and kind not in (".csv", ".tsv")):
        _recording(path, config, out or Path("runs") / f"{path.stem}-process", command, wide)
        suggest(("emelia predict", path))
    else:
        data = open_corpus(what, emotions, speakers_from=speakers_from)
        folder = out or Path("runs") / f"{data.name}-process"
        _corpus(data, config, folder, jobs or cores(), command, wide)
        changed = [f"--set {shlex.quote(setting)}" for setting in set_ or []]
        suggest(*quick_study(data, Path(what), *changed))


def _config(settings: list[str]) -> AudioConfig:
    for setting in settings:
        if not setting.strip().startswith("audio."):
            raise ConfigError(f"--set {setting!r}: process takes settings of audio only.")
    return recipe_from({"audio": _USUAL}, settings).audio


def _recording(path: Path, config: AudioConfig, folder: Path, command: str, wide: bool) -> None:
    from emelia.show.process.page import listen_to, write_recording
    from emelia.show.process.tables import of_stages
    from emelia.storage import ensure_writable, lock

    made = listen_to(path, config)
    replace(of_stages(made), title=f"{path.name}: after each step").print(wide)
    ensure_writable(folder)
    with lock(folder):
        console.say(f"Page: {write_recording(path.name, made, folder, command)}")


def _corpus(
    data: Corpus, config: AudioConfig, folder: Path, jobs: int, command: str, wide: bool
) -> None:
    from emelia.show.process.page import corpus_tables, write_corpus
    from emelia.storage import ensure_writable, lock

    ensure_writable(folder)
    with lock(folder):
        found = _gather(data, config, jobs)
        for name, reason in found.failed.items():
            console.warn(f"left out {name}: {reason}")
        for table in corpus_tables(found):
            table.print(wide)
        console.say(f"Page: {write_corpus(found, folder, command)}")


def _gather(data: Corpus, config: AudioConfig, jobs: int) -> Evidence:
    from emelia.show.process.page import gather

    with console.Progress() as progress:
        begun: set[str] = set()

        def tell(task: str, done: int, total: int) -> None:
            if task not in begun:
                begun.add(task)
                progress.start(task, total)
            progress.step(task, done)
            if done == total:
                progress.finish(task, counted(total, "recording"))

        return gather(data, config, jobs, tell)
