"""mixtura score: how well a model describes the rows of a table."""

from __future__ import annotations

from typing import Annotated

import typer

from mixtura.cli.console import (
    AsJson,
    Columns,
    ModelFile,
    Prefix,
    TableFile,
    TableOut,
    Weights,
    Working,
    command,
    load_model,
    note_no_header,
    print_json,
    print_text,
    put_table,
    refuse_overwriting,
    split_names,
)
from mixtura.cli.predict import read_for


@command
def score(
    model: ModelFile,
    table: TableFile,
    per_row: Annotated[
        bool, typer.Option("--per-row", help="Append each row's log-density instead.")
    ] = False,
    out: TableOut = None,
    columns: Columns = None,
    weights: Weights = None,
    prefix: Prefix = "",
    as_json: AsJson = False,
) -> None:
    """Print the log-likelihood of a table under a model, with BIC and AIC.

    With --per-row, append the column log_density to the table instead (natural logarithm).
    """
    if out is not None and not per_row:
        raise ValueError("--out is for --per-row: the scores themselves are printed")
    if per_row and as_json:
        raise ValueError("--per-row writes a table, --json does not: choose one of them")
    if per_row and weights is not None:
        raise ValueError(
            "--weights does not change a row's density: leave it out with --per-row, and say "
            "with --columns which columns to use if need be"
        )
    from mixtura.data.tables import append_columns, refuse_unwritable

    with Working("reading"):
        refuse_unwritable(out)
        refuse_overwriting(out, table)
        mixture = load_model(model)
        data = read_for(mixture, table, split_names(columns), weights)
        if not as_json:
            note_no_header(table)
        log_density = mixture.score_samples(data.X)
    if per_row:
        put_table(append_columns(data.frame, {f"{prefix}log_density": log_density}, table), out)
        return
    w = data.sample_weight
    total = float(log_density.sum() if w is None else w @ log_density)
    weight = float(len(log_density) if w is None else w.sum())
    result = {
        "rows": len(log_density),
        "weight": weight,
        "log_likelihood": total,
        "mean_log_likelihood": total / weight,
        "bic": mixture.bic(data.X, sample_weight=w),
        "aic": mixture.aic(data.X, sample_weight=w),
    }
    if as_json:
        print_json(result)
        return
    print_text(
        f"rows            {len(log_density)}"
        + (f", of total weight {weight:.10g}" if w is not None else "")
        + f"\nlog-likelihood  {total:.2f} in total, {total / weight:.4f} per row"
        f"\nBIC             {result['bic']:.2f}"
        f"\nAIC             {result['aic']:.2f}; lower is better for both"
    )
