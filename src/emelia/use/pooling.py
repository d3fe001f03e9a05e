"""From windows over the speech of a recording to one answer: the mean of their log-probabilities.

Pauses between runs of speech are left out and the runs are joined, so pauses neither count nor
change what a window contains. Speech longer than a window is cut into several of equal length that
overlap by half or more. Averaging keeps an answer from growing surer only because somebody talks
longer.

Shapes: T samples, C labels, M mel bands, F frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emelia.audio.excerpts import window_starts
from emelia.audio.limits import Wave
from emelia.audio.speech.speech_runs import Run, joined, speech_runs
from emelia.config import SAMPLE_RATE
from emelia.use.model import NetworkOutput
from emelia.use.moments import against_average, speaking

WINDOW = (
    4 * SAMPLE_RATE
)  # samples that the network hears at once, about as long as its training clips
# s of speech that are not too short to judge. A second cut from clips of unseen corpora, in which
# so much is found, is answered within 5 points of the whole clips, half a second 12 to 13 points
# worse and more confidently (benchmarks/snippets.py).
SHORTEST = 0.9
_TINY = 1e-9  # a probability that cannot be told from none


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """The speech of a recording of `samples` samples, its runs joined.

    `hop` samples lie between two frames of the spectrogram. What is found in a frame is put back
    at the nearest one of the recording.
    """

    sound: Wave  # empty where there is none
    runs: tuple[Run, ...]
    samples: int
    hop: int

    @property
    def seconds(self) -> float:
        """Seconds of speech."""
        return len(self.sound) / SAMPLE_RATE

    def starts(self) -> list[int]:
        """The first sample of each window, in `sound`."""
        return window_starts(len(self.sound), WINDOW, self.hop) if self.runs else []

    def windows(self) -> list[Wave]:
        """The windows for the network: views of `sound`, of `WINDOW` samples at most."""
        return [self.sound[start : start + WINDOW] for start in self.starts()]


def find_speech(wave: Wave, hop: int) -> Speech:
    """Look for the speech in a waveform (T,) at 16 kHz.

    Args:
        wave: the recording.
        hop: samples from one frame of the spectrogram to the next.
    """
    found = speech_runs(wave)
    return Speech(joined(wave, found), tuple(found), len(wave), hop)


def pool(heard: Sequence[NetworkOutput], speech: Speech) -> NetworkOutput:
    """Average the outputs for the windows of a recording into one output for all of it.

    Returns:
        Probabilities (C,): the mean of the logarithms, scaled to add up to 1. The spectrogram
        (M, F) of the recording, the mean where windows overlap and its lowest value where
        nothing was heard. Saliency (C, F): what a frame adds to the mean, against the average
        frame of speech; 0 where nobody speaks. The means of the coordinates and of the logarithms
        as they are, to adapt the answer.
    """
    # A mean of logarithms: one window that rules an emotion out counts against it.
    logs = np.mean([np.log(h.probabilities.astype(np.float64) + _TINY) for h in heard], axis=0)
    powers = np.exp(logs - logs.max())
    shares = (powers / powers.sum()).astype(np.float32)
    places = [h.coordinates for h in heard if h.coordinates is not None]
    logmel, counts = _added([h.logmel for h in heard], speech)
    saliency, _ = _added([h.saliency for h in heard], speech)
    logmel /= np.maximum(counts, 1)
    lowest = logmel[:, counts > 0].min()
    saliency /= np.float32(len(heard))
    spoken = speaking(speech.sound, speech.hop, saliency.shape[1])
    return NetworkOutput(
        shares,
        _placed(logmel, speech, lowest),
        _placed(against_average(saliency, spoken), speech, 0),
        np.mean(places, axis=0) if places else None,
        np.mean([h.log_probabilities for h in heard], axis=0),
    )


def _added(
    parts: Sequence[NDArray[np.float32]], speech: Speech
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The sum of windows (N, F) at their frames of the joined speech, and how many lie on each."""
    frames = len(speech.sound) // speech.hop + 1
    total = np.zeros((len(parts[0]), frames), np.float32)
    counts = np.zeros(frames, np.int64)
    for part, start in zip(parts, speech.starts(), strict=True):
        first = start // speech.hop
        # The frame after a window's last hop is half empty: the next window knows it better.
        size = min(part.shape[1], WINDOW // speech.hop, frames - first)
        total[:, first : first + size] += part[:, :size]
        counts[first : first + size] += 1
    if not counts[-1]:
        total[:, -1], counts[-1] = parts[-1][:, -1], 1
    return total, counts


def _placed(joined: NDArray[np.float32], speech: Speech, filling: float) -> NDArray[np.float32]:
    """Frames of the joined speech (N, F) put back at their times of the recording."""
    hop, at = speech.hop, 0  # `at` in samples of the joined speech
    out = np.full((len(joined), speech.samples // hop + 1), filling, np.float32)
    for run in speech.runs:
        size = (run.end - run.start) // hop + (run is speech.runs[-1])
        piece = joined[:, round(at / hop) :][:, :size]
        room = out[:, round(run.start / hop) :][:, : piece.shape[1]]
        room[:] = piece[:, : room.shape[1]]
        at += run.end - run.start
    return out
