"""The tables of a corpus, for the terminal, the page and CSV files."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.show.explore.data import Clip, Exploration, values
from emelia.show.explore.measure import Measures
from emelia.show.explore.problems import KINDS, Problem
from emelia.table import Table
from emelia.text import amount, by_length, csv_text, percent

# Measures that are compared between emotions: name, title, unit, decimals.
COMPARED = (
    ("seconds", "duration", "s", 2),
    ("level", "level", "dB", 1),
    ("snr", "SNR", "dB", 1),
    ("pitch", "pitch", "Hz", 0),
    ("pitch_range", "pitch range", "semitones", 1),
    ("speaking_rate", "speaking rate", "syllables/s", 1),
)
LOGARITHMIC = ("seconds", "pitch")  # whose ratios count, not their differences
_FEWEST = 3  # clips a group needs to count in `explained`
_UTTERANCE = ("id", "corpus", "emotion", "speaker", "gender", "sentence", "take", "digest")


def emotions(exploration: Exploration) -> Table:
    """Clips, minutes and medians of each measure by emotion."""
    clips = exploration.clips
    units = [f"{title} {unit}" for _, title, unit, _ in COMPARED]
    rows = [_line(name, exploration.of(name), len(clips)) for name in exploration.emotions]
    if len(rows) > 1:
        rows.append(_line("all", clips, len(clips)))
    note = "Duration to speaking rate: medians over the clips."
    columns = ("emotion", "clips", "share %", "minutes", *units)
    return Table("By emotion", columns, tuple(rows), note, spare=("share %", "minutes", "level dB"))


def speakers(exploration: Exploration) -> Table:
    """Clips of each emotion, minutes and pitch by speaker; no rows where nobody is known."""
    columns = ("speaker", "gender", "clips", *exploration.emotions, "minutes", "pitch Hz")
    rows = []
    groups = _grouped(exploration, lambda c: c.utterance.speaker)
    if groups.keys() == {UNKNOWN_SPEAKER}:
        groups = {}
    for name, clips in groups.items():
        gender = clips[0].utterance.gender or "–"
        counts = _counts(clips, exploration)
        rows.append((name, gender, *counts, minutes(clips), _median(clips, "pitch", 0)))
    return Table("By speaker", columns, tuple(rows))


def sentences(exploration: Exploration) -> Table:
    """Clips of each emotion by sentence; no rows where what is said is not known."""
    columns = ("sentence", "clips", *exploration.emotions, "duration s")
    groups = _grouped(exploration, lambda c: c.utterance.sentence)
    groups.pop("", None)
    rows = [
        (name, *_counts(clips, exploration), _median(clips, "seconds", 2))
        for name, clips in groups.items()
    ]
    return Table("By sentence", columns, tuple(rows))


def sources(exploration: Exploration) -> Table:
    """Clips of each emotion by corpus, where several are joined."""
    groups = _grouped(exploration, lambda c: c.utterance.corpus)
    columns = ("corpus", "clips", *exploration.emotions, "minutes")
    rows = [(name, *_counts(clips, exploration), minutes(clips)) for name, clips in groups.items()]
    return Table("By corpus", columns, tuple(rows) if len(rows) > 1 else ())


def storage(exploration: Exploration) -> Table:
    """How the files are stored."""
    kinds = Counter(
        (c.format, f"{c.measures.rate / 1000:g}", str(c.channels or "–")) for c in exploration.clips
    )
    rows = [(*kind, str(number)) for kind, number in kinds.most_common()]
    return Table("Files", ("format", "rate kHz", "channels", "clips"), tuple(rows))


def explained(exploration: Exploration) -> Table:
    """How much of each measure's variance the emotion, the speaker and the sentence explain."""
    rows = []
    for name, title, _, _ in COMPARED:
        shares = [_percent(share) for share in (share_of(exploration, name, by) for by in _BY)]
        rows.append((title, *shares))
    note = (
        "Share of a measure's variance between groups (eta squared); of duration and pitch that of "
        "their logarithms. A measure that goes with the speaker tells people apart, not emotions."
    )
    return Table("What goes with what, %", ("measure", *_BY), tuple(rows), note)


