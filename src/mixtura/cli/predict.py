"""mixtura predict: which component each row of a table belongs to, and how surely."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixtura.cli.console import (
    Columns,
    ModelFile,
    Prefix,
    TableFile,
    TableOut,
    Working,
    command,
    load_model,
    note_no_header,
    put_table,
    refuse_overwriting,
    split_names,
)

if TYPE_CHECKING:
    from mixtura.data.tables import Table


@command
def predict(
    model: ModelFile,
    table: TableFile,
    out: TableOut = None,
    columns: Columns = None,
    prefix: Prefix = "",
) -> None:
    """Append to a table each row's most probable component and the probability of every one.

    New columns: label, and p_0, p_1, ... which sum to one. Columns are matched by name; others
    are kept. --columns is for models and tables without column names.
    """
    from mixtura.data.tables import append_columns, refuse_unwritable

    with Working("reading"):
        refuse_unwritable(out)
        refuse_overwriting(out, table)
        mixture = load_model(model)
        data = read_for(mixture, table, split_names(columns))
        note_no_header(table)
        p = mixture.predict_proba(data.X)
        new = {"label": p.argmax(axis=1)} | {f"p_{k}": p[:, k] for k in range(p.shape[1])}
        named = {prefix + name: values for name, values in new.items()}
        frame = append_columns(data.frame, named, table)
    put_table(frame, out)


def read_for(
    mixture: Any, path: Path, columns: list[str] | None, weights: str | None = None
) -> Table:
    """The columns of a table that a mixture was fitted to: by name, or by position without names.

    `columns` says which they are, in the mixture's order, whatever they are called.
    """
    from mixtura.data.tables import TableError, numeric_columns, read_frame, select

    frame, d = read_frame(path), mixture.n_features_in_
    names = columns
    if names is None and hasattr(mixture, "feature_names_in_"):
        names = [str(name) for name in mixture.feature_names_in_]
        missing = [name for name in names if name not in frame.column_names]
        if missing:
            raise TableError(
                f"{path}: the model needs {_listed(names)}, and the table lacks "
                f"{_listed(missing)}; it has {_listed(frame.column_names)}: rename them, or say "
                "with --columns which ones to use, in the model's order"
            )
    if names is None:
        names = [name for name in numeric_columns(frame) if name != weights]
    if len(names) != d:
        raise TableError(
            f"{path}: the model has {d} columns, and here are {len(names)} ({_listed(names)}): "
            "choose as many with --columns"
        )
    return select(frame, path, columns=names, weights=weights)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
