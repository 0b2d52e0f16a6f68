"""The command `mixtura`: fit, predict, score, sample, show, compare, select, and more besides.

Commands import what is heavy (scikit-learn, PyArrow, Matplotlib) in their bodies: help, completion
and usage errors must not wait for it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
import typer.core

from mixtura.cli.ancestry import ancestry
from mixtura.cli.audit import audit
from mixtura.cli.blocks import blocks
from mixtura.cli.compare import compare
from mixtura.cli.console import told
from mixtura.cli.export import export
from mixtura.cli.fit import fit
from mixtura.cli.goodness import goodness
from mixtura.cli.hmm import hmm
from mixtura.cli.howmany import howmany
from mixtura.cli.lab import lab
from mixtura.cli.predict import predict
from mixtura.cli.sample import sample
from mixtura.cli.score import score
from mixtura.cli.select import select
from mixtura.cli.show import show
from mixtura.cli.streams import prepare, writing_stdout
from mixtura.printable import printable

__all__ = ["app", "main"]


class _Commands(typer.core.TyperGroup):
    """What is wrong with a command line is told without the controls in it."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _printable_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        with _printable_errors():
            return super().invoke(*args, **kwargs)


@contextmanager
def _printable_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # A usage error of Typer's, whose class is not public.
        if isinstance(getattr(error, "message", None), str):
            error.message = printable(error.message)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="mixtura",
    cls=_Commands,
    help="Gaussian mixtures: find groups in a table of numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
TABLES = (fit, predict, score, sample, show, audit, compare, select, howmany, hmm, lab)
for each in (*TABLES, blocks, ancestry, export):
    app.command()(each)
app.command()(goodness)


def _version(wanted: bool) -> None:
    if wanted:
        from mixtura import __version__

        typer.echo(f"mixtura {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Gaussian mixtures: find groups in a table of numbers."""


def main() -> None:
    """Run the command line and exit: 0 fine, 1 the fit failed, 2 bad input, 130 interrupted.

    141 (128 + SIGPIPE) where the reader of a pipe goes away.
    """
    if hasattr(signal, "SIGPIPE"):
        # `mixtura predict ... | head` ends quietly, as other filters do.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Figures are only written to files: no window's backend may stand in their way.
    os.environ["MPLBACKEND"] = "agg"
    prepare()
    try:
        # Help and the version are written by Typer.
        with writing_stdout():
            try:
                app()
            finally:
                sys.stdout.flush()
    except OSError as error:
        sys.exit(told(error))
