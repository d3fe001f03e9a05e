"""Whatever lies under the name of a recording gets a right answer or one clear error, soon.

The same for a path and for bytes, in Python, on the command line and in a table of scores.
"""

from __future__ import annotations

import csv
import io
import os
import re
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from memory import measured
from numpy.typing import NDArray
from vowels import vowels

from emelia import Recognizer, load
from emelia.audio.speech.detector import has_speech
from emelia.errors import AudioError
from emelia.use.scoring.run import score

RATE = 16_000  # Hz
HOURS = 12 * 3600  # s
MOST_MEMORY = 300  # MB; an idle process of ours has about 100
VOICE = vowels()


def sound(
    samples: NDArray[Any] = VOICE,
    rate: int = RATE,
    kind: str = "WAV",
    codec: str | None = None,
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=codec)
    return file.getvalue()


def floats(samples: NDArray[np.float32]) -> bytes:
    return sound(samples, codec="FLOAT")


def header(
    rate: int = RATE, channels: int = 1, data: bytes = bytes(64_000), size: int = 0
) -> bytes:
    """A WAV file of 16 bits that says of itself what it is told to."""
    size = size or len(data)
    form = struct.pack("<HHIIHH", 1, channels, rate, 2 * rate * channels, 2 * channels, 16)
    parts = (b"WAVE", b"fmt ", struct.pack("<I", 16), form, b"data", struct.pack("<I", size))
    return b"RIFF" + struct.pack("<I", min(36 + size, 2**32 - 1)) + b"".join(parts) + data


def with_nan() -> bytes:
    samples = VOICE.copy()
    samples[1000] = np.nan
    return floats(samples)


def pcm() -> bytes:
    return (VOICE * 32_000).astype("<i2").tobytes()


# Content of a file, and a pattern of the words of the error; where it is ANSWER, an emotion.
ANSWER, SILENT = "an emotion", "no speech"
CUT = f"cannot be decoded|{ANSWER}"  # as far as it goes, or not at all
CONTENTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.wav": (lambda: b"", "is empty"),
    "text.wav": (lambda: b"Once upon a time there was no sound. ", "not a known format"),
    "picture.wav": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(5000), "not a known format"),
    "noise.wav": (lambda: np.random.default_rng(0).bytes(5000), "not a known format"),
    "page.mp3": (lambda: b"<!DOCTYPE html><html></html>", "not a known format"),
    "one byte.wav": (lambda: b"R", "not a known format"),
    "header cut.wav": (lambda: sound()[:20], "WAV with|cannot be decoded"),
    "data cut.wav": (lambda: sound()[:40_000], ANSWER),
    "flac cut.flac": (lambda: sound(kind="FLAC")[:9_000], CUT),
    "flac head.flac": (lambda: sound(kind="FLAC")[:30], "cannot be decoded"),
    "ogg cut.ogg": (lambda: sound(kind="OGG")[:9_000], CUT),
    "mp3 cut.mp3": (lambda: sound(kind="MP3")[:5_000], CUT),
    "flac named.wav": (lambda: sound(kind="FLAC"), ANSWER),
    "ogg named.mp3": (lambda: sound(kind="OGG"), ANSWER),
    "no samples.wav": (lambda: header(data=b""), "holds no samples"),
    "one sample.wav": (lambda: header(data=b"\x01\x20"), SILENT),
    "claims 4 GB.wav": (lambda: header(data=pcm(), size=2**32 - 1), f"lasts|{ANSWER}"),
    "0 Hz.wav": (lambda: header(rate=0), " 0 Hz|cannot be decoded"),
    "1 Hz.wav": (lambda: header(rate=1), " 1 Hz; expected a rate"),
    "768 kHz.wav": (lambda: header(rate=768_000), "768000 Hz; expected a rate"),
    "384 kHz.wav": (lambda: sound(np.repeat(VOICE[:RATE], 24), 384_000), ANSWER),
    "no channels.wav": (lambda: header(channels=0), "channels|cannot be decoded"),
    "64 channels.wav": (lambda: header(channels=64), "64 channels"),
    "8 channels.wav": (lambda: sound(np.repeat(VOICE[:, None], 8, axis=1)), ANSWER),
    "not a number.wav": (with_nan, "not numbers"),
    "infinite.wav": (lambda: floats(np.full(RATE, np.inf, np.float32)), "not numbers"),
    "huge.wav": (lambda: floats(VOICE * np.float32(1e30)), ANSWER),
    "tiny.wav": (lambda: floats(np.full(RATE, 1e-42, np.float32)), SILENT),
    "silence.wav": (lambda: header(), SILENT),
    "constant.wav": (lambda: floats(np.full(RATE, 0.5, np.float32)), SILENT),
    "click.wav": (lambda: floats(np.eye(1, RATE, 5000, dtype=np.float32)[0]), SILENT),
    "θυμός και χαρά (2).wav": (sound, ANSWER),
    "[brackets] & 'quotes' $HOME.wav": (sound, ANSWER),
}


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return load("aesdd")


