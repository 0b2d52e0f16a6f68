"""Tables out, piece by piece: CSV, TSV and Parquet files that appear whole or not at all, stdout.

A piece is written and forgotten, so memory does not grow with the rows. Parquet wants large row
groups, so pieces are gathered up to some megabytes for it.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mixtura.data.atomic import atomic
from mixtura.data.columnar import ARROW_SUFFIXES, PARQUET_SUFFIXES
from mixtura.data.columns import is_text, listed
from mixtura.data.files import writable_suffix
from mixtura.data.refusal import TableError

# Rows of text made at once, and bytes of a Parquet row group, before compression.
_ROWS, GROUP_BYTES = 1 << 14, 1 << 23
# Takes the next rows of a table.
Put = Callable[[pa.Table], None]


def write_table(frame: pa.Table, path: str | Path) -> None:
    """Write a table, by the suffix of its name; the file appears whole or not at all."""
    with writing(path) as put:
        put(frame)


@contextmanager
def writing(path: str | Path) -> Iterator[Put]:
    """A function that takes the next rows of the table that becomes the file `path`.

    Which format is said by the suffix. The file appears when the block ends without an exception.
    TableError where it cannot be written, or where later rows have other columns than the first.
    """
    kind, compression = writable_suffix(path)
    forms = dict.fromkeys(PARQUET_SUFFIXES, _parquet) | dict.fromkeys(ARROW_SUFFIXES, _arrow)
    form = forms.get(kind, delimited)
    with ExitStack() as open_until_done, _told(path):
        part = open_until_done.enter_context(atomic(path))
        stream = open_until_done.enter_context(_output(part, compression))
        put = open_until_done.enter_context(form(stream, "\t" if kind == ".tsv" else ","))
        closing = open_until_done.pop_all()
    try:
        yield _alike(put, path)
    except BaseException:
        # The caller's error, of which nothing is to be said here.
        closing.__exit__(*sys.exc_info())
        raise
    with _told(path):
        closing.close()


@contextmanager
def _told(path: str | Path) -> Iterator[None]:
    """What goes wrong while writing, in words that name the file."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TableError(
            f"{path}: a column does not fit into a text file ({error}): write .parquet instead"
        ) from None
    except OSError as error:
        # PyArrow's own text names the temporary file.
        reason = error if error.errno is None else os.strerror(error.errno)
        raise TableError(f"{path}: cannot be written ({reason})") from None


@contextmanager
def delimited(stream: IO[bytes] | Any, delimiter: str = ",") -> Iterator[Put]:
    """Delimited text into a stream of bytes, quoting only what needs it; floats round-trip."""
    begun = False

    def put(frame: pa.Table) -> None:
        nonlocal begun
        if not begun:
            line = io.StringIO()
            csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(frame.column_names)
            stream.write(line.getvalue().encode())
            begun = True
        for start in range(0, frame.num_rows, _ROWS):
            stream.write(_lines(frame.slice(start, _ROWS), delimiter))
            stream.write(b"\n")

    yield put


@contextmanager
def delimited_alike(stream: IO[bytes] | Any, name: str) -> Iterator[Put]:
    """Comma-separated text into a stream; TableErrors call it `name`, as those of `writing` do."""
    with delimited(stream) as put:
        yield _alike(put, name)


def _lines(frame: pa.Table, delimiter: str) -> pa.Buffer:
    """The rows as one text, without the last line break."""
    fields = [_fields(column, delimiter) for column in frame.columns]
    mark = pa.scalar(delimiter, pa.large_string())
    rows = pc.binary_join_element_wise(
        *fields, mark, null_handling="replace", null_replacement=""
    ).combine_chunks()
    whole = pa.ListArray.from_arrays([0, len(rows)], rows)
    return pc.binary_join(whole, pa.scalar("\n", pa.large_string()))[0].as_buffer()


def _fields(column: pa.ChunkedArray, delimiter: str) -> pa.ChunkedArray:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind):
        raise pa.ArrowNotImplementedError(f"its values are of type {kind}")
    text = column.cast(kind).cast(pa.large_string())
    if not is_text(kind):
        return text
    special = pc.match_substring_regex(text, f'[{delimiter}"\r\n]')
    if not pc.any(special).as_py():
        return text
    mark = pa.scalar('"', pa.large_string())
    doubled = pc.replace_substring(text, '"', '""')
    quoted = pc.binary_join_element_wise(mark, doubled, mark, pa.scalar("", pa.large_string()))
    return pc.if_else(special, quoted, text)


@contextmanager
def _parquet(stream: Any, _: str) -> Iterator[Put]:
    writer: pq.ParquetWriter | None = None
    waiting: list[pa.Table] = []

    def flush() -> None:
        nonlocal writer
        if waiting:
            frame = pa.concat_tables(waiting)
            waiting.clear()
            if writer is None:
                # Hardly a measured number comes twice.
                repeated = [f.name for f in frame.schema if not pa.types.is_floating(f.type)]
                writer = pq.ParquetWriter(stream, frame.schema, use_dictionary=repeated or False)
            writer.write_table(frame)

    def put(frame: pa.Table) -> None:
        waiting.append(frame)
        if sum(part.nbytes for part in waiting) >= GROUP_BYTES:
            flush()

    try:
        yield put
        flush()
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _arrow(stream: Any, _: str) -> Iterator[Put]:
    with ExitStack() as open_until_done:
        writer: pa.RecordBatchWriter | None = None

        def put(frame: pa.Table) -> None:
            nonlocal writer
            if writer is None:
                writer = open_until_done.enter_context(pa.ipc.new_file(stream, frame.schema))
            writer.write_table(frame)

        yield put


def _output(path: str | Path, compression: str | None) -> pa.NativeFile:
    """A file to be written, whose name need not be UTF-8."""
    file = pa.OSFile(os.fsencode(path), "wb")
    return file if compression is None else pa.CompressedOutputStream(file, compression)


def _alike(put: Put, path: str | Path) -> Put:
    """`put`, for rows whose columns are those of the first ones."""
    first: pa.Schema | None = None

    def checked(frame: pa.Table) -> None:
        nonlocal first
        if first is None:
            first = frame.schema
        if frame.column_names != first.names:
            raise TableError(
                f"{path}: cannot be written: later rows have {listed(frame.column_names)}, and the "
                f"first ones {listed(first.names)}: leave out such files"
            )
        same = frame if frame.schema.equals(first) else _as_first(frame, first, path)
        with _told(path):
            put(same)

    return checked


def _as_first(frame: pa.Table, first: pa.Schema, path: str | Path) -> pa.Table:
    """The rows with columns of the first ones' types; TableError where a value has no place."""
    columns = []
    for field, column in zip(first, frame.columns, strict=True):
        try:
            one = pa.table([column], names=[field.name])
            columns.append(one.cast(pa.schema([field]))[0])
        except (ValueError, pa.ArrowNotImplementedError) as error:
            raise TableError(
                f"{path}: cannot be written: column {field.name!r} is of type {column.type} in "
                f"later rows, and of type {field.type} in the first ones, which cannot hold them "
                f"({error}): give the column one type in all files, or leave out such files"
            ) from None
    return pa.table(columns, schema=first)
