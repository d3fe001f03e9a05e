"""Training a network: the loop, the optimizer, distillation, checkpoints and run folders."""
