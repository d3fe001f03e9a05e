"""Scoring and studies on a cluster of machines, through Ray (extra `ray`)."""
