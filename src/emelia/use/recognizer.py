"""Recognises the emotion of recordings.

    from emelia import load

    answer = load("aesdd").predict("clip.wav")
    print(answer.emotion, answer.confidence)

Shapes: T samples, N clips, C labels, M mel bands, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave, prepare
from emelia.audio.channels import EACH, Channel, OneChannel, check_channel
from emelia.config import SAMPLE_RATE, Card
from emelia.errors import AudioError, ConfigError
from emelia.use.answer import NO_SPEECH, Prediction
from emelia.use.batching import batches, groups, in_order
from emelia.use.bundled import find_model
from emelia.use.clips import Clip, clips_in, read_clips, samples_in, try_to_read
from emelia.use.inputs import Excerpt
from emelia.use.labels import places_of
from emelia.use.model import Model, NetworkOutput
from emelia.use.pooling import SHORTEST, pool
from emelia.use.timeline.windows import HOP, WINDOW
from emelia.use.waveforms import LONGEST, Source, one_rate, plain

if TYPE_CHECKING:
    from emelia.use.timeline.live import Live
    from emelia.use.timeline.timeline import Timeline

__all__ = ["LONGEST", "NO_SPEECH", "Prediction", "Recognizer", "load"]

_BATCH = 8 * SAMPLE_RATE  # samples, padding included; larger ones leave the processor's cache
_GROUP = 64  # recordings looked at together, to find those of like length
_GROUP_SAMPLES = 600 * SAMPLE_RATE  # and how much sound they may hold: 38 MB


class Recognizer:
    """A model that answers; any number of threads may use it at once.

    Attributes:
        card: what the model file tells of itself.
        emotions: the labels it may answer, in the order of the card.
        threshold: confidence below which an answer is unsure; so are those to less than
            `pooling.SHORTEST` seconds of speech.
    """

    def __init__(
        self,
        model: Model,
        *,
        emotions: Iterable[str] | None = None,
        threshold: float | None = None,
    ) -> None:
        self.card: Card = model.card
        self._model = model
        self._kept = places_of(self.card.labels, emotions)
        self.emotions = tuple(self.card.labels[place] for place in self._kept)
        self.threshold = self.card.threshold if threshold is None else threshold
        if not 0 <= self.threshold <= 1:  # nor is NaN
            raise ConfigError(f"threshold: {self.threshold}; expected a number from 0 to 1.")

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
    ) -> Timeline: ...  # fmt: skip
    @overload
    def timeline(
        self, source: Source, rate: int | None = None, *, sr: int | None = None,
        window: float = WINDOW, hop: float = HOP,
        channel: Literal["each"], on_progress: Callable[[float, float], None] | None = None,
    ) -> dict[str, Timeline]: ...  # fmt: skip
    def timeline(
        self, source: Source, rate: int | None = None, *, sr: int | None = None,
        window: float = WINDOW, hop: float = HOP,
        channel: Channel = "mix", on_progress: Callable[[float, float], None] | None = None,
    ) -> Timeline | dict[str, Timeline]:  # fmt: skip
        """Follow the emotions along a recording of up to a day; see `use.timeline`."""
        from emelia.use.timeline.timeline import timeline, timelines

        source, rate = plain(source, one_rate(rate, sr))
        source = source if rate is None else (source, rate)
        if check_channel(channel) == EACH:
            return timelines(self, source, window=window, hop=hop, on_progress=on_progress)
        return timeline(
            self, source, window=window, hop=hop, channel=channel, on_progress=on_progress
        )

    def live(self, *, rate: int = SAMPLE_RATE, window: float = WINDOW, hop: float = HOP) -> Live:
        """Recognise sound that comes in pieces at `rate` (Hz); see `emelia.use.timeline.live`."""
        from emelia.use.timeline.live import Live

        return Live(self, rate=rate, window=window, hop=hop)

    def probabilities(self, waves: Sequence[Wave]) -> NDArray[np.float32]:
        """Probabilities (N, C) of waveforms float32 (T,) at 16 kHz, without looking for speech.

        Raises:
            AudioError: a waveform is empty or has samples that are not numbers.
        """
        heard = self._hear(waves)
        rows = [self._restricted(h.probabilities) for h in heard]
        return np.array(rows, np.float32).reshape(len(rows), len(self.emotions))

    def _prepared(self, wave: Wave) -> Wave:
        """Do what the graph leaves to us. DC and peak it does itself; twice changes nothing."""
        return prepare(wave, SAMPLE_RATE, self.card.audio.outside_graph())

    def _answers(self, clips: Sequence[Clip]) -> list[Prediction]:
        windows = [clip.speech.windows() for clip in clips]
        heard = iter(self._hear([window for own in windows for window in own]))
        return [
            self._answer(clip, pool([next(heard) for _ in own], clip.speech))
            if own
            else self._no_speech(clip)
            for clip, own in zip(clips, windows, strict=True)
        ]

    def _hear(self, waves: Sequence[Wave]) -> list[NetworkOutput]:
        """Run the network on batches of like length; outputs in the order of the waveforms."""
        heard: dict[int, NetworkOutput] = {}
        for places in batches([wave.size for wave in waves], _BATCH):
            results = self._model.run([self._prepared(waves[place]) for place in places])
            heard.update(zip(places, results, strict=True))
        return [heard[place] for place in range(len(waves))]

    def _answer(self, clip: Clip, heard: NetworkOutput) -> Prediction:
        probabilities = self._restricted(heard.probabilities)
        best = int(probabilities.argmax())
        confidence = float(probabilities[best])
        return Prediction(
            self.emotions[best],
            confidence,
            dict(zip(self.emotions, probabilities.tolist(), strict=True)),
            confidence < self.threshold or clip.speech.seconds < SHORTEST,
            clip.seconds,
            clip.speech.seconds,
            heard.logmel,
            heard.saliency[self._kept[best]],
            self.card.features.hop / SAMPLE_RATE,
            clip.warnings,
        )

    def _no_speech(self, clip: Clip) -> Prediction:
        features = self.card.features
        return Prediction(
            NO_SPEECH,
            0.0,
            {},
            False,
            clip.seconds,
            0.0,
            np.zeros((features.rows, 0), np.float32),
            np.zeros(0, np.float32),
            features.hop / SAMPLE_RATE,
            clip.warnings,
        )

    def _restricted(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (C,) of the chosen emotions alone, scaled to add up to 1."""
        kept = probabilities[self._kept].astype(np.float64)
        # Where none of them has a probability left, nothing tells them apart.
        shares = kept / kept.sum() if kept.sum() > 0 else np.full(len(kept), 1 / len(kept))
        return shares.astype(np.float32)


def load(
    model: str | Path = "default",
    *,
    emotions: Iterable[str] | None = None,
    threshold: float | None = None,
    threads: int = 1,
) -> Recognizer:
    """Open a model by its name or file.

    Args:
        model: the name of a model that comes with emelia, or the path of an .onnx file.
        emotions: answer only these, two at least; their probabilities add up to 1.
        threshold: confidence below which an answer is unsure; the model's own by default.
        threads: cores for one computation.

    Raises:
        ModelError: no such model, or its file is damaged, foreign or of a later version.
        ConfigError: an emotion the model does not know, or a number that does not fit.
    """
    if threads < 1:
        raise ConfigError(f"threads: {threads}; expected 1 or more.")
    return Recognizer(Model(find_model(model), threads), emotions=emotions, threshold=threshold)
