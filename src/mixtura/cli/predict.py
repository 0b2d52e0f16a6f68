"""mixtura predict: which component each row of a table belongs to, and how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixtura.cli.console import (
    Columns,
    ModelFile,
    Prefix,
    TableFile,
    TableOut,
    Working,
    command,
    load_mixture,
    note_remarks,
    split_names,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.outputs import refuse_overwriting
from mixtura.cli.rowwise import append, on_screen, pieces

if TYPE_CHECKING:
    from mixtura.data.dialect import Dialect
    from mixtura.records import AnyArray, Array


@command
@reads_table
def predict(
    model: ModelFile,
    table: TableFile,
    out: TableOut = None,
    columns: Columns = None,
    prefix: Prefix = "",
    *,
    dialect: Dialect,
) -> None:
    """Append to a table each row's most probable component and the probability of every one.

    New columns: label, and p_0, p_1, ... which sum to one. Columns are matched by name; others
    are kept. --columns is for models and tables without column names. The table may be larger
    than memory: it is read and written in pieces.
    """
    from mixtura.data.files import refuse_unwritable, remarks

    with Working("predicting", shown=not on_screen(out)) as working:
        refuse_unwritable(out)
        refuse_overwriting(out, table, model)
        mixture = load_mixture(model)
        K = len(mixture.weights_)
        tables = pieces(mixture, table, split_names(columns), None, working, dialect, out=out)
        note_remarks(remarks(table, dialect))

        def answer(X: Array) -> dict[str, AnyArray]:
            p = mixture.predict_proba(X)
            new = {"label": p.argmax(axis=1)} | {f"p_{k}": p[:, k] for k in range(K)}
            return {prefix + name: values for name, values in new.items()}

        append(tables, answer, K + 1, table, out)
