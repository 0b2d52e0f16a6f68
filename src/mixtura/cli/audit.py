"""mixtura audit: is a model an optimum on this table, and the highest one?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from mixtura.cli import options
from mixtura.cli.console import (
    command,
    load_mixture,
    note_remarks,
    print_json,
    print_text,
    split_names,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.options import AsJson, Columns, ModelFile, Seed, TableFile, Weights
from mixtura.cli.outputs import checked_outputs, refuse_overwriting
from mixtura.cli.rowwise import pieces
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table


@command
@reads_table
def audit(
    model: ModelFile,
    table: TableFile,
    out: Annotated[
        Path | None,
        options.file_out("BEST.json", "Write the highest end there, as a model."),
    ] = None,
    columns: Columns = None,
    weights: Weights = None,
    starts: Annotated[int, options.starts("Climbs of the search beside it.")] = 10,
    seed: Seed = 0,
    as_json: AsJson = False,
    *,
    dialect: Dialect,
) -> None:
    """Say whether a model is an optimum on a table, how much it misses, and what else is there.

    Climbs from the model as it is, and searches without it. The table is the one that the model is
    said to have been fitted to, in the same units.
    """
    from mixtura.data.files import remarks

    refuse_overwriting(out, table, model)
    if out is not None:
        checked_outputs(table, out, None, no_figure=True)
    with Working("reading") as working:
        mixture = load_mixture(model)
        names = split_names(columns)
        data = joined(pieces(mixture, table, names, weights, working, dialect, whole=False))
        if not as_json:
            note_remarks(remarks(table, dialect))
        from mixtura.selection.audit import audit as look

        working.doing = "climbing and searching"
        found = look(mixture, data, n_init=starts, random_state=seed)
        if out is not None:
            found.mixture.save(out)
    if as_json:
        print_json({**found.to_dict(), "files": {"model": None if out is None else str(out)}})
        return
    print_text(found.summary())
    if out is not None:
        print_text(f"\nwrote {out} (model)")


def joined(tables: Iterable[Table]) -> Table:
    """All rows as one table."""
    from dataclasses import replace

    import numpy as np

    read = list(tables)
    weights = [each.sample_weight for each in read if each.sample_weight is not None]
    return replace(
        read[0],
        X=np.concatenate([each.X for each in read]),
        sample_weight=np.concatenate(weights) if weights else None,
    )
