"""Delimited text -> a PyArrow table, whole or in pieces, and what is wrong with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from mixtura.data.columns import is_text
from mixtura.data.dialect import Dialect
from mixtura.data.layout import Layout, sniff
from mixtura.data.lines import LINE, Lines, not_utf8
from mixtura.data.numerals import numbers_of
from mixtura.data.refusal import TableError

# What lines that are no rows begin with.
_COMMENTS = ("#", "%", "//")
# Of a table's columns, those that are read as they are written.
AsWritten = Callable[[list[str]], Sequence[str]]
# Bytes of text that are parsed at once where all is read.
WHOLE = 1 << 20


def read_delimited(
    path: str | Path, delimiters: str, dialect: Dialect, as_written: AsWritten | None = None
) -> pa.Table:
    """Read a text file whose delimiter is one of `delimiters`; TableError if it is not one."""
    layout = sniff(path, delimiters, dialect)
    if layout.empty:
        return nothing(layout)
    text = () if as_written is None else tuple(as_written(list(layout.names)))
    try:
        frame = _read(path, layout, text)
    except pa.ArrowInvalid:
        refuse_ragged(path, layout, WHOLE)
        raise
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    if not layout.numerals.rewritten:
        return frame
    for j, name in enumerate(frame.column_names):
        if name not in text and is_text(frame.schema.field(j).type):
            read = numbers_of(frame[name], layout.numerals)
            frame = frame if read is None else frame.set_column(j, name, read)
    return frame


def nothing(layout: Layout) -> pa.Table:
    """The columns of a file without rows."""
    return pa.table([pa.nulls(0) for _ in layout.names], names=list(layout.names))


def _read(path: str | Path, layout: Layout, text: tuple[str, ...]) -> pa.Table:
    options = settings(layout, WHOLE, newlines=layout.quoted)
    if text:
        options["convert_options"].column_types = dict.fromkeys(text, pa.string())
    with layout.rows(path) as rows:
        if layout.quoted:
            return pacsv.read_csv(rows, **options)
        watched = _Watched(rows)
        try:
            frame = pacsv.read_csv(watched, **options)
        except pa.ArrowInvalid:
            if not watched.quotes:
                raise
        else:
            if not watched.quotes:
                return frame
    # Quotes further down than the head that was looked at: a line break may be inside them, and of
    # quotes that are open where a block ends PyArrow drops the rows without a word.
    return _read(path, replace(layout, quoted=True), text)


class _Watched:
    """A stream of bytes, and whether quotes were among those that were read."""

    closed = False

    def __init__(self, stream: Any):
        self.stream, self.quotes = stream, False

    def read(self, count: int = -1) -> bytes:
        """What the stream has next."""
        block: bytes = self.stream.read(count)
        self.quotes = self.quotes or b'"' in block
        return block

    def close(self) -> None:
        """Nothing: whoever opened the stream closes it."""


def settings(layout: Layout, block: int, *, newlines: bool, threads: bool = True) -> dict[str, Any]:
    """PyArrow's options for the rows of a text file, at least `block` bytes at a time."""
    return {
        "read_options": pacsv.ReadOptions(
            column_names=list(layout.names),
            # A block must hold at least one whole line.
            block_size=max(block, 8 * layout.longest),
            use_threads=threads,
        ),
        "parse_options": pacsv.ParseOptions(
            delimiter=layout.delimiter,
            newlines_in_values=newlines,
            # A line of blanks alone is no row.
            invalid_row_handler=lambda row: "error" if row.text.strip() else "skip",
        ),
        "convert_options": pacsv.ConvertOptions(decimal_point=layout.numerals.decimal),
    }


def refuse_ragged(path: str | Path, layout: Layout, block: int) -> None:
    """TableError for the first line with other fields than the first, or longer than a block."""
    expected = len(layout.names)
    with layout.rows(path) as rows:
        reader = csv.reader(_bounded(path, rows, layout, block), delimiter=layout.delimiter)
        while True:
            begin = layout.above + reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error:
                if layout.above + reader.line_num == begin:
                    return
                raise TableError(
                    f'{path}: the row of line {begin} opens a quote (") that the next '
                    f"{csv.field_size_limit():,} characters do not close: close it, or leave it out"
                ) from None
            if row is None:
                return
            if len(row) == expected or (len(row) < 2 and not "".join(row).strip()):
                continue
            number = layout.above + reader.line_num
            place = f"line {number}" if number == begin else f"the row of lines {begin} to {number}"
            mark = next((m for m in _COMMENTS if row[0].lstrip().startswith(m)), None)
            fields = f"{len(row)} field{'s' * (len(row) != 1)}"
            remedy = "mend that line"
            if mark is not None:
                remedy = f"leave out lines that begin so with --comment '{mark}'"
            elif number > begin:
                remedy = 'close the quote (") that keeps it open, or mend it'
            elif layout.delimiter == "," and len(row) == 2 * expected:
                remedy += ", or where its commas are decimal marks "
                remedy += "say --decimal ," if expected == 1 else "separate values by semicolons"
            raise TableError(
                f"{path}: {place} has {fields} where the first line has {expected}: {remedy}"
            )


def _bounded(path: str | Path, rows: Any, layout: Layout, block: int) -> Iterator[str]:
    raw = (
        rows
        if isinstance(rows, io.BufferedReader)
        else io.BufferedReader(Lines(rows, None, False, False))
    )
    number = layout.above
    most = max(block, 8 * layout.longest)
    with io.TextIOWrapper(raw, encoding="utf-8", errors="replace", newline="") as text:
        while line := text.readline(LINE):
            number += 1
            if len(line) > most:
                raise TableError(
                    f"{path}: line {number} has more than {most:,} characters: this is not a table"
                )
            yield line
