"""Settings as frozen dataclasses, a reason beside each default.

A recipe is everything that changes a result and nothing else: device, workers and
verbosity live outside, so that the digest of a recipe names an experiment.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, is_dataclass
from hashlib import sha256
from typing import Any, Literal

SAMPLE_RATE = 16_000  # Hz, the one rate inside emelia


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """How a decoded recording becomes the waveform the front end hears."""

    dc: bool = True  # subtract the mean
    # Gate whose noise profile are the quietest frames, or, as the seed's, the first second.
    denoise: Literal["none", "quiet", "seed"] = "none"
    trim_db: float = 0.0  # cut silence at both ends, this far below the peak; 0 keeps it
    level: Literal["none", "peak", "loudness"] = "peak"


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """How a waveform becomes a spectrogram (M, F). The defaults are the seed study's."""

    # pcen: mel bands in which each is compared with how loud it has been, instead of a logarithm.
    # wave: the samples (1, T) for encoders of waveforms; of what follows only standardise counts.
    kind: Literal["logmel", "mfcc", "pcen", "wave"] = "logmel"
    n_fft: int = 2048  # samples
    window: int = 2048  # samples, Hann, centred in n_fft
    hop: int = 512  # samples: 32 ms
    mels: int = 128
    mfccs: int = 20  # coefficients kept where kind is mfcc
    fmin: float = 0.0  # Hz
    fmax: float = 8000.0  # Hz, the Nyquist frequency of 16 kHz
    top_db: float = 80.0  # dynamic range kept below each clip's loudest point
    # dB below the clip's loudest point, or (log10 + 4) / 4, which Whisper's encoders expect.
    scale: Literal["db", "whisper"] = "db"
    standardise: Literal["none", "clip", "band"] = "clip"  # mean 0, deviation 1 over what

    @property
    def rows(self) -> int:
        """M, the height of a spectrogram."""
        return {"mfcc": self.mfccs, "wave": 1}.get(self.kind, self.mels)

    @property
    def decibels(self) -> float:
        """Decibels to a unit of a spectrogram; 0 where units are no decibels."""
        if self.kind != "logmel" or self.standardise != "none":
            return 0.0
        return 40.0 if self.scale == "whisper" else 1.0


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Changes made to training clips, and only to them."""

    copies: int = 1  # training set x N: the clip itself and N - 1 changed copies; 1 is off
    balanced: bool = False  # more copies of rare classes, until all are as large as the largest
    probability: float = 0.6  # of each method, for each copy
    noise_snr_db: tuple[float, float] = (15.0, 40.0)  # equal ends switch a method off
    pitch_semitones: tuple[float, float] = (-4.0, 4.0)
    stretch_rate: tuple[float, float] = (0.85, 1.15)
    room: bool = False  # a simulated room (pyroomacoustics)
    mask_probability: float = 0.0  # of each mask below, for each copy or, if online, each epoch
    mask_fill: Literal["silence", "mean"] = "silence"
    frequency_mask: tuple[int, int] = (10, 30)  # mel bands
    time_mask: tuple[int, int] = (10, 50)  # frames
    masks_each_epoch: bool = False  # draw masks anew each epoch, also for fixed copies
    # Of changing a piece's spectrogram anew each epoch: throat, tempo, colour, noise, background.
    spectral: float = 0.0
    mixup: float = 0.0  # alpha of the Beta distribution; 0 is off
    crop: int = 0  # frames of a random training crop; 0 uses whole clips
    # Frames by which the pieces of a batch may be said to begin later, to an encoder that hears
    # where a frame stands: of long clips it then knows the end, however short the crops.
    place: int = 0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which network, and its size."""

    name: Literal["variable", "resized", "emelia", "encoder"] = "variable"
    layers: int = 3  # convolutions of the seed's networks: 3 or 4
    width: int = 16  # channels of the first convolution; each next has twice as many
    dropout: float = 0.25
    frames: int = 256  # to which resized networks bring every clip
    padding: Literal["silence", "mean"] = "silence"  # of short clips; the seed study's was mean
    encoder: str = ""  # pre-trained, by name, for a network called encoder
    architecture: str = ""  # of an encoder of the hub, its config.json; filled in
    weights: str = ""  # of an encoder of the hub, their SHA-256; filled in
    blocks: int = 0  # of the encoder that are used; 0 lets validation speakers choose
    # What is pooled: frames after the last of these blocks, or after each of them.
    levels: Literal["last", "all"] = "last"
    start: str = ""  # the run whose weights it begins with, RECIPE@DIGEST; --from fills it in


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How the network learns."""

    epochs: int = 60
    patience: int = 15  # epochs without a better validation UAR; 0 never stops early
    batch_size: int = 1
    lr: float = 1e-3
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: float = 0.0  # share of the steps over which the rate rises from 0
    label_smoothing: float = 0.0
    # Remedy for unequal classes; corpora: also for unequal corpora, by the root of their size.
    balance: Literal["none", "weights", "sampling", "corpora"] = "none"
    # Share of the draws that go to clips of the corpus under test, where others are added to
    # training; classes and corpora are then drawn as with `corpora`. 0 leaves it to `balance`.
    home_share: float = 0.0
    clip_norm: float = 0.0  # largest gradient norm; 0 is off
    average: float = 0.0  # of the weights, what each step leaves of their running mean; 0 is off
    # Which epoch is kept: the best on validation, or the last, for which nothing is stopped early.
    choose: Literal["best", "last"] = "best"
    # Train once more, on the validation clips too, for as many epochs as validation chose.
    refit: bool = False
    # Of a linear layer that is solved: let those left out choose how much it shuns what tells
    # speakers and corpora apart.
    shun: bool = False
    # Of such a layer that is made once more: who is left out in turn to choose it and to calibrate
    # it. Corpora are for recordings of sources never heard; where a corpus tests, they always are.
    left_out: Literal["speakers", "corpora"] = "speakers"
    # Of such a layer: those left out choose its penalty, and whether deviations are heard, or the
    # layers with every penalty, with and without deviations, are averaged.
    penalty: Literal["chosen", "averaged"] = "chosen"
    # Rate of each block of a pre-trained encoder but the last, as a share of the next one's.
    layer_decay: float = 1.0
    # Of an encoder's layers, how many stay as they are: its convolutions come first, 1000 is all.
    frozen: int = 0
    draws: int = 0  # clips of an epoch, drawn; 0 takes as many as there are
    teacher_share: float = 0.0  # of a teacher's answer in what is to be learnt; 0 has no teacher
    # Weight in the loss of the difference from a teacher's frames, or from those of the encoder
    # that it stands in for where it has no teacher.
    imitate: float = 0.0
    teacher: str = ""  # the run that teaches, RECIPE@DIGEST; --teacher fills it in

    @property
    def taught(self) -> bool:
        """Whether a teacher is learnt from."""
        return self.teacher_share > 0 or self.imitate > 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way of making a model: everything that changes its result, and nothing else."""

    name: str = "recipe"
    group: str = "own"
    title: str = ""  # one line for tables and help
    published: float = 0.0  # accuracy in percent that the seed study gives; 0 where it gives none
    published_epoch: int = 0  # the epoch it was reached in
    audio: AudioConfig = field(default_factory=AudioConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    @property
    def digest(self) -> str:
        """Eight characters that name this experiment.

        Words about it do not count, nor do settings at their default, so that a setting
        added later leaves the names of finished experiments as they were. A default,
        once used, is therefore never changed.
        """
        values = _differences(self, Recipe())
        for label in ("group", "title", "published", "published_epoch"):
            values.pop(label, None)
        if self.model.weights and "@" not in self.model.encoder:
            values["model"]["encoder"] = "own"  # of a folder: what is in it counts, not its name
        return digest(values)


# Front ends by name, for recipes and for `--set features=NAME`.
PRESETS = {
    "seed": FeatureConfig(),
    "speech-64": FeatureConfig(n_fft=512, window=400, hop=160, mels=64),  # 25 ms every 10 ms
    "speech-80": FeatureConfig(n_fft=512, window=400, hop=160, mels=80),
    "whisper": FeatureConfig(
        n_fft=400, window=400, hop=160, mels=80, scale="whisper", standardise="none"
    ),
    "mfcc": FeatureConfig(kind="mfcc", mfccs=40, standardise="band"),
    "pcen": FeatureConfig(kind="pcen", n_fft=512, window=400, hop=160, mels=64),
}


def digest(values: Any, length: int = 8) -> str:
    """A few hexadecimal characters that name a JSON-able value."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:length]


def _differences(value: Any, default: Any) -> dict[str, Any]:
    """Fields of a dataclass that differ from another of its kind, nested."""
    found: dict[str, Any] = {}
    for name, ours in asdict(value).items():
        other = getattr(default, name)
        if is_dataclass(other):
            found[name] = _differences(getattr(value, name), other)
        elif ours != other:
            found[name] = ours
    return found
