"""What answers chunks of recordings: in a process of this machine, or on another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from emelia.audio.channels import Channel
from emelia.audio.heard import incomplete
from emelia.errors import AudioError, TooLongError
from emelia.use.inputs import Recording, path_of
from emelia.use.recognizer import Prediction, Recognizer, load
from emelia.use.scoring.by_source import heard_row
from emelia.use.scoring.journal import Row
from emelia.use.scoring.overall import overall
from emelia.use.scoring.segment_files import SegmentFiles

Told = dict[str, Prediction] | AudioError


class WorkerOptions(NamedTuple):
    """What a worker is told before the first recording.

    Attributes:
        model: its file.
        emotions: the only ones that are answered; None: all.
        threshold: see `load`.
        segments: where those of each recording are written; None: nowhere.
        strict: a recording that breaks off has no answer.
    """

    model: str
    emotions: tuple[str, ...] | None
    threshold: float | None
    channel: Channel
    segments: SegmentFiles | None
    strict: bool = False


class Outcome(NamedTuple):
    """What became of a recording: a row for each channel, or the reason why there is none."""

    asked: Recording
    rows: dict[str, Row]  # by channel; the only one is called ""
    reason: str = ""
    warnings: tuple[str, ...] = ()


class Worker:
    """A model that answers chunks of recordings on one thread.

    Raises:
        ModelError, ConfigError: see `load`.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._recognizer = load(
            options.model, emotions=options.emotions, threshold=options.threshold
        )

    def answer(self, asked: Sequence[Recording]) -> list[Outcome]:
        """What becomes of each recording, in their order."""
        told = self._recognizer.by_channel(asked, threads=1, channel=self._options.channel)
        return [
            _outcome(one, self._followed(one, own), self._recognizer)
            for one, own in zip(asked, told, strict=True)
        ]

    def _followed(self, asked: Recording, told: Told) -> Told:
        """Follow a recording over time: it is too long for one answer, or segments are wanted."""
        too_long = isinstance(told, TooLongError)
        failed = isinstance(told, AudioError) and not too_long
        files = self._options.segments
        if not isinstance(asked, str) or failed or not (too_long or files):
            return self._checked(told)
        try:
            found = self._recognizer.timeline(asked, channel=self._options.channel)
        except AudioError as error:
            return error
        timelines = found if isinstance(found, dict) else {"": found}
        if too_long:
            limits = self._recognizer.thresholds
            told = {name: overall(one, limits) for name, one in timelines.items()}
        told = self._checked(told)
        if files and not isinstance(told, AudioError):
            files.write(asked, list(timelines.values()))
        return told

    def _checked(self, told: Told) -> Told:
        """The answers, or an error in their place where the recording breaks off and must not."""
        if isinstance(told, AudioError) or not self._options.strict:
            return told
        cut = incomplete(text for answer in told.values() for text in answer.warnings)
        return AudioError(cut) if cut else told


def _outcome(asked: Recording, told: Told, by: Recognizer) -> Outcome:
    if isinstance(told, AudioError):
        return Outcome(asked, {}, str(told).removeprefix(f"{path_of(asked)}: "))
    rows = {name: heard_row(answer, by.emotions) for name, answer in told.items()}
    warnings = dict.fromkeys(text for answer in told.values() for text in answer.warnings)
    return Outcome(asked, rows, "", tuple(warnings))
