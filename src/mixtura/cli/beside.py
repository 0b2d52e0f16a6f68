"""What is known of cells beside their numbers: `--lower`, `--upper` and `--error` of commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli.console import split_names
from mixtura.cli.grouped import Grouped
from mixtura.cli.options import ROWS
from mixtura.cli.reading import in_memory

if TYPE_CHECKING:
    from mixtura.data.streamed import Streamed
    from mixtura.data.tables import Table
    from mixtura.records import Array


@dataclass(frozen=True)
class Beside(Grouped):
    """What is known of cells beside their numbers."""

    lower: Annotated[
        str | None,
        typer.Option(
            metavar="X=LOW,...",
            help="Of column X only LOW < X is known where column LOW has a number.",
            rich_help_panel=ROWS,
        ),
    ] = None
    upper: Annotated[
        str | None,
        typer.Option(
            metavar="X=UP,...",
            help="Of column X only X <= UP is known where column UP has a number.",
            rich_help_panel=ROWS,
        ),
    ] = None
    error: Annotated[
        str | None,
        typer.Option(
            metavar="X=SD,...",
            help="Column SD has the standard deviations of the errors of X.",
            rich_help_panel=ROWS,
        ),
    ] = None

    @cached_property
    def asked(self) -> dict[str, dict[str, str]]:
        """Of each option that was given, the column beside each; ValueError for no pairs."""
        if self.error is not None and (self.lower or self.upper) is not None:
            other = "lower" if self.lower is not None else "upper"
            raise ValueError(f"--error knows no --{other}: leave one of them out")
        given = {"lower": self.lower, "upper": self.upper, "error": self.error}
        return {name: _pairs(name, text) for name, text in given.items() if text is not None}

    @property
    def columns(self) -> list[str]:
        """Those that are no data."""
        return list(dict.fromkeys(name for each in self.asked.values() for name in each.values()))

    def arrays(self, data: Table | Streamed, path: Path) -> dict[str, Array]:
        """The estimator's arguments; ValueError where the table does not have them."""
        if not self.asked:
            return {}
        table = in_memory(next(iter(self.asked)), data, path)
        return self._placed(table.X, table.names, _of_frame(table.frame), path)

    def split(self, table: Table, path: Path, first: int) -> tuple[Array, dict[str, Array]]:
        """(the rows of a piece, the arguments of answers about them); in `table` the columns that
        stand beside the model's follow these, and `first` rows are above it."""
        X, d = table.X, len(table.names) - len(self.columns)
        if not self.asked:
            return X, {}
        behind = {name: X[:, j] for j, name in enumerate(table.names) if j >= d}
        return X[:, :d], self._placed(X[:, :d], table.names[:d], behind.__getitem__, path, first)

    def _placed(
        self,
        X: Array,
        names: tuple[str, ...],
        column: Callable[[str], Array],
        path: Path,
        first: int = 0,
    ) -> dict[str, Array]:
        return {
            option: placed(option, pairs, X, names, column, path, first)
            for option, pairs in self.asked.items()
        }

    def refuse_stranger(self, mixture: Any, model: Path) -> None:
        """ValueError where a fitted model knows nothing beside the cells of rows."""
        from inspect import signature

        known = signature(mixture.predict).parameters
        for option in self.asked:
            if option not in known:
                raise ValueError(
                    f"--{option}: {model} holds a {type(mixture).__name__}, which knows no such "
                    "thing: leave it out"
                )

    def refuse_others(self, settings: dict[str, Any], **others: Any) -> None:
        """ValueError where what stands beside cells does not go together with other options."""
        for option in self.asked:
            for name, other in others.items():
                if other:
                    raise ValueError(
                        f"--{option} knows no --{name.replace('_', '-')}: leave one out"
                    )
            if option == "error" and "family" in settings:
                raise ValueError(
                    f"--error is for Gaussian groups, and --family is {settings['family']}: leave "
                    "one of them out"
                )


def _pairs(option: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in split_names(text) or ():
        column, equals, other = (part.strip() for part in pair.partition("="))
        if not (column and equals and other):
            raise ValueError(
                f"--{option} {pair!r}: give pairs of columns as COLUMN=OTHER, with commas between"
            )
        if column == other:
            raise ValueError(f"--{option} {pair!r}: a column cannot stand beside itself")
        if column in found:
            raise ValueError(f"--{option}: column {column!r} is there twice: give it once")
        found[column] = other
    return found


def placed(
    option: str,
    pairs: dict[str, str],
    X: Array,
    names: tuple[str, ...],
    column: Callable[[str], Array],
    path: Path,
    first: int = 0,
) -> Array:
    """An array of X's shape: what the other columns say, and elsewhere that nothing is known.

    `column` has them by their names; ValueError for what is none. `first` rows are above these.
    """
    import numpy as np

    found = np.full(X.shape, 0.0 if option == "error" else np.nan)
    for name, other in pairs.items():
        pair = f"{path}: --{option} {name}={other}"
        if name not in names:
            raise ValueError(f"{pair}: {name!r} is none of {', '.join(names)}")
        try:
            values = column(other)
        except ValueError as error:
            raise ValueError(f"{pair}: {error}") from None
        j = names.index(name)
        blank = np.flatnonzero(np.isnan(values) & ~np.isnan(X[:, j]))
        if option == "error" and len(blank):
            raise ValueError(
                f"{pair}: {other!r} is blank in row {first + blank[0] + 1}, and {name!r} has a "
                "number there: write its error, 0 where there is none, or leave both blank"
            )
        found[:, j] = np.where(np.isnan(values), found[:, j], values)
    return found


def _of_frame(frame: Any) -> Callable[[str], Array]:
    """The numbers of a column of a frame, by its name; ValueError where it holds others."""
    from mixtura.data.columns import description, floats, is_number, kind_of

    def column(name: str) -> Array:
        if not is_number(kind_of(frame, name)):
            raise ValueError(f"column {name!r} {description(frame, name)}")
        return floats(frame, name)

    return column
