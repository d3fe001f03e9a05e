"""A finished run on other speech: only clips it has never heard, only labels it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emelia.corpora import Corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.errors import RunError
from emelia.learn.data.loader import Loader
from emelia.learn.study.cell import answers
from emelia.learn.training.fit import predict
from emelia.learn.training.runs import Run
from emelia.learn.training.seen import Heard


@dataclass(frozen=True)
class Evaluation:
    """What a run answers, and what it was not asked."""

    answers: tuple[dict[str, Any], ...]  # id, speaker, gender, truth, probabilities
    heard: int  # clips left out because training or choosing the epoch heard them
    foreign: dict[str, int]  # clips left out because the run has no such class, by emotion
    shared_speakers: bool  # the clips come from speakers that training heard


def evaluate(run: Run, corpus: Corpus) -> Evaluation:
    """Ask a run for every clip of a corpus that it may honestly be asked.

    Raises:
        RunError: nothing is left, or the run does not tell what it has heard.
    """
    heard = Heard(run.about.get("heard") or ())
    if not heard:
        raise RunError("this run does not say which clips it has heard. Train it again.")
    unheard = [u for u in corpus.utterances if u.digest not in heard]
    known = [u for u in unheard if u.emotion in run.classes]
    if not known:
        raise RunError(
            f"{corpus.name}: none of its {len(corpus.utterances)} clips is new to this run and of "
            f"one of its classes ({', '.join(run.classes)}). Choose another corpus."
        )
    foreign = [u.emotion for u in unheard if u.emotion not in run.classes]
    speakers = {u.speaker for u in known} - {UNKNOWN_SPEAKER}
    trained = {u.speaker for u in corpus.utterances if u.digest in heard}
    clips = Loader(run.recipe, run.classes).load(known)
    chances = predict(run.network, clips, len(run.classes))
    return Evaluation(
        tuple(answers(clips, chances)),
        len(corpus.utterances) - len(unheard),
        {name: foreign.count(name) for name in sorted(set(foreign))},
        bool(speakers & trained),
    )
