"""emelia: emotion in recorded speech, from mel spectrograms.

The models that come with it are the first blocks of Whisper's encoder, a transformer, with a
linear layer; CNNs, and such encoders, are what `emelia study` trains and compares.

    from emelia import load

    answer = load("aesdd").predict("clip.wav")
    print(answer.emotion, answer.confidence)

The names below are promised; everything else may move. Each is imported only when it is asked
for. To predict, score, evaluate a model file and read a corpus needs neither torch, pandas nor
matplotlib; what a call lacks is named in one line with the command that installs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emelia import plot
    from emelia.api.evaluation import evaluate
    from emelia.api.export import export
    from emelia.api.finetuning import FineTuned, finetune
    from emelia.api.pages import explore, findings, report
    from emelia.api.searching import Tuned, tune
    from emelia.api.shipped import Models, model_card, models, serve
    from emelia.api.spectrograms import Features, features, log_mel
    from emelia.api.stress import stress
    from emelia.api.training import study, train
    from emelia.api.training_results import StudyResults, Training, read_results
    from emelia.audio import preprocess_audio
    from emelia.corpora import Corpus, read_corpus
    from emelia.errors import EmeliaError
    from emelia.results.evaluation import Evaluation
    from emelia.results.stress import StressResults
    from emelia.use.recognizer import Prediction, Recognizer, load
    from emelia.use.scoring.run import score
    from emelia.use.timeline.live import Live
    from emelia.use.timeline.segments import Segment
    from emelia.use.timeline.timeline import Timeline

__version__ = "0.1.0"

__all__ = [
    "Corpus",
    "EmeliaError",
    "Evaluation",
    "Features",
    "FineTuned",
    "Live",
    "Models",
    "Prediction",
    "Recognizer",
    "Segment",
    "StressResults",
    "StudyResults",
    "Timeline",
    "Training",
    "Tuned",
    "evaluate",
    "explore",
    "export",
    "features",
    "findings",
    "finetune",
    "load",
    "log_mel",
    "model_card",
    "models",
    "plot",
    "preprocess_audio",
    "read_corpus",
    "read_results",
    "report",
    "score",
    "serve",
    "stress",
    "study",
    "train",
    "tune",
]

_HOMES = {
    "Corpus": "emelia.corpora",
    "EmeliaError": "emelia.errors",
    "Evaluation": "emelia.results.evaluation",
    "Features": "emelia.api.spectrograms",
    "FineTuned": "emelia.api.finetuning",
    "Live": "emelia.use.timeline.live",
    "Models": "emelia.api.shipped",
    "Prediction": "emelia.use.recognizer",
    "Recognizer": "emelia.use.recognizer",
    "Segment": "emelia.use.timeline.segments",
    "StressResults": "emelia.results.stress",
    "StudyResults": "emelia.api.training_results",
    "Timeline": "emelia.use.timeline.timeline",
    "Training": "emelia.api.training_results",
    "Tuned": "emelia.api.searching",
    "evaluate": "emelia.api.evaluation",
    "explore": "emelia.api.pages",
    "export": "emelia.api.export",
    "features": "emelia.api.spectrograms",
    "findings": "emelia.api.pages",
    "finetune": "emelia.api.finetuning",
    "load": "emelia.use.recognizer",
    "log_mel": "emelia.api.spectrograms",
    "model_card": "emelia.api.shipped",
    "models": "emelia.api.shipped",
    "preprocess_audio": "emelia.audio",
    "read_corpus": "emelia.corpora",
    "read_results": "emelia.api.training_results",
    "report": "emelia.api.pages",
    "score": "emelia.use.scoring.run",
    "serve": "emelia.api.shipped",
    "stress": "emelia.api.stress",
    "study": "emelia.api.training",
    "train": "emelia.api.training",
    "tune": "emelia.api.searching",
}


def __getattr__(name: str) -> Any:
    """Import a promised name on first use."""
    if name == "plot":
        return import_module("emelia.plot")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
