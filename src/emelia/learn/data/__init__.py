"""Utterances to spectrograms, and spectrograms to batches."""
