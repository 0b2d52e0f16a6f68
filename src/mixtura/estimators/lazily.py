"""Answers row by row about Dask collections: Dask arrays, worked out by the workers when asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.door import refuse_no_partitions
from mixtura.data.lazy import is_dask
from mixtura.data.source import Source
from mixtura.records import AnyArray


def lies_apart(X: Any) -> bool:
    """Whether answers about `X` stay where its rows lie."""
    return is_dask(X) or (isinstance(X, Source) and X.apart)


def answered(estimator: Any, X: Any, what: str, width: int, dtype: np.dtype[Any] | None) -> Any:
    """One of `RowOutputs` for each row of a Dask collection, a Dask array partitioned as X is.

    Its shape is (n,), or (n, width) where that is not 0; n is NaN where X does not know its own.
    """
    import dask.array

    from mixtura.data.dask_source import delayed

    blocks, lengths, found = _blocks(estimator, X)
    da: Any = dask.array
    told, dtype = delayed(estimator, traverse=False), dtype or found
    parts = [
        da.from_delayed(
            delayed(_answer)(told, block, what, width, dtype),
            shape=(n, width) if width else (n,),
            dtype=dtype,
        )
        for block, n in zip(blocks, lengths, strict=True)
    ]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def _blocks(estimator: Any, X: Any) -> tuple[list[Any], list[float], np.dtype[Any]]:
    """The partitions, how many rows each has, and the precision of answers about them."""
    from mixtura.data.dask_blocks import chosen
    from mixtura.data.dask_source import DaskSource, delayed

    if isinstance(X, DaskSource):
        rows = [delayed(_rows)(block) for block in X.blocks]
        return rows, [float(place.rows) for place in X.places], X.dtype
    refuse_no_partitions(X)
    if hasattr(X, "columns"):
        names = list(getattr(estimator, "feature_names_in_", X.columns))
        known = not set(names) - set(X.columns)
        # Of a table in files no more is read than is needed.
        X = X[names] if known and len(names) < len(X.columns) else X
        kinds, blocks = set(X.dtypes), X.to_delayed()
        blocks = [delayed(chosen)(x, names) for x in blocks] if known else blocks
        lengths = [float("nan")] * len(blocks)
    else:
        X = X.rechunk({1: -1})
        kinds, blocks, lengths = {X.dtype}, X.to_delayed().ravel().tolist(), list(X.chunks[0])
    single = kinds == {np.dtype(np.float32)}
    return list(blocks), lengths, np.dtype(np.float32 if single else np.float64)


def _rows(block: tuple[AnyArray, Any]) -> AnyArray:
    return block[0]


def _answer(estimator: Any, rows: Any, what: str, width: int, dtype: np.dtype[Any]) -> AnyArray:
    if not len(rows):
        return np.empty((0, width) if width else 0, dtype)
    found: AnyArray = estimator._prepare(rows, what, wide=width > 0, dtype=dtype)
    return found
