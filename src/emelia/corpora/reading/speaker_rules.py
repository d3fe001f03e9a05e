"""Speakers by a rule of the user's: `folder`, `none`, or a regular expression on paths."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from emelia.corpora.reading.speaker_names import is_no_speaker
from emelia.corpora.reading.speaker_search import EmotionSource, Sources, SpeakersFound, shown
from emelia.errors import ConfigError

_OPTION = "--speakers-from"


def speakers_by_rule(sources: Sources, rule: str) -> SpeakersFound:
    """The speakers that a rule tells, with a note that shows some.

    Args:
        sources: the files, with the folder of each that names its emotion.
        rule: `none`; `folder`, the innermost that is not the emotion's and no session or part; or
            a regular expression, searched in paths with forward slashes, whose group `speaker` or
            first group (or all it fits) is the speaker.

    Raises:
        ConfigError: the rule is no regular expression, or fits no file.
    """
    if rule == "none":
        return SpeakersFound(f"The speakers count as unknown, as {_OPTION} none says.")
    find = _folder if rule == "folder" else _fitting(rule)
    found = {file: name for file, one in sources.items() if (name := find(file, one))}
    if not found:
        raise ConfigError(
            f"{_OPTION} {rule}: tells the speaker of no file, such as {next(iter(sources))}; "
            "expected folder, none or a regular expression."
        )
    unknown = len(sources) - len(found)
    rest = f" Those of {unknown} of {len(sources)} recordings are unknown." if unknown else ""
    return SpeakersFound(f"Speakers by {_OPTION} {rule}: {shown(found)}.{rest}", found)


def _folder(file: Path, one: EmotionSource) -> str:
    level = len(file.parts) - 1 if one.level is None else one.level
    folders = [name for i, name in enumerate(file.parts[:-1]) if i != level][::-1]
    return next((name for name in folders if not is_no_speaker(name)), "")


def _fitting(rule: str) -> Callable[[Path, EmotionSource], str]:
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise ConfigError(f"{_OPTION} {rule}: not a regular expression ({error}).") from None
    group = "speaker" if "speaker" in pattern.groupindex else min(1, pattern.groups)

    def find(file: Path, _: EmotionSource) -> str:
        match = pattern.search(file.as_posix())
        return (match[group] or "") if match else ""

    return find
