"""Tables in pieces: Parquet files and folders, delimited text, memory maps, callables.

A piece has at most so many numbers that a few of them are next to nothing, and is read without
holding more of the file than that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from mixtura.data import columnar
from mixtura.data.columnar import piece_rows
from mixtura.data.columns import AMONG, CELLS, is_number, is_text, quoted, spelling
from mixtura.data.delimited import refuse_ragged, settings
from mixtura.data.dialect import Dialect
from mixtura.data.door import refuse_unfit, weights_of
from mixtura.data.files import (
    AS_IT_LOOKS,
    TEXT_SUFFIXES,
    no_rows,
    read_frame,
    refuse_equal_names,
    suffix,
)
from mixtura.data.framed import framed
from mixtura.data.layout import Layout, sniff
from mixtura.data.lines import not_utf8
from mixtura.data.numerals import PLAIN, numbers_of, plain, stranger
from mixtura.data.refusal import TableError
from mixtura.data.streamed import Piece
from mixtura.data.tables import refuse_inexact
from mixtura.records import AnyArray, Array

# Bytes of text parsed at once.
BLOCK = 1 << 18
# What PyArrow says of text where a number was to be.
_INVALID = re.compile(r"CSV column #(\d+):.*invalid value '(.*)'", re.DOTALL)
# The types of the columns of a text file, given what its first block looks like.
Kinds = Callable[[pa.Schema], dict[str, pa.DataType]]


def frames(
    path: str | Path,
    wanted: list[str] | None,
    dialect: Dialect = AS_IT_LOOKS,
    text: Sequence[str] = (),
) -> Iterator[pa.Table]:
    """A table file, or a folder of Parquet files in the order of their names, piece by piece.

    `wanted` are the columns to read, None for all of them; `text` those known to hold text, however
    a text file begins. TableError if it cannot be read.
    """
    files = parquet_files(path) if Path(path).is_dir() else [Path(path)]
    for file in files:
        try:
            yield from _pieces(file, wanted, dialect, text)
        except pa.ArrowException as error:
            raise TableError(f"{file}: this table cannot be read ({error})") from None
        except OSError as error:
            raise TableError(f"{file}: cannot be read ({error.strerror or error})") from None


def _pieces(
    file: Path, wanted: list[str] | None, dialect: Dialect, text: Sequence[str]
) -> Iterator[pa.Table]:
    kind, _ = suffix(file)
    if kind in TEXT_SUFFIXES:

        def kinds(schema: pa.Schema) -> dict[str, pa.DataType]:
            known = [name for name in text if name in schema.names]
            return {**_floats(schema), **dict.fromkeys(known, pa.string())}

        yield from delimited_pieces(file, kinds, dialect, wanted)
    elif kind in columnar.NAMES:
        refuse_equal_names(columnar.names(file), file)
        yield from columnar.pieces(file, wanted)
    else:
        frame = read_frame(file, dialect)
        frame = frame if wanted is None else frame.select(wanted)
        rows = columnar.piece_rows(frame.num_columns)
        yield from (frame.slice(start, rows) for start in range(0, frame.num_rows, rows))


def parquet_files(folder: str | Path) -> list[Path]:
    """The Parquet files of a folder and of those in it, by name; TableError where there is none."""
    found = [
        path
        for ending in columnar.PARQUET_SUFFIXES
        for path in Path(folder).rglob(f"*{ending}")
        # What Spark and others leave beside their tables.
        if not path.name.startswith(("_", ".")) and path.is_file()
    ]
    if not found:
        raise TableError(f"{folder}: there is no .parquet file in this folder")
    return sorted(found)


def _floats(schema: pa.Schema) -> dict[str, pa.DataType]:
    # What the first block holds says which columns are numbers; all of these may hold any.
    return {
        field.name: pa.float64()
        for field in schema
        if pa.types.is_null(field.type)
        or (is_number(field.type) and not pa.types.is_boolean(field.type))
    }


def delimited_pieces(
    path: Path, kinds: Kinds, dialect: Dialect, exact: list[str] | None = None
) -> Iterator[pa.Table]:
    """A text file by blocks of about BLOCK bytes, its columns of the types that `kinds` says.

    Only the columns `exact` are read where these are given; the first block may hold no integers
    in them that float64 would change. Numbers in columns that are text are written as Python
    writes them.
    """
    layout = sniff(path, TEXT_SUFFIXES[suffix(path)[0]], dialect)
    refuse_equal_names(list(layout.names), path)
    if layout.empty:
        raise no_rows(path, layout.names)
    # Quoted line breaks may come anywhere, and to look for them costs nothing in one thread.
    options = settings(layout, BLOCK, newlines=True, threads=False)
    try:
        with layout.rows(path) as rows, pacsv.open_csv(rows, **options) as looked_at:
            head = pa.Table.from_batches([looked_at.read_next_batch()], looked_at.schema)
        if exact is not None:
            refuse_inexact(head, path, [name for name in head.column_names if name in exact])
        types = kinds(head.schema)
        spelled = _spelled(head, types, layout)
        options["convert_options"] = pacsv.ConvertOptions(
            column_types=types | dict.fromkeys(spelled, pa.string()),
            include_columns=None if exact is None else [n for n in layout.names if n in exact],
            decimal_point=layout.numerals.decimal,
            # Not even a missing value is told from the text NA.
            strings_can_be_null=False,
        )
        with layout.rows(path) as rows, pacsv.open_csv(rows, **options) as reader:
            done = 0
            for batch in reader:
                yield _read(pa.Table.from_batches([batch]), layout, spelled, path, done)
                done += batch.num_rows
    except pa.ArrowInvalid as error:
        refuse_ragged(path, layout, BLOCK)
        if "invalid UTF8" in str(error):
            raise not_utf8(path) from None
        misread = _INVALID.search(str(error))
        if misread:
            name, value = layout.names[int(misread[1])], misread[2]
            row = _row_of(path, layout, name, value)
            raise _among_numbers(path, name, value, row) from None
        raise


def _row_of(path: Path, layout: Layout, name: str, value: str) -> int | None:
    """In which row, from 1 on, a column has that text first: the file is read once more."""
    options, done = settings(layout, BLOCK, newlines=True, threads=False), 0
    options["convert_options"] = pacsv.ConvertOptions(
        column_types={name: pa.string()}, include_columns=[name]
    )
    with layout.rows(path) as rows, pacsv.open_csv(rows, **options) as reader:
        for batch in reader:
            place = pc.index(batch.column(0), value).as_py()
            if place >= 0:
                return int(done + place + 1)
            done += batch.num_rows
    return None


def _among_numbers(path: Path, name: str, value: str, row: int | None) -> TableError:
    """The refusal of text in a column whose first values are numbers."""
    found = spelling(pa.chunked_array([[value]])) or f"holds text ({quoted(value)})"
    where = "" if row is None else f" in row {row}"
    return TableError(f"{path}: column {name!r} {found}{where} {AMONG}: {CELLS}")


def _spelled(head: pa.Table, types: dict[str, pa.DataType], layout: Layout) -> set[str]:
    """The columns of numbers that PyArrow cannot read as they are written."""
    if not layout.numerals.rewritten:
        return set()
    found = set()
    for name in head.column_names:
        kind = types.get(name, head.schema.field(name).type)
        text = is_text(kind) and name not in types
        number = is_number(kind) and not pa.types.is_boolean(kind)
        if number or (text and numbers_of(head[name], layout.numerals) is not None):
            found.add(name)
    return found


def _read(frame: pa.Table, layout: Layout, spelled: set[str], path: Path, done: int) -> pa.Table:
    """A piece, `done` rows into the table, with the numbers of the columns `spelled`; other numbers
    in text as usual."""
    if layout.numerals == PLAIN:
        return frame
    for j, field in enumerate(frame.schema):
        if not is_text(field.type):
            continue
        if field.name not in spelled:
            frame = frame.set_column(j, field.name, plain(frame[j], layout.numerals))
            continue
        numbers = numbers_of(frame[j], layout.numerals)
        if numbers is None:
            place, value = stranger(frame[j], layout.numerals)
            raise _among_numbers(path, field.name, value, done + place + 1)
        frame = frame.set_column(j, field.name, numbers)
    return frame


def array_pieces(X: AnyArray, sample_weight: Array | None) -> Iterator[Piece]:
    """Views of an array, of a memory map above all."""
    rows = piece_rows(X.shape[1])
    for start in range(0, len(X), rows):
        where = slice(start, start + rows)
        yield as_floats(X[where]), None if sample_weight is None else sample_weight[where]


def file_pieces(
    path: str | Path, mapped: np.memmap[Any, Any], sample_weight: Array | None
) -> Iterator[Piece]:
    """The rows of an .npy file, read and not mapped: nothing of it stays with this process."""
    columns = mapped.shape[1]
    rows = piece_rows(columns)
    with open(path, "rb", buffering=0) as file:
        file.seek(mapped.offset)
        for start in range(0, len(mapped), rows):
            count = min(rows, len(mapped) - start) * columns
            X = np.fromfile(file, mapped.dtype, count).reshape(-1, columns)
            where = slice(start, start + len(X))
            yield as_floats(X), None if sample_weight is None else sample_weight[where]


def called_pieces(factory: Callable[[], Iterable[Any]]) -> Iterator[Piece]:
    """What a callable's iterator yields: tables, or pairs of a table and its weights."""
    names: tuple[str, ...] | None = None
    for number, chunk in enumerate(_begun(factory), 1):
        pair = isinstance(chunk, tuple) and len(chunk) == 2
        X, w = chunk if pair else (chunk, None)
        try:
            here, numbers = frame_names(X), as_floats(X)
            weights = None if w is None else weights_of(w, "its weights")
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"X: chunk {number} cannot be read as rows of numbers ({error}): give arrays, data "
                "frames, or pairs (rows, weights)"
            ) from None
        if number == 1:
            names = here
        elif here != names:
            raise ValueError(
                f"X: chunk {number} has {_called(here)}, and the first one {_called(names)}: give "
                "every chunk the same columns in the same order"
            )
        yield numbers, weights


def _begun(factory: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    found = factory()
    if not isinstance(found, Iterable):
        raise ValueError(
            f"X: the callable returned {type(found).__name__}: it must return a fresh iterator of "
            "chunks each time"
        )
    return iter(found)


def _called(names: tuple[str, ...] | None) -> str:
    return "no column names" if names is None else f"the columns {', '.join(names)}"


def as_floats(X: Any) -> AnyArray:
    """An array or a frame as numbers, float32 where it is that; ValueError for inexact integers."""
    refuse_unfit(X)
    frame = framed(X)
    array = np.asarray(X) if frame is None else frame.to_numpy()
    if array.dtype.kind not in "iufbO":
        raise ValueError(f"its type is {array.dtype}")
    return array if array.dtype == np.float32 else np.asarray(array, dtype=np.float64)


def frame_names(X: Any) -> tuple[str, ...] | None:
    """The column names of a frame; None for an array."""
    frame = framed(X)
    return None if frame is None else tuple(map(str, frame.columns))
