"""Known corpora of English speech."""
