"""Findings on a corpus as sentences, made from its measures alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from emelia.config import Recipe
from emelia.corpora.records import NO_LANGUAGE, UNKNOWN_SPEAKER, Corpus
from emelia.show.explore import gravity
from emelia.show.explore.data import Exploration, values
from emelia.show.explore.problems import KINDS, Problem
from emelia.show.explore.tables import COMPARED, minutes, share_of
from emelia.text import counted, listed, percent

# Ratio of the largest to the smallest class, and how to call it.
_BALANCE = ((1.1, "even"), (1.5, "nearly even"), (3.0, "uneven"), (math.inf, "very uneven"))
_MATTERS = 0.06  # share of the variance that is worth a sentence; Cohen's medium effect


def headline(exploration: Exploration) -> str:
    """One sentence: how many clips, of what, in how many emotions, by how many speakers."""
    corpus, clips = exploration.corpus, exploration.clips
    seconds = sum(clip.measures.seconds for clip in clips)
    long = f"{seconds / 3600:.1f} hours" if seconds >= 7200 else f"{minutes(clips)} minutes"
    known = {c.utterance.speaker for c in clips} - {UNKNOWN_SPEAKER}
    who = f" by {counted(len(known), 'speaker')}" if known else ", by whom is not known"
    classes = counted(len(exploration.emotions), "emotion")
    return f"{counted(len(clips), 'clip')}, {long} of {_kind(corpus)}: {classes}{who}."


def _kind(corpus: Corpus) -> str:
    """Speech in which languages, or vocalisations without words, or both."""
    tongues = {s.spec.language for s in corpus.sources if s.spec}
    spoken = sorted(tongues - {NO_LANGUAGE})
    speech = f"{listed(spoken)} speech" if spoken else "speech"
    if NO_LANGUAGE not in tongues:
        return speech
    wordless = "vocal bursts without words"
    return f"{speech} and {wordless}" if spoken or len(corpus.sources) > 1 else wordless


def findings(exploration: Exploration, problems: Sequence[Problem]) -> list[str]:
    """What one should know before training on a corpus, the most important first.

    First comes what makes figures look better than they are, the worst leak before all others.
    """
    told = [
        *gravity.recording_conditions(exploration),
        (gravity.of_problems(problems), _problems(problems)),
        (gravity.of_balance(exploration), _balance(exploration)),
        (gravity.of_speakers(exploration), _by_speakers(exploration)),
        (gravity.of_sentences(exploration), _by_sentences(exploration)),
        (gravity.of_formats(exploration), _stored(exploration)),
        *((gravity.FACT, sentence) for sentence in _tells(exploration)),
        (0.0, _by_gender(exploration)),
        (0.0, _durations(exploration)),
        (0.0, _frames(exploration)),
    ]
    ranked = sorted(told, key=lambda one: -one[0])
    return [sentence for _, sentence in ranked if sentence]


def _problems(problems: Sequence[Problem]) -> str:
    counts = Counter(problem.kind for problem in problems)
    if not counts:
        return "No problem was found with the recordings."
    named = [f"{counts[kind]} {kind}" for kind in KINDS if counts[kind]]
    return f"Problems found: {listed(named)}."


def _balance(exploration: Exploration) -> str:
    counts = {name: len(exploration.of(name)) for name in exploration.emotions}
    if len(counts) < 2:
        return f"There is one class only, {next(iter(counts))}: nothing to tell apart."
    large, small = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    ratio = counts[large] / counts[small]
    word = next(word for limit, word in _BALANCE if ratio <= limit)
    if ratio == 1:
        return f"The classes are even: {counts[large]} clips each."
    return (
        f"The classes are {word}: {large}, the largest, has {counts[large]} clips, {small}, the "
        f"smallest, {counts[small]}, which is a ratio of {ratio:.2f}."
    )


def _by_speakers(exploration: Exploration) -> str:
    counts = Counter(clip.utterance.speaker for clip in exploration.clips)
    if UNKNOWN_SPEAKER in counts:
        return (
            "Who speaks is not known of every clip, so no split can keep speakers apart, and "
            "figures of a random one flatter."
        )
    text = f"A speaker has {_span(counts.values())} clips"
    missing = gravity.incomplete(exploration, "speaker")
    if missing:
        return f"{text}; {counted(missing, 'speaker')} of {len(counts)} lack an emotion."
    return f"{text}, and each has clips of every emotion."


def _by_gender(exploration: Exploration) -> str:
    counts = Counter(clip.utterance.gender for clip in exploration.clips)
    if not (counts["female"] and counts["male"]):
        return (
            "" if counts["female"] or counts["male"] else "The gender of the speakers is not known."
        )
    share = 100 * counts["female"] / (counts["female"] + counts["male"])
    unknown = f"; of {counts['']} clips the gender is not known" if counts[""] else ""
    return f"Women speak {counts['female']} clips, men {counts['male']} ({share:.0f} %){unknown}."


def _by_sentences(exploration: Exploration) -> str:
    sentences = {clip.utterance.sentence for clip in exploration.clips}
    if "" in sentences:
        return "What is said is not known of every clip." if len(sentences) > 1 else ""
    missing = gravity.incomplete(exploration, "sentence")
    if not missing:
        return (
            f"{counted(len(sentences), 'sentence')}, each said in every emotion: the words do not "
            "give the emotion away."
        )
    return (
        f"{missing} of {len(sentences)} sentences are not said in every emotion: a network may "
        "learn words instead of emotions, so try a split by sentence, too."
    )


def _durations(exploration: Exploration) -> str:
    seconds = values(exploration.clips, "seconds")
    return (
        f"Clips last {seconds.min():.2f} to {seconds.max():.2f} s, half of them "
        f"{np.percentile(seconds, 25):.2f} to {np.percentile(seconds, 75):.2f} s, "
        f"the median {np.median(seconds):.2f} s."
    )


def _frames(exploration: Exploration) -> str:
    frames = values(exploration.clips, "frames")
    size = Recipe().model.frames
    longer = np.mean(frames > size)
    share = percent(float(longer), 0)
    return (
        f"Their spectrograms have {frames.min():.0f} to {frames.max():.0f} frames of 32 ms, the "
        f"median {np.median(frames):.0f}; {share} % are longer than the {size} frames "
        "to which resized networks bring every clip."
    )


def _tells(exploration: Exploration) -> list[str]:
    """Which measures differ between emotions, the largest difference first."""
    shares = {one: share_of(exploration, one[0], "emotion") for one in COMPARED}
    ranked = sorted(shares, key=lambda one: -np.nan_to_num(shares[one], nan=-1.0))
    return [
        _tell(exploration, *one, shares[one])
        for one in ranked
        if not math.isnan(shares[one]) and shares[one] >= _MATTERS
    ]


def _tell(
    exploration: Exploration, name: str, title: str, unit: str, decimals: int, share: float
) -> str:
    medians = {
        emotion: float(np.median(found))
        for emotion in exploration.emotions
        if (found := values(exploration.of(emotion), name)).size
    }
    low, high = (f(medians, key=medians.__getitem__) for f in (min, max))
    text = (
        f"{title[0].upper()}{title[1:]} differs between emotions: its median goes from "
        f"{medians[low]:.{decimals}f} {unit} ({low}) to {medians[high]:.{decimals}f} {unit} "
        f"({high}); {percent(share, 0)} % of its variance goes with the emotion"
    )
    speaker = share_of(exploration, name, "speaker")
    if not math.isnan(speaker):
        text += f", {percent(speaker, 0)} % with the speaker"
    return f"{text}."


def _stored(exploration: Exploration) -> str:
    """Formats and sampling rates, and whether they give the emotion away."""
    kinds = gravity.formats(exploration)
    every = set().union(*kinds.values())
    if len(every) == 1:
        return ""
    text = f"The files are of {len(every)} kinds of format and rate"
    # A format that only some emotions have can be learnt instead of the voice.
    if all(own == every for own in kinds.values()):
        return f"{text}, all of which occur in every emotion."
    return f"{text}, not all in every emotion: a network may learn the format instead of the voice."


def _span(counts: Collection[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
