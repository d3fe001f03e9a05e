"""Ask a model about clips whose emotion is known: a model file, a run, a study, or its answers.

    from emelia import evaluate

    found = evaluate("default", "recordings/")
    print(found)
    found.to_frame()

Shares lie in [0, 1].
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from emelia.api import joined
from emelia.api.answer_tables import SUFFIXES, read_answers
from emelia.api.trained import NAMELESS, SAME_SPEAKERS, SEEN_CLIPS, ReadCorpus, evaluate_runs
from emelia.corpora import Corpus, Utterance, read_corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.seen import SEEN, SeenClips, none_left
from emelia.errors import AudioError, ConfigError, CorpusError, RunError
from emelia.results.evaluation import ClipAnswer, Evaluation
from emelia.robustness.cases import Case
from emelia.storage import expanded
from emelia.text import counted
from emelia.use import onnxfile
from emelia.use.answer import NO_SPEECH, Prediction
from emelia.use.inputs import Excerpt
from emelia.use.recognizer import Recognizer, load

OnProgress = Callable[[int, int], None]  # clips done, and in all


def evaluate(
    model: Recognizer | str | Path,
    corpus: Corpus | str | Path | None = None,
    *,
    emotions: Sequence[str] = (),
    threshold: float | None = None,
    threads: int = 1,
    long: bool = True,
    on_progress: OnProgress | None = None,
    read: ReadCorpus | None = None,
) -> Evaluation:
    """Test a model on clips whose emotion is known; torch is needed for runs and studies alone.

    Clips that the model has seen, of emotions it does not know, and recordings that cannot be used
    are left out and counted.

    Args:
        model: the name of a model that comes with emelia, an .onnx file, a recognizer, the folder
            of a run or a study, or a table of answers (.csv): see `answer_tables`.
        corpus: see `read_corpus`; a table of answers with a column for the truth needs none.
        emotions: ask for these alone, and leave out clips of others.
        threshold: confidence below which an answer is unsure; the model's own by default.
        threads: cores to use.
        long: also ask a model file about recordings of 10, 30 and 60 s, made of clips of one
            speaker and emotion.
        on_progress: called with recordings done and recordings in all.
        read: how a place is read as a corpus; `read_corpus` by default.

    Raises:
        CorpusError: no such corpus, or none of its clips can be asked about.
        ModelError, RunError: no such model or run.
        ConfigError: options that do not fit the model.
    """
    read = read or (lambda place, apart: read_corpus(place, apart=apart))
    place = "" if isinstance(model, Recognizer) else str(model)
    if place.lower().endswith(SUFFIXES) and os.path.isfile(expanded(place)):
        data = corpus if isinstance(corpus, Corpus | None) else read(corpus, ())
        return read_answers(expanded(place), data)
    if corpus is None:
        raise ConfigError(f"{place or 'a model'}: give the corpus to test it on after it.")
    if place and os.path.isdir(expanded(place)):
        if emotions or threshold is not None:
            raise ConfigError(
                "emotions and threshold are of model files; `emelia export` makes one of a run."
            )
        return evaluate_runs(expanded(place), corpus, read)
    if place and not os.path.exists(expanded(place)) and os.sep in place:
        raise RunError(f"{place}: no such run folder or model file. Check the path.")
    asked = (
        model
        if isinstance(model, Recognizer)
        else load(model, emotions=emotions or None, threshold=threshold, threads=threads)
    )
    data = corpus if isinstance(corpus, Corpus) else read(corpus, asked.emotions)
    return ask(asked, data, threads=threads, long=long, on_progress=on_progress)


def ask(
    recognizer: Recognizer,
    corpus: Corpus,
    *,
    threads: int = 1,
    long: bool = True,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Ask a recognizer about the clips of a corpus; see `evaluate`."""
    seen = seen_by(recognizer.file)
    unseen = [clip for clip in corpus.utterances if clip.digest not in seen]
    known = [clip for clip in unseen if clip.emotion in recognizer.emotions]
    if not known:
        raise CorpusError(none_left(corpus, unseen, recognizer.emotions))
    cases = joined.planned(known) if long else []
    ticks = count(1)

    def tell() -> None:
        if on_progress:
            on_progress(next(ticks), len(known) + len(cases) * len(joined.LENGTHS))

    answers, reasons = [], Counter[str]()
    told = recognizer.predict_many(map(_source, known), threads=threads)
    for clip, answer in zip(known, told, strict=True):
        if isinstance(answer, AudioError):
            reasons[str(answer).removeprefix(f"{clip.path}: ")] += 1
        else:
            answers.append(_answer(clip, answer, recognizer.emotions))
        tell()
    if not answers:
        raise CorpusError(f"{corpus.name}: no clip can be used ({next(iter(reasons))}).")
    passed_over = [
        *left_out(corpus, unseen, recognizer.emotions),
        *(f"{counted(n, 'clip')} left out: {reason}" for reason, n in reasons.items()),
    ]
    found = Evaluation(
        recognizer.card.name, corpus.name, recognizer.emotions, tuple(answers),
        recognizer.threshold, left_out=tuple(passed_over),
        warnings=tuple(worth(corpus, known, seen)), demo=corpus.name == "demo",
    )  # fmt: skip
    return replace(found, joined=_joined(found, recognizer, cases, threads, tell))


def _joined(
    plain: Evaluation,
    recognizer: Recognizer,
    cases: Sequence[Case],
    threads: int,
    tell: Callable[[], None],
) -> dict[int, Evaluation]:
    """The answers to joined clips by their seconds."""
    answers = defaultdict[int, list[ClipAnswer]](list)
    for seconds, clip, answer in joined.ask(recognizer, cases, threads, tell):
        answers[seconds].append(_answer(clip, answer, recognizer.emotions))
    return {seconds: replace(plain, answers=tuple(own)) for seconds, own in answers.items()}


def seen_by(file: Path) -> SeenClips:
    """The clips that a model file says it has seen; empty where it does not say."""
    return SeenClips.from_text(onnxfile.metadata(file.read_bytes()).get(SEEN, ""))


def left_out(corpus: Corpus, unseen: Sequence[Utterance], classes: Sequence[str]) -> list[str]:
    """Sentences on clips that were seen, and of emotions that are not known."""
    lines = []
    if seen := len(corpus.utterances) - len(unseen):
        lines.append(f"{seen} {SEEN_CLIPS}")
    foreign = Counter(clip.emotion for clip in unseen if clip.emotion not in classes)
    return lines + [
        f"{counted(clips, 'clip')} of {emotion} left out: the model does not know it."
        for emotion, clips in sorted(foreign.items())
    ]


def worth(corpus: Corpus, known: Sequence[Utterance], seen: SeenClips) -> list[str]:
    """Sentences on what the figures are worth."""
    speakers = {clip.speaker for clip in known}
    trained = {clip.speaker for clip in corpus.utterances if clip.digest in seen}
    found = []
    if trained & speakers - {UNKNOWN_SPEAKER}:
        found.append(SAME_SPEAKERS)
    if UNKNOWN_SPEAKER in speakers:
        found.append(NAMELESS)
    return found


def _source(clip: Utterance) -> Excerpt:
    return Excerpt(str(clip.path), clip.span, digest=clip.digest)


def _answer(clip: Utterance, told: Prediction, emotions: Sequence[str]) -> ClipAnswer:
    given = told.emotion != NO_SPEECH
    return ClipAnswer(
        clip.id,
        emotions.index(clip.emotion),
        emotions.index(told.emotion) if given else None,
        tuple(told.probabilities[name] for name in emotions) if given else (),
        told.unsure,
        clip.speaker,
        clip.gender,
    )
