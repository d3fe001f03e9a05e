"""From clips to answers: what a model says of their speech, adapted to a source where asked for.

Shapes: T samples, N clips, C labels, M mel bands, F frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave, prepare
from emelia.config import SAMPLE_RATE, Card
from emelia.config.card import INT8
from emelia.config.thresholds import Thresholds
from emelia.errors import ConfigError
from emelia.use.adaptation.adapted import Adapted
from emelia.use.adaptation.source import SourceProfile
from emelia.use.answer import NO_SPEECH, Answer, Prediction
from emelia.use.batching import batches
from emelia.use.clips import Clip
from emelia.use.labels import places_of
from emelia.use.model import Model, NetworkOutput
from emelia.use.pooling import SHORTEST, pool

_BATCH = 8 * SAMPLE_RATE  # samples, padding included; larger ones leave the processor's cache


class Answering:
    """A model with the options of its answers; any number of threads may use it at once.

    Attributes:
        card: what the model file tells of itself.
        emotions: the labels it may answer, in the order of the card.
        source: what is kept of the source that answers are adapted to; None for plain answers.
    """

    def __init__(
        self,
        model: Model,
        *,
        emotions: Iterable[str] | None = None,
        threshold: float | None = None,
        source: SourceProfile | None = None,
        learns: float = 0.0,
    ) -> None:
        """Set the options of answers; `load` opens a model with them.

        Args:
            source: of the same model, to adapt answers to.
            learns: as how many clips each thing heard is added to the source; 0 for none.
        """
        self.card: Card = model.card
        self._model = model
        self._kept = places_of(self.card.labels, emotions)
        self.emotions = tuple(self.card.labels[place] for place in self._kept)
        self.source = source
        self._adapted = Adapted(model, source, learns) if source else None
        self._threshold = threshold
        if not 0 <= self.thresholds.usual <= 1:  # nor is NaN
            raise ConfigError(f"threshold: {self.threshold}; expected a number from 0 to 1.")

    @property
    def threshold(self) -> float:
        """Confidence below which an answer is unsure, whatever its emotion."""
        return self.thresholds.usual

    @property
    def thresholds(self) -> Thresholds:
        """Confidences below which answers are unsure: what was asked for, or the model's own.

        So are answers to less than `pooling.SHORTEST` seconds of speech.
        """
        if self._threshold is not None:
            return Thresholds(self._threshold)
        return self.card.limits(adapted=self.adapted > 0)

    @property
    def adapted(self) -> int:
        """How many clips of a source answers are adapted to; 0 where they are plain."""
        return self._adapted.clips if self._adapted else 0

    @property
    def learns(self) -> bool:
        """Whether what it hears is added to its source."""
        return self._adapted is not None and self._adapted.weight > 0

    def again(self, answer: Prediction) -> Prediction:
        """A plain answer of this model as it is when adapted; its saliency stays as it was."""
        if not self.adapted or answer.log_probabilities is None:
            return answer
        nothing = np.zeros(0, np.float32)
        heard = NetworkOutput(nothing, nothing, nothing, None, answer.log_probabilities)
        told = self._told(heard, answer.speech)
        return replace(
            answer, emotion=told.emotion, confidence=told.confidence, unsure=told.unsure,
            probabilities=told.probabilities, adapted=self.adapted,
        )  # fmt: skip

    def probabilities(self, waves: Sequence[Wave]) -> NDArray[np.float32]:
        """Probabilities (N, C) of waveforms float32 (T,) at 16 kHz, without looking for speech.

        Raises:
            AudioError: a waveform is empty or has samples that are not numbers.
        """
        heard = self._hear(waves)
        rows = [self._restricted(self._shares(h)) for h in heard]
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
        # In 8 bits one by one: the last bit of a sum, which hangs on the others of a batch, may
        # turn a rounding, and an answer must not depend on what else is asked.
        largest = 0 if self.card.variant == INT8 else _BATCH
        for places in batches([wave.size for wave in waves], largest):
            results = self._model.run([self._prepared(waves[place]) for place in places])
            heard.update(zip(places, results, strict=True))
        return [heard[place] for place in range(len(waves))]

    def _answer(self, clip: Clip, heard: NetworkOutput) -> Prediction:
        told = self._told(heard, clip.speech.seconds)
        return Prediction(
            told.emotion,
            told.confidence,
            told.probabilities,
            told.unsure,
            clip.seconds,
            clip.speech.seconds,
            heard.logmel,
            heard.saliency[self.card.labels.index(told.emotion)],
            self.card.features.hop / SAMPLE_RATE,
            clip.warnings,
            self.adapted,
            heard.coordinates,
            heard.log_probabilities,
        )

    def _told(self, heard: NetworkOutput, speech: float) -> Answer:
        """The answer to so many seconds of speech."""
        shares = self._restricted(self._shares(heard, speech))
        best = int(shares.argmax())
        confidence = float(shares[best])
        emotion = self.emotions[best]
        unsure = self.thresholds.unsure(emotion, confidence) or speech < SHORTEST
        chances = dict(zip(self.emotions, shares.tolist(), strict=True))
        return Answer(emotion, confidence, chances, unsure)

    def _shares(self, heard: NetworkOutput, speech: float = SHORTEST) -> NDArray[np.float32]:
        """Probabilities (C,) of all labels, adapted where they are to be."""
        if self._adapted is None:
            return heard.probabilities
        if speech >= SHORTEST:
            self._adapted.learn(heard)
        return self._adapted.probabilities(heard)

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
