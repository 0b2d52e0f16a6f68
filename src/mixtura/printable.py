"""Text on its way to a terminal: what would steer it, or hide what is read, is spelt out."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

# C0 and C1 controls but tab and line feed, separators of lines, what turns the direction of text,
# and halves of surrogate pairs, which no encoding has.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# The controls alone, in UTF-8, without the three that text files have.
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")


def printable(text: str) -> str:
    r"""`text` with such characters as escapes.

    >>> print(printable("a\x1b[31mb"))
    a\x1b[31mb
    """
    return _STEERING.sub(lambda found: _spelt(ord(found[0])), text)


def printable_json(text: str) -> str:
    """JSON text with such characters, which are only within its strings, as JSON's escapes."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def printable_rows(text: Any) -> Any:
    """Rows of a table as UTF-8 with controls as escapes; the cells are data, so nothing more."""
    if _CONTROLS.search(text) is None:
        return text
    return _CONTROLS.sub(lambda found: _spelt(ord(found[0].decode())).encode(), text)


def printable_record(record: Any) -> Any:
    """A record of the same class whose texts, those of records within it too, are printable."""
    return replace(record, **{f.name: _inside(getattr(record, f.name)) for f in fields(record)})


def _inside(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, tuple):
        # Of one kind throughout; most are long rows of numbers.
        texts = value and (isinstance(value[0], str) or is_dataclass(value[0]))
        return tuple(map(_inside, value)) if texts else value
    return printable_record(value) if is_dataclass(value) else value


def _spelt(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
