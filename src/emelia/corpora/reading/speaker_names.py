"""Recognise names of speakers in folder and file names: `Actor_03`, `speaker2`, `F01`.

Folders and files are also named after dates, sessions, takes and parts. These must not count as
speakers: a split by sessions would be called speaker-independent and not be it.
"""

from __future__ import annotations

import re

# Words for speakers, in several languages, that come before a number.
_ROLES = (
    "actor|actress|acteur|actrice|agent|caller|client|customer|hablante|informant|locut(?:eur|rice"
    "|or|ora)|parlante|participant|patient|person|proband(?:in)?|schauspieler(?:in)?|singer|"
    "speaker|spkr?|sprecher(?:in)?|student|subj|subject|talker|user|volunteer"
)
_NUMBERED = re.compile(rf"(?:{_ROLES})s?[\s_.-]*(?:\d+[a-z]?|(?<=[\s_.-])[a-z])", re.IGNORECASE)
_LETTERED = re.compile(r"(?:s|sp|f|m|w|p|id)[_-]?\d{1,4}", re.IGNORECASE)
_INSIDE = re.compile(
    rf"(?<![^\W_])(?:{_ROLES})[\s_.-]?(?:\d+|(?<=[\s_.-])[a-z])(?![^\W_])", re.IGNORECASE
)
# Words, with or without number, for what is not a speaker.
_THINGS = re.compile(
    r"(?:aud|audios?|aug(?:mented)?|batch|ch|channel|chunk|clean|clips?|copy|corpus|data(?:set)?|"
    r"day|dev|device|dialog|dialogue|eval|far|female|file|fold|high|hour|img|intense|item|left|"
    r"line|low|male|medium|men|mic|mid|mild|near|noise|noisy|normal|original|others?|part|phrase|"
    r"ptt|quiet|raw|record(?:ing)?s?|rec|right|room|round|run|samples?|scene|script|seg|segment|"
    r"sent(?:ence)?|sess(?:ion)?|set|sounds?|speech|split|strong|take|test|text|track|"
    r"train(?:ing)?|trial|utt(?:erance)?|v|val(?:id(?:ation)?)?|version|vid(?:eo)?|wavs?|weak|"
    r"week|women|words?)"
    r"[\s_.-]*\d*",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)|\d{10}(?:\d{3,4})?(?!\d)"
)


def is_numbered_speaker(name: str) -> bool:
    """Whether a name is that of a numbered speaker: `Actor_03`, `spk0`, `s01`, `F01`."""
    return bool(_NUMBERED.fullmatch(name) or _LETTERED.fullmatch(name))


def speaker_in(stem: str) -> str:
    """The numbered speaker in a file name, `angry_spk1_03` -> `spk1`; empty if none or several."""
    found = {match.group() for match in _INSIDE.finditer(stem)}
    return found.pop() if len(found) == 1 else ""


def is_no_speaker(name: str) -> bool:
    """Whether a name is that of a part, session, take, date or the like: not of a speaker."""
    return bool(_THINGS.fullmatch(name) or _DATE.match(name))
