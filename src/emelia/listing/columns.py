"""Which column of a table holds what, by the names that tables of recordings usually have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# By role; of several that are there the first counts.
USUAL = {
    "file": (
        "file", "path", "filename", "file_name", "filepath", "file_path", "fname", "audio",
        "audio_path", "audio_file", "audio_filepath", "wav", "wav_path", "wav_file", "wavfile",
        "fullpath", "full_path", "recording", "clip", "clip_path", "name",
    ),
    "emotion": (
        "emotion", "label", "labels", "emotion_label", "emotion_expressed", "category", "emotions",
        "emotion_name", "emotion_class", "class", "class_name", "emoclass", "emo", "target",
    ),
    "speaker": (
        "speaker_id", "speaker", "speakers", "spk", "spk_id", "actor", "actor_id", "speakerid",
        "speaker_name", "spkid", "spkrid", "spkr", "actorid", "subject", "subject_id",
        "participant", "participant_id",
    ),
    "sentence": ("sentence", "sentence_id", "transcription", "transcript", "text", "raw_text"),
    "take": ("take", "repetition"),
    "gender": ("gender", "sex"),
    "part": ("split", "partition", "subset", "set", "split_set"),
    "start": (
        "start", "onset", "begin", "start_time", "begin_time", "start_s", "start_sec",
        "start_seconds", "t_start", "tmin",
    ),
    "end": (
        "end", "offset", "stop", "end_time", "stop_time", "end_s", "end_sec", "end_seconds",
        "t_end", "tmax",
    ),
    "duration": ("duration", "dur", "duration_s", "duration_sec"),
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
        chosen: by role, columns that the user names.
        roles: those to look for.
        first: by role, a usual name that comes before all others.

    Raises:
        ValueError: a chosen column is not there.
    """
    # Reversed, so that of columns equal but for case the first is found.
    plain = {_plain(name): name for name in reversed(there)}
    picked = {}
    for role in roles:
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


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())
