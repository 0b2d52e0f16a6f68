"""One door for tables of any size: a file, a folder, a memory map or a callable -> a source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.dialect import Dialect
from mixtura.data.door import weights_of
from mixtura.data.lazy import is_dask, is_lazy, lazy_frames
from mixtura.data.refusal import TableError, refuse_given
from mixtura.data.rows import Rows
from mixtura.data.streamed import Piece, Reader, Streamed
from mixtura.records import AnyArray, Array, StrPath, Weights


def is_stream(X: Any) -> bool:
    """Whether `X` is something that is read piece by piece, and not a table in memory."""
    return (
        isinstance(X, (str, os.PathLike, np.memmap, Streamed))
        or is_dask(X)
        or is_lazy(X)
        or (callable(X) and not hasattr(X, "__array__") and not hasattr(X, "__dataframe__"))
    )


def stream(
    data: Any,
    *,
    columns: list[str] | None = None,
    weights: str | None = None,
    exclude: list[str] | None = None,
    sample_weight: Weights = None,
    sep: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    comment: str | None = None,
    gaps: bool = False,
    sheet: str | int | None = None,
) -> Streamed:
    """A table that is read piece by piece, as often as a fit needs it.

    `GaussianMixture.fit` and `predict` take what this returns, and call it themselves for a path,
    a memory map or a callable; call it to choose columns, or to open a table once for several
    fits. Opening reads the table once.

    Parameters
    ----------
    data : path, np.memmap, Dask array or data frame, lazy frame, Arrow dataset, or callable
        A .csv, .tsv, .txt or .dat (also .gz), .parquet, .arrow or .feather, .xlsx or .ods (with
        the extra `excel`) or .npy file; a folder of .parquet files; a memory map (n, d); a
        Polars lazy frame or another plan that Narwhals knows, which is run for each pass; a
        pyarrow.dataset.Dataset; or a callable without parameters that returns a fresh iterator of
        chunks, each an array or data frame of rows, or a pair (rows, weights).
    columns : list of str, optional
        The columns of a file, dataset or frame to use, in this order; default all.
    weights : str, optional
        The column of row weights, which is then not used as data.
    exclude : list of str, optional
        Columns to leave out.
    sample_weight : array of shape (n,), optional
        Weights of the rows of a memory map, an .npy file or a Dask collection; for the latter
        also a Dask array or series.
    sep, decimal, thousands, comment : str, optional
        How a text file is written: what separates values (" " any blanks), the decimal mark,
        what separates thousands, and what begins lines to be left out; default as it looks. What
        was understood of the file is in `remarks` of the result.
    gaps : bool, default False
        Whether cells may be missing: for families that say so in docs/families.md.
    sheet : str or int, optional
        The sheet of a spreadsheet, by name or by number from 1; default the first.

    Raises
    ------
    ValueError
        For a table that cannot be read or fitted, naming it and what was found.
    """
    if isinstance(columns, str) or isinstance(exclude, str):
        raise ValueError("columns and exclude are lists of column names: put the name in brackets")
    text = {"sep": sep, "decimal": decimal, "thousands": thousands, "comment": comment}
    spelled: dict[str, Any] = {**text, "sheet": sheet}
    named = {"columns": columns, "weights": weights, "exclude": exclude, **spelled}
    if isinstance(data, Streamed):
        refuse_given("a table that is open already", {**named, "sample_weight": sample_weight})
        return data
    if is_dask(data):
        from mixtura.data.dask_blocks import of_collection

        refuse_given("a Dask collection", spelled)
        return of_collection(data, columns, weights, exclude, sample_weight, gaps)
    path = isinstance(data, (str, os.PathLike))
    if path and not str(data).lower().endswith(".npy"):
        refuse_given(str(data), {"sample_weight": sample_weight}, "name a column by weights=")
        return Streamed(_of_file(Path(data), columns, weights, exclude, Dialect(**spelled), gaps))
    if is_lazy(data):
        hint = "name a column by weights=" if sample_weight is not None else "leave it out"
        refuse_given("a lazy table", {**spelled, "sample_weight": sample_weight}, hint)
        read = partial(lazy_frames, data)
        return Streamed(_of_frames(read, "X", (), columns, weights, exclude, gaps))
    if path or isinstance(data, np.memmap):
        refuse_given("an array", named, "its columns have no names")
        reader = _of_array(mapped(data) if path else data, str(data), path, sample_weight)
        return Streamed(replace(reader, gaps=gaps))
    if callable(data):
        hint = "let the chunks have them"
        refuse_given("a callable", {**named, "sample_weight": sample_weight}, hint)
        return Streamed(replace(_of_callable(data), gaps=gaps))
    raise ValueError(
        f"data is of type {type(data).__name__}: give a path, a np.memmap, a Dask array or data "
        "frame, a lazy frame, an Arrow dataset, or a callable that returns a fresh iterator of "
        "chunks"
    )


def _of_file(
    path: Path,
    columns: list[str] | None,
    weights: str | None,
    exclude: list[str] | None,
    dialect: Dialect,
    gaps: bool,
) -> Reader:
    # PyArrow is loaded when a file is read.
    from mixtura.data.parts import frames
    from mixtura.data.tables import remarks

    refuse_no_table(path)
    read = partial(frames, path, dialect=dialect)
    said = remarks(path, dialect)
    return _of_frames(read, str(path), said, columns, weights, exclude, gaps)


def _of_frames(
    read: Callable[[list[str] | None], Iterator[Any]],
    name: str,
    said: tuple[str, ...],
    columns: list[str] | None,
    weights: str | None,
    exclude: list[str] | None,
    gaps: bool,
) -> Reader:
    """A table of which `read` makes Arrow tables, of the columns that it is given."""
    from mixtura.data.categories import Wanted
    from mixtura.data.tables import select

    # The first piece says which columns there are; the others hold no more than these.
    head = next(iter(read(None)), None)
    if head is None:
        raise TableError(f"{name}: there are no rows")
    held = Wanted(gaps=gaps)
    chosen = select(
        head, name, columns=columns, weights=weights, exclude=exclude, first=0, wanted=held
    )
    names = list(chosen.names)
    wanted = names if weights is None else [*names, weights]

    def pieces() -> Iterator[Piece]:
        done = 0
        for frame in read(wanted):
            table = select(frame, name, columns=names, weights=weights, first=done, wanted=held)
            done += frame.num_rows
            yield table.X, table.sample_weight

    return Reader(pieces, name, tuple(names), (*said, *chosen.remarks), gaps)


def refuse_no_table(path: Path) -> None:
    """TableError unless there is a folder, or a file with something in it."""
    from mixtura.data.files import refuse_unreadable

    if not path.is_dir():
        refuse_unreadable(path)


def mapped(path: StrPath) -> AnyArray:
    """An .npy file as a memory map."""
    try:
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file") from None
    except EOFError:
        raise TableError(f"{path}: the file is empty") from None
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: this is not an .npy file that can be read ({error})") from None


def _of_array(X: AnyArray, name: str, path: bool, sample_weight: Weights) -> Reader:
    from mixtura.data.parts import array_pieces, file_pieces

    file, name = name, name if path else "X"
    if X.ndim != 2 or X.dtype.kind not in "iufb":
        raise ValueError(
            f"{name}: this is an array of shape {X.shape} and type {X.dtype}: give rows of numbers"
        )
    w: Array | None = None
    if sample_weight is not None:
        w = weights_of(sample_weight)
        if w.shape != (len(X),):
            raise ValueError(f"sample_weight has the shape {w.shape}, expected ({len(X)},)")
    if path and isinstance(X, np.memmap) and X.flags.c_contiguous:
        mapped = X
        return Reader(lambda: file_pieces(file, mapped, w), name)
    return Reader(lambda: array_pieces(X, w), name, first=1 if path else 0)


def _of_callable(factory: Callable[[], Iterable[Any]]) -> Reader:
    from mixtura.data.parts import called_pieces, frame_names

    refuse_asking(factory)
    begun = factory()
    if isinstance(begun, Iterator) and factory() is begun:
        raise ValueError(
            "X: the callable returned the same iterator twice, and every pass needs a new one: "
            "return a fresh iterator, such as a generator function makes"
        )
    first = next(iter(begun), None) if isinstance(begun, Iterable) else None
    table = first[0] if isinstance(first, tuple) and len(first) == 2 else first
    return Reader(lambda: called_pieces(factory), "X", frame_names(table), first=0)


def refuse_asking(factory: Callable[..., Any]) -> None:
    """ValueError for a callable that wants arguments, of which it is given none."""
    try:
        signature(factory).bind()
    except TypeError as error:
        raise ValueError(
            f"X: the callable is called without arguments ({error}): give one that needs none, "
            "such as functools.partial(function, argument)"
        ) from None
    except ValueError:
        # Some that are written in C do not say what they want.
        return


def loaded(source: Streamed) -> Rows | Streamed:
    """The rows in memory where the table is small, else the stream itself."""
    from mixtura.data.streamed import SMALL_BYTES

    size = source.n * (source.d + 1) * source.dtype.itemsize
    return source.loaded() if size <= SMALL_BYTES and not source.apart else source
