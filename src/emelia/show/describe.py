"""Recipes described in sentences, made from their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from emelia.config import (
    SAMPLE_RATE,
    AudioConfig,
    AugmentConfig,
    FeatureConfig,
    Recipe,
    TrainConfig,
    recipe_from,
)
from emelia.errors import ConfigError
from emelia.learn.study.ablations import ALL_FROZEN, is_pretrained, is_solved

_NOISE = {
    "quiet": "noise reduced by a gate whose profile is the quietest frames",
    "founding": "noise reduced by a gate whose profile is the first second, as the founding "
    "study did",
}
_LEVEL = {
    "none": "the level left as it is",
    "peak": "the peak brought to 1",
    "loudness": "the loudness brought to -23 LUFS",
}
_STANDARD = {
    "none": "not standardised",
    "clip": "each clip standardised to mean 0 and deviation 1",
    "band": "each band of each clip standardised to mean 0 and deviation 1",
}


_BALANCE = {
    "weights": "weights in the loss",
    "sampling": "drawing all alike",
    "corpora": "drawing all alike in each corpus, and each corpus by the root of its size",
}


def known(settings: Mapping[str, Any]) -> Recipe | None:
    """A recipe from the settings of a cell; None where this version does not know them."""
    try:
        # Results may come from another version, whose settings this one does not know.
        return recipe_from(settings)
    except ConfigError:
        return None


def way(settings: Mapping[str, Any]) -> str:
    """A digest of what a recipe does, apart from its name and when it stops training."""
    recipe = known(settings)
    if recipe is None:
        return ""
    # Recipes that only stop at different times learn in one way, and may be compared as one.
    train = replace(recipe.train, epochs=0, patience=0)
    return replace(recipe, train=train, name="").digest


def audio(config: AudioConfig) -> str:
    """Describe the steps from a recording to a waveform, in their order."""
    steps = [f"Resampled to {SAMPLE_RATE / 1000:g} kHz, one channel"]
    if config.speech:
        steps.append("its speech joined, without pauses")
    if config.dc:
        steps.append("the mean subtracted")
    if config.denoise != "none":
        steps.append(_NOISE[config.denoise])
    if config.trim_db:
        steps.append(f"both ends cut where they lie {config.trim_db:g} dB below the loudest frame")
    return f"{', '.join([*steps, _LEVEL[config.level]])}."


def features(config: FeatureConfig) -> str:
    """Describe the step from a waveform to a spectrogram."""
    bands = f"{config.mels} mel bands from {config.fmin:,.0f} to {config.fmax:,.0f} Hz"
    if config.kind == "mfcc":
        bands = f"{config.mfccs} cepstral coefficients (MFCC) of {bands}"
    if config.kind == "wave":
        return f"None: the network takes the waveform itself; {_STANDARD[config.standardise]}."
    window, hop = (1000 * n / SAMPLE_RATE for n in (config.window, config.hop))
    scale = "decibels" if config.scale == "db" else "logarithm as Whisper takes it"
    scale += f", down to {config.top_db:g} dB below the loudest point"
    if config.kind == "pcen":
        scale = "each band against how loud it has been (PCEN)"
    return (
        f"{bands}; windows of {window:g} ms every {hop:g} ms (FFT of {config.n_fft:,}); {scale}; "
        f"{_STANDARD[config.standardise]}."
    )


def augmentation(config: AugmentConfig) -> str:
    """Describe what is done to training clips alone; empty where nothing is."""
    if config == AugmentConfig():
        return ""
    told = []
    if config.copies > 1:
        told.append(f"Each clip {config.copies} times: itself and {config.copies - 1} changed")
    if config.balanced:
        told.append("Rare classes copied more often")
    if config.copies > 1 or config.balanced:
        told.append(f"Each change with probability {config.probability:g}: {_changes(config)}")
    if config.spec_augment:
        told.append(
            "Throat, tempo, colour, noise and background of the spectrogram changed anew each "
            f"epoch, with probability {config.spec_augment:g}"
        )
    if config.mask_probability:
        bands, frames = (_between(span) for span in (config.frequency_mask, config.time_mask))
        often = ", drawn anew each epoch" if config.masks_each_epoch else ""
        told.append(
            f"Masks of {bands} bands and {frames} frames, filled with {config.mask_fill}, each "
            f"with probability {config.mask_probability:g}{often}"
        )
    if config.mixup:
        told.append(f"Two clips mixed (alpha {config.mixup:g})")
    if config.crop:
        told.append(f"A random stretch of {config.crop} frames")
    if config.position_jitter:
        told.append(f"Pieces said to begin up to {config.position_jitter} frames later")
    return f"{'. '.join(told)}."


def training(recipe: Recipe) -> str:
    """Describe how the network is trained."""
    train = recipe.train
    told = ["Logistic regression, solved"] if is_solved(recipe) else _steps(train)
    if train.penalty == "averaged":
        told.append("the layers with every penalty averaged")
    if train.penalty == "prior":
        told.append("drawn towards the linear layer of the initial run")
    if train.nuisance_penalty:
        told.append(
            "directions that tell speakers and corpora apart penalised as those left out chose"
        )
    if train.selection_groups == "corpora":
        told.append("chosen and calibrated by corpora left out in turn")
    if train.balance != "none":
        told.append(f"unequal classes met by {_BALANCE[train.balance]}")
    if train.class_mask:
        told.append("the softmax of a clip over the classes of its corpus alone")
    if train.target_share:
        told.append(f"{100 * train.target_share:g} % of the draws from the corpus under test")
    if train.samples_per_epoch:
        told.append(f"{train.samples_per_epoch:,} clips drawn for each epoch")
    if train.refit:
        long = "" if is_solved(recipe) else "for as many epochs as validation chose, "
        told.append(f"then once more, {long}with the validation clips among the training clips")
    return f"{', '.join(told)}."


def _steps(train: TrainConfig) -> list[str]:
    told = [
        f"{train.optimizer.replace('adam', 'Adam').replace('Adamw', 'AdamW')}, learning rate "
        f"{train.lr:g} ({train.schedule}), batches of {train.batch_size}",
        f"at most {train.epochs} epochs",
    ]
    if train.patience:
        told.append(f"stopped after {train.patience} without a better UAR on validation data")
    if train.weight_decay:
        told.append(f"weight decay {train.weight_decay:g}")
    if train.ema:
        told.append(f"weights averaged over about {1 / (1 - train.ema):.0f} steps")
    if train.label_smoothing:
        told.append(f"label smoothing {train.label_smoothing:g}")
    return told


def _frames(recipe: Recipe) -> str:
    return "the frames after each block" if recipe.model.pool_layers == "all" else "its frames"


def origins(recipe: Recipe) -> str:
    """Describe pretrained weights and teachers of a recipe; empty where it has neither."""
    model, train = recipe.model, recipe.train
    told = []
    if model.init:
        told.append(f"Initial weights are those of {model.init}")
    elif model.name == "encoder" and model.encoder == "mel":
        who = "its teacher or others have" if train.distill else "others have"
        told.append(
            f"Initialised from the first blocks of whisper-tiny.en, which {who} trained: without "
            "attention and half as large, solved by least squares on the training clips"
        )
    elif model.name == "encoder":
        told.append(
            f"Initial weights are the first blocks of {model.encoder}, which others have trained"
        )
    if is_solved(recipe):
        told.append(
            f"The encoder is frozen: a linear layer on the mean of {_frames(recipe)}, and on their "
            "deviation where that helps, is learnt"
        )
    elif is_pretrained(recipe):
        told.append(
            "In the first epoch it is frozen, and a linear layer is solved, on the mean of "
            f"{_frames(recipe)} and on their deviation where that helps"
        )
        told.append(
            "Afterwards the last block learns at the learning rate, each earlier one at "
            f"{train.layer_decay:g} of the next"
        )
        if train.frozen:
            some = "" if train.frozen >= ALL_FROZEN else f"first {train.frozen} of the "
            told.append(f"The {some}encoder's layers do not learn")
    if train.uses_teacher:
        told += _teaching(recipe)
    return f"{'. '.join(told)}." if told else ""


def _teaching(recipe: Recipe) -> list[str]:
    train = recipe.train
    stands_in = recipe.model.encoder == "mel" and not train.distill_alpha
    whom = "the encoder that it stands in for" if stands_in else "a teacher"
    teacher, told = train.distill or whom, []
    if train.distill_alpha:
        told.append(
            f"{100 * train.distill_alpha:g} % of what is to be answered comes from {teacher}"
        )
    if train.feature_distill:
        told.append(
            f"The frames of {teacher} are imitated, with a weight of {train.feature_distill:g}"
        )
    return told


def changed(recipe: Recipe) -> dict[str, Any]:
    """Settings that differ from their default, by `a.b`, without words about the recipe."""
    ours, usual = asdict(recipe), asdict(Recipe())
    found: dict[str, Any] = {}
    for part, values in ours.items():
        if isinstance(values, dict):
            found |= {f"{part}.{k}": v for k, v in values.items() if v != usual[part][k]}
    return found


def _changes(config: AugmentConfig) -> str:
    ranges = {
        "noise at {} dB": config.noise_snr_db,
        "pitch by {} semitones": config.pitch_semitones,
        "tempo by a factor of {}": config.stretch_rate,
        "speed by a factor of {}": config.speed_rate,
        "rooms of {} s (RT60)": config.reverberation_s,
        "other talk at {} dB": config.babble_snr_db,
    }
    told = [text.format(_between(span)) for text, span in ranges.items() if span[0] != span[1]]
    if config.room:
        told.append("a simulated room")
    if config.transmission:
        told.append("a microphone, clipping, a telephone line or a codec")
    return ", ".join(told) or "none"


def _between(span: tuple[float, float]) -> str:
    return f"{span[0]:g} to {span[1]:g}".replace("-", "−")
