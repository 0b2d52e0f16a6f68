"""The door: what is refused before any fitting, each with one clear message."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from mixtura.data.exact import refuse_inexact
from mixtura.data.framed import framed
from mixtura.data.lazy import collected, is_dask
from mixtura.data.refusal import infinite, row_at
from mixtura.data.source import Source
from mixtura.records import AnyArray, Array, Weights

# Mean weights of at most so much, or as little, leave room for what they multiply.
HEAVIEST = 1e250
# The square of so many standard deviations leaves no digit of the other rows' variance.
FAR = 1e8


def refuse_dask(X: Any, name: str = "X") -> None:
    """ValueError for a Dask collection, all of which NumPy would bring into memory."""
    if is_dask(X):
        raise ValueError(
            f"{name} is a Dask collection, and this needs its rows in memory: give a sample of it, "
            f"or {name}.compute() where it fits there"
        )


def refuse_no_partitions(X: Any) -> None:
    """ValueError for a Dask collection that is neither rows of numbers nor a data frame."""
    # Of its class: an object that is made later says yes to every name.
    kind, hint = type(X), "give a Dask array of rows of numbers, or a Dask data frame"
    if hasattr(kind, "chunks"):
        if X.ndim == 2 and X.dtype.kind in "iufbO":
            return
        found = f"Dask array of shape {X.shape} and type {X.dtype}"
        hint = "give rows of numbers"
    elif hasattr(kind, "to_frame"):
        found, hint = f"Dask {kind.__name__}", "give X.to_frame(), or the frame that it is of"
    elif "delayed" in kind.__module__:
        found = "Dask delayed object"
        hint = "give dask.array.from_delayed(X, shape, dtype), or dask.dataframe.from_delayed"
    elif hasattr(kind, "columns") and X.ndim == 2:
        return
    else:
        found = f"Dask {kind.__name__}"
    raise ValueError(f"X: this is a {found}: {hint}")


def is_tensor(X: Any) -> bool:
    """Whether X is a tensor of PyTorch, which is not loaded to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(X, torch.Tensor)


def host(X: Any) -> Any:
    """A tensor as an array of the same numbers, in the main memory; anything else as it is."""
    if not is_tensor(X):
        return X
    X = X.detach().cpu()
    # NumPy knows not all of the short ones.
    short = X.is_floating_point() and X.element_size() < 4
    return (X.float() if short else X).numpy()


def like(X: Any, answer: AnyArray) -> Any:
    """The answer as a tensor where X is one, on the device of X."""
    return sys.modules["torch"].from_numpy(answer).to(X.device) if is_tensor(X) else answer


def refuse_masked(X: Any, name: str = "X") -> None:
    """ValueError for a masked array with something masked, whose mask NumPy drops silently."""
    if not isinstance(X, np.ma.MaskedArray):
        return
    masked = int(np.ma.getmaskarray(X).sum())
    if masked:
        values = f"{masked} masked value{'s' * (masked != 1)}"
        raise ValueError(
            f"{name}: {values} in a masked array: remove such rows or fill them in with "
            f"{name}.filled(...)"
        )


def at_hand(values: Any) -> Any:
    """A tensor as an array, what is made when asked for worked out; anything else as it is."""
    return values.compute() if is_dask(values) else collected(host(values))


def column(values: Any) -> Any:
    """What is given for each row, `at_hand`: of a frame or array of one column that column."""
    if isinstance(values, list | tuple):
        return values
    values = at_hand(values)
    frame = framed(values)
    if frame is not None and len(frame.columns) == 1:
        return frame[frame.columns[0]].to_native()
    single = isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 1
    return values[:, 0] if single else values


