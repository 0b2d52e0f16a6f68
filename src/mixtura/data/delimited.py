"""Delimited text -> a PyArrow table, whole or in pieces, and what is wrong with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
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
        frame = _read(path, layout, layout.quoted, text)
    except pa.ArrowInvalid as error:
        refuse_ragged(path, layout, WHOLE)
        try:
            # A line break inside quotes, further down than the head that was looked at.
            frame = _read(path, layout, True, text)
        except pa.ArrowInvalid:
            raise error from None
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


def _read(path: str | Path, layout: Layout, newlines: bool, text: tuple[str, ...]) -> pa.Table:
    options = settings(layout, WHOLE, newlines=newlines)
    if text:
        options["convert_options"].column_types = dict.fromkeys(text, pa.string())
    with layout.rows(path) as rows:
        return pacsv.read_csv(rows, **options)


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
    with layout.rows(path) as rows, suppress(csv.Error):
        reader = csv.reader(_bounded(path, rows, layout, block), delimiter=layout.delimiter)
        for row in reader:
            if len(row) == expected or (len(row) < 2 and not "".join(row).strip()):
                continue
            number = layout.above + reader.line_num
            mark = next((m for m in _COMMENTS if row[0].lstrip().startswith(m)), None)
            fields = f"{len(row)} field{'s' * (len(row) != 1)}"
            remedy = "mend that line"
            if mark is not None:
                remedy = f"leave out lines that begin so with --comment '{mark}'"
            elif layout.delimiter == "," and len(row) == 2 * expected:
                remedy += ", or where its commas are decimal marks "
                remedy += "say --decimal ," if expected == 1 else "separate values by semicolons"
            raise TableError(
                f"{path}: line {number} has {fields} where the first line has {expected}: {remedy}"
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
