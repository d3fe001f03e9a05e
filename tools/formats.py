"""Which recordings can be read: `python tools/formats.py` writes docs/formats.md.

One file of each kind is written, by libsndfile, PyAV, ffmpeg or sox, whichever is installed, and
read back. `tests/audio/test_formats.py` holds the page to what is read.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from emelia.audio.decoding import decode, read_blocks
from emelia.errors import EmeliaError, FormatError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "formats.md"
RULE = "|---|---|---|---|---|\n"  # below it the rows begin
RATE, SECONDS = 16_000, 2


class Row(NamedTuple):
    """A kind of file, and how each writer makes one.

    Attributes:
        sndfile: format and subtype of libsndfile.
        av: container and codec of PyAV.
        ffmpeg: options of ffmpeg.
        sox: options of sox.
        rate: Hz that the codec takes.
    """

    file: str
    codec: str
    suffix: str
    sndfile: tuple[str, str] | None = None
    av: tuple[str, str] | None = None
    ffmpeg: str = ""
    sox: str = ""
    rate: int = RATE

    @property
    def name(self) -> str:
        """File and codec."""
        return f"{self.file}, {self.codec}"


ROWS = (
    Row("WAV", "PCM", ".wav", ("WAV", "PCM_16")),
    Row("WAV", "float", ".wav", ("WAV", "FLOAT")),
    Row("WAV", "mu-law (G.711)", ".wav", ("WAV", "ULAW")),
    Row("WAV", "A-law (G.711)", ".wav", ("WAV", "ALAW")),
    Row("WAV", "GSM 6.10", ".wav", ("WAV", "GSM610")),
    Row("WAV", "IMA ADPCM", ".wav", ("WAV", "IMA_ADPCM")),
    Row("WAV", "MS ADPCM", ".wav", ("WAV", "MS_ADPCM")),
    Row("WAV", "MP3", ".wav", av=("wav", "libmp3lame"), ffmpeg="-c:a libmp3lame"),
    Row("WAV", "MP2", ".wav", av=("wav", "mp2"), ffmpeg="-c:a mp2"),
    Row("WAV", "G.726", ".wav", av=("wav", "g726"), ffmpeg="-c:a g726", rate=8000),
    Row("RF64", "PCM", ".rf64", ("RF64", "PCM_16")),
    Row("W64", "PCM", ".w64", ("W64", "PCM_16")),
    Row("AIFF", "PCM", ".aiff", ("AIFF", "PCM_16")),
    Row("AIFF", "mu-law (G.711)", ".aifc", ("AIFF", "ULAW")),
    Row("CAF", "PCM", ".caf", ("CAF", "PCM_16")),
    Row("CAF", "ALAC", ".caf", ("CAF", "ALAC_16")),
    Row("AU", "mu-law (G.711)", ".au", ("AU", "ULAW")),
    Row("NIST SPHERE", "PCM", ".sph", ("NIST", "PCM_16"), sox="-t sph"),
    Row("VOC", "PCM", ".voc", av=("voc", "pcm_u8"), ffmpeg="-f voc", sox="-t voc"),
    Row("FLAC", "FLAC", ".flac", ("FLAC", "PCM_16")),
    Row("Ogg", "Vorbis", ".ogg", ("OGG", "VORBIS")),
    Row("Ogg", "Opus", ".opus", ("OGG", "OPUS")),
    Row("Ogg", "FLAC", ".oga", av=("ogg", "flac"), ffmpeg="-c:a flac -f ogg"),
    Row("Ogg", "Speex", ".spx", av=("ogg", "libspeex"), ffmpeg="-c:a libspeex -f ogg"),
    Row("MP3", "MP3", ".mp3", ("MP3", "MPEG_LAYER_III")),
    Row("MP2", "MP2", ".mp2", av=("mp2", "mp2"), ffmpeg="-c:a mp2"),
    Row("M4A, MP4", "AAC", ".m4a", av=("ipod", "aac"), ffmpeg="-c:a aac"),
    Row("M4A, MP4", "ALAC", ".m4a", av=("ipod", "alac"), ffmpeg="-c:a alac"),
    Row("3GP", "AAC", ".3gp", av=("3gp", "aac"), ffmpeg="-c:a aac"),
    Row("3GP", "AMR", ".3gp", av=("3gp", "libopencore_amrnb"), rate=8000),
    Row("MOV", "PCM", ".mov", av=("mov", "pcm_s16le"), ffmpeg="-c:a pcm_s16le"),
    Row("WebM", "Opus", ".webm", av=("webm", "libopus"), ffmpeg="-c:a libopus", rate=48_000),
    Row("Matroska", "PCM", ".mkv", av=("matroska", "pcm_s16le"), ffmpeg="-c:a pcm_s16le"),
    Row("Matroska", "AC-3", ".mkv", av=("matroska", "ac3"), ffmpeg="-c:a ac3", rate=48_000),
    Row("AMR", "AMR", ".amr", av=("amr", "libopencore_amrnb"), rate=8000),
    Row("AAC (ADTS)", "AAC", ".aac", av=("adts", "aac"), ffmpeg="-c:a aac -f adts"),
    Row("WMA", "WMA", ".wma", av=("asf", "wmav2"), ffmpeg="-c:a wmav2"),
    Row("FLV", "MP3", ".flv", av=("flv", "libmp3lame"), ffmpeg="-c:a libmp3lame", rate=44_100),
    Row("AVI", "MP3", ".avi", av=("avi", "libmp3lame"), ffmpeg="-c:a libmp3lame"),
    Row("MPEG-TS", "AAC", ".ts", av=("mpegts", "aac"), ffmpeg="-c:a aac"),
    Row("MPEG-PS", "MP2", ".mpg", av=("mpeg", "mp2"), ffmpeg="-c:a mp2"),
    Row("AC-3", "AC-3", ".ac3", av=("ac3", "ac3"), ffmpeg="-c:a ac3", rate=48_000),
    Row("WavPack", "WavPack", ".wv", av=("wv", "wavpack"), ffmpeg="-c:a wavpack"),
    Row("TTA", "TTA", ".tta", av=("tta", "tta"), ffmpeg="-c:a tta"),
)


class Reading(NamedTuple):
    """How a file is read: by which library, and whether as an upload."""

    by: str
    upload: str


def tone(rate: int) -> NDArray[np.float32]:
    """Two seconds of a tone that swells and fades."""
    time = np.arange(SECONDS * rate) / rate
    sound = 0.4 * np.sin(2 * np.pi * 300 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    return sound.astype(np.float32)


def write(row: Row, path: Path) -> str:
    """Write a file of a kind; the name of the writer, or "" where none of them is installed."""
    if row.sndfile and row.sndfile[0] in soundfile.available_formats():
        soundfile.write(path, tone(row.rate), row.rate, row.sndfile[1], format=row.sndfile[0])
        return "libsndfile"
    if row.av and _write_av(row, path):
        return "PyAV"
    for program, options in (("ffmpeg", row.ffmpeg), ("sox", row.sox)):
        if options and shutil.which(program) and _write_by(program, options, row, path):
            return program
    return ""


def read(path: Path) -> Reading:
    """How a file is read.

    Raises:
        EmeliaError: it is read, but damaged: a fault of ours.
    """
    with _without_av():
        by = "libsndfile" if _is_read(path) else ""
    by = by or ("PyAV" if _is_read(path) else "no")
    try:
        data = io.BytesIO(path.read_bytes())
        sum(len(block) for block, _ in read_blocks(data, "upload", 60, upload=True))
    except FormatError:
        return Reading(by, "no")
    return Reading(by, "yes")


def rows_of(page: str) -> dict[str, Reading]:
    """What the page says of each kind."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return {f"{file}, {codec}": Reading(by, up) for file, codec, _, by, up in lines[1:]}


