"""What an ONNX operator costs, what it is called, and what may be folded into the layer before.

Multiply-adds count 2 FLOP, without the bias: the convention of the networks that ship with the
package. Everything element by element counts 1 a result, a pool 1 an entry of its window; moving
data counts 0. Operators that stand in no table here are refused by name, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Shape = tuple[int, ...]
ShapeOf = Callable[[str], Shape]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Kinds of layer that the networks of the package have too; others are the operator in lower case.
KINDS = {
    "Conv": "conv",
    "ConvInteger": "conv",
    "QLinearConv": "conv",
    "Gemm": "fc",
    "MaxPool": "maxpool",
    "GlobalMaxPool": "maxpool",
    "AveragePool": "avgpool",
    "GlobalAveragePool": "avgpool",
    "QLinearMatMul": "matmul",
    "MatMulInteger": "matmul",
    "LRN": "lrn",
    "Add": "add",
    "Sum": "add",
    "Concat": "concat",
    "BatchNormalization": "batchnorm",
}

ELEMENTWISE = _words(
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr "
    "BitwiseXor Ceil Celu Clip Cos Cosh DequantizeLinear Div Elu Equal Erf Exp Floor Gelu Greater "
    "GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min "
    "Mish Mod Mul Neg Not Or PRelu Pow QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid "
    "Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor"
)

#: FLOP per element of the first input.
PER_INPUT = {
    "BatchNormalization": 2,  # scale and shift; mean and variance are known beforehand
    "GroupNormalization": 7,
    "InstanceNormalization": 7,
    "LayerNormalization": 7,  # mean, difference, square, its mean, quotient, scale, shift
    "LpNormalization": 3,
    "MeanVarianceNormalization": 5,
    "RMSNormalization": 4,
    "Softmax": 5,  # maximum, difference, exponential, sum, quotient
    "LogSoftmax": 5,
    "Hardmax": 1,
    "GlobalAveragePool": 1,
    "GlobalLpPool": 2,
    "GlobalMaxPool": 1,
    "ArgMax": 1,
    "ArgMin": 1,
    "CumSum": 1,
    "TopK": 1,
}
PER_INPUT |= dict.fromkeys(
    _words(
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
        "ReduceSum ReduceSumSquare"
    ),
    1,
)

#: Keep the number of elements, so that nothing is lost when they join the layer before.
RESHAPING = _words("Cast CastLike Dropout Flatten Identity Reshape Squeeze Transpose Unsqueeze")
MOVING = RESHAPING | _words(
    "Concat ConstantOfShape DepthToSpace Expand EyeLike Gather GatherElements GatherND OneHot Pad "
    "Range ReverseSequence ScatterElements ScatterND Shape Size Slice SpaceToDepth Split Tile "
    "Trilu"
)

FOLDABLE = (
    ELEMENTWISE
    | RESHAPING
    | _words("Softmax LogSoftmax Hardmax")
    | frozenset(op for op in PER_INPUT if op.endswith("Normalization"))
)

#: Operators whose inputs after the first say how, not with what: they are no weights.
SETTINGS = _words(
    "Cast CastLike Clip CumSum DequantizeLinear Dropout Expand OneHot Pad QuantizeLinear Range "
    "Reshape Resize Shrink Slice Split Squeeze Tile TopK Trilu Unsqueeze Upsample"
)


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """Return an attribute of a node, or ``default`` if it is not given."""
    from onnx import helper

    for found in node.attribute:
        if found.name == name:
            return helper.get_attribute_value(found)
    return default


def kind(node: Any, shape_of: ShapeOf, constant: Callable[[str], bool]) -> str:
    """Return the short name of a layer's type.

    A convolution with as many groups as input channels is a ``"dwconv"``, a matrix product with a
    constant an ``"fc"``.
    """
    op = node.op_type
    if op == "Conv":
        groups = attribute(node, "group", 1)
        return "dwconv" if groups > 1 and groups == shape_of(node.input[0])[1] else "conv"
    if op == "MatMul" and any(constant(name) for name in node.input):
        return "fc"
    return KINDS.get(op, str(op).lower())


def flops(node: Any, shape_of: ShapeOf) -> float | None:
    """Return the work of a node in FLOP; None if there is no rule for its operator.

    Parameters
    ----------
    node
        A node of the standard domain.
    shape_of
        From the name of a tensor to its shape.
    """
    op = node.op_type
    if op in _RULES:
        return float(_RULES[op](node, shape_of))
    if op in PER_INPUT:
        return float(PER_INPUT[op] * math.prod(shape_of(node.input[0])))
    if op in ("Sum", "Max", "Min"):  # of k tensors: k - 1 operations a result
        return float(max(1, len(node.input) - 1) * math.prod(shape_of(node.output[0])))
    if op == "Mean":
        return float(len(node.input) * math.prod(shape_of(node.output[0])))
    if op in ELEMENTWISE:
        return float(math.prod(shape_of(node.output[0])))
    return 0.0 if op in MOVING else None


# ------------------------------------------------------------------------ the rules


def _convolution(node: Any, shape_of: ShapeOf, weight: int = 1) -> int:
    # The weight has shape (out, in / groups, *kernel): every result is a sum over all but `out`.
    return 2 * math.prod(shape_of(node.output[0])) * math.prod(shape_of(node.input[weight])[1:])


def _transposed_convolution(node: Any, shape_of: ShapeOf) -> int:
    # The weight has shape (in, out / groups, *kernel): every input entry meets all but `in`.
    return 2 * math.prod(shape_of(node.input[0])) * math.prod(shape_of(node.input[1])[1:])


def _gemm(node: Any, shape_of: ShapeOf) -> int:
    inner = shape_of(node.input[0])[0 if attribute(node, "transA", 0) else 1]
    return 2 * math.prod(shape_of(node.output[0])) * inner


def _matmul(node: Any, shape_of: ShapeOf) -> int:
    return 2 * math.prod(shape_of(node.output[0])) * shape_of(node.input[0])[-1]


def _pool(node: Any, shape_of: ShapeOf) -> int:
    return math.prod(shape_of(node.output[0])) * math.prod(
        int(k) for k in attribute(node, "kernel_shape")
    )


def _lrn(node: Any, shape_of: ShapeOf) -> int:
    # Squares and their sum over the window; scale, shift, power and quotient take three more.
    return math.prod(shape_of(node.output[0])) * (2 * int(attribute(node, "size")) + 3)


def _resize(node: Any, shape_of: ShapeOf) -> int:
    mode = attribute(node, "mode", b"nearest")
    taps = {b"nearest": 0, b"linear": 4, b"bilinear": 4, b"cubic": 16}.get(mode, 4)
    return 2 * taps * math.prod(shape_of(node.output[0]))


_RULES: dict[str, Callable[[Any, ShapeOf], int]] = {
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "QLinearConv": lambda node, shape_of: _convolution(node, shape_of, weight=3),
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _matmul,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "LpPool": _pool,
    "LRN": _lrn,
    "Resize": _resize,
    "Upsample": _resize,
}
