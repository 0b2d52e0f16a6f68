"""How a fit ends before its end: by --max-seconds, by --max-iter, by Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mixtura.cli.console import INTERRUPTED

if TYPE_CHECKING:
    from mixtura.result import Fit


def unfinished(fit: Fit) -> str:
    """Why a fit is not converged, and what to do, in the command's own words."""
    from mixtura.report.view import looks_like_the_top
    from mixtura.solvers.clock import TIMED_OUT

    steps = f"{fit.iterations} EM step{'' if fit.iterations == 1 else 's'}"
    if fit.reason == TIMED_OUT:
        return f"the fit stopped at --max-seconds ({steps}) before --tol: give it more"
    if interrupted(fit):
        return f"{fit.reason}, after {steps} of its climb"
    if looks_like_the_top(fit):
        return f"the fit stopped at --max-iter ({steps}) at what looks like the top, before --tol"
    return f"the fit did not converge in {steps}: raise --max-iter (or --tol)"


def interrupted(fit: Fit | None) -> bool:
    """Whether Ctrl-C ended a fit."""
    from mixtura.solvers.clock import INTERRUPTED as CTRL_C

    return fit is not None and fit.reason.startswith(CTRL_C)


def leave_if_interrupted(fit: Fit | None) -> None:
    """The exit code of Ctrl-C after a fit that it ended, whose results are written."""
    if interrupted(fit):
        raise typer.Exit(INTERRUPTED)
