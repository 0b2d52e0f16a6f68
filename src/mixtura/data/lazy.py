"""Tables that are made when they are asked for: Polars lazy frames, Arrow datasets and readers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from mixtura.data.columnar import piece_rows
from mixtura.data.framed import known_frame

# Numbers of float64 take so many bytes.
_BYTES = 8


def is_dask(X: Any) -> bool:
    """Whether `X` is a Dask array or data frame."""
    return type(X).__module__.partition(".")[0] == "dask" and hasattr(X, "__dask_graph__")


def is_dataset(X: Any) -> bool:
    """Whether X is a dataset of PyArrow, whose module is not loaded to find out."""
    datasets = sys.modules.get("pyarrow.dataset")
    return datasets is not None and isinstance(X, datasets.Dataset)


def is_lazy(X: Any) -> bool:
    """Whether X is a table that can be made anew for each pass."""
    return is_dataset(X) or _is_plan(X)


def _is_plan(X: Any) -> bool:
    # Dask's frames are plans too, with a way of their own.
    if isinstance(X, np.ndarray) or is_dask(X):
        return False
    return isinstance(known_frame(X), nw.LazyFrame)


def collected(X: Any) -> Any:
    """The table in memory, if X is one that is made when asked for; anything else as it is."""
    if is_dataset(X):
        return X.to_table()
    if isinstance(X, pa.RecordBatchReader):
        return X.read_all()
    return nw.from_native(X).collect().to_native() if _is_plan(X) else X


def within(X: Any, size: int) -> bool:
    """Whether a lazy table takes at most so many bytes as numbers."""
    if is_dataset(X):
        return bool(X.count_rows() * len(X.schema) * _BYTES <= size)
    frame = nw.from_native(X)
    columns = len(frame.collect_schema())
    return bool(frame.select(nw.len()).collect().item() * columns * _BYTES <= size)


def lazy_frames(X: Any, wanted: list[str] | None) -> Iterator[pa.Table]:
    """A lazy table, the columns `wanted` of it (None: all), a few rows at a time."""
    if is_dataset(X):
        rows = piece_rows(len(X.schema if wanted is None else wanted))
        for batch in X.to_batches(columns=wanted, batch_size=rows):
            yield pa.Table.from_batches([batch])
        return
    frame = nw.from_native(X)
    frame = frame if wanted is None else frame.select(wanted)
    rows = piece_rows(len(frame.collect_schema()))
    plan = frame.to_native()
    # Other plans, and Polars before 1.34, hand out no batches.
    if hasattr(plan, "collect_batches"):
        parts = plan.collect_batches(chunk_size=rows, maintain_order=True)
        yield from (part.to_arrow() for part in parts)
        return
    table = frame.collect("pyarrow").to_native()
    yield from (table.slice(start, rows) for start in range(0, table.num_rows, rows))
