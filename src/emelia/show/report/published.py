"""Figures that others have published on the corpora emelia reads, with where they stand.

Accuracies in percent. `apart` tells whether the people in the test clips were kept out of
training: figures with and without that are not comparable.

EmoBox: github.com/emo-box/EmoBox. arXiv 2308.08713: github.com/95anantsingh/Decoding-Emotions,
summaries v1.4 and v1.5. kinojk2: github.com/kinojk2/Speaker-Independent-Speech-Emotion-Recognition.
AlexisBouteloup: github.com/AlexisBouteloup/Speech-Emotion-Recognition-CNN.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """One published figure with its conditions and source."""

    corpus: str
    system: str
    accuracy: float  # percent
    apart: bool  # test speakers unseen in training
    protocol: str
    source: str
    spread: float | None = None  # standard deviation over runs


_PUBLISHED = "train 2, 3, 6; test 1, 5"
_RANDOM = "80/20 at random, best test epoch"
_FROZEN = "arXiv 2308.08713"
_EMOBOX = "EmoBox"
_FOUNDING = "the founding study"
_SMALL = "kinojk2 (GitHub)"

REFERENCES = (
    Reference("aesdd", "frozen HuBERT-ASR-large", 66.5, True, _PUBLISHED, _FROZEN, 5.0),
    Reference("aesdd", "frozen XLS-R-300M", 64.2, True, _PUBLISHED, _FROZEN, 5.3),
    Reference("aesdd", "frozen HuBERT-large", 63.1, True, _PUBLISHED, _FROZEN, 7.8),
    Reference("aesdd", "frozen wav2vec2-base", 59.9, True, _PUBLISHED, _FROZEN, 2.4),
    Reference("aesdd", "frozen HuBERT-base", 59.0, True, _PUBLISHED, _FROZEN, 1.3),
    Reference("aesdd", "mel CNN, 3 layers, batch size 1", 74.38, False, _RANDOM, _FOUNDING),
    Reference("aesdd", "mel CNN, 4 layers, batch size 1", 71.90, False, _RANDOM, _FOUNDING),
    Reference("aesdd", "frozen WavLM-large", 84.5, False, "455 : 149 clips", _EMOBOX),
    Reference("aesdd", "frozen HuBERT-base", 82.4, False, "455 : 149 clips", _EMOBOX),
    Reference(
        "aesdd", "mel CNN, 5 repeats", 64.1, False, "at random",
        "AlexisBouteloup (GitHub)", 5.7,
    ),
    Reference("ravdess", "frozen Whisper-large-v3", 75.9, True, "6 folds of 4 actors", _EMOBOX),
    Reference("ravdess", "frozen WavLM-large", 72.2, True, "6 folds of 4 actors", _EMOBOX),
    Reference("ravdess", "frozen wav2vec2-base", 55.4, True, "6 folds of 4 actors", _EMOBOX),
    Reference("ravdess", "three small CNNs from scratch", 64.0, True, "speakers apart", _SMALL),
    Reference("emodb", "frozen HuBERT-large", 94.5, True, "speakers apart", _FROZEN),
    Reference("emodb", "frozen HuBERT-base", 87.6, True, "speakers apart", _FROZEN),
    Reference("emodb", "three small CNNs from scratch", 91.0, True, "speakers apart", _SMALL),
)  # fmt: skip


def references(corpus: str, apart: bool) -> list[Reference]:
    """Figures of a corpus with test speakers unseen in training, or heard; highest first."""
    found = [r for r in REFERENCES if r.corpus == corpus and r.apart == apart]
    return sorted(found, key=lambda r: -r.accuracy)


def founding(corpus: str) -> list[Reference]:
    """The founding study's figures of a corpus, whose test speakers were seen in training."""
    return [r for r in references(corpus, apart=False) if r.source == _FOUNDING]
