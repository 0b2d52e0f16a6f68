"""mixtura fit: a mixture from a table, its report, its file and its figure."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli import options
from mixtura.cli.apart import DASK, apart_table, cluster
from mixtura.cli.bayes import Posterior, responsibilities
from mixtura.cli.beside import Beside
from mixtura.cli.checkpoints import refuse_checkpoint, resumable
from mixtura.cli.chosen import Chosen
from mixtura.cli.console import command, note, note_remarks, print_json, print_text, stdout
from mixtura.cli.dialect import reads_table
from mixtura.cli.ending import leave_if_interrupted, unfinished
from mixtura.cli.labels import Labels, labels_in
from mixtura.cli.made_of import MadeOf, unfitted
from mixtura.cli.outputs import Outputs, checked_outputs, named, write_outputs, written
from mixtura.cli.reading import open_table, shown_rows
from mixtura.cli.robust import Robust
from mixtura.cli.show import as_document, print_report
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mixtura.data.dialect import Dialect
    from mixtura.data.streamed import Streamed
    from mixtura.data.tables import Table
    from mixtura.records import Array


@command
@reads_table
def fit(
    *,
    table: options.TableFile,
    components: options.Components = 2,
    made_of: MadeOf,
    posterior: Posterior,
    robust: Robust,
    columns: Chosen,
    importance: options.Importance = False,
    labels: Labels = None,
    besides: Beside,
    seed: options.Seed = 0,
    starts: options.Starts = 1,
    solver: Annotated[
        options.Solver, typer.Option(help="How parameters move.", rich_help_panel=options.SEARCH)
    ] = options.SOLVER_AUTO,
    engine: Annotated[
        options.FitEngine,
        typer.Option(help="What runs over the rows.", rich_help_panel=options.SEARCH),
    ] = options.FIT_ENGINE_AUTO,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="With --engine dask: the scheduler of a cluster; default this process's threads.",
            rich_help_panel=options.SEARCH,
        ),
    ] = None,
    in_pieces: options.InPieces = None,
    checkpoint: options.Checkpoint = None,
    max_iter: Annotated[
        int | None,
        options.steps("At most this many EM steps; default 1000."),
    ] = None,
    max_seconds: options.MaxSeconds = None,
    tol: Annotated[
        float | None,
        options.gain("Stop at this remaining gain per row; default 1e-6."),
    ] = None,
    out: Annotated[Path | None, options.model_out("The model; default TABLE.model.json.")] = None,
    figure: Annotated[Path | None, options.figure("The figure; default TABLE.png.")] = None,
    no_figure: options.NoFigure = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    dialect: Dialect,
) -> None:
    """Fit a mixture to a table; print what was found; write the model and a figure."""
    outputs = checked_outputs(table, out, figure, no_figure, checkpoint)
    refuse_checkpoint(checkpoint, max_seconds)
    settings = made_of.settings() | {
        "n_components": components,
        "random_state": seed,
        "n_init": starts,
        "weights": "importance" if importance else "counts",
        "solver": str(solver),
        "engine": str(engine),
    }
    cures = robust.settings("family" not in settings)
    if solver == "moments" and starts != 1:
        raise ValueError("--solver moments begins nowhere: leave out --starts")
    settings = posterior.settings(settings, cures, max_seconds)
    bayes = posterior.bayes
    besides.refuse_others(settings, bayes=bayes, checkpoint=checkpoint, in_pieces=in_pieces)
    # Left out when not given, so that the defaults are the estimator's.
    settings |= {} if max_iter is None else {"max_iter": max_iter}
    settings |= {} if tol is None else {"tol": tol}
    silent = quiet or as_json
    with (
        cluster(engine, scheduler),
        Working("reading", None if starts == options.AUTO else starts) as working,
    ):
        opened = apart_table if engine == DASK else open_table
        data = opened(
            table,
            columns.named([labels, *besides.columns]),
            in_pieces,
            dialect,
            # Of a posterior cells may not be missing where they may of an estimate.
            [unfitted(settings)._family() if bayes else made_of.kind()],
        )
        if not silent:
            note_remarks(data.remarks)
        n = _rows(data)
        if components > n:
            rows = f"{n} row{'' if n == 1 else 's'}"
            raise ValueError(f"--components {components}: {table} has only {rows}: use fewer")
        known = labels_in(data, table, labels, components, bayes)
        with resumable(checkpoint):
            also = checkpoint, known, max_seconds, besides.arrays(data, table)
            mixture = _fitted(data, settings, working, *also, said_on_screen=not silent)
            working.doing = "writing" if outputs.figure is None else "drawing"
            outputs = _write(mixture, data, outputs, seed)
    if as_json:
        print_json(as_document(mixture) | {"files": named(outputs)})
    elif not quiet:
        print_report(mixture)
        print_text(f"\n{written(named(outputs))}")
    leave_if_interrupted(mixture.fit_result_)


def _rows(data: Table | Streamed) -> int:
    from mixtura.data.tables import Table

    return len(data.X) if isinstance(data, Table) else data.n


def _fitted(
    data: Table | Streamed,
    settings: dict[str, Any],
    working: Working,
    checkpoint: Path | None,
    labels: list[str | None] | None,
    max_seconds: float | None,
    arrays: dict[str, Array],
    *,
    said_on_screen: bool,
) -> Any:
    """The fitted estimator."""
    from sklearn.exceptions import ConvergenceWarning

    from mixtura import DegenerateWarning
    from mixtura.data.streamed import Streamed

    # The report says the same, better, on the same screen.
    told = said_on_screen and stdout.is_terminal
    with warnings.catch_warnings():
        # Its text is about Python's parameters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if told:
            warnings.simplefilter("ignore", DegenerateWarning)
        mixture = unfitted(settings)
        if isinstance(data, Streamed):
            data.on_rows = working.paced(data.n, mixture.tol)
        mixture.fit_table(data, working, checkpoint, labels, max_seconds, **arrays)
    fit = mixture.fit_result_
    if not told and fit is not None and not fit.converged:
        note(f"warning: {unfinished(fit)}")
    return mixture


def _write(mixture: Any, data: Table | Streamed, outputs: Outputs, seed: int) -> Outputs:
    def picture() -> Figure:
        from mixtura.models.noise import NOISE
        from mixtura.report.figures import draw

        rows = shown_rows(data, seed)
        tells = mixture.fitted_family().tells_outliers
        marked = tells or hasattr(mixture, "trim_threshold_")
        return draw(
            mixture.view(),
            rows.X,
            responsibilities=responsibilities(mixture, rows.X),
            sample_weight=rows.sample_weight,
            left_out=mixture.predict(rows.X) == NOISE if marked else None,
        )

    return write_outputs(outputs, mixture.save, picture)
