"""The sentences that a child may say of a recording, for nothing else it says is passed on.

A decoder that was taken over could write anything into an answer: a link, a name, an instruction.
So a sentence counts only where it is one of these, with numbers, kinds of files and codecs in its
gaps; any other becomes a general one. What a decoder library says of damage is left out.
"""

from __future__ import annotations

import re

from emelia.audio.containers.headers import WAVE_CODECS
from emelia.audio.containers.kinds import NAMES
from emelia.audio.limits import ACCEPTED, UPLOADS, conversion
from emelia.errors import AudioError, FormatError, TooLongError

_DAMAGED = "upload: cannot be decoded. It is damaged or cut short; use an intact copy."
_NOT_TAKEN = f"is not taken as an upload; expected {UPLOADS}"
_GENERAL = {
    TooLongError: "upload: is longer than the limit. Cut it.",
    FormatError: f"upload: is no recording that can be read; expected {UPLOADS}.",
    AudioError: _DAMAGED,
}
_AMISS = "something was amiss with it."
# Gaps: {n} a number, {kind} a kind of file, {codec} one with a codec, {channels} what to ask for.
_ERRORS = (
    "upload: is empty; expected {accepted}.",
    "upload: not a known format; expected {accepted}.",
    "upload: not a known format ({kind}); expected {accepted}.",
    "upload: WAV with no codec; expected {accepted}.",
    "upload: {codec} {not_taken}. Convert it: `{command}`",
    "upload: {codec} is not read; expected {accepted}. Convert it: `{command}`",
    "upload: holds no samples (0 s); expected a recording.",
    "upload: has no sound track; expected a recording.",
    "upload: has samples that are not numbers (NaN or infinite).",
    "upload: has {n} channels, and no channel {channels}.",
    "upload: has 1 channel, and no channel {channels}.",
    "upload: {n} Hz; expected a rate of {n} to {n} Hz.",
    "upload: {n} channels; expected 1 to {n}.",
    "upload: lasts {n} s; the limit is {n} s. Cut it.",
    "upload: lasts more than {n} s; the limit is {n} s. Cut it.",
    "reading {codec} needs PyAV, which is not installed. Run: pip install 'emelia[media]'",
)
_WARNINGS = (
    "its channels cancel each other, as of a microphone that is wired the wrong way round; the "
    "loudest was taken.",
    "its {n} channels differ, as of a call with a party a channel, and were mixed; ask for the "
    "channel {channels}.",
    "its rate changes from {n} to {n} Hz, as of joined files.",
    "its header was never finished, as of a recording that broke off; what is there was read.",
    "it has {n} sound tracks; the first was read.",
    "{n} of {n} s could be read; the file is damaged or cut short.",
    "{n} s could be read; the rest is damaged or cut off.",
)


def known_error(kind: type[AudioError], text: str) -> str:
    """The sentence of an error, or the general one of its kind."""
    return text if _matches(text, _ERRORS) else _GENERAL[kind]


def known_warning(text: str) -> str:
    """The sentence of a warning, or a general one."""
    return text if _matches(text, _WARNINGS) else _AMISS


def _matches(text: str, sentences: tuple[str, ...]) -> bool:
    return any(re.fullmatch(_pattern(sentence), text) for sentence in sentences)


def _pattern(sentence: str) -> str:
    """A sentence as a regular expression: its words as they are, its gaps by `_gaps`."""
    parts = re.split(r"\{(\w+)\}", sentence)
    gaps = _gaps()
    return "".join(gaps[p] if place % 2 else re.escape(p) for place, p in enumerate(parts))


def _gaps() -> dict[str, str]:
    kinds = "|".join(map(re.escape, NAMES))
    codecs = "|".join(map(re.escape, WAVE_CODECS.values()))
    one = rf"(?:{codecs}|codec 0x[0-9a-f]{{4}}|[A-Za-z0-9_]{{1,16}})"
    return {
        "n": r"\d{1,9}(?:\.\d{1,3})?(?:e\+\d\d)?",
        "kind": f"(?:{kinds})",
        "codec": f"(?:{kinds}|[a-z0-9_]{{1,16}}|[A-Z0-9]{{1,8}})(?: with (?:{one}|this codec))?",
        "channels": "(?:left, right or each|each|left|right|\\d{1,2})",
        "accepted": re.escape(ACCEPTED),
        "not_taken": re.escape(_NOT_TAKEN),
        "command": re.escape(conversion("upload")),
    }
