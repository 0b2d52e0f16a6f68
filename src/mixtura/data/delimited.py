"""Delimited text -> a PyArrow table: which delimiter, whether there is a header, what is wrong."""

from __future__ import annotations

import csv
import gzip
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.csv as pacsv

from mixtura.data.refusal import TableError

# Enough to see the header and some rows; a longer first line is read to its end.
HEAD = 1 << 16
LINES = 20
MISSING = {"", "na", "n/a", "nan", "null", "none"}


@dataclass(frozen=True)
class Dialect:
    """How a text file is laid out; `names` are x1..xd when the first line is data."""

    delimiter: str
    names: tuple[str, ...]
    header: bool
    quoted: bool
    longest: int


def read_delimited(path: str | Path, delimiters: str) -> pa.Table:
    """Read a text file whose delimiter is one of `delimiters`; TableError if it is not one."""
    dialect = sniff(path, delimiters)
    try:
        frame = _read(path, dialect, newlines=dialect.quoted)
    except pa.ArrowInvalid as error:
        refuse_ragged(path, dialect)
        try:
            # A line break inside quotes, further down than the head that was looked at.
            frame = _read(path, dialect, newlines=True)
        except pa.ArrowInvalid:
            raise error from None
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    return frame.rename_columns([name.strip() for name in frame.column_names])


def _read(path: str | Path, dialect: Dialect, newlines: bool) -> pa.Table:
    # A block must hold at least one whole line.
    block = max(1 << 20, 8 * dialect.longest)
    names = None if dialect.header else list(dialect.names)
    return pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(column_names=names, block_size=block),
        parse_options=pacsv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=newlines),
    )


def sniff(path: str | Path, delimiters: str) -> Dialect:
    """The layout of a text file, from its first lines."""
    head = _head(path)
    lines = [line for line in head.splitlines() if line.strip()][:LINES]
    if not lines:
        raise TableError(f"{path}: the file holds nothing but blank lines")
    delimiter = _delimiter(lines, delimiters)
    if delimiter not in lines[0] and _is_numbers(lines[-1].split()) and " " in lines[-1].strip():
        raise TableError(
            f"{path}: the values are separated by spaces: separate them by commas, semicolons "
            "or tabs"
        )
    first = next(row for row in csv.reader(head.splitlines(), delimiter=delimiter) if row)
    header = not _is_numbers(first)
    names = tuple(first if header else (f"x{j + 1}" for j in range(len(first))))
    return Dialect(delimiter, names, header, '"' in head, max(map(len, lines)))


def _head(path: str | Path) -> str:
    with pa.input_stream(str(path), compression="detect") as stream:
        data = stream.read(HEAD)
        while b"\n" not in data and (more := stream.read(16 * HEAD)):
            data += more
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError(f"{path}: this is UTF-16 text: save the file as UTF-8")
    if b"\0" in data:
        raise TableError(f"{path}: this is not a text file (it holds zero bytes)")
    if data.lstrip().startswith(b"{"):
        what = "a mixtura model" if b"mixtura-model" in data else "a JSON file"
        raise TableError(f"{path}: this is {what}, not a table")
    # The last line may be cut within a character or a field.
    whole = data[: data.rfind(b"\n")] if len(data) >= HEAD else data
    try:
        return str(whole.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise not_utf8(path) from None


def _delimiter(lines: list[str], delimiters: str) -> str:
    """The delimiter that cuts all lines into equally many fields, else the commonest one.

    Tab and semicolon are asked before the comma, which may be a decimal comma.
    """
    counts = {mark: _counts(lines, mark) for mark in delimiters}
    for mark in sorted(delimiters, key="\t;,".index):
        if min(counts[mark]) == max(counts[mark]) > 0:
            return mark
    return max(delimiters, key=lambda mark: counts[mark][0])


def _counts(lines: list[str], delimiter: str) -> list[int]:
    """How often the delimiter cuts each line."""
    try:
        return [len(row) - 1 for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        # A field beyond the reader's limit: not the delimiter.
        return [0]


def _is_numbers(fields: list[str]) -> bool:
    """Whether every field is a number or missing, and at least one is a number."""
    present = [f for f in (field.strip().lower() for field in fields) if f not in MISSING]
    try:
        # Python's float() alone would take 1_000 for a number.
        return bool(present) and all("_" not in f and float(f) is not None for f in present)
    except ValueError:
        return False


def refuse_ragged(path: str | Path, dialect: Dialect) -> None:
    """TableError for the first line with another number of fields than the first."""
    expected = len(dialect.names)
    with _open(path) as file, suppress(csv.Error):
        reader = csv.reader(file, delimiter=dialect.delimiter)
        for row in reader:
            if row and len(row) != expected:
                fields = f"{len(row)} field{'s' * (len(row) != 1)}"
                raise TableError(
                    f"{path}: line {reader.line_num} has {fields} where the first line has "
                    f"{expected}: mend that line"
                )


def _open(path: str | Path) -> TextIO:
    if str(path).lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return open(path, encoding="utf-8-sig", errors="replace", newline="")


def not_utf8(path: str | Path) -> TableError:
    """The refusal of text in another encoding."""
    return TableError(f"{path}: the text is not UTF-8: save the file as UTF-8")
