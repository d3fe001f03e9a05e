"""A model file made smaller and faster: the same model with its large products in 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave, decode, prepare, resample
from emelia.config import SAMPLE_RATE, AudioConfig, Card
from emelia.config.card import INT8, KEY
from emelia.config.operators import SEAL_KEY
from emelia.corpora import Utterance
from emelia.errors import AudioError, ModelError
from emelia.learn.data.loader import WINDOW_SECONDS
from emelia.learn.export.int8 import in_int8
from emelia.learn.export.modelfile import Session, with_card
from emelia.learn.export.restore import read_model

LISTENED, CHECKED = 144, 600  # recordings: to round by, and others on which answers are compared
LEAST_SAME = 0.98  # share of these with the same answer
_SEED = 0


@dataclass(frozen=True)
class Smaller:
    """A model file in 8 bits, and how its answers compare with those of the file it is from."""

    file: bytes
    card: Card


def smaller(path: Path, recordings: Sequence[Utterance], tick: Callable[[int], None]) -> Smaller:
    """Make a model file of 8 bits from another one, by some recordings.

    Args:
        recordings: of speech; some are chosen by chance.
        tick: called with how many of the recordings to compare are done.

    Raises:
        ModelError: no such file, no large products, or too many other answers.
    """
    model = read_model(path)
    metadata = {pair.key: pair.value for pair in model.metadata_props}
    card = Card.read(metadata.get(KEY))
    if card.variant == INT8:
        raise ModelError(f"{path}: has 8 bits already.")
    sounds = _sounds(recordings, card.audio.outside_graph())
    listened = [wave for wave, _ in zip(sounds, range(LISTENED), strict=False)]
    if len(listened) < LISTENED:
        raise ModelError(f"--int8: needs {LISTENED} readable recordings; got {len(listened)}.")
    made = in_int8(model, listened)
    compared = compare_answers(Session(model), Session(made), sounds, tick)
    if compared["same"] < LEAST_SAME:
        raise ModelError(
            f"{path}: with 8 bits {100 * compared['same']:.1f} % of {compared['clips']} answers "
            f"are the same; {100 * LEAST_SAME:g} % must be. Nothing was written."
        )
    card = replace(card, variant=INT8, parity={**card.parity, INT8: compared})
    kept = {key: value for key, value in metadata.items() if key not in (KEY, SEAL_KEY)}
    return Smaller(with_card(made, card, kept), card)


def compare_answers(
    before: Session, after: Session, sounds: Iterator[Wave], tick: Callable[[int], None]
) -> dict[str, float]:
    """Count recordings, the share with the same answer, and tell how far probabilities differ."""
    same: list[bool] = []
    differences: list[float] = []
    for wave, count in zip(sounds, range(CHECKED), strict=False):
        old, new = (session([wave], ["probabilities"])[0][0] for session in (before, after))
        same.append(bool(old.argmax() == new.argmax()))
        differences.append(float(np.abs(old - new).max()))
        tick(count + 1)
    return {
        "clips": len(same),
        "same": round(float(np.mean(same)) if same else 1.0, 4),
        "mean": float(f"{np.mean(differences) if same else 0:.2g}"),
        "largest": float(f"{max(differences, default=0):.2g}"),
    }


def _sounds(recordings: Sequence[Utterance], audio: AudioConfig) -> Iterator[Wave]:
    """Recordings by chance, as the graph gets them; what cannot be read is passed over."""
    longest = round(WINDOW_SECONDS * SAMPLE_RATE)
    order: NDArray[np.int64] = np.random.default_rng(_SEED).permutation(len(recordings))
    for place in order.tolist():
        try:
            wave = resample(*decode(recordings[place].path))[:longest]
        except AudioError:
            continue
        yield prepare(wave, SAMPLE_RATE, audio)
