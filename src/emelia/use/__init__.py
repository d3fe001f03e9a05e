"""From a model file to answers, computed by ONNX Runtime; torch is not needed."""
