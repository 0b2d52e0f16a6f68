"""Whole tables in pieces: the numbers to be looked at, and all columns, to be written again.

From text into text every column is passed on as it is written there: numbers keep their digits,
codes such as 007 their zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mixtura.data.files import PARQUET_SUFFIXES, suffix
from mixtura.data.opening import mapped, refuse_no_table
from mixtura.data.parts import array_pieces, delimited_pieces, file_pieces, frames, parquet_files
from mixtura.data.refusal import TableError
from mixtura.data.tables import Table, select

# Bytes of text that are looked at to guess how many rows a file has.
_LOOKED_AT = 1 << 20
# The names of the data columns, given the first piece of the table.
Choose = Callable[[pa.Table], list[str]]


def kept_pieces(
    path: Path,
    choose: Choose,
    weights: str | None = None,
    *,
    whole: bool = True,
    as_text: bool = False,
) -> Iterator[Table]:
    """A table of any size, piece by piece: the chosen numbers, and in `frame` all columns.

    A .csv, .tsv, .txt (also .gz), .parquet or .npy file or a folder of .parquet files. `as_text`
    leaves the columns of `frame` as a text file has them; not `whole` has the numbers alone there.
    TableError where it cannot be read.
    """
    refuse_no_table(path)
    done, names = 0, None
    for numbers, frame in _pairs(path, weights, choose, whole, as_text):
        names = choose(numbers) if names is None else names
        table = select(numbers, path, columns=names, weights=weights, first=done)
        yield Table(table.X, table.names, table.sample_weight, frame)
        done += frame.num_rows
    if names is None:
        raise TableError(f"{path}: there are no rows")


def _pairs(
    path: Path, weights: str | None, choose: Choose, whole: bool, as_text: bool
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """(the columns that are looked at, all columns) of the same rows."""
    if path.suffix.lower() == ".npy":
        for frame in _array_frames(path):
            yield frame, frame
        return
    columnar = path.is_dir() or suffix(path)[0] in PARQUET_SUFFIXES
    if columnar and whole:
        for frame in frames(path, None):
            yield frame, frame
        return
    head = next(iter(frames(path, None)), None)
    if head is None:
        return
    names = choose(head)
    wanted = names if weights is None else [*names, weights]
    if not whole:
        for frame in frames(path, wanted):
            yield frame, frame
        return
    # Both readings are cut into the same pieces, since these are cut by bytes.
    pieces = zip(frames(path, wanted), _as_written(path, as_text), strict=True)
    for numbers, frame in pieces:
        yield numbers, frame


def _as_written(path: Path, as_text: bool) -> Iterator[pa.Table]:
    """Every column of a text file, as text or as what its first rows look like."""
    try:
        yield from delimited_pieces(path, lambda schema: _kinds(schema, as_text))
    except pa.ArrowException as error:
        what = f"this table cannot be read ({error})"
        hint = "" if as_text else ": write .csv, whose columns may hold anything"
        raise TableError(f"{path}: {what}{hint}") from None


def _kinds(schema: pa.Schema, as_text: bool) -> pacsv.ConvertOptions:
    if not as_text:
        return pacsv.ConvertOptions(
            column_types={
                field.name: pa.string() for field in schema if pa.types.is_null(field.type)
            }
        )
    # Not even a missing value is told from the text NA.
    return pacsv.ConvertOptions(
        column_types={field.name: pa.string() for field in schema}, strings_can_be_null=False
    )


def _array_frames(path: Path) -> Iterator[pa.Table]:
    X = mapped(path)
    if X.ndim != 2 or X.dtype.kind not in "iufb":
        raise TableError(
            f"{path}: this is an array of shape {X.shape} and type {X.dtype}: give rows of numbers"
        )
    read = array_pieces(X, None)
    if isinstance(X, np.memmap) and X.flags.c_contiguous:
        read = file_pieces(path, X, None)
    for rows, _ in read:
        yield pa.table({f"x{j + 1}": np.ascontiguousarray(x) for j, x in enumerate(rows.T)})


def about_rows(path: Path) -> int:
    """How many rows a table has: known, or for text guessed from the length of its first lines."""
    if path.suffix.lower() == ".npy":
        return len(mapped(path))
    if path.is_dir() or suffix(path)[0] in PARQUET_SUFFIXES:
        files = parquet_files(path) if path.is_dir() else [path]
        return sum(int(pq.read_metadata(file).num_rows) for file in files)
    with pa.OSFile(str(path)) as file:
        packed = suffix(path)[1]
        stream = file if packed is None else pa.CompressedInputStream(file, packed)
        lines = stream.read(_LOOKED_AT).count(b"\n")
        return max(1, int(lines * file.size() / max(1, file.tell())))
