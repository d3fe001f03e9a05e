"""From a model file to answers. Knows no torch: ONNX Runtime does the computing."""
