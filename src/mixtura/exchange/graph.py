"""A mixture as an ONNX graph: what `predict`, `predict_proba` and `score_samples` answer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mixtura.exchange.quadratics import Quadratics
from mixtura.models.noise import NOISE
from mixtura.records import AnyArray
from mixtura.version import __version__

# Runtimes since 2022 know them.
OPSET, IR_VERSION = 18, 8
TYPES = {"float64": TensorProto.DOUBLE, "float32": TensorProto.FLOAT}


def graph(mixture: Quadratics, dtype: str) -> Any:
    """The ModelProto of a mixture, which takes and gives numbers of that type.

    Rows are whitened, W_k (x - m_k), and the K logarithms added after the largest is taken off
    them: nothing is squared that has not lost its offset, nothing overflows.
    """
    kind, d = TYPES[dtype], len(mixture.columns)
    with np.errstate(over="ignore", invalid="ignore"):
        constants = _constants(mixture, np.dtype(dtype))
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [*_joint(mixture, "means_rest" in constants), *_answers()],
        "mixture",
        [value("X", kind, ["rows", d])],
        [
            value("label", TensorProto.INT64, ["rows"]),
            value("probabilities", kind, ["rows", len(mixture.constants)]),
            value("log_density", kind, ["rows"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mixtura",
        producer_version=__version__,
    )
    helper.set_model_props(model, {"columns": json.dumps(mixture.columns)})
    onnx.checker.check_model(model, full_check=True)
    return model


def _constants(mixture: Quadratics, dtype: np.dtype[Any]) -> dict[str, AnyArray]:
    means = mixture.means[:, None, :]
    correlated = mixture.whiten.ndim == 3
    whiten = np.swapaxes(mixture.whiten, 1, 2) if correlated else mixture.whiten[:, None, :]
    limits = np.finfo(dtype)
    found = {
        "means": means.astype(dtype),
        "whiten": whiten.astype(dtype),
        "constants": mixture.constants[:, None].astype(dtype),
        "half": np.array(-0.5, dtype),
        "least": np.array(limits.min, dtype),
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "last": np.array([2], np.int64),
        "none": np.array(0, dtype),
        "nobody": np.array(NOISE, np.int64),
    }
    # In float32 a mean is off by more than columns with a large offset bear.
    rest = (means - found["means"]).astype(dtype)
    if rest.any():
        found["means_rest"] = rest
    # Of infinities, or scales that have become 0, a graph makes answers that are no numbers.
    pivots = np.diagonal(found["whiten"], axis1=1, axis2=2) if correlated else found["whiten"]
    if not (np.isfinite(found["means"]).all() and np.isfinite(found["whiten"]).all()) or (
        dtype == np.float32 and (pivots == 0).any()
    ):
        raise ValueError(
            f"to_onnx: dtype={dtype.name!r} does not hold the means or scales of this mixture: "
            "give dtype='float64', or fit the columns in other units"
        )
    return found


def _joint(mixture: Quadratics, rest: bool) -> list[Any]:
    """log p(x, k), (rows, K), of X (rows, d)."""
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["X", "first"], ["X3"]),
        node("Sub", ["X3", "means"], ["near"]),
    ]
    if rest:
        nodes.append(node("Sub", ["near", "means_rest"], ["centred"]))
    whitening = "MatMul" if mixture.whiten.ndim == 3 else "Mul"
    return [
        *nodes,
        node(whitening, ["centred" if rest else "near", "whiten"], ["y"]),
        node("ReduceSumSquare", ["y", "last"], ["squares"], keepdims=0),
        node("Mul", ["squares", "half"], ["exponents"]),
        node("Add", ["exponents", "constants"], ["by_component"]),
        node("Transpose", ["by_component"], ["joint"], perm=[1, 0]),
    ]


def _answers() -> list[Any]:
    node = helper.make_node
    return [
        node("ArgMax", ["joint"], ["likeliest"], axis=1, keepdims=0),
        node("ReduceMax", ["joint", "second"], ["largest"], keepdims=1),
        # Infinity less infinity is no number.
        node("Max", ["largest", "least"], ["top"]),
        node("Sub", ["joint", "top"], ["below"]),
        node("Exp", ["below"], ["shares"]),
        node("ReduceSum", ["shares", "second"], ["total"], keepdims=1),
        node("Div", ["shares", "total"], ["probabilities"]),
        # Of a row without density it is zero, of one with a gap no number.
        node("Greater", ["total", "none"], ["told_column"]),
        node("Squeeze", ["told_column", "second"], ["told"]),
        node("Where", ["told", "likeliest", "nobody"], ["label"]),
        node("Log", ["total"], ["log_total"]),
        node("Add", ["top", "log_total"], ["log_column"]),
        node("Squeeze", ["log_column", "second"], ["log_density"]),
    ]
