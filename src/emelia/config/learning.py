"""Settings of augmentation, network and training: default, meaning, range and use of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from emelia.config.fields import setting

_COPY: Any = {"part_of": "copy"}
_MASK: Any = {"part_of": "mask"}
_NO_COPIES, _NO_MASKS = "no changed copies", "no masks"


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Changes made to training clips, and only to them."""

    copies: int = setting(
        1,
        "training set x N: the clip itself and N - 1 changed copies; 1 is off",
        within=(1, 1000),
        without={_NO_COPIES: 1},
        solved=True,
    )
    balanced: bool = setting(
        False,
        "more copies of rare classes, until all are as large as the largest",
        without={_NO_COPIES: False},
        solved=True,
    )
    probability: float = setting(0.6, "of each method, for each copy", within=(0, 1), **_COPY)
    noise_snr_db: tuple[float, float] = setting(
        (15.0, 40.0),
        "dB of added noise; equal ends switch a method off",
        within=(-60, 120),
        **_COPY,
    )
    pitch_semitones: tuple[float, float] = setting(
        (-4.0, 4.0), "semitones of pitch shift", within=(-24, 24), **_COPY
    )
    stretch_rate: tuple[float, float] = setting(
        (0.85, 1.15), "rates of time stretch", within=(0.25, 4), **_COPY
    )
    room: bool = setting(False, "a simulated room (pyroomacoustics)", **_COPY)
    speed_rate: tuple[float, float] = setting(
        (1.0, 1.0), "rates of playing: pitch, formants and tempo", within=(0.25, 4), **_COPY
    )
    reverberation_s: tuple[float, float] = setting(
        (0.0, 0.0), "s until a room's sound has fallen by 60 dB (RT60)", within=(0, 10), **_COPY
    )
    babble_snr_db: tuple[float, float] = setting(
        (0.0, 0.0), "dB that other talk is quieter", within=(-60, 120), **_COPY
    )
    transmission: bool = setting(
        False,
        "some microphone, clipping, and a telephone line, a narrower band or a lossy codec",
        **_COPY,
    )
    mask_probability: float = setting(
        0.0,
        "of each mask, for each copy or, with masks_each_epoch, each epoch",
        within=(0, 1),
        without={_NO_MASKS: 0.0},
        **_MASK,
    )
    mask_fill: Literal["silence", "mean"] = setting("silence", "what masks leave behind", **_MASK)
    frequency_mask: tuple[int, int] = setting(
        (10, 30), "mel bands of a mask", within=(0, 10_000), **_MASK
    )
    time_mask: tuple[int, int] = setting(
        (10, 50), "frames of a mask", within=(0, 1_000_000), **_MASK
    )
    masks_each_epoch: bool = setting(
        False, "draw masks anew each epoch, also for fixed copies", without={_NO_MASKS: False}
    )
    spec_augment: float = setting(
        0.0,
        "probability of changing a piece's spectrogram anew each epoch: vocal tract length, tempo, "
        "colour, noise, background",
        within=(0, 1),
        without={"no spectrogram augmentation": 0.0},
    )
    mixup: float = setting(
        0.0, "alpha of the Beta distribution; 0 is off", within=(0, 100), without={"no mixup": 0.0}
    )
    crop: int = setting(
        0,
        "frames of a random training crop; 0 uses whole clips",
        within=(0, 1_000_000),
        without={"no crops": 0},
    )
    position_jitter: int = setting(
        0,
        "frames by which the positions of a batch may be moved, for an encoder with positional "
        "embeddings: short crops then teach it the later positions of long clips, too",
        within=(0, 1_000_000),
        without={"no position jitter": 0},
    )


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The network and its size."""

    name: Literal["variable", "resized", "emelia", "encoder"] = setting("variable", "the network")
    layers: int = setting(3, "convolutions of the founding study's networks: 3 or 4", within=(1, 8))
    width: int = setting(
        16, "channels of the first convolution; each next has twice as many", within=(1, 1024)
    )
    dropout: float = setting(
        0.25, "probability of dropout", within=(0, 1), without={"no dropout": 0.0}
    )
    frames: int = setting(
        256, "frames to which resized networks bring every clip", within=(1, 100_000)
    )
    padding: Literal["silence", "mean"] = setting(
        "silence", "what fills short clips; the founding study's was mean"
    )
    encoder: str = setting("", "pre-trained encoder by name, for a network called encoder")
    architecture: str = setting("", "config.json of an encoder of the hub; filled in")
    weights: str = setting("", "SHA-256 of the weights of an encoder of the hub; filled in")
    blocks: int = setting(
        0,
        "blocks of the encoder that are used; 0 lets validation speakers choose",
        within=(0, 1000),
    )
    pool_layers: Literal["last", "all"] = setting(
        "last", "pool the frames after the last of these blocks, or after each of them"
    )
    init: str = setting(
        "",
        "the run whose weights it begins with, RECIPE@DIGEST; --init-from fills it in",
        finetune="",
    )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How the network is trained."""

    epochs: int = setting(60, "epochs at most", within=(1, 1_000_000))
    patience: int = setting(
        15,
        "epochs without a better validation UAR; 0 never stops early",
        within=(0, 1_000_000),
        without={"no early stopping": 0},
        finetune=0,
    )
    batch_size: int = setting(1, "clips of a step", within=(1, 100_000))
    lr: float = setting(1e-3, "learning rate", within=(0, 100))
    optimizer: Literal["adam", "adamw"] = setting("adam", "the optimizer")
    weight_decay: float = setting(
        0.0, "of the optimizer", within=(0, 100), without={"no weight decay": 0.0}
    )
    schedule: Literal["constant", "cosine"] = setting(
        "constant", "of the learning rate", without={"constant learning rate": "constant"}
    )
    warmup: float = setting(
        0.0,
        "share of the steps over which the rate rises from 0",
        within=(0, 1),
        without={"constant learning rate": 0.0},
    )
    label_smoothing: float = setting(
        0.0, "share of the target", within=(0, 1), without={"no label smoothing": 0.0}
    )
    balance: Literal["none", "weights", "sampling", "corpora"] = setting(
        "none",
        "remedy for classes of unequal size; corpora: also for corpora, by the root of their size",
    )
    class_mask: bool = setting(
        False,
        "softmax of each training clip over those classes alone that its corpus contains, where "
        "joined corpora lack some",
        without={"no class mask": False},
        solved=True,
        finetune=False,
    )
    target_share: float = setting(
        0.0,
        "share of the clips drawn from the corpus under test where others are added to training; "
        "0 leaves it to `balance`",
        within=(0, 1),
        without={"no target share": 0.0},
        solved=True,
        finetune=0.0,
    )
    clip_norm: float = setting(
        0.0,
        "largest gradient norm; 0 is off",
        within=(0, 1e9),
        without={"no gradient clipping": 0.0},
    )
    ema: float = setting(
        0.0,
        "decay of the exponential moving average of the weights, which is then kept; 0 is off",
        within=(0, 0.9999),
        without={"no averaged weights": 0.0},
        finetune=0.0,
    )
    checkpoint: Literal["best", "last"] = setting(
        "best",
        "which epoch is kept: the best on validation, or the last, which nothing stops early",
        without={"no early stopping": "last"},
    )
    refit: bool = setting(
        False,
        "train once more, on the validation clips too, for as many epochs as validation chose",
        without={"no refit": False},
        solved=True,
        finetune=True,
    )
    nuisance_penalty: bool = setting(
        False,
        "penalise a solved linear layer for directions that tell speakers and corpora apart, as "
        "strongly as held-out ones choose",
        without={"no nuisance penalty": False},
        solved=True,
        solved_only=True,
        finetune=False,
    )
    selection_groups: Literal["speakers", "corpora"] = setting(
        "speakers",
        "who is left out in turn to choose and calibrate a solved linear layer that is refitted; "
        "corpora: for recordings of sources never seen",
        without={"selected by speakers": "speakers", "no refit": "speakers"},
        solved=True,
        solved_only=True,
        finetune="speakers",
    )
    penalty: Literal["chosen", "averaged", "prior"] = setting(
        "chosen",
        "L2 penalty of a solved linear layer: chosen by those left out; or the mean of the layers "
        "with every penalty, with and without deviations; or on the difference from the linear "
        "layer of the initial run (maximum a posteriori)",
        without={"one penalty": "chosen"},
        solved=True,
        solved_only=True,
    )
    corpus_clips: int = setting(
        0,
        "clips of a corpus that are trained on at most, where several are joined; 0 takes all",
        within=(0, 1_000_000_000),
        without={"all clips of large corpora": 0},
        solved=True,
        finetune=0,
    )
    solve_clips: int = setting(
        0,
        "clips that the first linear layer is solved on where the encoder is fine-tuned after it; "
        "0 takes all, changed copies too",
        within=(0, 1_000_000_000),
        finetune=0,
    )
    source_space: bool = setting(
        False,
        "measure how speakers differ in the trained network's pooled features, so that its model "
        "can be adapted to a source without labels",
        without={"no adaptation": False},
        solved=True,
        finetune=False,
    )
    layer_decay: float = setting(
        1.0,
        "learning rate of each block of a pre-trained encoder as a share of the next one's",
        within=(0, 1000),
        without={"no layer-wise rates": 1.0},
    )
    frozen: int = setting(
        0,
        "layers of an encoder that stay as they are: convolutions come first, 1000 is all",
        within=(0, 1000),
        without={"nothing frozen": 0},
    )
    samples_per_epoch: int = setting(
        0,
        "clips drawn for an epoch; 0 takes as many as there are",
        within=(0, 1_000_000_000),
        finetune=0,
    )
    distill_alpha: float = setting(
        0.0,
        "share of a teacher's answer in the target (knowledge distillation); 0 has no teacher",
        within=(0, 1),
        without={"no distillation": 0.0},
        finetune=0.0,
    )
    feature_distill: float = setting(
        0.0,
        "weight in the loss of the difference from a teacher's frames, or from those of the "
        "encoder it was initialised from where it has no teacher",
        within=(0, 1e9),
        without={"no distillation": 0.0, "no feature distillation": 0.0},
        finetune=0.0,
    )
    distill: str = setting(
        "", "the run that teaches, RECIPE@DIGEST; --teacher fills it in", finetune=""
    )

    @property
    def uses_teacher(self) -> bool:
        """Whether soft labels or features of a teacher are distilled."""
        return self.distill_alpha > 0 or self.feature_distill > 0
