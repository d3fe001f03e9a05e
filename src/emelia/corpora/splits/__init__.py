"""Dividing a corpus into training, validation and test."""
