"""Answers less the offset of their source.

An offset adds the same to the logits of every clip of its source. So the network hears each clip
once, plainly, and what the offset adds is added to the logarithms of its probabilities: as if it
had been given with the clip, and the plain answer is known too.

C classes, K coordinates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emelia.use.adaptation.source import HALF_LIFE, SourceProfile
from emelia.use.model import Model, NetworkOutput


class Adapted:
    """A model and a source that its answers are adapted to.

    Args:
        model: one that can be adapted.
        source: of the same model.
        weight: as how many clips each thing heard is added to the source; 0 to leave it as it is.
    """

    def __init__(self, model: Model, source: SourceProfile, weight: float = 0.0) -> None:
        self.source, self.weight = source, weight
        self._model = model
        # Logits were divided by one temperature inside the graph; adapted answers have another.
        self._power = model.card.temperature / model.card.adaptation["temperature"]

    @property
    def clips(self) -> int:
        """How many clips answers are adapted to; 0 where they are too few and answers plain."""
        return self.source.clips if self.source.enough else 0

    def learn(self, heard: NetworkOutput) -> None:
        """Add what was heard to the source, where it goes on with what it hears."""
        if self.weight and heard.coordinates is not None:
            self.source.add(heard.coordinates, weight=self.weight, half_life=HALF_LIFE)

    def probabilities(self, heard: NetworkOutput) -> NDArray[np.float32]:
        """Probabilities (C,) of a clip, or of the windows of one that were pooled."""
        if not self.source.enough:
            return heard.probabilities
        shift = self._model.readout @ self.source.offset()
        logs = self._power * (heard.log_probabilities + shift)
        powers = np.exp(logs - logs.max())
        return np.asarray(powers / powers.sum(), np.float32)