def found(problems: Sequence[Problem], most: int = 10_000) -> Table:
    """The faults, the gravest first, `most` at most."""
    rows = [(p.kind, " = ".join(p.clips), p.detail) for p in problems[:most]]
    more = f"And {len(problems) - most} more; all are in problems.csv." if problems[most:] else ""
    return Table("Problems", ("problem", "clips", "detail"), tuple(rows), more)


def summary(problems: Sequence[Problem]) -> Table:
    """How many faults of each kind were found, also where there are none."""
    counts = Counter(problem.kind for problem in problems)
    rows = [(kind, str(counts[kind]), meaning) for kind, meaning in KINDS.items()]
    return Table("What was looked for", ("problem", "found", "meaning"), tuple(rows))


def share_of(exploration: Exploration, name: str, by: str) -> float:
    """Eta squared: the share of a measure's variance that lies between groups; NaN for none."""
    groups = [
        numbers
        for clips in _grouped(exploration, _BY[by]).values()
        if (numbers := _comparable(clips, name)).size >= _FEWEST
    ]
    if len(groups) < 2:
        return math.nan
    every = np.concatenate(groups)
    total = float(np.square(every - every.mean()).sum())
    between = sum(group.size * (group.mean() - every.mean()) ** 2 for group in groups)
    return float(between) / total if total > 0 else math.nan


def all_csv(exploration: Exploration, problems: Sequence[Problem]) -> dict[str, str]:
    """Every table as CSV, by file name."""
    tables = {
        "emotions.csv": emotions(exploration),
        "speakers.csv": speakers(exploration),
        "sentences.csv": sentences(exploration),
        "problems.csv": found(problems, len(problems)),
    }
    texts = {name: t.csv() for name, t in tables.items() if t.rows}
    # Also where nothing is wrong: without the file one could not tell that from a page half
    # written.
    texts.setdefault("problems.csv", found([]).csv())
    measures = [field.name for field in fields(Measures)]
    head = (*_UTTERANCE, "format", "channels", *measures)
    texts["clips.csv"] = csv_text([head, *map(_figures, exploration.clips)])
    return texts


def minutes(clips: Iterable[Clip]) -> str:
    """How long clips are together, such as "41.3"."""
    return amount(sum(clip.measures.seconds for clip in clips) / 60)


_BY: dict[str, Callable[[Clip], str]] = {
    "emotion": lambda clip: clip.utterance.emotion,
    "speaker": lambda clip: clip.utterance.speaker.replace(UNKNOWN_SPEAKER, ""),
    "sentence": lambda clip: clip.utterance.sentence,
}


def _grouped(exploration: Exploration, key: Callable[[Clip], str]) -> dict[str, list[Clip]]:
    """Clips by what `key` tells of them, "2" before "10"."""
    groups: dict[str, list[Clip]] = {}
    for clip in exploration.clips:
        groups.setdefault(key(clip), []).append(clip)
    return {name: groups[name] for name in by_length(groups)}


def _comparable(clips: Iterable[Clip], name: str) -> NDArray[np.float64]:
    numbers = values(clips, name)
    return np.log(numbers) if name in LOGARITHMIC else numbers


def _line(name: str, clips: Sequence[Clip], among: int) -> tuple[str, ...]:
    medians = (_median(clips, measure, decimals) for measure, _, _, decimals in COMPARED)
    return (name, str(len(clips)), percent(len(clips) / among), minutes(clips), *medians)


def _counts(clips: Sequence[Clip], exploration: Exploration) -> list[str]:
    """Clips in all and of each emotion."""
    counts = Counter(clip.utterance.emotion for clip in clips)
    return [str(len(clips)), *(str(counts[e]) if counts[e] else "–" for e in exploration.emotions)]


def _median(clips: Iterable[Clip], name: str, decimals: int) -> str:
    numbers = values(clips, name)
    return f"{np.median(numbers):.{decimals}f}" if numbers.size else "–"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else percent(share, 0)


def _figures(clip: Clip) -> list[Any]:
    told = [getattr(clip.utterance, name) for name in _UTTERANCE]
    numbers = [f"{n:.6g}" if math.isfinite(n) else "" for n in astuple(clip.measures)]
    return [*told, clip.format, clip.channels or "", *numbers]
