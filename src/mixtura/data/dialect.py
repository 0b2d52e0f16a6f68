"""How a table file is written, where that has to be said."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

BLANKS, APOSTROPHES = " \u00a0\u2009\u202f", "'\u2019"


@dataclass(frozen=True)
class Dialect:
    """What is said of a file; None is found out by looking at its first lines.

    sep separates values (" " any run of blanks), decimal is the decimal mark, thousands stands
    between groups of three digits (" " any blank, "'" any apostrophe), and lines that begin with
    comment are left out. ValueError for marks that cannot be these. sheet is that of a spreadsheet,
    by name or by number from 1. headless says that the first line of a text file is a row.
    """

    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    comment: str | None = None
    sheet: str | int | None = None
    headless: bool = False

    def __post_init__(self) -> None:
        if self.sep in ("tab", r"\t"):
            object.__setattr__(self, "sep", "\t")
        for each in fields(self)[:4]:
            self._refuse(each.name, getattr(self, each.name))
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}: give one of them")
        if self.sep is not None and self.sep == self.comment:
            raise ValueError(f"sep and comment are both {self.sep!r}: give one of them")

    def said(self) -> dict[str, Any]:
        """What users say of a file, by name: not `headless`, which a reader found out."""
        found = asdict(self)
        del found["headless"]
        return found

    def _refuse(self, name: str, mark: str | None) -> None:
        if mark is None:
            return
        if name == "decimal" and mark not in (",", "."):
            raise ValueError(f"decimal={mark!r} is no decimal mark: give , or .")
        if name == "thousands" and mark not in (",", ".", *BLANKS, *APOSTROPHES):
            raise ValueError(f"thousands={mark!r}: give a comma, a point, a blank or an apostrophe")
        one = len(mark) == 1 and mark.isascii() and not mark.isalnum()
        if name == "sep" and (not one or mark in "\"'\r\n.+-_"):
            raise ValueError(f"sep={mark!r} separates nothing: give one mark, such as ; or tab")
        if name == "comment" and (not mark or mark[0].isalnum() or mark[0] in " \t\r\n\"'"):
            raise ValueError(f"comment={mark!r} begins no comment: give a mark, such as #")
