"""The layout of a text file, found by looking at its first lines: delimiter, names, numerals."""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixtura.data.dialect import Dialect
from mixtura.data.lines import Lines, head, mended, opened
from mixtura.data.numerals import MISSING, Numerals, all_numerals, is_numeral, seen
from mixtura.data.refusal import TableError

# The lines by which a delimiter is chosen.
LINES = 20
_FIELD = re.compile(r'"[^"]*"|\S+')
# Such a mark outside quotes says that blanks are not what separates.
_MARKED = re.compile(r"[^\"].*[|;]|[|;]")
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """How a text file is laid out; `names` are x1..xd when the first line is data.

    Rows begin after `skip` bytes, which are `above` lines. `spaced` values are separated by any
    blanks, and PyArrow is given tabs for them. `comment` begins lines that are left out. `remarks`
    say what was understood that may have been meant otherwise.
    """

    delimiter: str
    names: tuple[str, ...]
    skip: int
    above: int
    spaced: bool
    comment: str | None
    numerals: Numerals
    quoted: bool
    longest: int
    empty: bool
    remarks: tuple[str, ...]

    def rows(self, path: str | Path) -> Any:
        """The bytes of the rows, without header, as PyArrow reads them."""
        stream = opened(path)
        stream.read(self.skip)
        lone = len(self.names) == 1
        if self.comment is None and not self.spaced and not lone:
            return stream
        return io.BufferedReader(Lines(stream, self.comment, self.spaced, lone))


def sniff(path: str | Path, delimiters: str, dialect: Dialect) -> Layout:
    """The layout of a text file whose delimiter is one of `delimiters`, or as `dialect` says."""
    raw, mark, whole = head(path)
    lines = [line.decode() for line in raw]
    begin, sep, said = _beginning(path, lines, dialect)
    body = [i for i in range(begin, len(lines)) if _counts_as_line(lines[i], dialect.comment)]
    if not body:
        raise TableError(f"{path}: the file holds nothing but blank lines")
    first = [lines[i].strip("\r\n") for i in body[:LINES]]
    delimiter = dialect.sep or sep or _delimiter(first, delimiters, dialect)
    spaced = delimiter == " "
    if spaced:
        if dialect.sep is None:
            said.append(f"the values in {path} are separated by blanks")
        lines = [mended(line.encode(), None, True, False).decode() for line in lines]
        delimiter = "\t"
    table = [lines[i] for i in body]
    top, used, rows = _parsed(path, table, delimiter, whole)
    names = _named_by_comment(lines[:begin], top, delimiter, spaced, dialect.comment or "#")
    if names:
        said.append(f"the column names of {path} are those of its last comment line")
        used, rows = 0, [top, *rows]
    elif not dialect.headless and not all_numerals(top):
        names = _with_row_names(top, rows, table[used:], delimiter, spaced)
    else:
        names = [f"x{j + 1}" for j in range(len(top))]
        used, rows = 0, [top, *rows]
        said.append(
            f"no header found in {path}, so its columns are called x1, x2, ...: put names in the "
            "first line"
        )
    above = body[used - 1] + 1 if used else body[0]
    columns = list(zip(*(row for row in rows if len(row) == len(names)), strict=True))
    numerals = seen(columns, dialect)
    return Layout(
        delimiter=delimiter,
        names=tuple(name.strip() for name in names),
        skip=mark + sum(map(len, raw[:above])),
        above=above,
        spaced=spaced,
        comment=dialect.comment,
        numerals=numerals,
        quoted=any('"' in line for line in lines),
        longest=max(map(len, raw)),
        empty=whole and not rows,
        remarks=(*said, *_spelled(path, numerals, dialect)),
    )


