"""How rows of a table follow each other, on the command line: `--sequence`, `--time`, `--known`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from mixtura.cli.grouped import Grouped
from mixtura.cli.options import ROWS


@dataclass(frozen=True)
class Ordering(Grouped):
    """The columns that say how the rows of a table follow each other."""

    sequence: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The column that tells sequences apart; default one.",
            rich_help_panel=ROWS,
        ),
    ] = None
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="A column that must rise within a sequence: checked.",
            rich_help_panel=ROWS,
        ),
    ] = None
    known: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="States that are known, numbers from 0; empty where not.",
            rich_help_panel=ROWS,
        ),
    ] = None

    @property
    def asked(self) -> dict[str, str]:
        """The columns that were named, by their options."""
        return {f"--{name}": given for name, given in asdict(self).items() if given is not None}

    def refuse(self, model: Path) -> None:
        """ValueError where rows of a mixture are given an order, or states."""
        for option, given in self.asked.items():
            raise ValueError(
                f"{option} {given}: {model} holds a mixture, which knows no order of rows: leave "
                "it out"
            )
