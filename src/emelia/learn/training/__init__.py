"""Teaching a network: the loop, the optimizer, checkpoints and runs."""
