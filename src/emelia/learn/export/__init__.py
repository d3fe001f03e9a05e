"""From a trained run to a model file with its card, and back."""
