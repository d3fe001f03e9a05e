"""Find the recordings in a folder and its subfolders, and tell of those that cannot be read.

File names only say what to search for; the decoder recognises kinds by their bytes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emelia.audio.containers.kinds import TS, kind_of
from emelia.audio.limits import conversion
from emelia.audio.media import installed
from emelia.text import counted

# Read by libsndfile, which is always there.
SOUND = (
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".mpga", ".aif", ".aiff",
    ".aifc", ".caf", ".au", ".snd", ".w64", ".rf64", ".sph",
)  # fmt: skip
# Read by PyAV, which comes with the extra `media`.
MEDIA = (
    ".m4a", ".m4b", ".mp4", ".webm", ".weba", ".mka", ".mkv", ".3gp", ".3gpp", ".3g2", ".amr",
    ".awb", ".aac", ".adts", ".wma", ".spx", ".ac3", ".eac3", ".wv", ".ape", ".tta", ".mpc",
    ".ra", ".rm", ".dss", ".voc", ".qcp",
)  # fmt: skip
# The same, of pictures with sound.
FILMS = (
    ".mov", ".qt", ".m4v", ".asf", ".wmv", ".flv", ".avi", ".mpg", ".mpeg", ".vob", ".ogv", ".ts",
    ".mts", ".m2ts",
)  # fmt: skip
SUFFIXES = (*SOUND, *MEDIA, *FILMS)
_USUAL = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a")
SUFFIXES_EXPECTED = f"{', '.join(_USUAL)} and other files (docs/formats.md)"
EXPECTED = SUFFIXES_EXPECTED.replace(" .", " ").removeprefix(".")  # without their dots
_PROGRAMS = (".ts", ".mts")  # TypeScript, unless the bytes say MPEG-TS
# Recordings that neither reads.
_HEADERLESS = (".raw", ".pcm", ".sln", ".vox", ".gsm", ".ul", ".ulaw", ".al", ".alaw", ".g722")
_FOREIGN = (".ds2", ".dvf", ".msv", ".aa", ".aax", ".silk", ".slk", ".evs", ".g729", ".m4p")


@dataclass
class Found:
    """The recordings in a folder.

    Attributes:
        files: paths of those that can be read, sorted.
        passed: by suffix, paths of those that cannot.
    """

    files: list[str] = field(default_factory=list)
    passed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def lines(self) -> list[str]:
        """What was passed over: a line for each kind, with the reason and the way out."""
        return [_line(suffix, names) for suffix, names in sorted(self.passed.items())]


def find_recordings(root: Path) -> Found:
    """Search a folder and those inside it, by the names of files in any case.

    Links are followed, but each folder is entered once; hidden files and folders are skipped.

    Raises:
        OSError: a folder cannot be listed.
    """
    found, media = Found(), installed()
    for path in _below(root):
        suffix = os.path.splitext(path)[1].lower()
        if suffix in _PROGRAMS and not _is_ts(path):
            continue
        if suffix in SOUND or (media and suffix in SUFFIXES):
            found.files.append(path)
        elif suffix in SUFFIXES or suffix in _HEADERLESS or suffix in _FOREIGN:
            found.passed[suffix].append(path)
    found.files.sort()
    return found


def _below(root: Path) -> Iterator[str]:
    entered: set[str] = set()
    for folder, inner, names in os.walk(root, followlinks=True, onerror=_give_up):
        real = os.path.realpath(folder)
        known = real in entered  # a link may lead back to a folder above
        entered.add(real)
        inner[:] = [] if known else sorted(name for name in inner if name[0] != ".")
        for name in [] if known else names:
            if name[0] != ".":
                yield os.path.join(folder, name)


def _is_ts(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return kind_of(file)[0] is TS
    except OSError:
        return False


def _line(suffix: str, names: list[str]) -> str:
    count = counted(len(names), f"{suffix} file")
    example = os.path.basename(min(names))
    if suffix in SUFFIXES:
        return (
            f"{count} passed over: install PyAV with pip install 'emelia[media]', or convert, as "
            f"in `{conversion(example)}`"
        )
    if suffix in _HEADERLESS:
        new = os.path.splitext(example)[0]
        return (
            f"{count} passed over: sound without a header, if it is sound; convert it with its "
            f"codec and rate, as in `ffmpeg -f mulaw -ar 8000 -i {example} {new}.wav`"
        )
    return (
        f"{count} passed over: its format is not read here; convert it with the program of its "
        f"maker, or try `{conversion(example)}`"
    )


def _give_up(error: OSError) -> None:
    raise error
