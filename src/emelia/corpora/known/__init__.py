"""Corpora that are read by name: one module each, and an embedded one made of synthetic speech."""
