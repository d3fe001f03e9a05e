"""The page of a model card."""
