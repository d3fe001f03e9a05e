"""From recordings to waveforms: decoding within limits, and steps that clean a waveform."""

from emelia.audio.decoding import content_digest, decode
from emelia.audio.limits import Wave
from emelia.audio.steps import (
    noise_profile,
    normalise_loudness,
    normalise_peak,
    prepare,
    preprocess_audio,
    reduce_noise,
    reduce_noise_founding,
    remove_dc,
    resample,
    trim_silence,
)

__all__ = [
    "Wave",
    "content_digest",
    "decode",
    "noise_profile",
    "normalise_loudness",
    "normalise_peak",
    "prepare",
    "preprocess_audio",
    "reduce_noise",
    "reduce_noise_founding",
    "remove_dc",
    "resample",
    "trim_silence",
]
