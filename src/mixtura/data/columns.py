"""The columns of a frame: what kind each is, its numbers, and how messages speak of it."""

from __future__ import annotations

import csv
import io
import shlex

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixtura.data.exact import DATES
from mixtura.records import Array

# What PyArrow reads as a number: it trims blanks, not line breaks.
_NUMBER = r"^[ \t]*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?[ \t]*$"
_DECIMAL_COMMA = r"^[ \t]*[-+]?\d+,\d+[ \t]*$"


def kind_of(frame: pa.Table, name: str) -> pa.DataType:
    kind = frame.schema.field(name).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain(frame: pa.Table, name: str) -> pa.ChunkedArray:
    return frame[name].cast(kind_of(frame, name))


def is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def floats(frame: pa.Table, name: str) -> Array:
    """A column as float64; missing values as NaN."""
    return np.asarray(plain(frame, name).cast(pa.float64(), safe=False).to_numpy())


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
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return f"holds values of type {kind}"
    text = frame[name].cast(kind)
    numbers = pc.fill_null(pc.match_substring_regex(text, _NUMBER), True)
    if pc.any(pc.and_(numbers, pc.is_valid(text))).as_py():
        row = pc.index(numbers, False).as_py()
        return f"holds text ({_quoted(text[row].as_py())}) in row {row + 1} among its numbers"
    values = pc.unique(text.drop_null())
    if pc.all(pc.match_substring_regex(values, _DECIMAL_COMMA)).as_py():
        return f"holds decimal commas ({_quoted(values[0].as_py())}; write them as points)"
    return f"holds text ({_quoted(values[0].as_py())}{', ...' if len(values) > 1 else ''})"


def as_option(names: list[str]) -> str:
    """`names` as a shell reads them back into one option: a,b or 'first name'."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return shlex.quote("" if names == [""] else line.getvalue())


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:27] + "...")
