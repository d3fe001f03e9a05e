"""Recognises the emotion of recordings.

    from emelia import load

    answer = load("aesdd").predict("clip.wav")
    print(answer.emotion, answer.confidence)

Shapes: T samples, N clips, C labels, M mel bands, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from emelia.audio.channels import EACH, Channel, OneChannel, check_channel
from emelia.config import SAMPLE_RATE
from emelia.errors import AudioError, ConfigError
from emelia.use.adaptation.adapting import Adaptation, count_changed, learn
from emelia.use.adaptation.profile import read_profile
from emelia.use.adaptation.source import SourceProfile
from emelia.use.answer import NO_SPEECH, Prediction
from emelia.use.answering import Answering
from emelia.use.batching import groups, in_order
from emelia.use.bundled import find_model
from emelia.use.clips import clips_in, read_clips, samples_in, try_to_read
from emelia.use.inputs import Excerpt
from emelia.use.inputs import recordings as find_recordings
from emelia.use.model import Model
from emelia.use.timeline.windows import HOP, WINDOW
from emelia.use.waveforms import LONGEST, Source, one_rate, plain

if TYPE_CHECKING:
    from emelia.use.timeline.live import Live
    from emelia.use.timeline.timeline import Timeline

__all__ = ["LONGEST", "NO_SPEECH", "Prediction", "Recognizer", "load"]

_GROUP = 64  # recordings looked at together, to find those of like length
_GROUP_SAMPLES = 600 * SAMPLE_RATE  # and how much sound they may hold: 38 MB


class Recognizer(Answering):
    """A model that answers; any number of threads may use it at once.

    Attributes:
        card: what the model file tells of itself.
        emotions: the labels it may answer, in the order of the card.
        source: what is kept of the source that answers are adapted to; None for plain answers.
        adaptation: what `adapt` did to make this recognizer; None for another.
    """

    adaptation: Adaptation | None = None

    def adapt(
        self,
        recordings: str | Path | Iterable[Source | Excerpt],
        *,
        known: Mapping[str, str | Path | Iterable[Source | Excerpt]] | None = None,
        threads: int = 1,
        channel: OneChannel = "mix",
    ) -> Recognizer:
        """A recognizer used to a source: whoever and whatever some recordings come from.

        Its `adaptation` tells what was done. From fewer than three recordings nothing is changed.

        Args:
            recordings: of one voice, room, microphone or telephone line, without labels, each as
                for `predict`; or a folder, list or pattern. Those that cannot be used, or have
                too little speech, are passed over.
            known: further ones of the source by the emotion that somebody has told of them.
            threads, channel: see `predict_many`.

        Raises:
            ModelError: the model cannot be adapted.
            ConfigError: the model does not know an emotion of `known`.
            AudioError: no recordings are there.
        """
        profile = self.source.copy() if self.source else SourceProfile(self.card)
        plain = self.used_to(None)

        def hear(
            some: str | Path | Iterable[Source | Excerpt],
        ) -> Iterator[tuple[object, Prediction | AudioError]]:
            listed = find_recordings(some) if isinstance(some, str | Path) else some
            names, sounds = tee(listed)  # which hold no more than what is read ahead
            told = plain.predict_many(sounds, threads=threads, channel=channel)
            return zip(names, told, strict=True)

        labelled = {emotion: hear(own) for emotion, own in (known or {}).items()}
        used, unused = learn(profile, hear(recordings), labelled)
        found = self.used_to(profile)
        changed = count_changed(used, map(found.again, used))
        found.adaptation = Adaptation(len(used), profile.clips, changed, tuple(unused))
        return found

    def as_it_goes(self, *, window: float = WINDOW, hop: float = HOP) -> Recognizer:
        """A recognizer that gets used to what it hears in windows of a stream.

        From its source on, or from none; of a stream that changes it forgets what is long past.

        Raises:
            ModelError: the model cannot be adapted.
        """
        known = self.source if self.learns else self.source and self.source.copy()
        # Windows that overlap tell the same several times.
        return self.used_to(known or SourceProfile(self.card), hop / window)

    def used_to(self, source: SourceProfile | None, learns: float = 0.0) -> Recognizer:
        """A recognizer with the same options and another source, or none."""
        return Recognizer(
            self._model, emotions=self.emotions, threshold=self._threshold, source=source,
            learns=learns,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Recognizer {self.card.name}: {', '.join(self.emotions)}>"

    @property
    def file(self) -> Path:
        """The model file."""
        return self._model.path

    @overload
    def predict(
        self, source: Source, rate: int | None = None, *, sr: int | None = None,
        channel: OneChannel = "mix",
    ) -> Prediction: ...  # fmt: skip
    @overload
    def predict(
        self, source: Source, rate: int | None = None, *, sr: int | None = None,
        channel: Literal["each"],
    ) -> dict[str, Prediction]: ...  # fmt: skip
    def predict(
        self, source: Source, rate: int | None = None, *, sr: int | None = None,
        channel: Channel = "mix",
    ) -> Prediction | dict[str, Prediction]:  # fmt: skip
        """Recognise the emotion of a recording of at most five minutes.

        Its speech is heard in windows of 4 s, whose answers are averaged: see `use.pooling`.

        Args:
            source: a path, the bytes of a file, an open file; or samples: int16, int32 or float
                of shape (T,), (T, channels) or (channels, T), with `rate`, as a pair with it, or
                in a dict as of Hugging Face `datasets`.
            rate: of samples, in Hz; only and always with them.
            sr: another name for it, as librosa has it.
            channel: `mix` for the mean of all, `left`, `right`, or `each` for an answer a
                channel, by its name: left and right, numbers from 1, or mono.

        Raises:
            AudioError: it cannot be decoded or used, is too long, or lacks the channel.
            ConfigError: samples without a rate, or a rate without samples.
        """
        clips = read_clips(source, one_rate(rate, sr), channel, self.card.features.hop)
        answers = dict(zip(clips, self._answers(list(clips.values())), strict=True))
        return answers if channel == EACH else answers[""]

    @overload
    def predict_many(
        self, sources: Iterable[Source | Excerpt], *, threads: int = 1, channel: OneChannel = "mix"
    ) -> Iterator[Prediction | AudioError]: ...
    @overload
    def predict_many(
        self, sources: Iterable[Source | Excerpt], *, threads: int = 1, channel: Literal["each"]
    ) -> Iterator[dict[str, Prediction] | AudioError]: ...
    def predict_many(
        self, sources: Iterable[Source | Excerpt], *, threads: int = 1, channel: Channel = "mix"
    ) -> Iterator[Prediction | AudioError] | Iterator[dict[str, Prediction] | AudioError]:
        """Recognise many recordings, in the order given, in bounded memory.

        Args:
            sources: see `predict`, or excerpts; taken as they are needed.
            threads: how many decode at the same time, while the network computes.
            channel: see `predict`.

        Yields:
            An answer for each, equal to that of `predict` to rounding, since several are
            computed at once; in place of a recording that cannot be used, the error.
        """
        told = self.by_channel(sources, threads=threads, channel=channel)
        if channel == EACH:
            return told
        return (one if isinstance(one, AudioError) else one[""] for one in told)

    def by_channel(
        self, sources: Iterable[Source | Excerpt], *, threads: int, channel: Channel
    ) -> Iterator[dict[str, Prediction] | AudioError]:
        """As `predict_many`, but a dict for each recording: its only answer is called ""."""
        read_one = partial(try_to_read, channel=channel, hop=self.card.features.hop)
        with ThreadPoolExecutor(threads) as pool:
            # Twice as many as threads are read ahead, so that none waits for the network.
            read = in_order(pool, read_one, sources, 2 * threads)
            for group in groups(read, samples_in, _GROUP, _GROUP_SAMPLES):
                clips = [clip for one in group for clip in clips_in(one)]
                answers = iter(self._answers(clips))
                for one in group:
                    if isinstance(one, AudioError):
                        yield one
                    else:
                        yield {name: next(answers) for name in one}

    @overload
    def timeline(
        self, source: Source, rate: int | None = None, *, sr: int | None = None,
        window: float = WINDOW, hop: float = HOP,
        channel: OneChannel = "mix", on_progress: Callable[[float, float], None] | None = None,
        adapt: bool = False,
    ) -> Timeline: ...  # fmt: skip
    @overload
    def timeline(
        self, source: Source, rate: int | None = None, *, sr: int | None = None,
        window: float = WINDOW, hop: float = HOP,
        channel: Literal["each"], on_progress: Callable[[float, float], None] | None = None,
        adapt: bool = False,
    ) -> dict[str, Timeline]: ...  # fmt: skip
    def timeline(
        self, source: Source, rate: int | None = None, *, sr: int | None = None,
        window: float = WINDOW, hop: float = HOP,
        channel: Channel = "mix", on_progress: Callable[[float, float], None] | None = None,
        adapt: bool = False,
    ) -> Timeline | dict[str, Timeline]:  # fmt: skip
        """Follow the emotions along a recording of up to a day; see `use.timeline`.

        With `adapt` each recording, or channel, is a source that it gets used to as it goes.
        """
        from emelia.use.timeline.timeline import timeline, timelines

        source, rate = plain(source, one_rate(rate, sr))
        source = source if rate is None else (source, rate)
        if check_channel(channel) == EACH:
            return timelines(
                self, source, window=window, hop=hop, on_progress=on_progress, adapt=adapt
            )
        return timeline(
            self, source, window=window, hop=hop, channel=channel, on_progress=on_progress,
            adapt=adapt,
        )  # fmt: skip

    def live(
        self, *, rate: int = SAMPLE_RATE, window: float = WINDOW, hop: float = HOP,
        adapt: bool = False,
    ) -> Live:  # fmt: skip
        """Recognise sound that comes in pieces at `rate` (Hz); see `emelia.use.timeline.live`."""
        from emelia.use.timeline.live import Live

        return Live(self, rate=rate, window=window, hop=hop, adapt=adapt)


def load(
    model: str | Path = "default",
    *,
    emotions: Iterable[str] | None = None,
    threshold: float | None = None,
    threads: int = 1,
    source: str | Path | None = None,
) -> Recognizer:
    """Open a model by its name or file.

    Args:
        model: the name of a model that comes with emelia, or the path of an .onnx file.
        emotions: answer only these, two at least; their probabilities add up to 1.
        threshold: confidence below which an answer is unsure; the model's own by default.
        threads: cores for one computation.
        source: the file of a source (`emelia adapt`) that answers are adapted to.

    Raises:
        ModelError: no such model, or its file is damaged, foreign or of a later version; the
            same of the file of the source.
        ConfigError: an emotion the model does not know, or a number that does not fit.
    """
    if threads < 1:
        raise ConfigError(f"threads: {threads}; expected 1 or more.")
    opened = Model(find_model(model), threads)
    known = None if source is None else read_profile(source, opened.card)
    return Recognizer(opened, emotions=emotions, threshold=threshold, source=known)
