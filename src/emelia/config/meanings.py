"""Find the setting that somebody means by another name: `learning_rate` is `train.lr`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from emelia.text import nearest

# What other libraries and papers call them, without what separates words.
_OTHER_NAMES = {
    "audio.denoise": "noisereduction denoising nr reducenoise",
    "audio.level": "normalise normalize normalisation normalization loudness gain volume",
    "audio.trim_db": "trim trimsilence topdbtrim vad",
    "features.hop": "hoplength hopsize framestep stride",
    "features.kind": "featuretype spectrogram mfcc logmel",
    "features.mels": "nmels nummels melbins nummelbins melbands nfilt nfilters",
    "features.mfccs": "nmfcc nummfcc numceps",
    "features.n_fft": "nfft fftsize fft",
    "features.standardise": "standardize cmvn zscore",
    "features.window": "winlength windowsize framelength",
    "augment.copies": "augmentation augment aug artificial multiplier",
    "augment.crop": "cropsize segmentlength chunk",
    "augment.frequency_mask": "freqmask freqmaskparam freqmasking",
    "augment.mixup": "mixupalpha",
    "augment.noise_snr_db": "noise snr snrdb addnoise",
    "augment.pitch_semitones": "pitch pitchshift",
    "augment.room": "reverb reverberation rir roomimpulse",
    "augment.spec_augment": "specaugment specaug",
    "augment.stretch_rate": "timestretch speed speedperturb tempo",
    "augment.time_mask": "timemaskparam timemasking",
    "model.encoder": "backbone pretrained checkpointname",
    "model.layers": "depth nlayers numlayers convlayers convolutions",
    "model.name": "architecturename network net modeltype arch",
    "model.width": "channels filters hidden hiddensize units",
    "train.balance": "classweights weighted sampler oversampling",
    "train.batch_size": "batch bs batchsize minibatch",
    "train.clip_norm": "gradclip gradientclipping maxgradnorm clip",
    "train.ema": "swa averaging movingaverage",
    "train.epochs": "epoch numepochs nepochs maxepochs iterations",
    "train.frozen": "freeze freezelayers",
    "train.label_smoothing": "smoothing",
    "train.lr": "learningrate learnrate eta stepsize alpha",
    "train.optimizer": "optim optimiser opt adam adamw",
    "train.patience": "earlystopping earlystop",
    "train.schedule": "scheduler lrscheduler lrschedule cosine",
    "train.warmup": "warmupsteps warmupratio",
    "train.weight_decay": "l2 decay wd regularisation regularization",
}


def same_setting(word: str, meanings: Mapping[str, str]) -> str:
    """The setting that a name surely means: its own last part, or what others call it.

    Args:
        word: what was written, with or without its section.
        meanings: of each setting, `train.lr`, one line.

    Returns:
        `train.lr`; empty where there is none.
    """
    last = _plain(word.rpartition(".")[2])
    named = {other: name for name, others in _OTHER_NAMES.items() for other in others.split()}
    found = _by_last_part(meanings).get(last) or named.get(last, "")
    return found if found in meanings else ""


def likely_setting(word: str, meanings: Mapping[str, str]) -> str:
    """The setting that a name may mean, by its spelling or by words of its meaning; or empty."""
    words = set(re.findall(r"[a-z]{3,}", word.lower()))
    told = (name for name, text in meanings.items() if words and words <= _words(text))
    by_last = _by_last_part(meanings)
    return next(told, "") or by_last.get(nearest(_plain(word.rpartition(".")[2]), by_last), "")


def _by_last_part(meanings: Mapping[str, str]) -> dict[str, str]:
    return {_plain(name.rpartition(".")[2]): name for name in reversed(list(meanings))}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))
