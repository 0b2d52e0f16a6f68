"""The warnings that a fit deserves."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from typing import Protocol

from sklearn.exceptions import ConvergenceWarning

from mixtura.estimators.clocked import cut_short
from mixtura.estimators.factored import excess
from mixtura.estimators.weighing import COUNTS, LightWeightsWarning, doubt, light
from mixtura.families.base import Family
from mixtura.models.base import Model
from mixtura.models.noise import Noisy, Uniform
from mixtura.records import Standing
from mixtura.report.collapse import Collapse, at_the_floor, collapses
from mixtura.result import Fit

# Components that a warning names.
LISTED = 3
# Noise that holds this share of the rows leaves none to speak of for components.
NEARLY_ALL = 0.99


class DegenerateWarning(UserWarning):
    """A component of the best mixture is empty, or only the penalty keeps it from collapse, or one
    of its coefficients has no finite estimate."""


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called this package, however deep that is."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("mixtura."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_unconverged(fit: Fit) -> None:
    """Warn of a hidden Markov model's climb that did not converge, or was ended."""
    if not fit.converged:
        why = f"the climb did not converge ({fit.reason}): raise max_iter or tol"
        warn_caller(cut_short(fit) or why, ConvergenceWarning)


class Fitted(Protocol):
    """A fitted mixture, as far as warnings speak of it."""

    n_components: int
    weights: str

    def _names(self) -> list[str]: ...

    def _family(self) -> Family: ...


def complaints(
    fit: Fit, mixture: Fitted, model: Model | None = None
) -> Iterator[tuple[str, type[Warning]]]:
    """(message, category) of each warning that the fit of a mixture deserves.

    `model` is the one that was fitted.
    """
    names = mixture._names()
    weights, K = mixture.weights, mixture.n_components
    if weights == COUNTS and light(fit.weight, fit.rows):
        yield doubt(fit.weight, fit.rows), LightWeightsWarning
    if cut_short(fit):
        yield cut_short(fit), ConvergenceWarning
    elif not fit.converged and len(fit.trace) > 1:
        yield (
            "Best performing initialization did not converge. Try different init parameters, "
            f"or increase max_iter, tol, or check for degenerate data ({fit.reason})",
            ConvergenceWarning,
        )
    if fit.starts and (fit.starts[-1].name, fit.starts[-1].outcome) == ("given", "failed"):
        yield fit.reason, ConvergenceWarning
    if isinstance(model, Noisy) and fit.params.weights[-1] >= NEARLY_ALL:
        yield _all_noise(float(fit.params.weights[-1]), model.uniform), DegenerateWarning
    if excess(mixture):
        yield excess(mixture), UserWarning
    if fit.empty and not fit.bound:
        yield _empty(fit.empty), DegenerateWarning
    for why in collapses(fit.floored, mixture._family(), names, K, "component"):
        yield collapse_told(why, "components"), DegenerateWarning
    if fallen := at_the_floor(fit):
        yield _fallen(fallen), DegenerateWarning
    spurious = [each for each in fit.standings if each.verdict == "spurious"]
    if spurious:
        yield _spurious(spurious), DegenerateWarning
    endless = () if model is None else model.endless(fit.summary, fit.params)
    if endless:
        yield _endless([each.said(names) for each in endless]), DegenerateWarning
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


def _all_noise(share: float, uniform: Uniform) -> str:
    # In logarithms: a volume may be out of the range of numbers.
    volume = f"its volume is exp({uniform.log_volume:.4g})"
    cure = (
        "the columns may depend on each other: leave one out"
        if uniform.estimated
        else "the rows hardly crowd anywhere: use fewer components, or noise=None"
        if uniform.whole
        else "that is far less than the rows fill: noise=True takes the volume of the table's box"
    )
    return f"{100 * share:.3g}% of the rows are noise, and {volume}; {cure}"


def _empty(components: tuple[int, ...]) -> str:
    each = [f"component {k} is empty: it holds less than half a row" for k in components]
    return f"{_listed(each, 'more are')}. Use fewer components, or another seed"


def _listed(each: list[str], rest: str) -> str:
    """The first of them, and how many `rest`."""
    left = len(each) - LISTED
    return "; ".join(each[:LISTED]) + (f"; and {left} {rest}" if left > 0 else "")


def _fallen(found: list[Standing]) -> str:
    each = [
        f"component {one.component} has about {one.rows:.3g} rows and a smallest variance "
        f"{one.spread:.1g} of the table's"
        for one in found
    ]
    return (
        f"{_listed(each, 'more do')}: next to nothing but reg_covar, which sets its density "
        "and so the likelihood. Use fewer components, leave out what is constant there, or use "
        "reg_covar=None"
    )


def _spurious(found: list[Standing]) -> str:
    each = [
        f"component {one.component} looks spurious: it holds {one.rows:.3g} rows, and its smallest "
        f"variance is {one.spread:.1g} of the table's"
        for one in found
    ]
    return (
        f"{_listed(each, 'more do')}. Some few rows always lie close together: use fewer "
        "components, constraint=EigenvalueRatio(...) or more starts"
    )


def _endless(each: list[str]) -> str:
    return (
        f"{_listed(each, 'more')}: what is returned is where the climb stopped. Leave the "
        "column out, or use fewer components"
    )


def collapse_told(why: Collapse, nouns: str) -> str:
    """One sentence; `nouns` is what components are called."""
    count, listed = len(why.each), why.listed(LISTED)
    if why.shared:
        head = f"the covariance that all {nouns} share has collapsed: {listed}, and"
    else:
        head = f"{count} {nouns}: {listed}:" if count > LISTED else f"{listed}:"
    them = "it" if count == 1 else "them"
    return f"{head} only the penalty keeps {them} from collapsing. {why.remedy}"