def as_numbers(values: Any, name: str) -> Array:
    """Values as float64; ValueError for what holds others, or is ragged."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        kind = type(values).__name__
        if isinstance(values, np.ndarray):
            told = any(isinstance(value, str) for value in values.flat)
            kind = "text" if told else f"{values.dtype}"
        raise ValueError(
            f"{name} holds {kind} values that are no numbers, or rows of unlike "
            "lengths: give numbers"
        ) from None


def weights_of(weights: Any, name: str = "sample_weight") -> Array:
    """Weights as float64, (n,) where all is well; ValueError for masks, dates, text, objects."""
    weights = column(weights)
    refuse_masked(weights, name)
    values = np.asarray(weights, dtype=object if isinstance(weights, list | tuple) else None)
    dates = date | timedelta | np.datetime64 | np.timedelta64
    dated = values.dtype.kind in "mM" or (
        values.dtype.kind == "O" and any(isinstance(v, dates) for v in values.flat)
    )
    if dated:
        raise ValueError(f"{name} holds dates or times: weights are numbers, 0 or more")
    return as_numbers(weights, name)


def row_weights(sample_weight: Weights, X: AnyArray) -> Array:
    """Weights (n,) of the rows of X (n, ...): one for each, or one for all of them.

    ValueError for other shapes, and for what is not finite or below 0.
    """
    rows, w = X.reshape(len(X), -1), weights_of(sample_weight)
    given = w if w.ndim else float(w)
    bad = ~(np.isfinite(w) & (w >= 0))
    if w.shape == (len(rows),) and bad.any():
        i = int(np.argmax(bad))
        # The words are scikit-learn's.
        told = "Negative values in data passed to `sample_weight`"
        if not w[i] < 0:
            told = f"Input sample_weight contains {'NaN' if np.isnan(w[i]) else 'infinity'}"
        raise ValueError(f"{told}: {row_at(i)} has {w[i]}, and weights are finite and not below 0")
    checked = _check_sample_weight(given, rows, dtype=np.float64, ensure_non_negative=True)
    return np.asarray(checked)


def refuse_no_table(X: Any, name: str = "X") -> None:
    """ValueError for a frame without columns, and for a column of text without its frame."""
    shape, kind = getattr(X, "shape", (1, 1)), getattr(getattr(X, "dtype", None), "kind", "O")
    if not isinstance(X, np.ndarray) and len(shape) == 2 and shape[1] == 0 < shape[0]:
        raise ValueError(f"{name} has {shape[0]} rows and no columns: give at least one")
    if len(shape) == 1 and kind in "OUS" and len(X):
        raise ValueError(
            f"{name} is one column of {len(X)} cells without a table: give a data frame of it, or "
            "rows of one cell each, values.reshape(-1, 1)"
        )


def refuse_gaps(X: AnyArray, names: list[str]) -> None:
    """ValueError for a cell without a value, where every one is needed."""
    # A sum is NaN if one of its terms is, and takes no array of its own.
    with np.errstate(all="ignore"):
        whole = not np.isnan(X.sum())
    if whole or not (gaps := np.argwhere(np.isnan(X))).size:
        return
    i, j = gaps[0]
    raise ValueError(
        f"X: column {names[j]!r} has no value (NaN) in {row_at(i)}, and every cell is needed "
        "here: leave such rows out, or fill them in first (`impute` of a mixture that bears gaps)"
    )


def refuse_infinite(X: AnyArray, names: list[str]) -> None:
    """ValueError for an infinite cell."""
    # One sum finds them without a mask of the table; it may overflow where nothing is wrong.
    with np.errstate(all="ignore"):
        if np.isfinite(X.sum()) or not np.isinf(X).any():
            return
    i, j = np.argwhere(np.isinf(X))[0]
    raise ValueError(infinite(repr(names[j]), X[i, j], row_at(i)))


def refuse_unfit(X: Any, name: str = "X") -> None:
    """ValueError for what NumPy would turn into other numbers: masks, dates, huge numbers, text."""
    refuse_dask(X, name)
    refuse_masked(X, name)
    refuse_inexact(X, name)


def refuse_extreme_scales(X: AnyArray, names: list[str]) -> None:
    """ValueError if the variance of a column would overflow or underflow in the type of `X`."""
    refuse_extreme_ranges(np.fmin.reduce(X), np.fmax.reduce(X), X.dtype, names)


def refuse_all_missing(X: AnyArray, names: list[str], where: AnyArray) -> None:
    """ValueError for a row or a column without a single value.

    `where` are the numbers of the rows in their table, empty where these are all of it.
    """
    # A sum is NaN if one of its terms is, and takes no array of its own.
    if not np.isnan(X.sum()):
        return
    missing = np.isnan(X)
    for j in np.flatnonzero(missing.all(axis=0)):
        raise ValueError(f"X: column {names[j]!r} has no value in any row: leave it out")
    for i in np.flatnonzero(missing.all(axis=1)):
        row = where[i] if len(where) else i
        raise ValueError(f"X: {row_at(row)} has no value in any column: leave it out")


def refuse_extreme_ranges(
    low: AnyArray, high: AnyArray, dtype: np.dtype[Any], names: list[str]
) -> None:
    """The same for columns from `low` to `high`."""
    limit = 10.0 ** (int(np.log10(np.finfo(dtype).max) / 2) - 4)
    low, high = low.astype(np.float64), high.astype(np.float64)
    largest = np.maximum(np.abs(low), np.abs(high))
    with np.errstate(over="ignore"):
        width = high - low
    for j in np.flatnonzero((largest > limit) | ((width > 0) & (width < 1 / limit))):
        power = int(np.floor(np.log10(largest[j] if largest[j] > limit else width[j])))
        raise ValueError(
            f"X: {names[j]} has values of size 1e{power}, whose squares leave {dtype}: "
            "divide the column by its typical size first"
        )


def refuse_far(X: AnyArray, mean: Array, variance: Array, names: list[str]) -> None:
    """ValueError if a value lies absurdly far from what is known of its column.

    In units of the variance (d,) about the mean (d,); columns without variance are not judged.
    """
    unit = np.sqrt(np.where(variance > 0, variance, np.inf))
    with np.errstate(over="ignore"):
        far = np.abs((X - mean) / unit)
    far[np.isnan(far)] = 0.0
    i, j = np.unravel_index(int(far.argmax()), far.shape)
    if far[i, j] > FAR:
        raise ValueError(
            f"X: {names[j]} holds {X[i, j]:.3g}, {far[i, j]:.0e} standard deviations from the rows "
            "before: leave the row out"
        )


def refuse_few_distinct(rows: Source, K: int) -> None:
    """ValueError if the table has fewer distinct rows than components."""
    known = np.empty((0, rows.d), rows.dtype)
    for X, w, *_ in rows.chunks(10 * K + 1000):
        present = X if w is None else X[w > 0]
        known = np.unique(np.concatenate([known, present]), axis=0)
        if len(known) >= K:
            return
    distinct = len(known)
    raise ValueError(
        f"X has only {distinct} distinct row{'s' * (distinct != 1)}: for {K} components use at "
        f"most {distinct}, or a GaussianMixture with reg_covar > 0, which lets some stay empty"
    )


def check_weights(sample_weight: Array, K: int) -> None:
    """ValueError unless enough rows carry weight."""
    check_total_weight(float(sample_weight.sum()), int(np.count_nonzero(sample_weight)), K)


def check_total_weight(weight: float, rows: int, K: int) -> None:
    """The same for weights of that sum, of which `rows` are positive."""
    if not weight > 0:
        raise ValueError("sample_weight is zero for every row: nothing is left to fit")
    if not np.isfinite(weight):
        raise ValueError("sample_weight sums to infinity: divide the weights by their largest")
    if not 1.0 / HEAVIEST <= weight / rows <= HEAVIEST:
        raise ValueError(
            f"sample_weight is {weight / rows:.2g} in the mean, and sums of such numbers times "
            "squares leave float64 or lose digits: divide the weights by their mean"
        )
    if rows < K:
        raise ValueError(f"n_components={K}, but only {rows} rows have a positive sample_weight")


def column_names(names: AnyArray | None, d: int) -> list[str]:
    """What to call the columns in messages and reports."""
    return [f"x{j + 1}" for j in range(d)] if names is None else [str(name) for name in names]
