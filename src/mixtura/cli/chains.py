"""What commands about hidden Markov models share: their tables in order, with sequences' ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from mixtura.cli.console import note

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table
    from mixtura.families.base import Family
    from mixtura.records import AnyArray

SequenceColumn = Annotated[
    str | None,
    typer.Option(
        "--sequence", metavar="COLUMN", help="The column that tells sequences apart; default one."
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        "--time", metavar="COLUMN", help="A column that must rise within a sequence: checked."
    ),
]

KnownColumn = Annotated[
    str | None,
    typer.Option(
        "--known",
        metavar="COLUMN",
        help="States that are known, numbers from 0; empty where not.",
    ),
]


class Steps(NamedTuple):
    """A table in memory, the length of each sequence (S,), and its columns of times and of known
    states, if any."""

    rows: Table
    lengths: AnyArray
    time: AnyArray | None
    known: AnyArray | None = None


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


def ordered_table(
    path: Path,
    kind: Family,
    order: tuple[str | None, str | None],
    choose: Callable[[pa.Table], list[str] | None],
    dialect: Dialect,
    *,
    weights: str | None = None,
    exclude: list[str] | None = None,
    known: tuple[str | None, int] = (None, 0),
) -> Steps:
    """The steps of a table.

    `order` names the columns of sequence and time, `known` that of known states and how many
    states there are, `choose` the columns of data, None for all.
    """
    from dataclasses import replace

    from mixtura.data.tables import TableError, read_frame, remarks, select
    from mixtura.estimators.opened import wanted

    if path.is_dir():
        raise TableError(f"{path}: a folder does not tell the order of its rows: give one file")

    frame = _numbered(path) if path.suffix.lower() == ".npy" else read_frame(path, dialect)
    lengths, time = _lengths(frame, path, order)
    columns = choose(frame)
    left = [*(exclude or []), *(name for name in (*order, known[0]) if name is not None)]
    # A row without any value is a step that nobody saw, whatever the family.
    held = replace(wanted([kind]), gaps=True)
    table = select(frame, path, columns=columns, weights=weights, exclude=left, wanted=held)
    table = replace(table, remarks=(*remarks(path, dialect), *table.remarks))
    told = None if known[0] is None else _states(frame, path, known[0], known[1])
    return Steps(table, lengths, time, told)


def asked_steps(
    chain: Any,
    path: Path,
    order: tuple[str | None, str | None],
    columns: list[str] | None,
    dialect: Dialect,
    weights: str | None = None,
    known: str | None = None,
) -> Steps:
    """The columns of a table that a hidden Markov model was fitted to, and its sequences."""
    from mixtura.cli.rowwise import chosen

    spare: list[str] = []

    def choose(frame: pa.Table) -> list[str]:
        data = frame.drop([name for name in (*order, known) if name in frame.column_names])
        found = chosen(chain, data, path, columns, [weights])
        spare.extend(name for name in data.column_names if name not in (*found, weights))
        return found

    kind = chain.fitted_family()
    states = known, len(chain.transitions_)
    steps = ordered_table(path, kind, order, choose, dialect, weights=weights, known=states)
    if order[0] is None and spare:
        note(
            f"note: all {int(steps.lengths.sum())} rows are taken for one sequence; if they are "
            f"several, name their column, as --sequence {spare[0]}"
        )
    return steps


def _numbered(path: Path) -> pa.Table:
    """An array as a table with the names that columns without any have."""
    import pyarrow as pa

    from mixtura.data.opening import stream

    rows = stream(path, gaps=True).loaded()
    return pa.table({f"x{j + 1}": column for j, column in enumerate(rows.X.T)})


def _ids(frame: pa.Table, name: str) -> AnyArray:
    """A column's cells; text that stands for a missing one is None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from mixtura.data.columns import is_text, plain
    from mixtura.data.numerals import MISSING

    cells = plain(frame, name)
    if is_text(cells.type):
        said = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
        gaps = pc.is_in(said, value_set=pa.array(MISSING, said.type))
        cells = pc.if_else(gaps, None, cells)
    found: AnyArray = cells.to_numpy()
    return found


def _cells(frame: pa.Table, path: Path, option: str, name: str) -> AnyArray:
    """The column that an option names; TableError where there is none."""
    from mixtura.data.tables import TableError

    if name not in frame.column_names:
        has = ", ".join(map(repr, frame.column_names[:20]))
        raise TableError(f"{path}: {option} {name}: there is no such column; it has {has}")
    return _ids(frame, name)


def _states(frame: pa.Table, path: Path, name: str, K: int) -> AnyArray:
    """Known states as numbers, NaN where the column has none."""
    import numpy as np

    from mixtura.data.tables import TableError

    try:
        found = np.asarray(_cells(frame, path, "--known", name), dtype=np.float64)
    except ValueError as error:
        raise TableError(
            f"{path}: --known {name}: states are numbers from 0, and empty where nobody knows "
            f"({error})"
        ) from None
    outside = (found >= K) | (found < -1) | (np.floor(found) < found)
    for row in np.flatnonzero(outside)[:1]:
        raise TableError(
            f"{path}: --known {name}: row {row + 1} holds {found[row]:g}, and the states are 0 to "
            f"{K - 1}: leave it empty where nobody knows"
        )
    return found


def _lengths(
    frame: pa.Table, path: Path, order: tuple[str | None, str | None]
) -> tuple[AnyArray, AnyArray | None]:
    from mixtura.data.order import Order, lengths_of
    from mixtura.data.tables import TableError

    told = [
        None if name is None else _cells(frame, path, option, name)
        for option, name in zip(("--sequence", "--time"), order, strict=True)
    ]
    try:
        # Rows of tables are counted from 1.
        return lengths_of(Order(*told), frame.num_rows, 1), told[1]
    except ValueError as error:
        raise TableError(f"{path}: {error}") from None
