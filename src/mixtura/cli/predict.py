"""mixtura predict: which component each row of a table belongs to, and how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli.chains import (
    SequenceColumn,
    TimeColumn,
    asked_steps,
    is_chain,
    refuse_order,
)
from mixtura.cli.console import (
    Columns,
    ModelFile,
    Prefix,
    TableFile,
    TableOut,
    Working,
    command,
    load_model,
    note_remarks,
    split_names,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.outputs import refuse_overwriting
from mixtura.cli.rowwise import append, on_screen, pieces, put_table

if TYPE_CHECKING:
    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table
    from mixtura.records import AnyArray, Array


@command
@reads_table
def predict(
    model: ModelFile,
    table: TableFile,
    out: TableOut = None,
    columns: Columns = None,
    prefix: Prefix = "",
    sequence: SequenceColumn = None,
    time: TimeColumn = None,
    no_look_ahead: Annotated[
        bool, typer.Option("--filter", help="Of states: from the steps so far alone.")
    ] = False,
    *,
    dialect: Dialect,
) -> None:
    """Append to a table each row's most probable component and the probability of every one.

    New columns: label, and p_0, p_1, ... which sum to one; of a mixture with noise p_noise too.
    The label -1 is of noise and of rows as thin as those that were trimmed. Columns are matched by
    name; others are kept. --columns is for models and tables without column names. The table may
    be larger than memory: it is read and written in pieces.

    Of a hidden Markov model: state, the likeliest path of each sequence, and p_0, p_1, ... given
    the whole sequence. With --filter both are of each step given those before it, and it alone.
    """
    from mixtura.data.files import refuse_unwritable, remarks
    from mixtura.data.tables import append_columns
    from mixtura.models.noise import NOISE

    with Working("predicting", shown=not on_screen(out)) as working:
        refuse_unwritable(out)
        refuse_overwriting(out, table, model)
        mixture = load_model(model)
        names = split_names(columns)
        if is_chain(mixture):
            rows, lengths, _ = asked_steps(mixture, table, (sequence, time), names, dialect)
            note_remarks(rows.remarks)
            new = _states(mixture, rows, lengths, no_look_ahead)
            added = {prefix + name: values for name, values in new.items()}
            put_table(iter([append_columns(rows.frame, added, table)]), out)
            return
        refuse_order(sequence, time, model)
        if no_look_ahead:
            raise ValueError(
                f"--filter: {model} holds a mixture, which knows no order of rows: leave it out"
            )
        names_of_p = [f"p_{k}" for k in range(mixture.n_components)]
        names_of_p += ["p_noise"] if len(mixture.weights_) > mixture.n_components else []
        tables = pieces(mixture, table, names, None, working, dialect, out=out)
        note_remarks(remarks(table, dialect))

        def answer(X: Array) -> dict[str, AnyArray]:
            p = mixture.predict_proba(X)
            label = p.argmax(axis=1)
            label[label == mixture.n_components] = NOISE
            if hasattr(mixture, "trim_threshold_"):
                label = mixture.predict(X)
            new = {"label": label} | dict(zip(names_of_p, p.T, strict=True))
            return {prefix + name: values for name, values in new.items()}

        append(tables, answer, len(names_of_p) + 1, table, out)


def _states(chain: Any, rows: Table, lengths: AnyArray, no_look_ahead: bool) -> dict[str, AnyArray]:
    """The new columns of a hidden Markov model."""
    p = chain.filter(rows, lengths) if no_look_ahead else chain.predict_proba(rows, lengths)
    states = p.argmax(axis=1) if no_look_ahead else chain.predict(rows, lengths)
    return {"state": states} | {f"p_{k}": p[:, k] for k in range(p.shape[1])}
