"""mixtura sample: new rows from a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixtura.cli.chains import is_chain
from mixtura.cli.console import command, load_row_model
from mixtura.cli.options import ModelFile, Prefix, Seed, TableOut
from mixtura.cli.outputs import refuse_shared
from mixtura.cli.rowwise import on_screen, put_table
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


@command
def sample(
    model: ModelFile,
    n: Annotated[
        int, typer.Option("-n", "--rows", min=1, metavar="INT", help="How many rows.")
    ] = 100,
    seed: Seed = 0,
    out: TableOut = None,
    prefix: Prefix = "",
) -> None:
    """Draw rows from a model, each with the label of its component: its name, where it has one.

    Of a hidden Markov model they are the steps of one sequence, with their states.
    """
    import pyarrow as pa

    from mixtura.data.categories import named_columns
    from mixtura.data.files import refuse_unwritable
    from mixtura.data.tables import append_columns
    from mixtura.estimators.known import called, group_names

    def frames() -> Iterator[pa.Table]:
        done = 0
        drawn = [mixture.sample(n, seed)] if chain else mixture.sample_chunks(n, random_state=seed)
        for X, labels in drawn:
            columns = zip(names, named_columns(X, family.categories), strict=True)
            rows = pa.table({name: pa.array(values) for name, values in columns})
            yield append_columns(rows, {f"{prefix}{what}": called(groups, labels)}, model)
            done += len(X)
            told(done)

    with Working("drawing", shown=not on_screen(out)) as working:
        refuse_unwritable(out)
        refuse_shared({"the model": model, "--out": out})
        mixture = load_row_model(model)
        chain = is_chain(mixture)
        what = "state" if chain else "label"
        family, groups = mixture.fitted_family(), group_names(mixture)
        names, told = mixture.view().names, working.paced(n, None)
        put_table(frames(), out, whole=False)
