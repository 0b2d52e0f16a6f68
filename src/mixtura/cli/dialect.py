"""What commands that read a table share: how its text is written, and a table on standard input."""

from __future__ import annotations

import functools
import inspect
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from mixtura.cli.console import alias
from mixtura.cli.grouped import gathered, groups_among, options_of
from mixtura.data.dialect import Dialect


def _option(help: str, metavar: str = "MARK") -> Any:
    option = typer.Option(metavar=metavar, help=help, rich_help_panel="How a table is written")
    return Annotated[str | None, option]


_OPTIONS = {
    "sep": _option("What separates values, such as ';', tab or ' '; default as it looks."),
    "decimal": _option("The decimal mark, a comma or a point; default as it looks."),
    "thousands": _option("What separates thousands; default as it looks."),
    "comment": _option("Leave out lines that begin with this; default '#' above the table."),
    "sheet": _option("The sheet of a spreadsheet; default the first.", "NAME|NUMBER"),
}
# How the kinds of files begin; other tables are text.
_BEGINNINGS = {
    b"PAR1": ".parquet",
    b"ARROW1": ".arrow",
    b"\x93NUMPY": ".npy",
    b"\x1f\x8b": ".csv.gz",
    b"PK": ".xlsx",
}
_LOOKED_AT = 1 << 16


def reads_table(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose `table` may be -, standard input, and whose `dialect` is made of options, as
    its other records of options are (`Grouped`)."""
    # Resolved here, because Typer would resolve them where this function is.
    hints = get_type_hints(function, localns={"Dialect": Dialect}, include_extras=True)
    groups = groups_among(hints)

    @functools.wraps(function)
    def run(**given: Any) -> None:
        dialect = Dialect(**{name: given.pop(name, None) for name in _OPTIONS})
        records = {name: gathered(kind, given) for name, kind in groups.items()}
        with _spooled(given.pop("table")) as table:
            function(table=table, dialect=dialect, **records, **given)

    asked: list[inspect.Parameter] = []
    for each in inspect.signature(function).parameters.values():
        if each.name in groups:
            asked += options_of(groups[each.name])
        elif each.name != "dialect":
            asked.append(
                each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
            )
    asked += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    run.__signature__ = inspect.Signature(asked)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in asked}
    return run


@contextmanager
def _spooled(table: Path) -> Iterator[Path]:
    """The table; standard input as a file, since tables are read more than once."""
    if str(table) != "-":
        yield table
        return
    with tempfile.TemporaryDirectory(prefix="mixtura-") as folder:
        begun = sys.stdin.buffer.read(_LOOKED_AT)
        path = Path(folder) / f"stdin{_suffix(begun)}"
        alias(str(path), "standard input")
        with path.open("wb") as file:
            file.write(begun)
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield path


def _suffix(begun: bytes) -> str:
    if b"opendocument.spreadsheet" in begun[:100]:
        return ".ods"
    for beginning, suffix in _BEGINNINGS.items():
        if begun.startswith(beginning):
            return suffix
    if b"\0" in begun and not begun.startswith((b"\xff\xfe", b"\xfe\xff")):
        # It may have no end.
        raise ValueError("standard input: this is not a table (it holds zero bytes)")
    return ".csv"
