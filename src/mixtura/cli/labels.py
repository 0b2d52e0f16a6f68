"""Groups that are known, on the command line: `mixtura fit` and `select --labels COLUMN`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixtura.cli.options import ROWS
from mixtura.cli.reading import in_memory

if TYPE_CHECKING:
    from mixtura.data.streamed import Streamed
    from mixtura.data.tables import Table

Labels = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of known groups; blank or -1: nobody knows.",
        rich_help_panel=ROWS,
    ),
]


def labels_in(
    data: Table | Streamed, path: Path, column: str | None, components: int, bayes: bool = False
) -> list[str | None] | None:
    """The name of the group of each row, None where nobody knows; ValueError where that cannot be.

    Numbers are names too, but for -1.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from mixtura.data.columns import is_number, is_text, kind_of, plain
    from mixtura.data.known_rows import listed_names
    from mixtura.data.numerals import MISSING

    if column is None:
        return None
    if bayes:
        raise ValueError("--bayes knows no --labels: leave one of them out")
    frame = in_memory("labels", data, path).frame
    kind, values = kind_of(frame, column), plain(frame, column)
    if pa.types.is_floating(kind) and pc.all(pc.equal(values, pc.floor(values))).as_py():
        values = values.cast(pa.int64())
    elif not (pa.types.is_integer(kind) or is_text(kind) or pa.types.is_null(kind)):
        what = "numbers that are not whole" if is_number(kind) else f"values of type {kind}"
        raise ValueError(f"{path}: --labels {column} holds {what}: give names or whole numbers")
    unknown = {*MISSING, "-1"}
    found = [
        None if each is None or each.strip().lower() in unknown else each
        for each in values.cast(pa.string()).to_pylist()
    ]
    names = {each for each in found if each is not None}
    if not names:
        raise ValueError(f"{path}: --labels {column} is blank in all rows: leave it out")
    if len(names) > components:
        raise ValueError(
            f"{path}: --labels {column} names {len(names)} groups ({listed_names(sorted(names))}), "
            f"and --components is {components}: use --components {len(names)} or more"
        )
    return found
