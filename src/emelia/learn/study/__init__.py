"""Comparing recipes: studies, search, fine-tuning, evaluation."""
