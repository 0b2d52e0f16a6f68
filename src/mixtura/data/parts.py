"""Tables in pieces: Parquet files and folders, delimited text, memory maps, callables.

A piece has at most so many numbers that a few of them are next to nothing, and is read without
holding more of the file than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from mixtura.data.columns import is_number
from mixtura.data.delimited import not_utf8, refuse_ragged, sniff
from mixtura.data.door import refuse_masked, refuse_unfit
from mixtura.data.files import PARQUET_SUFFIXES, TEXT_SUFFIXES, refuse_equal_names, suffix
from mixtura.data.refusal import TableError
from mixtura.data.streamed import Piece
from mixtura.data.tables import refuse_inexact
from mixtura.records import AnyArray, Array

# Rows and numbers of a piece, bytes of text parsed at once.
ROWS, NUMBERS = 1 << 16, 1 << 17
BLOCK = 1 << 18
# Bytes of a Parquet file read at once, over all columns.
BUFFERS = 1 << 22


def piece_rows(columns: int) -> int:
    """Rows of a piece of a table of so many columns."""
    return int(np.clip(NUMBERS // max(columns, 1), 256, ROWS))


def frames(path: str | Path, wanted: list[str] | None) -> Iterator[pa.Table]:
    """A table file, or a folder of Parquet files in the order of their names, piece by piece.

    `wanted` are the columns to read, None for all of them. TableError if it cannot be read.
    """
    files = parquet_files(path) if Path(path).is_dir() else [Path(path)]
    for file in files:
        kind, _ = suffix(file)
        read = _parquet if kind in PARQUET_SUFFIXES else _delimited
        try:
            yield from read(file, wanted)
        except pa.ArrowException as error:
            raise TableError(f"{file}: this table cannot be read ({error})") from None
        except OSError as error:
            raise TableError(f"{file}: cannot be read ({error.strerror or error})") from None


def parquet_files(folder: str | Path) -> list[Path]:
    """The Parquet files of a folder and of those in it, by name; TableError where there is none."""
    found = [
        path
        for ending in PARQUET_SUFFIXES
        for path in Path(folder).rglob(f"*{ending}")
        # What Spark and others leave beside their tables.
        if not path.name.startswith(("_", ".")) and path.is_file()
    ]
    if not found:
        raise TableError(f"{folder}: there is no .parquet file in this folder")
    return sorted(found)


def _parquet(path: Path, wanted: list[str] | None) -> Iterator[pa.Table]:
    # Pages are decoded one by one through a small buffer: row groups may be large.
    # Without these two settings PyArrow holds on to every row group it has read.
    schema = pq.read_schema(path)
    columns = len(schema.names if wanted is None else wanted)
    buffer = max(BUFFERS // max(columns, 1), 1 << 14)
    with pq.ParquetFile(path, buffer_size=buffer, pre_buffer=False) as file:
        refuse_equal_names(schema.names, path)
        rows = piece_rows(columns)
        known = wanted if wanted is None else [c for c in wanted if c in schema.names]
        for batch in file.iter_batches(rows, columns=known, use_threads=False):
            yield pa.Table.from_batches([batch])
    pa.default_memory_pool().release_unused()


def _delimited(path: Path, wanted: list[str] | None) -> Iterator[pa.Table]:
    def convert(schema: pa.Schema) -> pacsv.ConvertOptions:
        # What the first block holds says which columns are numbers; all of these may hold any.
        types = {
            field.name: pa.float64()
            for field in schema
            if pa.types.is_null(field.type)
            or (is_number(field.type) and not pa.types.is_boolean(field.type))
        }
        chosen = None if wanted is None else [n for n in schema.names if n.strip() in wanted]
        return pacsv.ConvertOptions(column_types=types, include_columns=chosen)

    return delimited_pieces(path, convert, wanted)


def delimited_pieces(
    path: Path,
    convert: Callable[[pa.Schema], pacsv.ConvertOptions],
    exact: list[str] | None = None,
) -> Iterator[pa.Table]:
    """A text file by blocks of about BLOCK bytes, its columns as `convert` says.

    `convert` is given what the first block looks like. Of the columns `exact` that block may hold
    no integers that float64 would change.
    """
    kind, _ = suffix(path)
    dialect = sniff(path, TEXT_SUFFIXES[kind])
    options = {
        "read_options": pacsv.ReadOptions(
            column_names=None if dialect.header else list(dialect.names),
            block_size=max(BLOCK, 8 * dialect.longest),
            use_threads=False,
        ),
        # Quoted line breaks may come anywhere, and to look for them costs nothing in one thread.
        "parse_options": pacsv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
    }
    try:
        with pacsv.open_csv(path, **options) as looked_at:
            schema = looked_at.schema
            if exact is not None:
                head = pa.Table.from_batches([looked_at.read_next_batch()])
                refuse_inexact(head, path, [n for n in schema.names if n.strip() in exact])
        refuse_equal_names([name.strip() for name in schema.names], path)
        with pacsv.open_csv(path, convert_options=convert(schema), **options) as reader:
            for batch in reader:
                frame = pa.Table.from_batches([batch])
                yield frame.rename_columns([name.strip() for name in frame.column_names])
    except pa.ArrowInvalid as error:
        refuse_ragged(path, dialect)
        if "invalid UTF8" in str(error):
            raise not_utf8(path) from None
        raise


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
            refuse_masked(w, "its weights")
            weights = None if w is None else np.asarray(w, dtype=np.float64)
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
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    array = frame.to_numpy() if isinstance(frame, nw.DataFrame) else np.asarray(X)
    if array.dtype.kind not in "iufbO":
        raise ValueError(f"its type is {array.dtype}")
    return array if array.dtype == np.float32 else np.asarray(array, dtype=np.float64)


def frame_names(X: Any) -> tuple[str, ...] | None:
    """The column names of a frame; None for an array."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return tuple(map(str, frame.columns)) if isinstance(frame, nw.DataFrame) else None
