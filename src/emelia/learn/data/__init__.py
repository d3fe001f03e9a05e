"""From utterances to batches: features, augmentation, sampling."""
