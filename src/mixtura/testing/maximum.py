"""That an M-step goes to the top of the expected log-likelihood, and what it tells of units."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from mixtura.models.base import Model
from mixtura.models.mixture import Mixture
from mixtura.models.responsibilities import normalise
from mixtura.records import Array, Chunk, Summary
from mixtura.returned import is_own, plain
from mixtura.testing.requiring import require

# What a small step from where an M-step ends may gain per row; which share of a step may be left
# to go from there, by inner iterations; how much shorter than the gradient a step may be.
GAIN, LEFT, SHORTER = 1e-9, 1e-3, 0.9
# How far from the top, in free numbers, an M-step is its gradient; how far from parameters a part
# of a step is no small one.
NEAR, FAR = 1e-3, 0.3
# Free numbers whose units are looked at, how well the rows must tell them apart, and by what factor
# the information of few rows may differ from its expectation.
MOST, TOLD, UNITS = 12, 1e3, 1.5
DECLARE = "maximise it, or write `generalised = True` where a step only raises it"


def check_maximum(model: Model, X: Array, params: Any, top: Any) -> None:
    """AssertionError where an M-step from `params` ends below what it can reach; `top` is where EM
    ended.

    In a mixture of a family of one's own the expected log-likelihood is that of rows with their
    responsibilities. Another model's is known to its own M-step alone: given the same sums again,
    from where it led, it must stay there. Where the sums are the same at all parameters the M-step
    fills in itself what is hidden; then a single free number tells, whose `information` is the
    curvature: near the top EM's step is the gradient over it (Dempster, Laird & Rubin 1977).
    """
    if model.generalised:
        return
    if isinstance(model, Mixture):
        if _wrote(model.family, "maximize"):
            for at in (params, _away(model, X, params)):
                _check_mixture(model, X, at, model.m_step(model.e_step(Chunk(X), at), at))
        return
    summary = model.e_step(Chunk(X), params)
    end = model.m_step(summary, params)
    if _wrote(model, "m_step"):
        if _same(summary, model.e_step(Chunk(X), end)):
            _check_near(model, X, top)
        else:
            _check_again(model, summary, (params, end))
        _check_units(model, X, top)


def _wrote(one: Any, method: str) -> bool:
    """Whether that method is a user's: the house's may know more of a row that is hidden."""
    kinds = type(plain(one)).__mro__
    return is_own(next(kind for kind in kinds if method in vars(kind)))


def _check_mixture(model: Mixture, X: Array, params: Any, end: Any) -> None:
    resp = normalise(model.log_joint(X, params))[1]

    def expected(at: Any) -> float:
        joint = model.log_joint(X, at)
        return float(resp.ravel() @ np.where(resp > 0, joint, 0.0).ravel()) + model.log_prior(at)

    chart, here = model.chart(end), expected(end)
    for i in range(min(chart.size, 50)):
        for length in (1e-3, -1e-3, 1e-2, -1e-2):
            free = np.zeros(chart.size)
            free[i] = length
            try:
                gain = (expected(chart.params(free)) - here) / len(X)
            except (ValueError, ArithmeticError):
                continue
            require(
                not gain > GAIN * (1.0 + abs(here) / len(X)),
                f"maximize: from where it ends, a step of {length:g} in free number {i} raises the "
                f"expected log-likelihood by {gain:.3g} per row: {DECLARE}",
            )


def _away(model: Mixture, X: Array, params: Any) -> Any:
    """Parameters so far from these that a part of an M-step from there is no small step."""
    chart = model.chart(params)
    for length in (FAR, FAR / 4, FAR / 16):
        try:
            at = chart.params(np.where(np.arange(chart.size) % 2, -length, length))
            if np.isfinite(model.e_step(Chunk(X), at).loglik):
                return at
        except (ValueError, ArithmeticError):
            continue
    return params


def _check_again(model: Model, summary: Summary, ends: tuple[Any, Any]) -> None:
    first, second = (at.arrays() for at in ends)
    # Sums that are told about the parameters are told anew there.
    third = model.m_step(model.transported(summary, *ends), ends[1]).arrays()
    for name, array in third.items():
        went, goes_on = (np.abs(a - second[name]).max(initial=0.0) for a in (first[name], array))
        require(
            not goes_on > LEFT * went + 1e-9 * np.abs(array).max(initial=0.0),
            f"m_step: given the same sums again, from where it led, it moves {name!r} by "
            f"{goes_on:.3g} more, after {went:.3g}: the first step did not maximise the expected "
            f"log-likelihood: {DECLARE}; where sums are told about `params`, write `transported`",
        )


def _check_near(model: Model, X: Array, top: Any) -> None:
    told = model.scored and type(model).information is not Model.information
    if not told or model.obstacle():
        return
    around = model.chart(top)
    if around.size != 1:
        return
    here = around.params(np.full(1, NEAR))
    summary, chart = model.e_step(Chunk(X), here), model.chart(here)
    slope = chart.gradient(summary, here)[0] / summary.weight
    share = float(chart.coordinates(model.m_step(summary, here))[0] / slope)
    require(
        not share < SHORTER,
        f"m_step: near the top it goes {share:.3g} of the way that `score` and `information` tell: "
        f"it does not maximise the expected log-likelihood, or `information` is too small: "
        f"{DECLARE}",
    )


def _check_units(model: Model, X: Array, top: Any) -> None:
    """EM's step near the top is the gradient over the complete information, of which `information`
    makes the diagonal 1 (Dempster, Laird & Rubin 1977, section 3)."""
    told = model.scored and type(model).information is not Model.information
    if not told or model.obstacle():
        return
    chart = model.chart(top)
    if not 0 < chart.size <= MOST:
        return
    slopes, steps = np.zeros((2, chart.size, chart.size))
    try:
        for i, sign in product(range(chart.size), (1.0, -1.0)):
            free = np.where(np.arange(chart.size) == i, sign * NEAR, 0.0)
            at = chart.params(free)
            summary = model.e_step(Chunk(X), at)
            slopes[:, i] += sign * chart.gradient(summary, at) / summary.weight
            steps[:, i] += sign * (chart.coordinates(model.m_step(summary, at)) - free)
    except (ValueError, ArithmeticError):
        return
    if not max(np.linalg.cond(slopes), np.linalg.cond(steps)) < TOLD:
        return
    for i, found in enumerate(np.diag(slopes @ np.linalg.inv(steps))):
        require(
            1.0 / UNITS < found < UNITS,
            f"information: in free number {i} near the top, score and M-step say that a row tells "
            f"{found:.3g} where `information` makes it 1: it is of one row, its weight 1, and of "
            "log x (a positive x), x (real), or a share in units of one draw",
        )


def _same(one: Summary, two: Summary) -> bool:
    other = two.statistics.arrays()
    return all(
        np.allclose(array, other[name], rtol=1e-12, atol=0.0)
        for name, array in one.statistics.arrays().items()
    )
