"""mixtura compare: the same starts through every solver, as a table and a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixtura.cli import options
from mixtura.cli.chosen import Chosen
from mixtura.cli.console import (
    FIT_FAILED,
    WIDEST,
    command,
    note,
    note_remarks,
    print_json,
    print_text,
    stdout,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.made_of import MadeOf
from mixtura.cli.outputs import checked_figure, drawn
from mixtura.cli.reading import whole_table
from mixtura.cli.working import Working
from mixtura.homes import CLIMBERS

if TYPE_CHECKING:
    from mixtura.data.dialect import Dialect
    from mixtura.selection.comparing import Comparison


@command
@reads_table
def compare(
    *,
    table: options.TableFile,
    components: options.Components = 2,
    made_of: MadeOf,
    columns: Chosen,
    seed: options.Seed = 0,
    starts: Annotated[int, options.starts("How many starts.")] = 3,
    solver: Annotated[
        list[options.Solver] | None,
        typer.Option(
            help="Compare this one; may be repeated. Default: all that climb by rule.",
            rich_help_panel=options.SEARCH,
        ),
    ] = None,
    engine: Annotated[
        options.Engine,
        typer.Option(help="What runs over the rows.", rich_help_panel=options.SEARCH),
    ] = options.ENGINE_AUTO,
    max_iter: Annotated[
        int | None,
        options.steps("At most this many steps each; default 10000."),
    ] = None,
    tol: Annotated[
        float | None,
        options.gain("Stop at this remaining gain per row; default 1e-10."),
    ] = None,
    figure: Annotated[Path | None, options.figure("The figure; default TABLE.compare.png.")] = None,
    no_figure: options.NoFigure = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    dialect: Dialect,
) -> None:
    """Climb from the same starts by every solver; print and draw what each one needed."""
    target = checked_figure(table, figure, no_figure, ".compare")
    settings = made_of.settings() | {
        "random_state": seed,
        "n_starts": starts,
        "engine": str(engine),
    }
    # Left out when not given, so that the defaults are the library's.
    settings |= {} if max_iter is None else {"max_iter": max_iter}
    settings |= {} if tol is None else {"tol": tol}
    solvers = [str(each) for each in solver or CLIMBERS]
    with Working("reading", starts * len(solvers)) as working:
        data = whole_table(table, columns.named(), dialect, [made_of.kind()])
        if not (quiet or as_json):
            note_remarks(data.remarks)
        if components > len(data.X):
            rows = f"{len(data.X)} row{'' if len(data.X) == 1 else 's'}"
            raise ValueError(f"--components {components}: {table} has only {rows}: use fewer")
        from mixtura import compare_solvers

        found = compare_solvers(
            data,
            components,
            solvers=solvers,
            sample_weight=data.sample_weight,
            listener=Racing(working),
            **settings,
        )
        failed = all(run.failed for run in found.runs)
        working.doing = "drawing"
        target = drawn(None if failed else target, found.figure)
    if as_json:
        files = {"figure": None if target is None else str(target)}
        print_json({"columns": list(data.names), **found.to_dict(), "files": files})
    elif not quiet:
        _print_table(found)
        if target is not None:
            print_text(f"\n  wrote {target} (figure)")
    if failed:
        note("error: no solver got anywhere from any start")
        raise typer.Exit(FIT_FAILED)


class Racing:
    """Tells the progress line which of all climbs is under way."""

    def __init__(self, working: Working) -> None:
        self.working, self.climbs, self.what = working, 0, ""

    def began(self, start: int, solver: str) -> None:
        """A climb begins."""
        self.working.started(self.climbs)
        self.climbs += 1
        self.what = self.working.doing = f"start {start}, {solver}"

    def stepped(self, iterations: int, gain: float) -> None:
        """One more step was taken."""
        self.working.doing = f"{self.what}: step {iterations}, last gain {gain:.1e} per row"


def _print_table(found: Comparison) -> None:
    """In colour and as wide as the terminal, or plain where it is none."""
    from mixtura.report.comparison_text import renderables

    if not stdout.is_terminal:
        print_text(found.table(WIDEST), end="")
        return
    for part in renderables(found.runs, found.headline):
        stdout.print(part, width=min(stdout.width, WIDEST))
