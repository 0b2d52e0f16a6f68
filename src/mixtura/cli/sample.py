"""mixtura sample: new rows from a model."""

from __future__ import annotations

from typing import Annotated

import typer

from mixtura.cli.console import ModelFile, Prefix, TableOut, command, load_model, put_table


@command
def sample(
    model: ModelFile,
    n: Annotated[
        int, typer.Option("-n", "--rows", min=1, metavar="INT", help="How many rows.")
    ] = 100,
    seed: Annotated[
        int, typer.Option(min=0, metavar="INT", help="The same seed gives the same rows.")
    ] = 0,
    out: TableOut = None,
    prefix: Prefix = "",
) -> None:
    """Draw rows from a model, each with the label of its component."""
    import pyarrow as pa

    from mixtura.data.tables import append_columns, refuse_unwritable

    refuse_unwritable(out)
    mixture = load_model(model)
    X, labels = mixture.sample(n, random_state=seed)
    names = mixture.view().names
    rows = pa.table({name: X[:, j] for j, name in enumerate(names)})
    put_table(append_columns(rows, {f"{prefix}label": labels}, model), out)
