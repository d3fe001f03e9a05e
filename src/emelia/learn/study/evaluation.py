"""Evaluation of a run on a corpus, on clips it has not seen and with classes it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emelia.corpora import Corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.seen import none_left
from emelia.errors import RunError
from emelia.learn.data.loader import Loader
from emelia.learn.study.cell import prediction_records
from emelia.learn.training.inference import predict
from emelia.learn.training.runs import Run


@dataclass(frozen=True)
class Evaluation:
    """Predictions of a run, and the clips that were left out."""

    answers: tuple[dict[str, Any], ...]  # id, speaker, gender, truth, probabilities
    seen: int  # clips left out because the run was trained or selected on them
    foreign: dict[str, int]  # clips left out because the run has no such class, by emotion
    shared_speakers: bool  # clips of the same speakers were seen in training


def evaluate(run: Run, corpus: Corpus) -> Evaluation:
    """Evaluate a run on all clips of a corpus that it has not seen and has classes for.

    Raises:
        RunError: no clip is left, or the run does not tell which clips it has seen.
    """
    digests = run.seen
    if not digests:
        raise RunError("this run does not say which clips it has seen. Train it again.")
    unseen = [u for u in corpus.utterances if u.digest not in digests]
    known = [u for u in unseen if u.emotion in run.classes]
    if not known:
        raise RunError(none_left(corpus, unseen, run.classes))
    foreign = [u.emotion for u in unseen if u.emotion not in run.classes]
    speakers = {u.speaker for u in known} - {UNKNOWN_SPEAKER}
    trained = {u.speaker for u in corpus.utterances if u.digest in digests}
    clips = Loader(run.recipe, run.classes).load(known)
    return Evaluation(
        tuple(prediction_records(clips, predict(run.network, clips))),
        len(corpus.utterances) - len(unseen),
        {name: foreign.count(name) for name in sorted(set(foreign))},
        bool(speakers & trained),
    )
