"""mixtura howmany: how many groups, by bootstrap tests; which components belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli import options
from mixtura.cli.chosen import Chosen
from mixtura.cli.console import (
    INTERRUPTED,
    WIDEST,
    command,
    note,
    note_remarks,
    print_json,
    print_text,
    stdout,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.made_of import MadeOf, unfitted
from mixtura.cli.outputs import checked_figure, drawn
from mixtura.cli.reading import whole_table
from mixtura.cli.working import Working
from mixtura.solvers.clock import at_once

if TYPE_CHECKING:
    from mixtura.data.dialect import Dialect
    from mixtura.estimators.merging import Merging
    from mixtura.selection.howmany import BootstrapLRT


@dataclass(frozen=True)
class WholeWeights(Chosen):
    """Columns of a table whose rows are counted."""

    weights: Annotated[
        str | None,
        options.columns("COLUMN", "The column of whole row weights."),
    ] = None


@command
@reads_table
def howmany(
    *,
    table: options.TableFile,
    most: Annotated[
        int, typer.Option("--max", min=2, metavar="INT", help="At most so many groups.")
    ] = 9,
    components: Annotated[
        int, typer.Option("--components", "-k", min=1, metavar="INT", help="Test from here on.")
    ] = 1,
    made_of: MadeOf,
    columns: WholeWeights,
    level: Annotated[
        float, typer.Option(min=0.0, max=1.0, metavar="FLOAT", help="Of each test.")
    ] = 0.05,
    resamples: Annotated[
        int, typer.Option(min=1, metavar="INT", help="At most so many for each test.")
    ] = 999,
    jobs: options.Jobs = 1,
    seed: options.Seed = 0,
    figure: Annotated[Path | None, options.figure("Draw the entropy of the merges there.")] = None,
    as_json: options.AsJson = False,
    dialect: Dialect,
) -> None:
    """Test one more group at a time by bootstrap; then merge what can hardly be told apart."""
    settings = made_of.settings()
    checked_figure(table, figure, no_figure=figure is None)
    with Working("reading", resamples) as working:
        data = whole_table(table, columns.named(), dialect, [made_of.kind()])
        if not as_json:
            note_remarks(data.remarks)
        from mixtura import bootstrap_lrt, merge_components

        found = bootstrap_lrt(
            data,
            components,
            max_components=most,
            **settings,
            level=level,
            max_resamples=resamples,
            sample_weight=data.sample_weight,
            random_state=seed,
            n_jobs=jobs,
            listener=Testing(working),
        )
        merging = None
        if found.ended != "interrupted":
            working.doing = "fitting the mixture chosen"
            mixture = unfitted(
                settings | {"n_components": found.n_components, "random_state": seed}
            )
            with at_once():
                mixture.fit_table(data)
            merging = merge_components(mixture, data.X, data.sample_weight)
    figure = _draw(merging, figure)
    if as_json:
        print_json(_document(found, merging) | {"files": {"figure": figure and str(figure)}})
    else:
        _print(found, merging, figure)
    if found.ended == "interrupted":
        note("interrupted: the resamples above were looked at, no mixture was chosen", style="red")
        raise typer.Exit(INTERRUPTED)


class Testing:
    """Tells the progress line which test is under way."""

    def __init__(self, working: Working) -> None:
        self.working, self.what = working, ""
        working.doing = "fitting"

    def began(self, n_components: int, statistic: float) -> None:
        """A test begins."""
        self.what = f"{n_components} against {n_components + 1}"
        self.working.started(0)
        self.working.doing = self.what

    def resampled(self, resamples: int, exceeded: int) -> None:
        """One more resample was looked at."""
        self.working.started(resamples)
        reached = f"{exceeded} of {resamples} resamples gained as much"
        self.working.doing = f"{self.what}: {reached}"


def _draw(merging: Merging | None, figure: Path | None) -> Path | None:
    """The figure's path; None where there is none."""
    if figure is None or merging is None:
        return None
    if merging.n_components < 2:
        note("note: no figure: one component cannot be merged")
        return None
    return drawn(figure, merging.figure)


def _document(found: BootstrapLRT, merging: Merging | None) -> dict[str, Any]:
    from dataclasses import asdict

    merges = None
    if merging is not None:
        merges = {
            "entropy": merging.entropy,
            "steps": [asdict(step) for step in merging.steps],
            "suggested": merging.suggested,
            "suggested_by_rows": merging.suggested_by_rows,
        }
    return found.to_dict() | {"merging": merges}


def _print(found: BootstrapLRT, merging: Merging | None, figure: Path | None) -> None:
    width = min(stdout.width, WIDEST) if stdout.is_terminal else WIDEST
    print_text(found.table(width), end="")
    if merging is not None and merging.n_components > 1:
        print_text("\n" + merging.summary(width), end="")
    if figure is not None:
        print_text(f"\n  wrote {figure} (figure)")
