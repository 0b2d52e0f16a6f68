"""Answers row by row about Dask collections: Dask arrays, worked out by the workers when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.data.door import refuse_no_partitions
from mixtura.data.lazy import is_dask
from mixtura.data.source import Source
from mixtura.estimators.opened import refuse_columns
from mixtura.records import AnyArray


def lies_apart(X: Any) -> bool:
    """Whether answers about `X` stay where its rows lie."""
    return is_dask(X) or (isinstance(X, Source) and X.apart)


def answered(estimator: Any, X: Any, what: str, width: int, dtype: np.dtype[Any] | None) -> Any:
    """One of `RowOutputs` for each row of a Dask collection, a Dask array partitioned as X is.

    Its shape is (n,), or (n, width) where that is not 0; n is NaN where X does not know its own.
    """
    from mixtura.data.dask_cluster import delayed

    blocks, lengths, found = _blocks(estimator, X)
    told, dtype = delayed(estimator, traverse=False), dtype or found
    parts = [delayed(_answer)(told, block, p, what, width, dtype) for p, block in enumerate(blocks)]
    return _gathered(parts, lengths, width, dtype)


def responded(estimator: Any, method: str, X: Any, y: Any = None, width: int = 0) -> Any:
    """A method's answer for each row of a Dask collection and of y beside it, as `answered`."""
    from mixtura.data.dask_blocks import beside
    from mixtura.data.dask_cluster import delayed

    blocks, lengths, _ = _blocks(estimator, X)
    told = delayed(estimator, traverse=False)
    dtype = np.dtype(np.int64 if method == "classify" else np.float64)
    parts = [
        delayed(_response)(told, method, block, p, response, width, dtype)
        for p, (block, response) in enumerate(
            zip(blocks, beside(y, blocks, lengths, "y"), strict=True)
        )
    ]
    return _gathered(parts, lengths, width, dtype)


def _gathered(parts: list[Any], lengths: list[float], width: int, dtype: np.dtype[Any]) -> Any:
    """The parts, one after the other, as a Dask array."""
    import dask.array

    da: Any = dask.array
    arrays = [
        da.from_delayed(part, shape=(n, width) if width else (n,), dtype=dtype)
        for part, n in zip(parts, lengths, strict=True)
    ]
    return da.concatenate(arrays, allow_unknown_chunksizes=True)


def _blocks(estimator: Any, X: Any) -> tuple[list[Any], list[float], np.dtype[Any]]:
    """The partitions, how many rows each has, and the precision of answers about them."""
    from mixtura.data.dask_blocks import chosen
    from mixtura.data.dask_cluster import delayed
    from mixtura.data.dask_source import DaskSource

    if isinstance(X, DaskSource):
        refuse_columns(estimator, X.d, X.reader.names, X.reader.name)
        rows = [delayed(_rows)(block) for block in X.blocks]
        return rows, [float(place.rows) for place in X.places], X.dtype
    refuse_no_partitions(X)
    if hasattr(X, "columns"):
        names = list(getattr(estimator, "feature_names_in_", X.columns))
        known = not set(names) - set(X.columns)
        # Of a table in files no more is read than is needed.
        X = X[names] if known and len(names) < len(X.columns) else X
        refuse_columns(
            estimator, len(X.columns), names if known else list(map(str, X.columns)), "X"
        )
        kinds, blocks = set(X.dtypes), X.to_delayed()
        blocks = [delayed(chosen)(x, names) for x in blocks] if known else blocks
        lengths = [float("nan")] * len(blocks)
    else:
        refuse_columns(estimator, X.shape[1], None, "X")
        if X.shape[0] == 0:
            raise ValueError("X has no rows")
        X = X.rechunk({1: -1})
        kinds, blocks, lengths = {X.dtype}, X.to_delayed().ravel().tolist(), list(X.chunks[0])
    single = kinds == {np.dtype(np.float32)}
    return list(blocks), lengths, np.dtype(np.float32 if single else np.float64)


def _rows(block: tuple[AnyArray, Any]) -> AnyArray:
    return block[0]


def _answer(
    estimator: Any, rows: Any, p: int, what: str, width: int, dtype: np.dtype[Any] | None
) -> AnyArray:
    return _told(
        rows, p, width, dtype, lambda: estimator._prepare(rows, what, wide=width > 0, dtype=dtype)
    )


def _response(
    estimator: Any, method: str, rows: Any, p: int, y: Any, width: int, dtype: np.dtype[Any]
) -> AnyArray:
    beside = () if y is None else (y,)
    return _told(rows, p, width, dtype, lambda: getattr(estimator, method)(rows, *beside))


def _told(
    rows: Any, p: int, width: int, dtype: np.dtype[Any] | None, answer: Callable[[], AnyArray]
) -> AnyArray:
    """The answer for the rows of partition p; ValueError that names it where it has none."""
    if not len(rows):
        return np.empty((0, width) if width else 0, dtype)
    try:
        return answer()
    except ValueError as error:
        raise ValueError(f"X, partition {p} (counted from 0): {error}") from None
