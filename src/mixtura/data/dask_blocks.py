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
from mixtura.data.dask_source import DaskSource, computed, delayed
from mixtura.data.door import refuse_no_partitions, weights_of
from mixtura.data.files import refuse_unreadable
from mixtura.data.parts import as_floats, frames, parquet_files
from mixtura.data.refusal import TableError, refuse_given
from mixtura.data.streamed import Piece
from mixtura.data.tables import select
from mixtura.records import AnyArray, Array

# Row groups of a Parquet file are read together up to so many numbers.
_GROUPED = 1 << 22


def of_collection(
    X: Any,
    columns: Sequence[str] | None = None,
    weights: str | None = None,
    exclude: Sequence[str] | None = None,
    sample_weight: Any = None,
    gaps: bool = False,
) -> DaskSource:
    """A Dask array (n, d), chunks of unknown length too, or a Dask data frame of numbers.

    columns, weights and exclude are names, for a frame; sample_weight is an array (n,) or a Dask
    collection partitioned as X is. ValueError for what cannot be rows of numbers.
    """
    refuse_no_partitions(X)
    if hasattr(X, "columns"):
        return _of_frame(X, columns, weights, exclude, sample_weight, gaps)
    named = {"columns": columns, "weights": weights, "exclude": exclude}
    refuse_given("a Dask array", named, "its columns have no names")
    if X.dtype.kind not in "iufb":
        raise ValueError(
            f"X: this is a Dask array of shape {X.shape} and type {X.dtype}: give rows of numbers"
        )
    X = X.rechunk({1: -1}) if X.numblocks[1] > 1 else X
    rows = X.to_delayed().ravel().tolist()
    w = _weights(sample_weight, rows, X.chunks[0])
    return DaskSource(
        [delayed(_block)(x, each, None) for x, each in zip(rows, w, strict=True)], "X", None, gaps
    )


def _of_frame(
    X: Any,
    columns: Sequence[str] | None,
    weights: str | None,
    exclude: Sequence[str] | None,
    sample_weight: Any,
    gaps: bool,
) -> DaskSource:
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
    if weights is not None and sample_weight is not None:
        raise ValueError("sample_weight: weights names a column of them: leave one of them out")
    rows = X.to_delayed()
    w = _weights(sample_weight, rows, None)
    blocks = [delayed(_block)(x, each, names, weights) for x, each in zip(rows, w, strict=True)]
    return DaskSource(blocks, "X", tuple(names), gaps)


def _weights(w: Any, rows: Sequence[Any], lengths: Sequence[float] | None) -> list[Any]:
    """What there is of weights for each partition of the rows."""
    if w is None:
        return [None] * len(rows)
    if not hasattr(type(w), "to_delayed"):
        values = weights_of(w)
        if lengths is None or np.isnan(lengths).any():
            lengths = computed(delayed(list)([delayed(len)(x) for x in rows]))
        ends = np.cumsum([0, *lengths]).astype(int)
        if values.shape != (ends[-1],):
            raise ValueError(f"sample_weight has the shape {values.shape}, expected ({ends[-1]},)")
        return [values[a:b] for a, b in pairwise(ends)]
    if hasattr(w, "chunks") and lengths is not None and not np.isnan([*lengths, *w.shape]).any():
        if w.shape != (sum(lengths),):
            raise ValueError(f"sample_weight has the shape {w.shape}, expected ({sum(lengths)},)")
        w = w.rechunk((tuple(lengths),))
    parts = np.ravel(np.asarray(w.to_delayed(), dtype=object)).tolist()
    if len(parts) != len(rows):
        raise ValueError(
            f"sample_weight: it has {len(parts)} partitions and X has {len(rows)}: partition both "
            "alike, or make the weights a column of the frame"
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


def _block(x: Any, w: Any, names: list[str] | None, weights: str | None = None) -> Piece:
    """Rows as numbers and their weights, of one partition."""
    if names is not None:
        w = w if weights is None else chosen(x, [weights])[weights]
        x = chosen(x, names)
    try:
        X = np.ascontiguousarray(as_floats(x))
        own = None if w is None else np.ascontiguousarray(w, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"X: a partition cannot be read as rows of numbers ({error})") from None
    return X, own


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
