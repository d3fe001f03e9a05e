"""The embedded corpus: five emotions acted by eSpeak NG voices, made when it is needed.

File names: a folder per emotion, then speaker, sentence (its language first) and take:
`anger/f1_de1_1.wav`. Six speakers say the same eight sentences in every emotion.
`demo_voices` defines the speakers and how they act, `demo_synthesis` makes the sound. On one
machine the same version gives the same bytes every time.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from emelia.corpora.known.demo_voices import RULES, SENTENCES, SPEAKERS, TAKE, clips
from emelia.corpora.records import CorpusSpec, Fields
from emelia.errors import CorpusError, MissingExtraError, StorageError
from emelia.storage import ensure_writable

VERSION = "1"  # of its sound; raise it with any audible change
_NAME = re.compile(r"([fm]\d)_([a-z]{2}\d)_(\d)", re.ASCII)
_STALE = 3600.0  # seconds after which an unfinished folder is left over from a killed process


def parse(path: Path) -> Fields | None:
    """Read emotion, speaker, sentence and take from a path."""
    match = _NAME.fullmatch(path.stem)
    emotion = path.parent.name
    if match is None or emotion not in RULES:
        return None
    speaker, sentence, take = match.groups()
    if speaker not in SPEAKERS or sentence not in SENTENCES or take != TAKE:
        return None
    return Fields(emotion, speaker, sentence, take, SPEAKERS[speaker].gender)


SPEC = CorpusSpec(
    name="demo",
    title="The embedded corpus: synthetic voices acting by rule",
    homepage="https://github.com/espeak-ng/espeak-ng",
    licence="made on your machine by eSpeak NG (GPL-3.0-or-later), not distributed",
    citation="eSpeak NG speaks it, https://github.com/espeak-ng/espeak-ng",
    language="English, German, Greek, Polish",
    clips=len(RULES) * len(SPEAKERS) * len(SENTENCES),
    speakers=len(SPEAKERS),
    emotions=dict.fromkeys(RULES, len(SPEAKERS) * len(SENTENCES)),
    parse=parse,
    obtain="made on your machine by eSpeak NG, https://github.com/espeak-ng/espeak-ng",
    note=(
        "Synthetic speech for trying and testing the machinery; "
        "its figures say nothing about people."
    ),
    names="a folder per emotion, then speaker, sentence, take, as in 'anger/f1_de1_1.wav'",
)


def make_demo(folder: Path) -> None:
    """Make the corpus in a few seconds, completely or not at all; do nothing where it exists.

    Several processes may make it at the same time: the first to finish counts.

    Raises:
        MissingExtraError: eSpeak NG is not installed.
        StorageError: the folder cannot be written.
        CorpusError: the folder has other files, or the synthesis failed.
    """
    if _clips_in(folder) == SPEC.clips:
        return
    if os.path.lexists(folder):
        raise CorpusError(
            f"{folder}: has {_clips_in(folder)} of the demo corpus's {SPEC.clips} clips. "
            "Move it away, and it is made anew."
        )
    if importlib.util.find_spec("espeakng_loader") is None:
        raise MissingExtraError("the demo corpus", "espeakng-loader", "demo")
    ensure_writable(folder.parent)
    _delete_left_over(folder)
    work = Path(tempfile.mkdtemp(".part", f"{folder.name}.", folder.parent))
    try:
        made = work / folder.name  # inside, since only the owner may read mkdtemp's folder
        _speak(made)
        _publish(made, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _clips_in(folder: Path) -> int:
    return sum((folder / clip.name).is_file() for clip in clips())


def _delete_left_over(folder: Path) -> None:
    """Delete what killed processes left, and nothing that a running one may need."""
    for old in folder.parent.glob(f"{glob.escape(folder.name)}.*.part"):
        with suppress(OSError):  # another process was faster
            if time.time() - old.stat().st_mtime > _STALE:
                shutil.rmtree(old, ignore_errors=True)


def _speak(folder: Path) -> None:
    """Synthesise all clips in a new process: eSpeak's state would change later clips."""
    # -P: a file `wave.py` in the current folder must not stand in for Python's own.
    command = [sys.executable, "-P", "-m", "emelia.corpora.known.demo_synthesis", os.fspath(folder)]
    source = os.fspath(Path(__file__).resolve().parents[3])  # for a package that is not installed
    paths = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    child = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if child.returncode != 0:
        reason = [_ending(child.returncode), *child.stderr.strip().splitlines()][-1]
        raise CorpusError(
            f"the demo corpus could not be spoken: {reason}. "
            "Try again; if it stays so, reinstall espeakng-loader."
        )
    if (count := _clips_in(folder)) != SPEC.clips:
        raise CorpusError(
            f"the demo corpus came out with {count} of {SPEC.clips} clips. Try again."
        )


def _ending(code: int) -> str:
    with suppress(ValueError):
        return f"eSpeak NG was ended by {signal.Signals(-code).name}"
    return f"eSpeak NG ended with code {code}"


def _publish(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError as error:
        if _clips_in(folder) != SPEC.clips:  # another process may have been faster
            raise StorageError(f"{folder}: cannot be written ({error.strerror}).") from error
