"""Numbers as people write them: decimal commas, separated thousands, typeset minus signs.

A file has one convention. It is seen in its first lines where only one reads all their numbers; a
column that two conventions read differently is left as text, which messages then explain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from mixtura.data.dialect import APOSTROPHES, BLANKS, Dialect

MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none")
_NEUTRAL = {*MISSING, "inf", "-inf", "+inf", "infinity", "-infinity"}
MINUS = "\u2212\u2013\ufe63\uff0d"
# What is not in a number as Python writes it.
_ODD = re.compile(rf"[0-9][,{BLANKS}{APOSTROPHES}][0-9]|[{MINUS}]|\.[0-9]{{3}}\.")


@dataclass(frozen=True)
class Numerals:
    """How numbers are written: the decimal mark, what separates thousands, typeset minus signs."""

    decimal: str = "."
    thousands: str | None = None
    minus: bool = False

    @property
    def rewritten(self) -> bool:
        """Whether PyArrow has to be given other text."""
        return self.thousands is not None or self.minus

    @property
    def pattern(self) -> str:
        """A regular expression of such numbers, for Python and for PyArrow."""
        mark = re.escape(self.decimal)
        whole = "[0-9]+"
        if self.thousands is not None:
            whole = f"(?:{whole}|[1-9][0-9]{{0,2}}(?:{_class(self.thousands)}[0-9]{{3}})+)"
        number = rf"(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][-+]?[0-9]+)?"
        sign = f"[-+{MINUS}]?" if self.minus else "[-+]?"
        return rf"^[ \t]*{sign}{number}[ \t]*$"


# As Python writes them.
PLAIN = Numerals()
POINTS, COMMAS = Numerals(".", None, True), Numerals(",", None, True)
ENGLISH, GERMAN = Numerals(".", ",", True), Numerals(",", ".", True)
# What looks like a number to someone; the simpler first.
KNOWN = (
    POINTS,
    COMMAS,
    ENGLISH,
    GERMAN,
    *(Numerals(decimal, mark, True) for mark in (BLANKS[0], APOSTROPHES[0]) for decimal in ".,"),
)


def _class(thousands: str) -> str:
    for alike in (BLANKS, APOSTROPHES):
        if thousands in alike:
            return f"[{alike}]"
    return re.escape(thousands)


@cache
def _compiled(numerals: Numerals) -> re.Pattern[str]:
    return re.compile(numerals.pattern)


def is_numeral(field: str) -> bool:
    """Whether a field is a number in some convention."""
    return field.strip().lower() in _NEUTRAL - set(MISSING) or any(
        _compiled(each).match(field) for each in KNOWN
    )


def all_numerals(fields: Sequence[str]) -> bool:
    """Whether every field is a number or missing, and at least one is a number."""
    present = [field for field in fields if field.strip().lower() not in MISSING]
    return bool(present) and all(map(is_numeral, present))


def seen(columns: Sequence[Sequence[str]], dialect: Dialect) -> Numerals:
    """The one convention that reads all numbers of the columns, or what is said, or plain."""
    point = "," if dialect.thousands == "." else "."
    said = Numerals(dialect.decimal or point, dialect.thousands)
    if not any(_ODD.search(field) for fields in columns for field in fields):
        return said
    asked = [
        each
        for each in (*KNOWN, replace(said, minus=True))
        if dialect.decimal in (None, each.decimal) and dialect.thousands in (None, each.thousands)
    ]
    left, numbers = asked, set()
    for fields in columns:
        present = {field.strip() for field in fields if field.strip().lower() not in _NEUTRAL}
        here = [each for each in left if all(map(_compiled(each).match, present))]
        if present and any(all(map(_compiled(each).match, present)) for each in asked):
            left = here
            numbers |= present
    minus = any(mark in field for field in numbers for mark in MINUS)
    found = _decided(left, numbers, dialect) or said
    return Numerals(found.decimal, found.thousands, minus)


def _decided(left: list[Numerals], numbers: set[str], dialect: Dialect) -> Numerals | None:
    """The simplest of the conventions that are left; None where two read the numbers apart."""
    if not left or not numbers:
        return None
    if POINTS in left:
        return POINTS
    if ENGLISH in left and (COMMAS in left or GERMAN in left):
        return None
    # 1.234 is a number without any thousands too.
    proof = re.compile(r"\.[0-9]{3}[.,]")
    unsaid = dialect.thousands is None and left[0] == GERMAN
    return None if unsaid and not any(map(proof.search, numbers)) else left[0]


def plain(text: pa.ChunkedArray, numerals: Numerals) -> pa.ChunkedArray:
    """Text whose numbers are written as Python writes them; all else is as it was."""
    numbers = pc.fill_null(pc.match_substring_regex(text, numerals.pattern), False)
    out = text
    if numerals.thousands is not None:
        out = pc.replace_substring_regex(out, _class(numerals.thousands), "")
    if numerals.decimal != ".":
        out = pc.replace_substring(out, numerals.decimal, ".")
    if numerals.minus:
        out = pc.replace_substring_regex(out, f"[{MINUS}]", "-")
    return pc.if_else(numbers, out, text)


def numbers_of(text: pa.ChunkedArray, numerals: Numerals) -> pa.ChunkedArray | None:
    """A text column as float64, missing values as null; None where it holds other text."""
    rewritten, readable = _rewritten(text, numerals)
    return rewritten.cast(pa.float64()) if pc.all(readable, min_count=0).as_py() else None


def present(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without the blanks around its text, missing values as null."""
    trimmed = pc.utf8_trim_whitespace(text)
    missing = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(MISSING, trimmed.type))
    return pc.if_else(missing, pa.scalar(None, trimmed.type), trimmed)


def stranger(text: pa.ChunkedArray, numerals: Numerals) -> tuple[int, str]:
    """The place of the first text in a column that keeps `numbers_of` from reading it, and it."""
    rewritten, readable = _rewritten(text, numerals)
    place = int(pc.index(readable, False).as_py())
    return place, str(rewritten[place].as_py())


def _rewritten(
    text: pa.ChunkedArray, numerals: Numerals
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """A column written as Python writes numbers, missing values null; which values are numbers."""
    rewritten = plain(present(text), numerals)
    readable = pc.match_substring_regex(rewritten, PLAIN.pattern)
    endless = pc.is_in(pc.utf8_lower(rewritten), value_set=pa.array(_ENDLESS, rewritten.type))
    return rewritten, pc.or_(readable, endless)


_ENDLESS = sorted(_NEUTRAL - set(MISSING))
