"""Known corpora of Asian and African languages."""
