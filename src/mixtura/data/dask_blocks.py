"""Dask arrays, Dask data frames and Parquet files as the blocks of a `DaskSource`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mixtura.data.categories import Wanted
from mixtura.data.columnar import PARQUET_SUFFIXES
from mixtura.data.dask_cluster import active_client, computed, delayed
from mixtura.data.dask_source import DaskSource
from mixtura.data.door import as_numbers, refuse_no_partitions, refuse_unfit, weights_of
from mixtura.data.files import refuse_unreadable
from mixtura.data.parts import as_floats, frames, parquet_files
from mixtura.data.refusal import TableError, refuse_given
from mixtura.data.streamed import Piece
from mixtura.data.tables import select
from mixtura.records import AnyArray, Array, Weights

# Row groups of a Parquet file are read together up to so many numbers.
_GROUPED = 1 << 22


def of_collection(
    X: Any,
    columns: Sequence[str] | None = None,
    weights: str | None = None,
    exclude: Sequence[str] | None = None,
    sample_weight: Weights = None,
    gaps: bool = False,
    steps: bool = False,
) -> DaskSource:
    """A Dask array (n, d), chunks of unknown length too, or a Dask data frame of numbers.

    columns, weights and exclude are names, for a frame; sample_weight is an array (n,) or a Dask
    collection partitioned as X is; steps says that rows are those of sequences. ValueError for what
    cannot be rows of numbers.
    """
    blocks, names = _pieces(X, columns, weights, exclude, sample_weight)
    return DaskSource(blocks, "X", names, gaps, steps=steps)


def with_response(
    X: Any, y: Any, names: Sequence[str], sample_weight: Weights = None
) -> DaskSource:
    """The rows of X and in a last column their response y, under these names.

    y is an array (n,), or a Dask series or array partitioned as X is.
    """
    if not hasattr(type(y), "to_delayed"):
        refuse_unfit(y, "y")
    elif y.ndim != 1 or getattr(y.dtype, "kind", "O") not in "iufb":
        what = f"{y.ndim} dimensions" if y.ndim != 1 else f"type {y.dtype}"
        raise ValueError(
            f"y is a Dask {type(y).__name__} of {what}: a response is one column of numbers, such "
            "as frame['name']"
        )
    columns = names[:-1] if hasattr(X, "columns") else None
    blocks, _ = _pieces(X, columns, None, None, sample_weight, y)
    return DaskSource(blocks, "X with y", tuple(names))


def _pieces(
    X: Any,
    columns: Sequence[str] | None,
    weights: str | None,
    exclude: Sequence[str] | None,
    sample_weight: Weights,
    y: Any = None,
) -> tuple[list[Any], tuple[str, ...] | None]:
    """The partitions as lazy pairs of rows, y their last column if given, and weights; names."""
    refuse_no_partitions(X)
    if hasattr(X, "columns"):
        names = _chosen_names(X, columns, weights, exclude)
        if weights is not None and sample_weight is not None:
            raise ValueError("sample_weight: weights names a column of them: leave one of them out")
        rows, lengths = list(X.to_delayed()), None
    else:
        named = {"columns": columns, "weights": weights, "exclude": exclude}
        refuse_given("a Dask array", named, "its columns have no names")
        names, (rows, lengths) = None, _array_parts(X)
    w = beside(sample_weight, rows, lengths)
    last = beside(y, rows, lengths, "y")
    blocks = [
        delayed(_block)(x, each, names, weights, response)
        for x, each, response in zip(rows, w, last, strict=True)
    ]
    return blocks, None if names is None else tuple(names)


def _array_parts(X: Any) -> tuple[list[Any], Sequence[float]]:
    """The chunks of rows of an array of numbers, and how many each has, NaN where unknown."""
    if X.dtype.kind not in "iufb":
        raise ValueError(
            f"X: this is a Dask array of shape {X.shape} and type {X.dtype}: give rows of numbers"
        )
    X = X.rechunk({1: -1}) if X.numblocks[1] > 1 else X
    return X.to_delayed().ravel().tolist(), X.chunks[0]


def _chosen_names(
    X: Any, columns: Sequence[str] | None, weights: str | None, exclude: Sequence[str] | None
) -> list[str]:
    """Those of the columns of a frame that are its rows, which are numbers."""
    known = [str(name) for name in X.columns]
    for name in (*(columns or ()), *(exclude or ()), *([weights] if weights else ())):
        if name not in known:
            raise ValueError(f"X: there is no column {name!r}: it has {', '.join(known)}")
    out = {*(exclude or ()), weights}
    names = [name for name in columns or known if name not in out]
    for name, kind in zip(known, X.dtypes, strict=True):
        if name in names and getattr(kind, "kind", "O") not in "iufb":
            raise ValueError(
                f"X: column {name!r} is of type {kind}, and rows are numbers: choose columns by "
                "X[[...]], or write its values as codes"
            )
    return names


def beside(
    w: Any, rows: Sequence[Any], lengths: Sequence[float] | None, name: str = "sample_weight"
) -> list[Any]:
    """What there is for each partition of the rows of one number for each row."""
    if w is None:
        return [None] * len(rows)
    if not hasattr(type(w), "to_delayed"):
        values = weights_of(w, name)
        if lengths is None or np.isnan(lengths).any():
            lengths = computed([delayed(len)(x) for x in rows], active_client())
        ends = np.cumsum([0, *lengths]).astype(int)
        if values.shape != (ends[-1],):
            raise ValueError(f"{name} has the shape {values.shape}, expected ({ends[-1]},)")
        return [values[a:b] for a, b in pairwise(ends)]
    if hasattr(w, "chunks") and lengths is not None and not np.isnan([*lengths, *w.shape]).any():
        if w.shape != (sum(lengths),):
            raise ValueError(f"{name} has the shape {w.shape}, expected ({sum(lengths)},)")
        w = w.rechunk((tuple(lengths),))
    parts = np.ravel(np.asarray(w.to_delayed(), dtype=object)).tolist()
    if len(parts) != len(rows):
        raise ValueError(
            f"{name}: it has {len(parts)} partitions and X has {len(rows)}: partition both alike, "
            "as columns of one frame are"
        )
    return parts


def chosen(x: Any, names: Sequence[str]) -> Any:
    """These columns of one partition of a data frame; ValueError where it is without one."""
    x = x.rename(columns=str)
    lost = [name for name in names if name not in x.columns]
    if lost:
        raise ValueError(
            f"X: a partition has the columns {', '.join(x.columns)}, and not {', '.join(lost)}, "
            "which the frame says it has: give all partitions the same columns"
        )
    return x[list(names)]


def _block(
    x: Any, w: Any, names: list[str] | None, weights: str | None = None, y: Any = None
) -> Piece:
    """Rows as numbers, the last column y where there is one, and weights, of one partition."""
    if names is not None:
        w = w if weights is None else chosen(x, [weights])[weights]
        x = chosen(x, names)
    try:
        X = np.ascontiguousarray(as_floats(x))
        own = None if w is None else np.ascontiguousarray(w, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"X: a partition cannot be read as rows of numbers ({error})") from None
    return X if y is None else _joined(X, y), own


def _joined(X: AnyArray, y: Any) -> Array:
    refuse_unfit(y, "y")
    values = as_numbers(y, "y")
    if values.shape != X.shape[:1]:
        raise ValueError(
            f"y has the shape {values.shape} in a partition, and X {len(X)} rows there: partition "
            "both alike, as columns of one frame are"
        )
    return np.column_stack([np.asarray(X, dtype=np.float64), values])


def of_parquet(
    path: Path,
    columns: list[str] | None = None,
    weights: str | None = None,
    exclude: list[str] | None = None,
    gaps: bool = False,
) -> DaskSource:
    """A Parquet file, or a folder of them, read by the workers: all of them see it at that path."""
    if not path.is_dir():
        refuse_unreadable(path)
    files = parquet_files(path) if path.is_dir() else [path]
    if files[0].suffix.lower() not in PARQUET_SUFFIXES:
        raise TableError(
            f"{path}: engine 'dask' reads Parquet files and folders of them: write the table as "
            "Parquet, or leave the engine out"
        )
    head = next(iter(frames(path, None)), None)
    if head is None:
        raise TableError(f"{path}: there are no rows")
    held = Wanted(gaps=gaps)
    chosen = select(
        head, path, columns=columns, weights=weights, exclude=exclude, first=0, wanted=held
    )
    names = list(chosen.names)
    blocks = [
        delayed(_read)(os.path.abspath(file), groups, first, names, weights, held)
        for file in files
        for groups, first in _grouped(file)
    ]
    return DaskSource(blocks, str(path), tuple(names), gaps, tuple(chosen.remarks))


def _grouped(file: Path) -> Iterator[tuple[list[int], int]]:
    """Row groups to be read together, and the rows of the file before them."""
    try:
        with pa.OSFile(os.fsencode(file)) as opened:
            told = pq.read_metadata(opened)
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{file}: this is not a Parquet file that can be read ({error})") from None
    together: list[int] = []
    numbers, done, first = 0, 0, 0
    for group in range(told.num_row_groups):
        rows = told.row_group(group).num_rows
        together.append(group)
        numbers, done = numbers + rows * told.num_columns, done + rows
        if numbers >= _GROUPED or group == told.num_row_groups - 1:
            yield together, first
            together, numbers, first = [], 0, done


def _read(
    file: str, groups: list[int], first: int, names: list[str], weights: str | None, held: Wanted
) -> Piece:
    wanted = names if weights is None else [*names, weights]
    try:
        with pa.OSFile(os.fsencode(file)) as opened, pq.ParquetFile(opened) as table:
            frame = table.read_row_groups(groups, columns=wanted)
    except (FileNotFoundError, PermissionError) as error:
        raise TableError(
            f"{file}: a worker cannot read it ({error}): all workers must see it at this path"
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{file}: this is not a Parquet file that can be read ({error})") from None
    found = select(frame, file, columns=names, weights=weights, first=first, wanted=held)
    X: AnyArray = found.X
    w: Array | None = found.sample_weight
    return X, w
