"""The emotion names that all corpora share, and synonyms of them.

A corpus maps its codes to these names. Other labels are kept, so that a corpus may have classes
of its own.
"""

from __future__ import annotations

# Alphabetical, so that class numbers do not depend on which corpus is read first.
EMOTIONS = (
    "anger",
    "boredom",
    "calm",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)

_SYNONYMS = {
    "anger": ("angry", "ang"),
    "boredom": ("bored",),
    "calm": ("calmness",),
    "disgust": ("disgusted", "dis"),
    "fear": ("fearful", "afraid", "anxiety", "fea"),
    "happiness": ("happy", "joy", "hap"),
    "neutral": ("neutrality", "neu"),
    "sadness": ("sad",),
    "surprise": ("surprised", "sur"),
}
_BY_WORD = {word: name for name, words in _SYNONYMS.items() for word in (name, *words)}


def canonical(label: str) -> str:
    """The shared name of a label, `Angry` -> `anger`; an unknown label in lower case."""
    word = label.strip().lower()
    return _BY_WORD.get(word, word)