def main() -> None:
    """Write the rows of the page; a row whose writers are all missing stays as it was."""
    page = PAGE.read_text(encoding="utf-8")
    before, table = rows_of(page), ""
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(ROWS):
            path = Path(folder) / f"{number}{row.suffix}"
            found = read(path) if write(row, path) else before.get(row.name)
            if found is None:
                sys.exit(f"{row.name}: none of its writers is installed.")
            cells = (row.file, row.codec, row.suffix, *found)
            table += f"| {' | '.join(cells)} |\n"
    head, _, rest = page.partition(RULE)
    PAGE.write_text(head + RULE + table + rest[rest.index("\n\n") + 1 :], encoding="utf-8")


def _write_av(row: Row, path: Path) -> bool:
    try:
        import av
    except ImportError:
        return False
    assert row.av is not None
    container, codec = row.av
    samples = (tone(row.rate) * 32767).astype(np.int16)[None]
    try:
        with av.open(str(path), "w", format=container) as out:
            stream = out.add_stream(codec, rate=row.rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = row.rate
            fit = av.AudioResampler(stream.format, "mono", row.rate, stream.frame_size or 1024)
            for piece in fit.resample(frame) + fit.resample(None):
                out.mux(stream.encode(piece))
            out.mux(stream.encode(None))
    except (av.FFmpegError, ValueError):
        return False
    return True


def _write_by(program: str, options: str, row: Row, path: Path) -> bool:
    with tempfile.NamedTemporaryFile(suffix=".wav") as plain:
        soundfile.write(plain.name, tone(row.rate), row.rate)
        given = ["-i", plain.name] if program == "ffmpeg" else [plain.name]
        quiet = ["-v", "error", "-y"] if program == "ffmpeg" else ["-V1"]
        command = [program, *quiet, *given, *options.split(), str(path)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _is_read(path: Path) -> bool:
    try:
        decode(path)
    except FormatError:
        return False
    except EmeliaError as error:
        if "PyAV" in str(error):
            return False
        raise
    return True


@contextmanager
def _without_av() -> Iterator[None]:
    """As if PyAV were not installed."""
    before = sys.modules.get("av")
    sys.modules["av"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if before is None:
            del sys.modules["av"]
        else:
            sys.modules["av"] = before


if __name__ == "__main__":
    main()
