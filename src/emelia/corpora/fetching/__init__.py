"""Downloading corpora that their publishers give away."""
