"""The tables of processing, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from emelia import metrics
from emelia.metrics import Interval
from emelia.show.process.noise import CLEAN, METHODS, Gain
from emelia.show.process.stages import Figures, Stage
from emelia.table import Table
from emelia.text import percent, with_ends

BLIND = (
    "SNR is estimated from the recording alone: a gate lowers the background and so raises it, "
    "whether or not it harms the speech. Trimming takes pauses away, and with them what the "
    "background is told by."
)
CHAIN = (
    "These are steps to choose from. The models that come with emelia take the offset away and "
    "bring the peak to 1: they neither reduce noise nor trim."
)
_COLUMNS = ("s", "level dB", "peak dB", "SNR dB")
_DIGITS = (2, 1, 1, 1)
_NAMED = {"ours": "Our", "founding study's": "The founding study's"}


@dataclass(frozen=True)
class Mean:
    """Mean gain in dB of a method with a noise, with its interval over recordings."""

    noise: str
    snr: float
    method: str
    clips: int
    si_sdr: tuple[float, Interval]
    segmental: tuple[float, Interval]
    harmed: float  # share of the clips whose SI-SDR it lowers


def of_stages(stages: Sequence[Stage]) -> Table:
    """A recording after each step, with the change of its SNR."""
    known = {stage.name: stage.figures for stage in stages}
    rows = []
    for stage in stages:
        own, before = known[stage.name], known.get(stage.before)
        gap = f"{own.snr - before.snr:+.1f}" if before else ""
        cells = [f"{getattr(own, f.name):.{d}f}" for f, d in zip(fields(own), _DIGITS, strict=True)]
        rows.append((stage.name, *cells, gap, stage.before))
    columns = ("after", *_COLUMNS, "change of SNR dB", "made from")
    return Table("What each step does to the recording", columns, tuple(rows), f"{BLIND} {CHAIN}")


def of_changes(
    changes: Mapping[str, Mapping[str, NDArray[np.float64]]], speakers: Sequence[str]
) -> Table:
    """The mean change each step makes, with its interval."""
    names = np.array(speakers)
    rows = []
    for step, found in changes.items():
        cells = []
        for measure, digits in zip((f.name for f in fields(Figures)), _DIGITS, strict=True):
            values = found[measure]
            known = np.isfinite(values)
            cells.append(_with_interval(values[known], list(names[known]), digits))
        rows.append((step, *cells))
    clips = len(speakers)
    note = f"Means over {clips} recordings with 95 % intervals{_narrow(speakers)}. {BLIND} {CHAIN}"
    return Table("What each step changes", ("step", *_COLUMNS), tuple(rows), note)


def means(gains: Sequence[Gain]) -> list[Mean]:
    """The mean gains of each noise, SNR and method."""
    groups: dict[tuple[str, float, str], list[Gain]] = {}
    for gain in gains:
        groups.setdefault((gain.noise, gain.snr, gain.method), []).append(gain)
    found = []
    for (noise, snr, method), own in groups.items():
        who = [gain.speaker for gain in own]
        pairs = []
        for measure in ("si_sdr", "segmental"):
            values = [getattr(gain, measure) for gain in own]
            pairs.append((fmean(values), metrics.mean_interval(values, who)))
        harmed = fmean(gain.si_sdr < 0 for gain in own)
        found.append(Mean(noise, snr, method, len(own), pairs[0], pairs[1], harmed))
    return found


def of_gains(found: Sequence[Mean], speakers: Sequence[str]) -> Table:
    """What each method gains where noise was added to clean speech."""
    rows = [
        (f"{m.noise}, {m.snr:g} dB", m.method, _span(*m.si_sdr), _span(*m.segmental),
         f"{percent(m.harmed, 0)} %")
        for m in found if m.noise != CLEAN
    ]  # fmt: skip
    columns = ("noise added", "method", "SI-SDR gained dB", "segmental SNR gained dB", "made worse")
    note = (
        f"{found[0].clips} of the cleanest recordings, noise added, compared with themselves "
        f"before; 95 % intervals{_narrow(speakers)}. Made worse: share of recordings whose SI-SDR "
        "is lower after noise reduction than before."
    )
    return Table("Noise reduction where the truth is known", columns, tuple(rows), note)


def of_harm(found: Sequence[Mean]) -> Table:
    """How far each method's output is from clean speech that had no noise added."""
    rows = [
        (m.method, *(_span(*pair, sign="") for pair in (m.si_sdr, m.segmental)))
        for m in found
        if m.noise == CLEAN
    ]
    note = (
        "Nothing was added, so a perfect method would change nothing: 100 dB. At 10 dB what comes "
        "out differs from the speech that went in by a tenth of its power."
    )
    columns = ("method", "SI-SDR dB", "segmental SNR dB")
    return Table("What is left of clean speech", columns, tuple(rows), note)


def answer(found: Sequence[Mean]) -> str:
    """A sentence for each method on what it gains with known noise."""
    told = []
    for method in METHODS:
        own = [m for m in found if m.method == method and m.noise != CLEAN]
        # Only an interval that leaves zero out tells of a gain or a loss.
        better = sum(m.si_sdr[1].low > 0 for m in own)
        worse = sum(m.si_sdr[1].high < 0 for m in own)
        told.append(
            f"{_NAMED[method]} noise reduction brings noisy speech nearer to the clean speech in "
            f"{better} of {len(own)} conditions and takes it further away in {worse}."
        )
    return " ".join(told)


def _span(value: float, span: Interval, sign: str = "+") -> str:
    return with_ends(value, span.low, span.high, sign=sign)


def _with_interval(values: NDArray[np.float64], speakers: Sequence[str], digits: int) -> str:
    if not values.size:
        return "–"
    span = metrics.mean_interval(values, speakers)
    return with_ends(float(values.mean()), span.low, span.high, digits)


def _narrow(speakers: Sequence[str]) -> str:
    if len(set(speakers)) >= metrics.FEWEST_SPEAKERS:
        return ", speakers drawn first"
    return f", too narrow: fewer than {metrics.FEWEST_SPEAKERS} speakers"
