"""Studies, hyperparameter search, fine-tuning and evaluation."""
