"""Scores collections of recordings into a table with a row for each."""
