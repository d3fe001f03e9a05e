"""Pre-trained encoders by name, cut after a block.

An encoder takes spectrograms (B, M, F) and lengths (B,) and gives features (B, D, N) with
theirs. It has a `width` D, a `stride` (spectrogram frames to each of its own) and `blocks`.
`new_encoder` makes the modules alone; `load_weights` fills them with pre-trained weights. Our own,
`mel`, has no weights in a file: they are solved for, so that it approximates its reference encoder.
"""

from emelia.learn.model.encoders.catalogue import (
    KNOWN,
    has_weights,
    load_reference,
    load_weights,
    new_encoder,
    ready,
    reference_of,
    weights_file,
)

__all__ = [
    "KNOWN",
    "has_weights",
    "load_reference",
    "load_weights",
    "new_encoder",
    "ready",
    "reference_of",
    "weights_file",
]
