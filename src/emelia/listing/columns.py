"""Which column of a table holds what, by the names that tables of recordings usually have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from emelia.listing.sheet import Sheet

_LOOKED_AT = 20  # rows
_UNITS = ("", "time", "s", "sec", "secs", "seconds", "ms", "msec", "milliseconds")
_MILLISECONDS = ("ms", "msec", "milliseconds")
_SAMPLES = re.compile(r"(?:start|begin|onset|end|stop)(?:sample|frame|index|idx)s?")


def _timed(*names: str) -> tuple[str, ...]:
    """Names of times with the units that may follow them: `start`, `start_ms`."""
    return tuple(name + unit for unit in _UNITS for name in names)


# By role, without what separates words; of several that are there the first counts.
USUAL = {
    "file": (
        "file", "path", "filename", "filepath", "fname", "audio", "audiopath", "audiofile",
        "audiofilename", "audiofilepath", "wav", "wavpath", "wavfile", "wavname", "fullpath",
        "recording", "clip", "clippath", "datei", "dateiname", "pfad", "name",
    ),
    "emotion": (
        "emotion", "label", "labels", "emotionlabel", "emotionexpressed", "category", "emotions",
        "emotionname", "emotionclass", "class", "classname", "emoclass", "emo", "target",
    ),
    "speaker": (
        "speakerid", "speaker", "speakers", "spk", "spkid", "actor", "actorid", "speakername",
        "spkrid", "spkr", "subject", "subjectid", "participant", "participantid", "sprecher",
    ),
    "sentence": ("sentence", "sentenceid", "transcription", "transcript", "text", "rawtext"),
    "take": ("take", "repetition"),
    "gender": ("gender", "sex", "geschlecht"),
    "part": ("split", "partition", "subset", "set", "splitset"),
    "start": _timed("start", "onset", "begin", "segmentstart", "tstart", "tmin"),
    "end": _timed("end", "stop", "segmentend", "tend", "tmax", "offset"),
    "duration": _timed("duration", "dur"),
}  # fmt: skip
# Other words for the roles, as users write them: those of Hugging Face and of lists.
ROLES = {
    **{role: role for role in USUAL},
    "label": "emotion",
    "audio": "file",
    "path": "file",
}


def pick(
    there: Sequence[str],
    chosen: Mapping[str, str],
    roles: Sequence[str],
    first: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The column for each role: the one chosen, or else one of a usual name; none is missing.

    Args:
        there: names of the columns; case, blanks and hyphens do not count.
        chosen: by role, columns that the user names; empty for a role that none has.
        roles: those to look for.
        first: by role, a usual name that comes before all others.

    Raises:
        ValueError: a chosen column is not there, or times are counted in samples.
    """
    if odd := [name for name in there if _SAMPLES.fullmatch(_plain(name)) and "start" in roles]:
        raise ValueError(f"the column {odd[0]} counts samples; expected start and end in seconds")
    # Reversed, so that of columns equal but for case the first is found.
    plain = {_plain(name): name for name in reversed(there)}
    picked = {}
    for role in (role for role in roles if chosen.get(role, "-")):
        if wanted := chosen.get(role):
            name = wanted if wanted in there else plain.get(_plain(wanted), "")
            if not name:
                raise ValueError(f"no column {wanted}; there are {', '.join(there)}")
        else:
            usual = ((first or {}).get(role, ""), *USUAL[role])
            name = next((plain[u] for u in usual if u in plain), "")
        if name:
            picked[role] = name
    _settle_offset(picked, plain, chosen)
    return picked


def column_of_files(sheet: Sheet, suffixes: tuple[str, ...]) -> str:
    """The only column whose first cells are names of recordings; empty for none or several."""
    cells = [line.cells for line in sheet.lines if line.cells][:_LOOKED_AT]
    found = [
        name for name in sheet.columns if any(row[name].lower().endswith(suffixes) for row in cells)
    ]
    return found[0] if len(found) == 1 else ""


def _settle_offset(
    picked: dict[str, str], plain: Mapping[str, str], chosen: Mapping[str, str]
) -> None:
    """`offset` ends what `onset` begins; beside a duration alone it is where the segment starts.

    A duration alone tells how long a file is, and no segment.
    """
    alone = "start" not in picked and "start" not in chosen
    if alone and "duration" in picked and picked.get("end") == plain.get("offset", "-"):
        picked["start"] = picked.pop("end")
    if "start" not in picked:
        picked.pop("duration", None)
        if _plain(picked.get("end", "")).startswith("offset"):  # of something else
            del picked["end"]


def _plain(name: str) -> str:
    """A name without case and all that separates words: `Start (s)` -> `starts`."""
    return re.sub(r"[\W_]+", "", name.lower())


def seconds_per(column: str) -> float:
    """The unit of a column of times, by its name: 0.001 for milliseconds, else 1."""
    return 0.001 if _plain(column).endswith(_MILLISECONDS) else 1.0
