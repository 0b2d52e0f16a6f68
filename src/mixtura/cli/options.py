"""What several commands may be told: their options, written once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mixtura.homes import AWAY, FUSED_ENGINES, PLAIN_ENGINES, SOLVERS

AUTO = "auto"
# Under what heading of --help options stand; what a model is has the first, without a name.
ROWS, CURES = "Rows and columns", "Outliers, singularities, Bayes"
SEARCH, WRITTEN = "How it is worked out", "What is written"


def starts_or_auto(given: str | int) -> int | str:
    """The number, or "auto"."""
    if given == AUTO:
        return AUTO
    if not str(given).isdecimal() or int(given) < 1:
        raise typer.BadParameter(f"{given!r} is neither a number from 1 on nor auto")
    return int(given)


ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A model written by mixtura fit.")]
TableFile = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE",
        help="A .csv, .tsv, .txt or .dat (also .gz), .parquet, .arrow or .feather, .xlsx or .ods, "
        "or .npy file, a folder of .parquet files, or - for standard input.",
    ),
]
TableOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write there (.csv, .tsv, .parquet), not to stdout.",
        rich_help_panel=WRITTEN,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="The columns to use; default all.", rich_help_panel=ROWS),
]
Weights = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The column of row weights.", rich_help_panel=ROWS),
]
Importance = Annotated[
    bool,
    typer.Option(
        "--importance",
        help="Weights say how much a row counts, not how often.",
        rich_help_panel=ROWS,
    ),
]
NoFigure = Annotated[
    bool, typer.Option("--no-figure", help="Draw no figure.", rich_help_panel=WRITTEN)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing.", rich_help_panel=WRITTEN)
]
Prefix = Annotated[
    str, typer.Option(help="Put this before the names of the new columns.", rich_help_panel=WRITTEN)
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON and nothing else.", rich_help_panel=WRITTEN)
]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        max=2**32 - 1,
        metavar="INT",
        help="The same seed, the same answer.",
        rich_help_panel=SEARCH,
    ),
]
Starts = Annotated[
    Any,
    typer.Option(
        parser=starts_or_auto,
        metavar="INT|auto",
        help="Repeat the whole search; auto: until one more hardly ends higher; the best is kept.",
        rich_help_panel=SEARCH,
    ),
]
Components = Annotated[
    int, typer.Option("--components", "-k", min=1, metavar="INT", help="How many groups.")
]
Jobs = Annotated[
    int,
    typer.Option(metavar="INT", help="Processes; -1 is one for each core.", rich_help_panel=SEARCH),
]
Folds = Annotated[int, typer.Option(min=2, metavar="INT", help="Folds of --criterion heldout.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Note there how far it is; go on from there.", rich_help_panel=SEARCH
    ),
]
InPieces = Annotated[
    bool | None,
    typer.Option(
        "--in-pieces/--in-memory",
        help="Read the table anew for every pass, or once; default by its size.",
        show_default=False,
        rich_help_panel=SEARCH,
    ),
]


def starts(help: str) -> Any:
    """An option that takes how often to begin."""
    return typer.Option(min=1, metavar="INT", help=help, rich_help_panel=SEARCH)


def seconds(help: str) -> Any:
    """An option that takes a limit of time."""
    return typer.Option(min=1e-3, metavar="FLOAT", help=help, rich_help_panel=SEARCH)


MaxSeconds = Annotated[
    float | None, seconds("End the search after so long, with the best it has met.")
]


def columns(metavar: str, help: str) -> Any:
    """An option that names columns of the table."""
    return typer.Option(metavar=metavar, help=help, rich_help_panel=ROWS)


def steps(help: str) -> Any:
    """An option that takes how many steps a climb may have."""
    return typer.Option(min=1, metavar="INT", help=help, rich_help_panel=SEARCH)


def gain(help: str) -> Any:
    """An option that takes what may be left to gain."""
    return typer.Option(min=0.0, metavar="FLOAT", help=help, rich_help_panel=SEARCH)


def file_out(metavar: str, help: str) -> Any:
    """An option that takes the name of a file to write."""
    return typer.Option(metavar=metavar, help=help, rich_help_panel=WRITTEN)


def model_out(help: str) -> Any:
    """An option that takes the name of a model's file."""
    return file_out("MODEL.json", help)


def figure(help: str) -> Any:
    """An option that takes the name of a figure."""
    return file_out("FIG.png", help)


# From one table, so that a new one is a line there; a type checker wants names written out.
Solver = StrEnum("Solver", [AUTO, *(name for name in SOLVERS if name != AUTO)])  # type: ignore[misc]
Engine = StrEnum("Engine", [AUTO, *PLAIN_ENGINES, *FUSED_ENGINES])  # type: ignore[misc]
FitEngine = StrEnum("FitEngine", [*Engine, AWAY])  # type: ignore[misc]
SOLVER_AUTO, ENGINE_AUTO, FIT_ENGINE_AUTO = Solver(AUTO), Engine(AUTO), FitEngine(AUTO)
