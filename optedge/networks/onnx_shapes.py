"""Shapes of all tensors of an ONNX model, with the arithmetic on shapes done beforehand.

Exporters write ``Reshape(x, Concat(Gather(Shape(x), 0), ...))``. Once the input has a fixed shape
such a sub-graph is a constant; it is replaced by its value.
"""

from __future__ import annotations

import math
from typing import Any

#: Keep their input's shape, which the inference of onnx does not know of them.
_SHAPELESS = ("GroupNormalization", "MeanVarianceNormalization")

#: Constants of at most so many elements may say a shape; their values are read.
SMALL = 1024

#: Operators that begin so draw at random.
RANDOM = ("Random", "Bernoulli", "Multinomial")

Shapes = tuple[dict[str, tuple[int, ...]], dict[str, int]]


def known_shapes(skeleton: Any, proto: Any) -> Shapes:
    """Infer all shapes that can be known, and replace what asks for a shape by the answer.

    Parameters
    ----------
    skeleton
        The model without its large weights, the input's shape fixed.
    proto
        The model itself; both lose the nodes that were answered and get initializers for them.

    Returns
    -------
    tuple
        Shape and data type of every tensor whose shape is known, by name.

    Raises
    ------
    onnx.shape_inference.InferenceError
        If shapes contradict each other.
    """
    from onnx import helper, shape_inference

    for node in skeleton.graph.node:
        if node.op_type in _SHAPELESS:
            node.CopyFrom(helper.make_node("Identity", node.input[:1], node.output[:1]))
    answered = False
    while True:
        inferred = shape_inference.infer_shapes(skeleton, strict_mode=True, data_prop=True)
        shapes, dtypes = _declared(inferred.graph)
        values = _answers(skeleton, shapes, answered)
        if not values:
            return shapes, dtypes
        answered = True
        for model in (skeleton, proto):
            kept = [n for n in model.graph.node if not values.keys() & set(n.output)]
            del model.graph.node[:]
            model.graph.node.extend(kept)
            model.graph.initializer.extend(values.values())


def _declared(graph: Any) -> Shapes:
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, int] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if value.type.HasField("tensor_type") and kind.HasField("shape") and kind.elem_type:
            dims = kind.shape.dim
            if all(d.HasField("dim_value") and d.dim_value >= 0 for d in dims):
                shapes[value.name] = tuple(d.dim_value for d in dims)
                dtypes[value.name] = kind.elem_type
    for tensor in graph.initializer:
        shapes[tensor.name] = tuple(tensor.dims)
        dtypes[tensor.name] = tensor.data_type
    return shapes, dtypes


def _answers(skeleton: Any, shapes: dict[str, tuple[int, ...]], answered: bool) -> dict[str, Any]:
    """Return the values of nodes that ask for a known shape, and of small constants beside them.

    Nothing if no shape is asked for, and none was before.
    """
    import numpy as np
    from onnx import numpy_helper

    given = {t.name: t for t in skeleton.graph.initializer}
    found: dict[str, Any] = {}
    for node in skeleton.graph.node:
        if node.op_type in ("Shape", "Size") and node.input[0] in shapes:
            asked = np.array(shapes[node.input[0]], dtype=np.int64)
            if node.op_type == "Size":
                value = np.array(math.prod(asked.tolist()), dtype=np.int64)
            else:
                limits = {a.name: a.i for a in node.attribute}
                value = asked[limits.get("start", 0) : limits.get("end")]
            found[node.output[0]] = numpy_helper.from_array(value, node.output[0])
    if not (found or answered):
        return {}
    for node in skeleton.graph.node:
        read, made = [t for t in node.input if t], [t for t in node.output if t]
        known = given | found
        small = all(math.prod(shapes.get(t, (SMALL + 1,))) <= SMALL for t in made)
        random = node.op_type.startswith(RANDOM)
        if small and not random and made[0] not in found and all(t in known for t in read):
            found |= _value(skeleton, node, {t: known[t] for t in read})
    return found


def _value(skeleton: Any, node: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of a node on small constants; nothing if they cannot be computed here."""
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    names = [t for t in node.output if t]
    given = [helper.make_tensor_value_info(t, v.data_type, v.dims) for t, v in inputs.items()]
    wanted = [helper.make_empty_tensor_value_info(t) for t in names]
    alone = helper.make_graph([node], "one", given, wanted)
    model = helper.make_model(
        alone, ir_version=max(4, skeleton.ir_version), opset_imports=skeleton.opset_import
    )
    arrays = {t: numpy_helper.to_array(v) for t, v in inputs.items()}
    try:
        results = ReferenceEvaluator(model).run(None, arrays)
    except Exception:  # of any kind, node by node; the node stays, and so may an unknown shape
        return {}
    return {t: numpy_helper.from_array(v, t) for t, v in zip(names, results, strict=True)}