def verdict(recognizer: Recognizer, source: str | Path | bytes) -> str:
    """The words of the error, `no speech` or `an emotion`."""
    try:
        answer = recognizer.predict(source)
    except AudioError as error:
        text = str(error)
        assert "\n" not in text and text.startswith(
            "upload: " if isinstance(source, bytes) else f"{source}: "
        )
        return text
    assert (answer.emotion in recognizer.emotions) == (answer.emotion != SILENT)
    assert np.isfinite(answer.confidence) and np.isfinite(answer.logmel).all()
    return SILENT if answer.emotion == SILENT else ANSWER


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_gets_a_right_answer_or_one_clear_error(
    name: str, recognizer: Recognizer, tmp_path: Path
) -> None:
    content, expected = CONTENTS[name]
    (tmp_path / name).write_bytes(content())
    told = verdict(recognizer, tmp_path / name)
    assert re.search(expected, told), told
    as_bytes = verdict(recognizer, (tmp_path / name).read_bytes())
    assert as_bytes.removeprefix("upload") == told.removeprefix(str(tmp_path / name))


def test_a_wrong_name_changes_no_answer(recognizer: Recognizer, tmp_path: Path) -> None:
    samples = (VOICE * 32_000).astype(np.int16)
    (tmp_path / "flac.wav").write_bytes(sound(samples, kind="FLAC"))
    (tmp_path / "wav.flac").write_bytes(sound(samples))
    one, other = (recognizer.predict(tmp_path / name) for name in ("flac.wav", "wav.flac"))
    assert one.to_dict() == other.to_dict()


# What is no file with bytes in it


