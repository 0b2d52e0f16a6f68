"""mixtura select: how many groups of what shape, by a criterion, as a table and a figure."""

from __future__ import annotations

import re
import time
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli import options
from mixtura.cli.beside import Beside
from mixtura.cli.checkpoints import refuse_checkpoint, resumable
from mixtura.cli.chosen import Chosen
from mixtura.cli.console import (
    WIDEST,
    command,
    note,
    note_remarks,
    print_json,
    print_text,
    split_names,
    stdout,
)
from mixtura.cli.dialect import reads_table
from mixtura.cli.labels import Labels, labels_in
from mixtura.cli.outputs import Outputs, checked_outputs, named, write_outputs, written
from mixtura.cli.reading import whole_table
from mixtura.cli.robust import Robust
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table
    from mixtura.records import Array
    from mixtura.report.selection_text import Selection
    from mixtura.selection.component_search import ComponentSearch

Criterion = StrEnum("Criterion", ["bic", "icl", "aic", "aicc", "heldout", "slope"])


@command
@reads_table
def select(
    *,
    table: options.TableFile,
    components: Annotated[
        str, typer.Option("--components", "-k", metavar="A:B", help="1:9, or 2,3,5, or both.")
    ] = "1:9",
    family: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Families to try, such as poisson,negativebinomial, in place of Gaussian shapes.",
        ),
    ] = None,
    covariance: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", show_default="all of mclust's", help="Shapes to try, such as EEE,VVV."
        ),
    ] = None,
    criterion: Annotated[Criterion, typer.Option(help="What is best.")] = Criterion.bic,
    folds: options.Folds = 5,
    robust: Robust,
    columns: Chosen,
    importance: options.Importance = False,
    labels: Labels = None,
    besides: Beside,
    seed: options.Seed = 0,
    starts: Annotated[int, options.starts("Repeat the search within every fit.")] = 1,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            "-j",
            metavar="INT",
            help="Fits at a time of --thorough; -1: all cores.",
            rich_help_panel=options.SEARCH,
        ),
    ] = 1,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough",
            help="Fit each as `mixtura fit` does: many times the work.",
            rich_help_panel=options.SEARCH,
        ),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune/--no-prune",
            help="Leave out shapes that only get worse.",
            rich_help_panel=options.SEARCH,
        ),
    ] = True,
    checkpoint: options.Checkpoint = None,
    out: Annotated[
        Path | None, options.model_out("The best model; default TABLE.select.model.json.")
    ] = None,
    figure: Annotated[Path | None, options.figure("The curves; default TABLE.select.png.")] = None,
    no_figure: options.NoFigure = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    dialect: Dialect,
) -> None:
    """Try numbers of groups and shapes; print and draw the criterion; write the best model."""
    outputs = checked_outputs(table, out, figure, no_figure, checkpoint, ".select")
    refuse_checkpoint(checkpoint)
    numbers = parsed(components)
    if jobs == 0:
        raise ValueError("--jobs 0: fits at a time are a number from 1, or -1 for all cores")
    if family is not None and thorough:
        raise ValueError(
            f"--thorough is for Gaussian groups, and --family is {family}: leave one of them out"
        )
    besides.refuse_others({} if family is None else {"family": family})
    with Working("reading", 2) as working:
        from mixtura.selection.selecting import selection

        search = _unfitted(
            family,
            covariance,
            thorough,
            n_components=numbers,
            criterion=str(criterion),
            cv=folds,
            prune=prune,
            n_jobs=jobs,
            n_init=starts,
            weights="importance" if importance else "counts",
            random_state=seed,
            **robust.settings(family is None),
        )
        kinds = search._kinds()
        named_columns = columns.named([labels, *besides.columns])
        data = whole_table(table, named_columns, dialect, kinds)
        known = labels_in(data, table, labels, max(numbers))
        if not (quiet or as_json):
            note_remarks(data.remarks)
        began = time.perf_counter()
        with resumable(checkpoint):
            arrays = besides.arrays(data, table)
            _searched(search, data, working, checkpoint, known, arrays)
            seconds = time.perf_counter() - began
            found = selection(search, len(data.X))
            working.doing = "writing"
            outputs = _write(search, found, outputs)
    files = named(outputs)
    if as_json:
        print_json(_document(search) | {"columns": list(data.names), "files": files})
    elif not quiet:
        _print_table(found)
        fitted = int((found.pruned == 0).sum())
        print_text(f"\n  {fitted} of {found.values.size} mixtures fitted in {seconds:.1f} s")
        print_text(written(files))


