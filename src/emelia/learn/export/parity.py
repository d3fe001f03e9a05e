"""Parity check: a model file gives the probabilities of the network, on a run's recordings.

The reference is computed as in training: the audio steps, torch's own front end, `loader.collate`,
the network. The file gets what its user has: waveforms at 16 kHz, several in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emelia.audio import Wave, decode, prepare, resample
from emelia.audio.excerpts import window_starts
from emelia.config import SAMPLE_RATE
from emelia.corpora import Utterance
from emelia.errors import AudioError, MissingExtraError, ModelError
from emelia.learn.data.features import FrontEnd
from emelia.learn.data.loader import WINDOW_SECONDS, Clip
from emelia.learn.export.modelfile import Session
from emelia.learn.training.inference import logits
from emelia.learn.training.runs import Run

MOST = 2000  # recordings that are compared; of more, as many at equal distances
_BATCH = 8  # clips the file gets at once
_WINDOW = round(WINDOW_SECONDS * SAMPLE_RATE)  # samples
_SYNTHETIC = 48  # sounds, where there are no recordings
_NOBODY = Utterance("", Path(), "", "")


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file may differ from the network."""

    difference: float  # of a probability, at most
    same: float  # share of clips with the same class, at least
    remedy: str


WHOLE = Limits(1e-4, 0.0, "Try another version of torch or onnxruntime.")
HALF = Limits(5e-3, 0.995, "Its weights do not bear 16 bits: export without --half.")


@dataclass(frozen=True, slots=True)
class Compared:
    """How far a file differs from the network."""

    clips: int
    largest: float  # difference of a probability
    same: float  # share of clips with the same class
    seconds: tuple[float, float, float]  # of the shortest, the median and the longest clip


@dataclass(frozen=True)
class Sound:
    """A recording, a window of it or a synthetic sound, as file and network get it."""

    id: str  # the same for all windows of a recording
    for_file: Wave  # (T,) at 16 kHz, after the audio steps that are outside the graph
    for_network: Wave  # (T',) at 16 kHz, after all audio steps
    seconds: float  # of the whole recording


def recordings(about: Mapping[str, Any]) -> dict[str, dict[str, Path]]:
    """Paths of the recordings of each part of a run, by id; without those that are gone.

    Args:
        about: `Run.about`, whose `places` are the roots of its corpora.
    """
    roots = [Path(place) for place in about.get("places") or ()]
    names = [str(corpus["name"]) for corpus in about.get("corpora") or ()]
    joined, own = len(roots) > 1, len(roots) - len(about.get("added") or ())
    # Ids of joined corpora begin with their names, and so do those of what is added to training.
    named = names if own > 1 else names[own:]

    def path(id: str) -> Path:
        name, _, rest = id.partition("/")
        return roots[names.index(name)] / rest if name in named else roots[0] / id

    parts: Mapping[str, Sequence[str]] = about.get("parts") or {}
    if not roots or (joined and len(names) != len(roots)):
        return {part: {} for part in parts}
    return {
        part: {id: found for id in ids if (found := path(id)).is_file()}
        for part, ids in parts.items()
    }


def spaced(paths: Mapping[str, Path], most: int = MOST) -> dict[str, Path]:
    """Up to so many recordings, at equal distances."""
    ids = list(paths)
    step = max(1.0, len(ids) / most)
    return {ids[int(i * step)]: paths[ids[int(i * step)]] for i in range(min(most, len(ids)))}


def decoded(run: Run, paths: Mapping[str, Path]) -> Iterator[Sound]:
    """Decode recordings one by one, long ones in windows; skip what cannot be read."""
    for id, path in paths.items():
        try:
            wave = resample(*decode(path))
        except (AudioError, MissingExtraError):
            continue
        for start in window_starts(len(wave), _WINDOW):
            yield _sound(run, id, wave[start : start + _WINDOW], len(wave))


def synthesised(run: Run) -> Iterator[Sound]:
    """Noise and tones of many lengths and levels, where there are no recordings."""
    rng = np.random.default_rng(0)
    hop, window = run.recipe.features.hop, run.recipe.features.window
    lengths = [1, 2, hop - 1, hop, hop + 1, window, 4 * hop, 8 * hop]
    lengths += [int(n) for n in rng.integers(hop, 10 * SAMPLE_RATE, _SYNTHETIC - len(lengths))]
    for number, length in enumerate(lengths):
        time = np.arange(max(length, 1)) / SAMPLE_RATE
        tone = np.sin(2 * np.pi * rng.uniform(80, 4000) * time * (1 + time / 4))
        loud = tone * np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None)
        wave = rng.uniform(0.01, 0.8) * loud + 0.003 * rng.standard_normal(len(time)) + 0.01
        yield _sound(run, f"made-{number}", wave.astype(np.float32), len(time))


def compare(
    run: Run,
    session: Session,
    temperature: float,
    sounds: Iterator[Sound],
    tick: Callable[[int], None],
    limits: Limits = WHOLE,
) -> Compared:
    """Compare the probabilities of network and file for the same sounds.

    Args:
        tick: called with the number of recordings done.

    Raises:
        ModelError: the file is beyond the limits.
    """
    front_end, total, same, largest = FrontEnd(run.recipe.features), 0, 0, 0.0
    lengths: dict[str, float] = {}  # s, by recording
    while group := list(islice(sounds, _BATCH)):
        clips = [_clip(front_end, sound.for_network) for sound in group]
        wanted = (logits(run.network, clips) / temperature).softmax(1).numpy()
        got = session([sound.for_file for sound in group])[0]
        differences = np.abs(wanted - got).max(axis=1)
        if not (differences <= limits.difference).all():  # NaN is not, either
            worst = int(np.argmax(differences))
            raise ModelError(
                f"{group[worst].id}: the exported graph differs from the network by "
                f"{differences[worst]:.2g}; allowed are {limits.difference:g}. Nothing was "
                f"written. {limits.remedy}"
            )
        same += int((wanted.argmax(1) == got.argmax(1)).sum())
        total, largest = total + len(group), max(largest, float(differences.max()))
        lengths.update((sound.id, sound.seconds) for sound in group)
        tick(len(lengths))
    if same < limits.same * total:
        raise ModelError(
            f"the exported graph answers {total - same} of {total} clips otherwise than the "
            f"network; {100 * limits.same:g} % must be the same. Nothing was written. "
            f"{limits.remedy}"
        )
    low, middle, high = np.quantile(list(lengths.values()) or [0], (0, 0.5, 1)).tolist()
    same_share = same / total if total else 1.0
    return Compared(len(lengths), largest, same_share, (low, middle, high))


def _sound(run: Run, id: str, wave: Wave, samples: int) -> Sound:
    """A window of a recording that has so many samples."""
    audio = replace(run.recipe.audio, speech=False)  # the sound is what was found already
    outside, every = (prepare(wave, SAMPLE_RATE, steps) for steps in (audio.outside_graph(), audio))
    return Sound(id, outside, every, samples / SAMPLE_RATE)


@torch.no_grad()
def _clip(front_end: FrontEnd, wave: NDArray[np.float32]) -> Clip:
    spec, _, silence = front_end(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
    return Clip(_NOBODY, 0, spec[0].numpy(), silence[0].numpy())
