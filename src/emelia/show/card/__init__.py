"""The Markdown page of a model card."""
