"""Encoders that were trained by others, or taught by such: by name, cut after a block.

An encoder takes spectrograms (B, M, F) and lengths (B,) and gives features (B, D, N) with
theirs. It has a `width` D, a `stride` (spectrogram frames to each of its own) and `blocks`.
`new_encoder` makes the modules alone; `load_weights` fills them with what was learnt before.
"""

from emelia.learn.model.encoders.catalogue import (
    KNOWN,
    has_weights,
    load_source,
    load_weights,
    new_encoder,
    ready,
    source,
    weights_file,
)

__all__ = [
    "KNOWN",
    "has_weights",
    "load_source",
    "load_weights",
    "new_encoder",
    "ready",
    "source",
    "weights_file",
]
