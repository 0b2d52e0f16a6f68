"""What commands about hidden Markov models share: their options, and the tables they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli.console import note
from mixtura.cli.options import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mixtura.cli.ordered_file import OrderedFile, Steps
    from mixtura.data.dialect import Dialect

SequenceColumn = Annotated[
    str | None,
    typer.Option(
        "--sequence",
        metavar="COLUMN",
        help="The column that tells sequences apart; default one.",
        rich_help_panel=ROWS,
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="A column that must rise within a sequence: checked.",
        rich_help_panel=ROWS,
    ),
]

KnownColumn = Annotated[
    str | None,
    typer.Option(
        "--known",
        metavar="COLUMN",
        help="States that are known, numbers from 0; empty where not.",
        rich_help_panel=ROWS,
    ),
]


def is_chain(mixture: Any) -> bool:
    """Whether a model is one whose rows hang on their order."""
    from mixtura.estimators.chain import ChainEstimator

    return isinstance(mixture, ChainEstimator)


def refuse_order(sequence: str | None, time: str | None, known: str | None, model: Path) -> None:
    """ValueError where rows of a mixture are given an order, or states."""
    for option, given in (("--sequence", sequence), ("--time", time), ("--known", known)):
        if given is not None:
            raise ValueError(
                f"{option} {given}: {model} holds a mixture, which knows no order of rows: leave "
                "it out"
            )


def asked_file(
    chain: Any,
    path: Path,
    order: tuple[str | None, str | None],
    columns: list[str] | None,
    dialect: Dialect,
    weights: str | None = None,
    known: str | None = None,
) -> OrderedFile:
    """The columns of a table that a hidden Markov model was fitted to, and its sequences."""
    from mixtura.cli.ordered_file import OrderedFile
    from mixtura.cli.rowwise import chosen

    def choose(frame: pa.Table) -> list[str]:
        data = frame.drop([name for name in (*order, known) if name in frame.column_names])
        found = chosen(chain, data, path, columns, [weights])
        spare = [name for name in data.column_names if name not in (*found, weights)]
        if order[0] is None and spare:
            note(
                f"note: all {frame.num_rows} rows are taken for one sequence; if they are several, "
                f"name their column, as --sequence {spare[0]}"
            )
        return found

    states = known, len(chain.transitions_)
    kind = chain.fitted_family()
    return OrderedFile(path, kind, order, choose, dialect, weights, known=states)


def asked_steps(
    file: OrderedFile, out: Path | None = None, *, keep: bool = True
) -> Iterator[Steps]:
    """The steps of a table: whole, or where it is long and sequences are told apart in parts; to
    `keep` has all of its columns, as `out` (None is text) is to have them."""
    from mixtura.cli.reading import is_long
    from mixtura.data.files import TEXT_SUFFIXES, suffix

    if file.order[0] is None or not is_long(file.path):
        yield file.in_memory()
        return
    as_text = out is None or suffix(out)[0] in TEXT_SUFFIXES
    yield from file.parts(keep=keep, as_text=as_text)
