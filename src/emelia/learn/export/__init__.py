"""From a run to an ONNX model file with its card, and back."""
