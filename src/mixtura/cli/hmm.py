"""mixtura hmm: hidden states of the rows of a table that come one after the other."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli.chains import SequenceColumn, TimeColumn, ordered_table
from mixtura.cli.console import (
    AsJson,
    Columns,
    Exclude,
    NoFigure,
    Quiet,
    TableFile,
    Weights,
    Working,
    command,
    note,
    note_remarks,
    print_json,
    print_text,
    split_names,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.fit import CovarianceAsked, FamilyName, components_of, kind_of
from mixtura.cli.outputs import checked_outputs, named, write_outputs
from mixtura.cli.show import as_document, print_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table
    from mixtura.records import AnyArray


@command
@reads_table
def hmm(
    table: TableFile,
    states: Annotated[
        int, typer.Option("--states", "-k", min=1, metavar="INT", help="How many states.")
    ] = 2,
    sequence: SequenceColumn = None,
    time: TimeColumn = None,
    family: FamilyName = "gaussian",
    covariance: CovarianceAsked = None,
    columns: Columns = None,
    exclude: Exclude = None,
    weights: Weights = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, metavar="INT", help="The same seed, the same fit."),
    ] = 0,
    starts: Annotated[int, typer.Option(min=1, metavar="INT", help="Repeat the whole search.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="MODEL.json", help="The model; default TABLE.model.json."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FIG.png", help="The figure; default TABLE.png.")
    ] = None,
    no_figure: NoFigure = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    *,
    dialect: Dialect,
) -> None:
    """Fit a hidden Markov model: rows are steps of sequences, in the table's order.

    Rows of a sequence lie together, and a row without any value is a step that nobody saw.
    """
    outputs = checked_outputs(table, out, figure, no_figure)
    made_of = components_of(family, covariance)
    with Working("reading") as working:
        data, lengths, times = ordered_table(
            table,
            kind_of(made_of),
            (sequence, time),
            lambda _: split_names(columns),
            dialect,
            weights=weights,
            exclude=split_names(exclude),
        )
        if not (quiet or as_json):
            note_remarks(data.remarks)
        working.doing = "fitting"
        chain = _fitted(data, lengths, made_of, n_states=states, n_init=starts, random_state=seed)
        working.doing = "writing" if outputs.figure is None else "drawing"

        def picture() -> Figure:
            from mixtura.report.chain_figure import draw_chain

            ticks = None if times is None or time is None else (time, times)
            certainty = chain.predict_proba(data, lengths)
            return draw_chain(chain.view(), data.X, lengths, certainty, ticks)

        outputs = write_outputs(outputs, chain.save, picture)
    if as_json:
        print_json(as_document(chain) | {"files": named(outputs)})
    elif not quiet:
        print_report(chain)
        written = [f"{path} ({what})" for what, path in named(outputs).items() if path]
        print_text(f"\n  wrote {' and '.join(written)}")


def _fitted(data: Table, lengths: AnyArray, made_of: dict[str, Any], **settings: Any) -> Any:
    """The fitted model; a climb that did not end is told in the command's own words."""
    from sklearn.exceptions import ConvergenceWarning

    from mixtura import HiddenMarkov
    from mixtura.families.registry import asked

    spec = asked(made_of.get("family", "gaussian"), made_of.get("covariance_type", "full"))
    chain = HiddenMarkov(spec, **settings)
    with warnings.catch_warnings():
        # Its text is about Python's parameters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        chain.fit(data, lengths, sample_weight=data.sample_weight)
    fit = chain.fit_result_
    if fit is not None and not fit.converged:
        note(f"warning: the fit did not converge in {fit.iterations} EM steps: try more --starts")
    return chain
