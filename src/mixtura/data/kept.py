"""Whole tables in pieces: the numbers to be looked at, and all columns, to be written again.

From text into text every column is passed on as it is written there: numbers keep their digits,
codes such as 007 their zeros.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from mixtura.data import columnar
from mixtura.data.categories import NUMBERS, Wanted
from mixtura.data.columns import AMONG
from mixtura.data.dialect import Dialect
from mixtura.data.files import AS_IT_LOOKS, TEXT_SUFFIXES, read_frame, suffix
from mixtura.data.opening import mapped, refuse_no_table
from mixtura.data.parts import array_pieces, delimited_pieces, file_pieces, frames, parquet_files
from mixtura.data.refusal import TableError
from mixtura.data.tables import Table, select
from mixtura.data.workbook import WORKBOOK_SUFFIXES

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
    dialect: Dialect = AS_IT_LOOKS,
    wanted: Wanted = NUMBERS,
) -> Iterator[Table]:
    """A table of any size, piece by piece: the chosen numbers, and in `frame` all columns.

    What `mixtura.stream` opens by its path; `dialect` says how text is written. `as_text`
    leaves the columns of `frame` as a text file has them; not `whole` has the numbers alone there.
    `wanted` says what may be there beside numbers. TableError where it cannot be read.
    """
    refuse_no_table(path)
    done, beside = 0, [] if weights is None else [weights]
    names: list[str] = []

    def chosen(head: pa.Table) -> list[str]:
        names.extend(choose(head))
        return names

    for numbers, frame in pairs(
        path, chosen, beside, whole=whole, as_text=as_text, dialect=dialect, wanted=wanted
    ):
        table = select(numbers, path, columns=names, weights=weights, first=done, wanted=wanted)
        yield Table(table.X, table.names, table.sample_weight, frame)
        done += frame.num_rows
    if not names:
        raise TableError(f"{path}: there are no rows")


def pairs(
    path: Path,
    choose: Choose,
    beside: list[str],
    text: Sequence[str] = (),
    *,
    whole: bool = True,
    as_text: bool = False,
    dialect: Dialect = AS_IT_LOOKS,
    wanted: Wanted = NUMBERS,
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """(the columns that are looked at, all columns) of the same rows, as in `kept_pieces`.

    Looked at are those that `choose` names and those `beside`; `text` are read as it.
    """
    array = path.suffix.lower() == ".npy"
    written = not (array or path.is_dir()) and suffix(path)[0] in TEXT_SUFFIXES
    if array or (whole and not written):
        found = _array_frames(path) if array else frames(path, None, dialect)
        for i, frame in enumerate(found):
            if i == 0:
                choose(frame)
            yield frame, frame
        return
    head = next(iter(frames(path, None, dialect)), None)
    if head is None:
        return
    names = choose(head)
    looked_at, told = [*names, *beside], [*wanted.text(names), *text]
    if not whole:
        for frame in frames(path, looked_at, dialect, told):
            yield frame, frame
        return
    # Both readings are cut into the same pieces, since these are cut by bytes.
    pieces = zip(
        frames(path, looked_at, dialect, told), _as_written(path, as_text, dialect), strict=True
    )
    for numbers, frame in pieces:
        yield numbers, frame


def _as_written(path: Path, as_text: bool, dialect: Dialect) -> Iterator[pa.Table]:
    """Every column of a text file, as text or as what its first rows look like."""
    try:
        yield from delimited_pieces(path, lambda schema: _kinds(schema, as_text), dialect)
    except pa.ArrowException as error:
        raise TableError(f"{path}: this table cannot be read ({error})") from None
    except TableError as error:
        # Text in a column of numbers, which no column of the result could hold.
        found, among, _ = str(error).partition(AMONG)
        if as_text or not among:
            raise
        raise TableError(f"{found}{AMONG}: write .csv, whose columns may hold anything") from None


def _kinds(schema: pa.Schema, as_text: bool) -> dict[str, pa.DataType]:
    text = [field.name for field in schema if as_text or pa.types.is_null(field.type)]
    return dict.fromkeys(text, pa.string())


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
    if path.is_dir() or suffix(path)[0] in columnar.NAMES:
        return sum(map(_counted, parquet_files(path) if path.is_dir() else [path]))
    if suffix(path)[0] in WORKBOOK_SUFFIXES:
        return int(read_frame(path).num_rows)
    with pa.OSFile(os.fsencode(path)) as file:
        packed = suffix(path)[1]
        stream = file if packed is None else pa.CompressedInputStream(file, packed)
        lines = stream.read(_LOOKED_AT).count(b"\n")
        return max(1, int(lines * file.size() / max(1, file.tell())))


def _counted(file: Path) -> int:
    try:
        return columnar.count(file)
    except pa.ArrowException as error:
        raise TableError(f"{file}: this table cannot be read ({error})") from None
