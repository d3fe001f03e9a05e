"""emelia: emotion in recorded speech, from mel spectrograms.

The models that come with it are the first blocks of Whisper's encoder, a transformer, with a
linear layer; CNNs, and such encoders, are what `emelia study` trains and compares.

    from emelia import load

    answer = load("aesdd").predict("clip.wav")
    print(answer.emotion, answer.confidence)

The names below are promised; everything else may move. Each is imported only when it is
asked for, and none of them needs torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emelia.audio import preprocess_audio
    from emelia.corpora import read_corpus
    from emelia.errors import EmeliaError
    from emelia.use.recognizer import Prediction, Recognizer, load
    from emelia.use.timeline.live import Live
    from emelia.use.timeline.segments import Segment
    from emelia.use.timeline.timeline import Timeline

__version__ = "0.1.0"

__all__ = [
    "EmeliaError",
    "Live",
    "Prediction",
    "Recognizer",
    "Segment",
    "Timeline",
    "load",
    "preprocess_audio",
    "read_corpus",
]

_HOMES = {
    "EmeliaError": "emelia.errors",
    "Live": "emelia.use.timeline.live",
    "Prediction": "emelia.use.recognizer",
    "Recognizer": "emelia.use.recognizer",
    "Segment": "emelia.use.timeline.segments",
    "Timeline": "emelia.use.timeline.timeline",
    "load": "emelia.use.recognizer",
    "preprocess_audio": "emelia.audio",
    "read_corpus": "emelia.corpora",
}


def __getattr__(name: str) -> Any:
    """Import a promised name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