def no_files(folder: Path) -> dict[Path, str]:
    """Paths that lead to no recording, and words of the error each should give."""
    (folder / "folder.wav").mkdir()
    (folder / "dangling.wav").symlink_to("nowhere.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    os.mkfifo(folder / "pipe.wav")
    os.mknod(folder / "socket.wav", 0o600 | stat.S_IFSOCK)
    return {
        folder / "folder.wav": "is a folder",
        folder / "dangling.wav": "no such file",
        folder / "loop.wav": "no such file",
        folder / "pipe.wav": "not a regular file",
        folder / "socket.wav": "not a regular file",
        folder / "gone.wav": "no such file",
        folder / f"{'long' * 100}.wav": "cannot be read|no such file",
        folder / "text.wav" / "inside.wav": "no such file|cannot be read",
        Path("/dev/zero"): "not a regular file",
    }


def test_what_is_no_file_is_one_clear_error_and_never_waited_for(
    recognizer: Recognizer, tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("text")
    for path, expected in no_files(tmp_path).items():
        began = time.monotonic()
        told = verdict(recognizer, path)
        assert re.search(expected, told), told
        assert time.monotonic() - began < 1


def test_a_name_with_a_zero_byte_is_one_clear_error(recognizer: Recognizer) -> None:
    assert re.search("no such file|cannot be read", verdict(recognizer, "a\0b.wav"))


# Twelve hours


def silent_wav(path: Path, seconds: int) -> Path:
    """Silence that takes next to no place on the disk and no time to make."""
    path.write_bytes(header(data=b"", size=seconds * RATE * 2))
    os.truncate(path, path.stat().st_size + seconds * RATE * 2)
    return path


def twelve_hours(kind: str, path: Path) -> Path:
    if kind == "WAV":
        return silent_wav(path, HOURS)
    with soundfile.SoundFile(path, "w", 1000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(12):
            file.write(np.zeros(3600 * 1000, np.int16))
    if kind == "FLAC of unknown length":
        data = bytearray(path.read_bytes())
        data[21] &= 0xF0  # the 36 bits of the header that give the length
        data[22:26] = bytes(4)
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "FLAC of unknown length"])
def test_twelve_hours_of_silence_are_refused_soon_and_in_little_memory(
    kind: str, tmp_path: Path
) -> None:
    path = twelve_hours(kind, tmp_path / "long")
    began = time.monotonic()
    code = "import sys; from emelia.cli import main; sys.exit(main())"
    run, peak = measured(code, "predict", "--model", "aesdd", str(path))
    assert run.returncode == 1 and re.search("emelia: .*long: lasts", run.stderr), run.stderr
    assert peak < MOST_MEMORY and time.monotonic() - began < 30


# The detector of speech alone


@pytest.mark.parametrize("samples", [0, 1, 2, 511, 512, 513, 8191, 8192])
def test_the_speech_detector_takes_any_length(samples: int) -> None:
    assert has_speech(np.zeros(samples, np.float32)) is False
    assert has_speech(np.full(samples, 0.3, np.float32)) is False
    assert has_speech(VOICE[:samples]) in (False, True)


@pytest.mark.parametrize("level", [1e-2, 1, 1e3])
def test_the_speech_detector_hears_speech_at_any_level(level: float) -> None:
    assert has_speech(VOICE * np.float32(level))


def test_the_speech_detector_hears_speech_in_hours_of_silence() -> None:
    wave = np.zeros(1200 * RATE, np.float32)
    wave[900 * RATE : 900 * RATE + VOICE.size] = VOICE
    assert has_speech(wave)
    began = time.monotonic()
    assert not has_speech(np.zeros(1200 * RATE, np.float32))
    assert time.monotonic() - began < 20


# On the command line


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the above in one folder."""
    folder = tmp_path_factory.mktemp("zoo")
    for name, (content, _) in CONTENTS.items():
        (folder / name).write_bytes(content())
    no_files(folder)
    silent_wav(folder / "long.wav", 4000)  # s; one answer is for an hour at most
    return folder


def test_predict_names_each_and_answers_the_rest(
    zoo: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "emelia", "predict", "--model", "aesdd", "--format", "csv"]
    # A list, and the folder: what is no file is found only by the first.
    (zoo / "list.txt").write_text("\n".join(path.name for path in sorted(zoo.iterdir())))
    run = subprocess.run([*command, zoo / "list.txt"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and "Traceback" not in run.stderr, run.stderr
    answered = {Path(row["path"]).name for row in csv.DictReader(io.StringIO(run.stdout))}
    named = [line for line in run.stderr.splitlines() if line.startswith("emelia: ")]
    others = set(run.stderr.splitlines()) - set(named)
    assert all("could be read" in line for line in others), others  # those that are cut
    for path in zoo.iterdir():
        if path.name != "list.txt":
            error = [line for line in named if f"{path}: " in line]
            assert (path.name in answered) != bool(error), path.name
    assert {name for name, (_, expected) in CONTENTS.items() if expected == ANSWER} <= answered


def test_scores_and_failures_together_name_every_recording_once(zoo: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    tally = score(zoo, out, model="aesdd", jobs=2)
    with out.open(encoding="utf-8") as good, out.with_suffix(".failures.csv").open() as bad:
        scored = {Path(row["path"]).name: row["emotion"] for row in csv.DictReader(good)}
        failed = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(bad)}
    assert (len(scored), len(failed)) == (tally.scored, tally.failed)
    assert not scored.keys() & failed.keys()
    for name, (_, expected) in CONTENTS.items():
        if name == "long.wav":  # too long for one answer, and scored by its windows
            assert name in scored
        elif name in failed:
            assert re.search(expected, f" {failed[name]}"), failed[name]
        else:
            assert expected in (SILENT, scored[name]) or re.search(expected, ANSWER), name
    assert "not a regular file" in failed["pipe.wav"]
