"""Spreadsheets: one sheet of an .xlsx or .ods file, read by python-calamine (an extra)."""

from __future__ import annotations

import os
import zipfile
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from mixtura.data.numerals import all_numerals
from mixtura.data.refusal import TableError

WORKBOOK_SUFFIXES = (".xlsx", ".ods")
# Bytes that a workbook may unpack to: a sheet of as many rows as there can be takes less.
UNPACKED = 1 << 31


class Workbook:
    """The table in a workbook's sheet, all its columns; TableError where there is none.

    `sheet` is its name or its number from 1; None is the first one.
    """

    def __init__(self, path: str | Path, sheet: str | int | None = None) -> None:
        try:
            from python_calamine import CalamineError, CalamineWorkbook
        except ImportError:
            raise TableError(
                f"{path}: spreadsheets are read by python-calamine: install mixtura[excel], or "
                "save the table as .csv"
            ) from None
        self.path = path
        _refuse_packed(path)
        try:
            with open(path, "rb") as file, CalamineWorkbook.from_filelike(file) as book:
                self.sheets = list(book.sheet_names)
                place = self._place(sheet)
                cells = book.get_sheet_by_index(place).to_python()
        except (CalamineError, IndexError) as error:
            raise TableError(f"{path}: this workbook cannot be read ({error})") from None
        rows = [row for row in cells if any(cell != "" for cell in row)]
        if not rows:
            raise TableError(f"{path}: the sheet {self.sheets[place]!r} is empty")
        self.chosen = sheet is not None
        self.header = not all_numerals([str(cell) for cell in rows[0]])
        self.frame = self._framed(rows)

    def _place(self, sheet: str | int | None) -> int:
        """Where the sheet lies, from 0; a name goes before a number."""
        if sheet is None:
            return 0
        if sheet in self.sheets:
            return self.sheets.index(str(sheet))
        if str(sheet).isdecimal() and 1 <= int(sheet) <= len(self.sheets):
            return int(sheet) - 1
        raise TableError(
            f"{self.path}: there is no sheet {sheet!r}: choose among {', '.join(self._named())}, "
            "by name or by number from 1"
        )

    def _named(self) -> list[str]:
        most = 20
        more = len(self.sheets) - most
        named = [repr(name) for name in self.sheets[:most]]
        return [*named, f"{more} more"] if more > 0 else named

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was understood."""
        said = []
        if len(self.sheets) > 1 and not self.chosen:
            said.append(
                f"the table is the first of {len(self.sheets)} sheets of {self.path}: "
                f"{', '.join(self._named())}; --sheet (sheet=) chooses another"
            )
        if not self.header:
            said.append(
                f"no header found in {self.path}, so its columns are called x1, x2, ...: put names "
                "in the first line"
            )
        return tuple(said)

    def _framed(self, rows: list[list[Any]]) -> pa.Table:
        columns = list(zip(*rows, strict=True))
        if self.header:
            kept = [column for column in columns if any(cell != "" for cell in column)]
            # Names that are numbers, such as years, come as floats.
            names = [_text(column[0]).strip() for column in kept]
            return pa.table([_column(column[1:]) for column in kept], names=names)
        names = [f"x{j + 1}" for j in range(len(columns))]
        return pa.table([_column(column) for column in columns], names=names)


def _column(cells: tuple[Any, ...]) -> pa.Array:
    """Numbers, dates or text; empty cells are missing."""
    values = [None if cell == "" else cell for cell in cells]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float, bool}:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if all(issubclass(kind, date | time | timedelta) for kind in kinds) and len(kinds) == 1:
        return pa.array(values)
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _refuse_packed(path: str | Path) -> None:
    """TableError for what is no .zip file, as both kinds are, or one that unpacks to too much."""
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
    except zipfile.BadZipFile:
        raise TableError(f"{os.fspath(path)}: this is not an .xlsx or .ods file") from None
    if size > UNPACKED:
        raise TableError(f"{path}: the workbook unpacks to {size:,} bytes: save the table as .csv")
