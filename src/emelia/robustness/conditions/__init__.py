"""The conditions of the stress test, category by category.

Categories, levels and what is wanted are those of audEERING's tests (arXiv 2312.06270) where these
have them, corruptions beyond them RobuSER's (noise, clipping, reverberation, changes of gain, MP3).
"""

from __future__ import annotations

from collections.abc import Sequence

from emelia.errors import ConfigError
from emelia.robustness.conditions import recording, surroundings, voice
from emelia.robustness.conditions.condition import Condition
from emelia.text import did_you_mean

CATEGORIES = {
    "small": recording.small,
    "background": surroundings.background,
    "rooms": surroundings.rooms,
    "telephone": surroundings.telephone,
    "level": recording.level,
    "clipping": recording.clipping,
    "microphones": recording.microphones,
    "pauses": voice.pauses,
    "length": voice.length,
}


def conditions(chosen: Sequence[str] = ()) -> list[Condition]:
    """The conditions of some categories or names, all by default, in order.

    Raises:
        ConfigError: there is no such category or condition.
    """
    every = [one for make in CATEGORIES.values() for one in make()]
    names = {*CATEGORIES, *(one.name for one in every)}
    for name in chosen:
        if name not in names:
            told = did_you_mean(name, names, f"expected some of {', '.join(CATEGORIES)}.")
            raise ConfigError(f"conditions: {name!r}; {told}")
    return [one for one in every if not chosen or one.category in chosen or one.name in chosen]
