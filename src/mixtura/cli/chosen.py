"""Which columns of a table are data, on the command line: `--columns`, `--exclude`, `--weights`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mixtura.cli.console import split_names
from mixtura.cli.grouped import Grouped
from mixtura.cli.options import ROWS, Columns, Weights


@dataclass(frozen=True)
class Chosen(Grouped):
    """The columns to use, those to leave out, and that of row weights."""

    columns: Columns = None
    exclude: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns to leave out.", rich_help_panel=ROWS)
    ] = None
    weights: Weights = None

    def named(self, beside: Iterable[str | None] = ()) -> dict[str, Any]:
        """What readers of tables are told; the columns `beside` are no data either."""
        left = [*(split_names(self.exclude) or ()), *(name for name in beside if name is not None)]
        return {
            "columns": split_names(self.columns),
            "weights": self.weights,
            "exclude": left or None,
        }
