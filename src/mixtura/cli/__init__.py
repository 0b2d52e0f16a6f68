"""The command `mixtura`: fit, predict, score, sample, show, compare, select, howmany; a file each.

Commands import what is heavy (scikit-learn, PyArrow, Matplotlib) in their bodies: help, completion
and usage errors must not wait for it.
"""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from mixtura.cli.compare import compare
from mixtura.cli.fit import fit
from mixtura.cli.howmany import howmany
from mixtura.cli.predict import predict
from mixtura.cli.sample import sample
from mixtura.cli.score import score
from mixtura.cli.select import select
from mixtura.cli.show import show

__all__ = ["app", "main"]

app = typer.Typer(
    name="mixtura",
    help="Gaussian mixtures: find groups in a table of numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for each in (fit, predict, score, sample, show, compare, select, howmany):
    app.command()(each)


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
    app()
