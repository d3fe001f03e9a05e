"""Figures of the answer to a recording and of a timeline."""
