"""Responsibilities: of joint log-densities, and of labels."""

from __future__ import annotations

import numpy as np

from mixtura.records import AnyArray, Array

# From so many columns on NumPy adds a row in another order.
_SHORT = 8


def normalise(log_joint: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """(log p(x_i) (n,), responsibilities (n, K)) from log pi_k + log p(x_i | k).

    A row so far out that no component has a density there, even in logarithms, tells nothing of
    its component: log p is -inf and the responsibilities are `weights` (equal without them).
    """
    top = _across(np.maximum, log_joint)
    if np.isnan(top).any():
        # Whitening overflowed to infinity minus infinity: farther out still.
        log_joint = np.where(np.isnan(log_joint), -np.inf, log_joint)
        top = _across(np.maximum, log_joint)
    top = np.where(np.isfinite(top), top, 0.0)
    resp = np.exp(log_joint - top)
    total = _across(np.add, resp)
    nowhere = total[:, 0] == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        resp /= total
        resp[nowhere] = 1.0 / log_joint.shape[1] if weights is None else weights
        return (np.log(total) + top)[:, 0], resp


def _across(operation: np.ufunc, values: Array) -> Array:
    """`operation.reduce` over the few columns of values (n, K), (n, 1), to the same bits.

    NumPy reduces short rows one by one; column by column is several times as fast.
    """
    if values.shape[1] >= _SHORT:
        return np.asarray(operation.reduce(values, axis=1, keepdims=True))
    out = values[:, 0].copy()
    for column in values.T[1:]:
        operation(out, column, out=out)
    return out[:, None]


def one_hot(labels: AnyArray, K: int) -> Array:
    """Labels as responsibilities, (n, K)."""
    resp = np.zeros((len(labels), K))
    resp[np.arange(len(labels)), labels] = 1.0
    return resp
