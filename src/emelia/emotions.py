"""The shared vocabulary of emotions, and other people's words for them.

A corpus maps its own codes to these names; labels outside the vocabulary are kept
as they are, so that a corpus of one's own may have classes of its own.
"""

from __future__ import annotations

# Alphabetical, so that the order of classes never depends on the corpus read first.
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
    """Return the shared name of a label: `Angry` -> `anger`; unknown ones only lower-cased."""
    word = label.strip().lower()
    return _BY_WORD.get(word, word)
