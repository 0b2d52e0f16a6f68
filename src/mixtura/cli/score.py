"""mixtura score: how well a model describes the rows of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli.bayes import is_posterior, log_density
from mixtura.cli.beside import Beside
from mixtura.cli.chains import asked_file, asked_steps, is_chain
from mixtura.cli.console import (
    command,
    load_row_model,
    note_remarks,
    print_json,
    print_text,
    split_names,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.options import AsJson, Columns, ModelFile, Prefix, TableFile, TableOut, Weights
from mixtura.cli.ordering import Ordering
from mixtura.cli.outputs import refuse_overwriting
from mixtura.cli.rowwise import append, on_screen, pieces, rows_above
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mixtura.cli.ordered_file import Steps
    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table
    from mixtura.estimators.chain import ChainEstimator
    from mixtura.records import AnyArray


@command
@reads_table
def score(
    *,
    model: ModelFile,
    table: TableFile,
    per_row: Annotated[
        bool, typer.Option("--per-row", help="Append each row's log-density instead.")
    ] = False,
    out: TableOut = None,
    columns: Columns = None,
    weights: Weights = None,
    prefix: Prefix = "",
    order: Ordering,
    besides: Beside,
    as_json: AsJson = False,
    dialect: Dialect,
) -> None:
    """Print the log-likelihood of a table under a model, with BIC and AIC.

    With --per-row, append the column log_density to the table instead (natural logarithm). The
    table may be larger than memory: it is read, and written, in pieces. Of a hidden Markov model
    the log-likelihood is that of all sequences, as wholes; with --known COLUMN that of steps and
    known states together. --lower, --upper and --error name columns of bounds and errors, as in
    mixtura fit.
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
    from mixtura.data.files import refuse_unwritable, remarks

    with Working("scoring", shown=not (per_row and on_screen(out))) as working:
        refuse_unwritable(out)
        refuse_overwriting(out, table, model)
        mixture = load_row_model(model)
        names = split_names(columns)
        besides.refuse_stranger(mixture, model)
        if is_chain(mixture):
            if per_row:
                raise ValueError(
                    f"--per-row: {model} is a hidden Markov model, whose rows have no density of "
                    "their own: score whole sequences"
                )
            file = asked_file(mixture, table, order, names, dialect, weights)
            if not as_json:
                note_remarks(remarks(table, dialect))
            _told(_of_chain(mixture, asked_steps(file, keep=False)), weights, as_json)
            return
        order.refuse(model)
        how: dict[str, Any] = {"out": out, "whole": per_row, "beside": besides.columns}
        tables = pieces(mixture, table, names, weights, working, dialect, **how)
        if not as_json:
            note_remarks(remarks(table, dialect))
        if per_row:
            name = f"{prefix}log_density"

            def answer(piece: Table, first: int) -> dict[str, AnyArray]:
                X, arrays = besides.split(piece, table, first)
                return {name: log_density(mixture, X, **arrays)}

            append(tables, answer, 1, table, out)
            return
        result = _scored(mixture, tables, table, weights, besides)
    _told(result, weights, as_json)


def _told(result: dict[str, float], weights: str | None, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    print_text(
        f"rows            {result['rows']}"
        + (f", of total weight {result['weight']:.10g}" if weights is not None else "")
        + f"\nlog-likelihood  {result['log_likelihood']:.2f} in total, "
        f"{result['mean_log_likelihood']:.4f} per row" + _criteria(result)
    )


def _criteria(result: dict[str, float]) -> str:
    if "bic" not in result:
        return ", of the posterior predictive density"
    return (
        f"\nBIC             {result['bic']:.2f}"
        f"\nAIC             {result['aic']:.2f}; lower is better for both"
    )


def _of_chain(chain: ChainEstimator, parts: Iterator[Steps]) -> dict[str, float]:
    """What is printed of a hidden Markov model: its sequences' log-likelihood, by their weights."""
    total, weight, n = 0.0, 0.0, 0
    for steps in parts:
        rows = steps.rows
        w = rows.sample_weight
        n += len(rows.X)
        weight += float(len(rows.X) if w is None else w.sum())
        total += chain.score(rows, steps.lengths, sample_weight=w, states=steps.known)
    return _measures(total, chain._size(), n, weight)


def _scored(
    mixture: Any, tables: Iterator[Table], path: Path, weights: str | None, besides: Beside
) -> dict[str, float]:
    """What is printed, from one reading of the table."""
    import numpy as np

    from mixtura.data.tables import TableError
    from mixtura.estimators.weighing import doubt_light

    rows, positive, weight, total, squares = 0, 0, 0.0, 0.0, 0.0
    for table in tables:
        X, arrays = besides.split(table, path, rows)
        with rows_above(rows):
            found = log_density(mixture, X, **arrays)
        w = table.sample_weight
        rows += len(found)
        weight += float(len(found) if w is None else w.sum())
        positive += len(found) if w is None else int(np.count_nonzero(w))
        squares += float(len(found) if w is None else w @ w)
        total += float(found.sum() if w is None else w @ found)
    if not weight > 0:
        raise TableError(
            f"{path}: the weights column {weights!r} is zero in every row: nothing is left to use"
        )
    if mixture.weights == "importance":
        total, weight = total * weight / squares, weight**2 / squares
    else:
        doubt_light(weight, positive)
    p = None if is_posterior(mixture) else mixture._n_parameters()
    return _measures(total, p, rows, weight)


def _measures(total: float, p: int | None, rows: int, weight: float) -> dict[str, float]:
    """`p` parameters; None where there are none to count."""
    from mixtura.inference import criteria

    told = {
        "rows": rows,
        "weight": weight,
        "log_likelihood": total,
        "mean_log_likelihood": total / weight,
    }
    if p is None:
        return told
    return told | {"bic": criteria.bic(total, p, weight), "aic": criteria.aic(total, p)}