def _parsed(
    path: str | Path, lines: list[str], delimiter: str, whole: bool
) -> tuple[list[str], int, list[list[str]]]:
    """(the fields of the first row, how many lines it takes, those of the other rows)."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        top = next(row for row in reader if row)
        used = reader.line_num
        rows = [row for row in reader if row]
    except csv.Error:
        raise TableError(
            f"{path}: this is not a table (a field of its first lines has more than "
            f"{csv.field_size_limit():,} characters)"
        ) from None
    # The last one may be cut within a quoted line break.
    return top, used, rows if whole else rows[:-1]


def _beginning(
    path: str | Path, lines: list[str], dialect: Dialect
) -> tuple[int, str | None, list[str]]:
    """(first line that is no comment, the delimiter of a line such as sep=;, what to say)."""
    filled = [i for i, line in enumerate(lines) if line.strip()]
    sep, said, begin = None, [], 0
    if filled and (match := _SEP.fullmatch(lines[filled[0]].strip("\r\n"))):
        sep, begin = match[1], filled[0] + 1
        if dialect.sep is None:
            said.append(f"the first line of {path} says that {sep!r} separates its values")
    mark = dialect.comment or "#"
    after = [i for i in filled if i >= begin and not lines[i].lstrip().startswith(mark)]
    comments = [i for i in filled if begin <= i < (after[0] if after else 0)]
    if not comments:
        return begin, sep, said
    if dialect.comment is None:
        count = f"{len(comments)} comment line{'s' * (len(comments) != 1)}"
        said.append(f"{count} above the table in {path} left out, which begin with '#'")
    return after[0], sep, said


def _counts_as_line(line: str, comment: str | None) -> bool:
    text = line.strip()
    return bool(text) and not (comment is not None and text.startswith(comment))


def _spelled(path: str | Path, numerals: Numerals, dialect: Dialect) -> list[str]:
    """What is said of numbers that are not written as usual."""
    said = []
    if numerals.decimal != "." and dialect.decimal is None:
        said.append("commas are decimal marks")
    if numerals.thousands is not None and dialect.thousands is None:
        said.append(f"{numerals.thousands!r} separates thousands")
    if numerals.minus:
        said.append("typeset minus signs are minus signs")
    return [f"in the numbers of {path} {' and '.join(said)}"] if said else []


def _named_by_comment(
    above: list[str], top: list[str], delimiter: str, spaced: bool, mark: str
) -> list[str]:
    """The names in a last comment line, where the line below it is a row of as many fields."""
    filled = [line for line in above if line.strip()]
    if not filled or not filled[-1].lstrip().startswith(mark) or not any(map(_number, top)):
        return []
    line = filled[-1].strip().lstrip(mark).strip()
    names = next(csv.reader([line], delimiter=delimiter), []) if not spaced else line.split()
    as_many = len(names) == len(top) > 1
    return names if as_many and not any(map(_number, names)) else []


def _number(field: str) -> bool:
    return field.strip().lower() not in MISSING and is_numeral(field)


def _with_row_names(
    top: list[str], rows: list[list[str]], lines: list[str], delimiter: str, spaced: bool
) -> list[str]:
    """The names, with an empty one before them where R left out that of the row names."""
    longer = bool(rows) and all(len(row) == len(top) + 1 for row in rows)
    if not longer or not any(row[-1] for row in rows):
        return top
    name = re.compile(rf'\s*"[^"]*"{re.escape(delimiter)}')
    return ["", *top] if spaced or all(map(name.match, lines)) else top


def _delimiter(lines: list[str], delimiters: str, dialect: Dialect) -> str:
    """The delimiter that cuts all lines into equally many fields, else the commonest one.

    Tab and semicolon are asked before the comma, which may be a decimal comma; bars and blanks come
    last.
    """
    if dialect.decimal == "," and not _cut_by_commas(lines):
        delimiters = delimiters.replace(",", "")
    counts = {mark: _counts(lines, mark) for mark in delimiters}
    blanks = len(delimiters) > 1 and _is_spaced(lines)
    for mark in sorted(delimiters, key="\t;,|".index):
        if min(counts[mark]) == max(counts[mark]) > 0:
            return " " if mark == "," and blanks and _commas_inside(lines) else mark
    if blanks:
        return " "
    return max(delimiters, key=lambda mark: counts[mark][0])


def _cut_by_commas(lines: list[str]) -> bool:
    """Whether commas may be delimiters although they are decimal marks."""
    with suppress(csv.Error):
        rows = list(csv.reader(lines))
        quoted = any("," in field for row in rows for field in row)
        even = len({len(row) for row in rows}) == 1
        return quoted or (even and not all_numerals(rows[0]))
    return False


def _is_spaced(lines: list[str]) -> bool:
    """Whether blanks cut all lines alike, into names (or one fewer: row names) and numbers."""
    rows = [_FIELD.findall(line) for line in lines]
    size = len(rows[-1])
    return (
        size > 1
        and not any(_MARKED.match(field) for row in rows for field in row)
        and all(len(row) == size for row in rows[1:])
        and len(rows[0]) in (size, size - 1)
        and (len(rows) > 1 or len(rows[0]) == size)
        and any(map(_number, rows[-1]))
        and (len(rows) > 1 or all_numerals(rows[0]))
    )


def _commas_inside(lines: list[str]) -> bool:
    """Whether commas lie within the numbers that blanks separate, and do not separate them."""
    rows = [_FIELD.findall(line) for line in lines[1:] or lines]
    return all(all(map(is_numeral, row)) for row in rows) and any(
        " " in part.strip() for line in lines[-1:] for part in line.split(",")
    )


def _counts(lines: list[str], delimiter: str) -> list[int]:
    """How often the delimiter cuts each line."""
    try:
        return [len(row) - 1 for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        # A field beyond the reader's limit: not the delimiter.
        return [0]
