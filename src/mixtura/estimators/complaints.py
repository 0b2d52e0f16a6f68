"""The warnings that a fit deserves."""

from __future__ import annotations

from collections.abc import Iterator

from sklearn.exceptions import ConvergenceWarning

from mixtura.estimators.weighing import COUNTS, LightWeightsWarning, doubt, light
from mixtura.fit.result import Fit


class DegenerateWarning(UserWarning):
    """A component of the best mixture is empty, or only the penalty keeps it from collapse."""


def complaints(fit: Fit, weights: str) -> Iterator[tuple[str, type[Warning]]]:
    """(message, category) of each warning the fit deserves; `weights` is what its weights mean."""
    if weights == COUNTS and light(fit.weight, fit.rows):
        yield doubt(fit.weight, fit.rows), LightWeightsWarning
    if not fit.converged and len(fit.trace) > 1:
        yield (
            "Best performing initialization did not converge. Try different init parameters, "
            "or increase max_iter, tol, or check for degenerate data.",
            ConvergenceWarning,
        )
    if fit.starts and (fit.starts[-1].name, fit.starts[-1].outcome) == ("given", "failed"):
        yield fit.reason, ConvergenceWarning
    troubles = [f"component {k} is empty: it holds less than half a row" for k in fit.empty]
    troubles += [
        f"component {part.component} holds {part.count:.3g} rows and only the penalty keeps "
        f"it from collapsing (its smallest variance is {part.spread:.2g} of the table's)"
        for part in fit.floored
        if not part.columns
    ]
    heywood = [
        f"in component {part.component} the noise of column "
        f"{', '.join(map(str, part.columns))} (counted from 0) runs to zero"
        for part in fit.floored
        if part.columns
    ]
    if heywood:
        yield (
            "; ".join(heywood) + ": a Heywood case, in which a column is a factor all by itself "
            "and only the penalty keeps its noise above zero. Use fewer factors",
            DegenerateWarning,
        )
    if troubles:
        yield "; ".join(troubles) + ". Use fewer components, or another seed", DegenerateWarning
