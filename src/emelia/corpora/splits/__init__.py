"""Splits: dividing a corpus into training, validation and test parts."""
