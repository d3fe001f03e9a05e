"""Folders by a layout that the user names, such as `speaker/emotion`, instead of one that is found.

A layout lists the folders from the corpus folder down: `emotion`, `speaker`, `*` for others. A file
name may tell, too: `speaker/{emotion}_{}` says that the name begins with the emotion and an
underscore. Folders deeper than the layout do not count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from emelia.corpora.records import UNKNOWN_SPEAKER, Fields, Labels
from emelia.emotions import canonical
from emelia.errors import ConfigError

OPTION = "--layout"
_WORDS = ("emotion", "speaker", "*")


def check_layout(layout: str) -> list[str]:
    """The folders of a layout.

    Raises:
        ConfigError: another word, or no emotion.
    """
    words = [word.strip().lower() for word in layout.strip("/").split("/")]
    odd = [word for word in words if word not in _WORDS]
    if odd or words.count("emotion") != 1 or words.count("speaker") > 1:
        raise ConfigError(
            f"{OPTION} {layout}: expected folders from the corpus down, such as speaker/emotion, "
            "emotion/speaker or */emotion."
        )
    return words
