"""The columns of a frame: what kind each is, its numbers, and how messages speak of it."""

from __future__ import annotations

import csv
import io
import shlex

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixtura.data.exact import DATES
from mixtura.data.numerals import COMMAS, ENGLISH, KNOWN, MINUS, PLAIN, POINTS, present, stranger
from mixtura.records import Array


def kind_of(frame: pa.Table, name: str) -> pa.DataType:
    kind = frame.schema.field(name).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain(frame: pa.Table, name: str) -> pa.ChunkedArray:
    return frame[name].cast(kind_of(frame, name))


def is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def floats(frame: pa.Table, name: str) -> Array:
    """A column as float64; missing values as NaN."""
    return np.asarray(plain(frame, name).cast(pa.float64(), safe=False).to_numpy())


# Text in a column of numbers, and what to do about it.
AMONG = "among its numbers"
CELLS = "mend such cells, or empty those of missing values"


def listed(names: list[str]) -> str:
    """ "column 'a'" or "columns 'a', 'b'", at most a screenful."""
    shown = ", ".join(map(repr, names[:20]))
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"column{'s' * (len(names) > 1)} {shown}{more}"


def description(frame: pa.Table, name: str) -> str:
    """What a column holds in place of numbers, in words."""
    kind = kind_of(frame, name)
    if pa.types.is_null(kind):
        return "is empty"
    if pa.types.is_temporal(kind):
        return DATES
    if not is_text(kind):
        return f"holds values of type {kind}"
    text = present(frame[name].cast(pa.large_string()))
    if text.null_count == len(text):
        return "is empty"
    strange = spelling(text)
    if strange is not None:
        return strange
    if pc.any(pc.match_substring_regex(text, PLAIN.pattern)).as_py():
        row, found = stranger(text, PLAIN)
        odd = spelling(text.slice(row, 1))
        told = f"holds text ({quoted(found)})" if odd is None else odd
        return f"{told} in row {row + 1} {AMONG}"
    values = pc.unique(text.drop_null())
    return f"holds text ({quoted(values[0].as_py())}{', ...' if len(values) > 1 else ''})"


def spelling(text: pa.ChunkedArray) -> str | None:
    """What numbers that are not written as usual hold, and what reads them; None for others."""
    values = pc.unique(text.drop_null())
    plain = pc.match_substring_regex(values, PLAIN.pattern)
    reads = [
        each for each in KNOWN if pc.all(pc.match_substring_regex(values, each.pattern)).as_py()
    ]
    if not len(values) or not reads:
        return None
    odd = pc.index(plain, False).as_py()
    shown = quoted(values[max(odd, 0)].as_py())
    if any(mark in shown for mark in MINUS):
        return f"holds a minus sign that is not '-' ({shown})"
    if POINTS in reads:
        return f"holds numbers as text ({shown}; or decimal points beside others' decimal commas)"
    if COMMAS in reads and ENGLISH in reads:
        return (
            f"holds commas that are decimal or separate thousands ({shown}; say --decimal , or "
            "--thousands ,)"
        )
    if COMMAS in reads:
        return f"holds decimal commas ({shown}; --decimal , reads them)"
    mark = reads[0].thousands
    return f"holds separated thousands ({shown}; --thousands {shlex.quote(str(mark))} reads them)"


def as_option(names: list[str]) -> str:
    """`names` as a shell reads them back into one option: a,b or 'first name'."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return shlex.quote("" if names == [""] else line.getvalue())


def quoted(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "...")
