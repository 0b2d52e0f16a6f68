"""mixtura goodness: does a table look like draws from a model?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mixtura.cli import options
from mixtura.cli.audit import joined
from mixtura.cli.console import (
    command,
    load_mixture,
    note_remarks,
    print_json,
    print_text,
    split_names,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.outputs import checked_figure, drawn, refuse_overwriting
from mixtura.cli.rowwise import pieces
from mixtura.cli.working import Working
from mixtura.data.dialect import Dialect


@command
@reads_table
def goodness(
    model: options.ModelFile,
    table: options.TableFile,
    draws: Annotated[
        int, typer.Option(min=1, metavar="INT", help="Tables drawn from the model.")
    ] = 99,
    other_rows: Annotated[
        bool,
        typer.Option(
            "--other-rows", help="Take the model as it is, for other rows: no draw is refitted."
        ),
    ] = False,
    figure: Annotated[Path | None, options.figure("Draw each component's quantiles there.")] = None,
    columns: options.Columns = None,
    weights: options.Weights = None,
    jobs: options.Jobs = 1,
    seed: options.Seed = 0,
    as_json: options.AsJson = False,
    *,
    dialect: Dialect,
) -> None:
    """Test whether a table looks like draws from the model fitted to it, each fitted alike.

    The table is in the same units. If it is not the one that the model was fitted to, each draw is
    compared with the fit of another one.
    """
    from mixtura.data.files import remarks

    checked_figure(table, figure, no_figure=figure is None)
    refuse_overwriting(figure, table, model)
    with Working("reading", draws) as working:
        mixture = load_mixture(model)
        names = split_names(columns)
        data = joined(pieces(mixture, table, names, weights, working, dialect, whole=False))
        if not as_json:
            note_remarks(remarks(table, dialect))
        from mixtura.selection.goodness import goodness_of_fit

        found = goodness_of_fit(
            mixture,
            data,
            sample_weight=data.sample_weight,
            draws=draws,
            refit=not other_rows,
            random_state=seed,
            n_jobs=jobs,
            listener=Drawing(working),
        )
    figure = drawn(figure, found.figure)
    if as_json:
        print_json({**found.to_dict(), "files": {"figure": figure and str(figure)}})
        return
    print_text(found.summary())
    if figure is not None:
        print_text(f"\n  wrote {figure} (figure)")


class Drawing:
    """Tells the progress line how many draws have been compared."""

    def __init__(self, working: Working) -> None:
        self.working = working

    def began(self, n_components: int, statistic: float) -> None:
        """The first table is about to be drawn."""
        self.working.started(0)
        self.working.doing = "drawing"

    def resampled(self, resamples: int, exceeded: int) -> None:
        """One more was compared."""
        self.working.started(resamples)
        self.working.doing = f"{exceeded} of {resamples} draws came as far"
