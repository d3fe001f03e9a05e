"""What the graph of a model file may be made of, and the seal that tells whether it was changed.

The list is the one place for it: `learn.export` refuses to write anything else, `use` to run it.
"""

from __future__ import annotations

from hashlib import sha256

# A setting of ONNX Runtime's sessions. Processors that lack VNNI add products of bytes in 16 bits,
# which run over, and answers would be others than elsewhere; with it they take a slower way there.
EXACT_SUMS = ("session.x64quantprecision", "1")
# What the export writes.
_OURS = """
Abs Add And BatchNormalization Cast Clip Concat ConstantOfShape Conv Cos Div Equal Erf Exp Expand
GatherElements Greater GreaterOrEqual IsNaN LayerNormalization Less Log MatMul Max MaxPool Min Mod
Mul Not Pad Pow Range ReduceMax ReduceMean ReduceSum Relu Reshape ScatterElements Shape Sin Slice
Softmax Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where
"""
# The same computed otherwise: versions of torch's exporter put these for them.
_LIKEWISE = """
AveragePool Constant Flatten Gather Gelu Gemm GlobalAveragePool Identity LessOrEqual Neg Or
Reciprocal Sigmoid Split Sum
"""
# Weights in 8 bits, by ONNX and by ONNX Runtime's own tool.
_BYTES = """
ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
QuantizeLinear
"""
_BYTES_OF_RUNTIME = """
DequantizeLinear DynamicQuantizeMatMul MatMulIntegerToFloat QGemm QLinearAdd QLinearAveragePool
QLinearConcat QLinearMul QLinearSoftmax QuantizeLinear
"""
# By the domain; "" is that of ONNX itself. None of them has a graph inside or can run for ever.
OPERATORS = {
    "": frozenset(f"{_OURS} {_LIKEWISE} {_BYTES}".split()),
    "com.microsoft": frozenset(_BYTES_OF_RUNTIME.split()),
}
MOST_NODES = 5000  # those of ours have some 400
MOST_TENSORS = 5000
MOST_DIMENSIONS = 6
MOST_NUMBER = 100_000  # in an attribute or a tensor of whole numbers; in ours some 1,000
ENDS = 2**62  # whole numbers beyond say "to the end", as slices do

# The seal is the last entry of the metadata and of the file: 0x72 is the field of the metadata, 81
# the size of the entry; 0x0a and 0x12 are its key and its value, the digest of all bytes before.
SEAL_KEY = "emelia.sha256"
_SEAL = bytes([0x72, 81, 0x0A, len(SEAL_KEY)]) + SEAL_KEY.encode() + bytes([0x12, 64])
_SIZE = len(_SEAL) + 64


def sealed(data: bytes) -> bytes:
    """A model file with its own digest at the end, so that any change of it is found."""
    return data + _SEAL + sha256(data).hexdigest().encode()


def is_intact(data: bytes) -> bool | None:
    """Whether a model file is as it was written; None of a file without a seal, as older ones."""
    if SEAL_KEY.encode() not in data[-_SIZE:]:
        return None
    body, seal = data[:-_SIZE], data[-_SIZE:]
    return seal == _SEAL + sha256(body).hexdigest().encode()
