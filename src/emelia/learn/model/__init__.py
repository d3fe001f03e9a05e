"""Networks: from spectrograms or waveforms to logits."""
