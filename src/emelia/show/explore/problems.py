"""Finds faults in the recordings of a corpus: unreadable, silent, clipped, duplicated."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emelia.corpora import Utterance
from emelia.show.explore.data import Clip, Exploration
from emelia.show.explore.duplicates import encoded_again, identical
from emelia.text import decibels, percent

QUIET = -60.0  # dB RMS, an amplitude of 0.001
PAUSES = 0.3  # share of a clip that sounds, below which it is mostly silence
CLIPPED = 10  # samples

# What there is to find, in the order of its gravity, with what it means.
KINDS = {
    "unreadable": "cannot be decoded",
    "empty": "holds no samples",
    "no label": "neither its name nor its folder tells its emotion",
    "silent": "all samples are equal",
    "label conflict": "the same recording under different emotions",
    "identical": "the very same samples more than once",
    "encoded again": "the same recording in different samples",
    "very quiet": f"under {QUIET:g} dB RMS, an amplitude of 0.001",
    "mostly silent": f"sounds for less than {percent(PAUSES, 0)} % of its length",
    "clipped": f"{CLIPPED} samples or more in runs at its highest or lowest value",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault, with the clips that have it."""

    kind: str
    clips: tuple[str, ...]
    detail: str


def problems(exploration: Exploration, jobs: int = 1) -> list[Problem]:
    """All faults of a corpus, the gravest first."""
    order = list(KINDS)
    found = [
        *_unread(exploration),
        *(problem for clip in exploration.clips for problem in _of_clip(clip)),
        *_copies("identical", identical(exploration)),
        *_copies("encoded again", _utterances(encoded_again(exploration.clips, jobs))),
    ]
    return sorted(found, key=lambda problem: (order.index(problem.kind), problem.clips))


def _unread(exploration: Exploration) -> Iterator[Problem]:
    # By their paths: files of two folders may have one name.
    root = exploration.corpus.root
    refused = {_below(root, r.path): r.reason for r in exploration.corpus.rejected}
    reasons = refused | exploration.failed
    for name, reason in reasons.items():
        yield Problem(_kind(reason), (name,), reason)


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _kind(reason: str) -> str:
    """The kind of fault that the reader's reason for refusing a file stands for."""
    if re.search(r"\bis empty\b|no samples", reason):
        return "empty"
    return "no label" if re.match("its name|lies in no folder|the folder", reason) else "unreadable"


def _of_clip(clip: Clip) -> Iterator[Problem]:
    heard, name = clip.measures, (clip.utterance.id,)
    if heard.level == -math.inf:
        yield Problem("silent", name, f"{heard.seconds:.2f} s of equal samples")
        return
    if heard.level < QUIET:
        yield Problem("very quiet", name, f"{decibels(heard.level)} RMS")
    if heard.sounding < PAUSES * heard.seconds:
        yield Problem("mostly silent", name, f"{heard.sounding:.1f} of {heard.seconds:.1f} s sound")
    if heard.clipped >= CLIPPED:
        yield Problem("clipped", name, f"{heard.clipped:.0f} samples at {heard.peak:.3f}")


def _utterances(groups: Iterable[Sequence[Clip]]) -> list[list[Utterance]]:
    return [[clip.utterance for clip in group] for group in groups]


def _copies(kind: str, groups: Iterable[Sequence[Utterance]]) -> Iterator[Problem]:
    for group in groups:
        ordered = sorted(group, key=lambda utterance: utterance.id)
        names = tuple(utterance.id for utterance in ordered)
        labels = [utterance.emotion for utterance in ordered]
        yield Problem(kind, names, f"{len(names)} clips of {_listed(labels)}")
        # One recording under two emotions is worse than a copy: one of its labels is wrong.
        if len(set(labels)) > 1:
            yield Problem("label conflict", names, _listed(labels))


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(labels))
