"""Answers for many recordings, written row by row."""
