"""Data augmentation: changed copies of training clips, and only of those.

A waveform is float32 (T,) at 16 kHz, a spectrogram float32 (M, F): M bands, F frames.
Waveforms are changed by audiomentations in the order in which sound travels: the voice
(pitch, tempo), the room, the noise of the recording, its gain. Spectrograms are masked,
batches are mixed.

Everything random comes from seeds or generators that the caller passes. So a copy has the
same bytes whatever was drawn before it, in every fold, and after a resume.
audiomentations itself draws from the global generators, which are seeded and put back
around each of its calls: augment in several processes, not in several threads.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emelia.caches import set_numba_cache
from emelia.config import SAMPLE_RATE, AugmentConfig
from emelia.errors import MissingExtraError
from emelia.learn.data import transmission
from emelia.learn.data.transmission import Transmission

if TYPE_CHECKING:
    from torch import Tensor

Wave = NDArray[np.float32]
Spec = NDArray[np.float32]
Range = tuple[float, float]

SHORTEST = SAMPLE_RATE // 10  # samples; shorter clips have no pitch to shift
NOISE_SLOPE = (-3.0, 0.0)  # dB an octave: between pink noise and white
NOISE_FFT = 2048  # samples; the default of 128 puts nearly all pink noise below 125 Hz
ROOM_ABSORPTION = (0.2, 0.6)  # of the walls: an office to a furnished living room
ROOM_DISTANCE = (0.5, 1.5)  # metres from mouth to microphone
ROOM_ORDER = 6  # reflections of a path; more take longer and change little


@dataclass(frozen=True, slots=True)
class Changes:
    """What is done to one copy of a waveform; None leaves it as it is."""

    semitones: float | None
    rate: float | None
    room: int | None  # seed of the room's size, walls and places
    snr_db: float | None
    noise_slope: float  # dB an octave
    noise_seed: int
    transmission: Transmission


def draw_changes(config: AugmentConfig, seed: int) -> Changes:
    """Draw the changes of one copy.

    A method that is off draws, too, so that switching it leaves what the others draw unchanged.
    """
    rng = np.random.default_rng((seed, 1))  # a stream apart from masks drawn by the same seed

    def maybe(ends: Range) -> float | None:
        chosen, value = rng.random() < config.probability, float(rng.uniform(*ends))
        return value if chosen and ends[0] < ends[1] else None

    semitones, rate = maybe(config.pitch_semitones), maybe(config.stretch_rate)
    snr_db = maybe(config.noise_snr_db)
    rng.random(2)  # of a gain, which earlier versions drew here: copies stay what they were
    slope, in_room = float(rng.uniform(*NOISE_SLOPE)), rng.random() < config.probability
    room_seed, noise_seed = (int(value) for value in rng.integers(2**32, size=2))
    room = room_seed if config.room and in_room else None
    sent = transmission.draw(config, seed)
    return Changes(semitones, rate, room, snr_db, slope, noise_seed, sent)


def augment_wave(wave: Wave, config: AugmentConfig, seed: int) -> Wave:
    """A changed copy (T',) of a waveform (T,); the same seed gives the same bytes.

    A copy that would clip is scaled to a peak of 1. Clips under 0.1 s come back unchanged.
    """
    return apply_changes(wave, draw_changes(config, seed))


def apply_changes(wave: Wave, changes: Changes) -> Wave:
    """Apply drawn changes to a waveform (T,); see `augment_wave`."""
    copy = np.array(wave, dtype=np.float32)
    if len(copy) < SHORTEST:
        return copy
    if changes.semitones is not None:
        copy = shift_pitch(copy, changes.semitones)
    if changes.rate is not None:
        copy = stretch_time(copy, changes.rate)
    copy = transmission.before_noise(copy, changes.transmission)
    if changes.room is not None:
        copy = place_in_room(copy, changes.room)
    if changes.snr_db is not None:
        copy = add_noise(copy, changes.snr_db, changes.noise_slope, changes.noise_seed)
    copy = transmission.after_noise(copy, changes.transmission)
    return copy / max(1.0, float(np.abs(copy).max()))


# Pitch and tempo use Signalsmith Stretch. librosa's phase vocoder is a third faster,
# but it moves onsets by up to 35 ms and loses up to 0.8 dB.
def shift_pitch(wave: Wave, semitones: float) -> Wave:
    """Raise (or lower) the pitch of a waveform (T,); its length stays."""
    return _call(_audiomentations().PitchShift(semitones, semitones, p=1.0), wave)


def stretch_time(wave: Wave, rate: float) -> Wave:
    """Play a waveform (T,) `rate` times as fast at the same pitch: (T / rate,)."""
    stretch = _audiomentations().TimeStretch
    return _call(stretch(rate, rate, leave_length_unchanged=False, p=1.0), wave)


def add_noise(wave: Wave, snr_db: float, slope: float, seed: int) -> Wave:
    """Add noise whose power falls by `slope` dB an octave, `snr_db` below the clip's power."""
    noise = _audiomentations().AddColorNoise
    return _call(noise(snr_db, snr_db, slope, slope, p=1.0, n_fft=NOISE_FFT), wave, seed)


def place_in_room(wave: Wave, seed: int) -> Wave:
    """Simulate a waveform (T,) in a small room (image sources); length and power stay."""
    if find_spec("pyroomacoustics") is None:
        raise MissingExtraError("A simulated room", "pyroomacoustics", "train")
    room = _audiomentations().RoomSimulator(
        min_absorption_value=ROOM_ABSORPTION[0],
        max_absorption_value=ROOM_ABSORPTION[1],
        min_mic_distance=ROOM_DISTANCE[0],
        max_mic_distance=ROOM_DISTANCE[1],
        use_ray_tracing=False,  # its rays are drawn from yet another generator
        max_order=ROOM_ORDER,
        leave_length_unchanged=True,
        p=1.0,
    )
    wet = _call(room, wave, seed)
    power, wet_power = np.mean(wave**2), np.mean(wet**2)
    return wet * np.sqrt(power / wet_power) if wet_power > 0 else wet


def mask_spectrogram(
    spec: Spec, config: AugmentConfig, rng: np.random.Generator, silence: float | Spec
) -> Spec:
    """A copy of a spectrogram (M, F) in which a block of bands and one of frames may be masked.

    SpecAugment (Park et al. 2019) without its time warp. Masked cells hold `silence`, a silent
    frame of this clip in the units of `spec` (one value, or one a band: (M,)), or the clip's
    mean. A mask never covers more than half of the bands or frames.
    """
    masked = spec.copy()
    if not spec.size:
        return masked
    level = silence if config.mask_fill == "silence" else spec.mean()
    fill = np.broadcast_to(level, len(spec))[:, None]  # (M, 1)
    for axis, (low, high) in enumerate((config.frequency_mask, config.time_mask)):
        chosen = rng.random() < config.mask_probability
        width = min(int(rng.integers(low, high + 1)), spec.shape[axis] // 2)
        start = int(rng.integers(spec.shape[axis] - width + 1))
        covered = slice(start, start + width)
        if chosen and axis == 0:
            masked[covered] = fill[covered]
        elif chosen:
            masked[:, covered] = fill
    return masked


def mixup(
    inputs: Tensor,
    targets: Tensor,
    lengths: Tensor,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Mix each clip of a batch with another one of it (mixup, Zhang et al. 2018).

    Each clip draws its own share from Beta(alpha, alpha). A mix is as long as the longer of
    its two clips, so `inputs` must be padded with each clip's own level of silence.

    Args:
        inputs: (B, ..., F), padded.
        targets: (B, C), one-hot or soft.
        lengths: (B,), frames of each clip.
        alpha: 0 leaves the batch as it is.
        rng: draws partners and shares.

    Returns:
        The mixed inputs, soft targets (in the type of the inputs) and lengths.
    """
    soft = targets.to(inputs.dtype)
    if alpha == 0:
        return inputs, soft, lengths
    partner = rng.permutation(len(inputs)).tolist()
    share = inputs.new_tensor(rng.beta(alpha, alpha, len(inputs)))  # (B,)

    def blend(x: Tensor) -> Tensor:
        wide = share.reshape(-1, *[1] * (x.dim() - 1))  # (B, 1, ..., 1)
        return wide * x + (1 - wide) * x[partner]

    longer = lengths.maximum(lengths[partner])
    return blend(inputs), blend(soft), longer


def copies_per_clip(labels: Sequence[int], config: AugmentConfig) -> list[int]:
    """How often each training clip occurs in the augmented set, the original included.

    Balanced, every class has `copies` times the clips of the largest class; what does not
    divide evenly is spread over the clips of a class at equal distances.
    """
    if not config.balanced or not labels:
        return [config.copies] * len(labels)
    sizes = Counter(labels)
    wanted = max(sizes.values()) * config.copies
    seen: Counter[int] = Counter()
    counts = []
    for label in labels:
        before, size = seen[label], sizes[label]
        counts.append((before + 1) * wanted // size - before * wanted // size)
        seen[label] += 1
    return counts


def copy_seed(digest: str, copy: int, seed: int) -> int:
    """The seed (64 bits) of one copy of the utterance whose content has this digest."""
    return int.from_bytes(sha256(f"{digest}/{copy}/{seed}".encode()).digest()[:8], "big")


def _audiomentations() -> Any:
    set_numba_cache()  # for librosa inside
    try:
        import audiomentations
    except ImportError:
        raise MissingExtraError("Augmenting speech", "audiomentations", "train") from None
    return audiomentations


def _call(transform: Callable[[Wave, int], Wave], wave: Wave, seed: int = 0) -> Wave:
    with _global_seed(seed):
        return np.asarray(transform(wave, SAMPLE_RATE), dtype=np.float32)


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seed Python's and NumPy's global generators (seed below 2**32), then put them back."""
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
