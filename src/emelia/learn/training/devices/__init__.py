"""What a training is computed on: devices, precision, and several of them at once."""