def _unfitted(
    family: str | None, covariance: str | None, thorough: bool, **settings: Any
) -> ComponentSearch:
    """The search over families, or over Gaussian shapes where none are named."""
    from mixtura import GaussianMixtureSearch, MixtureSearch

    if family is not None:
        return MixtureSearch(_kinds(family, covariance), **settings)
    shapes = "all" if covariance in (None, "all") else split_names(covariance)
    effort = "thorough" if thorough else "auto"
    return GaussianMixtureSearch(covariance_type=shapes, effort=effort, **settings)


def _kinds(family: str, covariance: str | None) -> Any:
    """The families to try, with shapes each in each of them, by label."""
    from mixtura.families.registry import asked

    names, shapes = split_names(family) or [], split_names(covariance)
    if shapes is None:
        return names
    return {f"{name} {shape}": asked(name, shape) for name in names for shape in shapes}


class Selecting:
    """Tells the progress line how many cells are done."""

    def __init__(self, working: Working) -> None:
        self.working = working

    def tried(self, done: int, total: int, trial: Any) -> None:
        """One more cell has ended."""
        point = trial.point
        self.working.counted(done, total)
        self.working.doing = (
            f"{done} of {total} mixtures, last {point.label} with {point.n_components}"
        )


def parsed(text: str, option: str = "--components") -> list[int]:
    """The numbers in "1:9", "2,3,5" or "1:4,8"; ValueError where there are none."""
    numbers: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d+)(?::(\d+))?", part)
        first = int(match[1]) if match else 0
        last = int(match[2] or first) if match else -1
        if first < 1 or last < first:
            raise ValueError(
                f"{option} {text}: write numbers from 1 as 1:9, 2,3,5 or both, smaller first"
            )
        numbers.update(range(first, last + 1))
    return sorted(numbers)


def _searched(
    search: ComponentSearch,
    data: Table,
    working: Working,
    checkpoint: Path | None,
    labels: list[str | None] | None,
    arrays: dict[str, Array],
) -> None:
    """Fit the search; its warning of too few groups is said in the command's own words."""
    from mixtura import StillRisingWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit_table(data, Selecting(working), checkpoint, labels, **arrays)
    for each in caught:
        if each.category is StillRisingWarning:
            best = search.best_params_["n_components"]
            note(f"warning: the most groups tried, {best}, are the best: raise --components")
        elif not issubclass(each.category, DeprecationWarning):
            note(f"warning: {' '.join(str(each.message).split())}")


def _write(search: ComponentSearch, found: Selection, outputs: Outputs) -> Outputs:
    def picture() -> Figure:
        from mixtura.report.selection import draw

        return draw(found)

    return write_outputs(outputs, search.best_estimator_.save, picture)


def _document(search: ComponentSearch) -> dict[str, Any]:
    """The search as plain values."""
    return {
        "criterion": search.criterion,
        "best_params": search.best_params_,
        "best_score": search.best_score_,
        "best_index": search.best_index_,
        "cv_results": search.cv_results_,
    }


def _print_table(found: Selection) -> None:
    """In colour and as wide as the terminal, or plain where it is none."""
    from mixtura.report.selection_text import renderables, to_text

    if not stdout.is_terminal:
        print_text(to_text(found, WIDEST), end="")
        return
    width = min(stdout.width, WIDEST)
    for part in renderables(found, width):
        stdout.print(part, width=width)
