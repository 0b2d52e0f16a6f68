"""What kind of point a climb ended at, and the way on from a saddle.

A climb stops where the slope vanishes; whether that is a summit the curvature says. The smallest
eigenvalue of the observed information, as a share of the complete-data information, is positive
at an interior maximum, zero along a ridge (the data cannot tell some parameters apart) and
negative at a saddle, where a step along its eigenvector leads up again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mixtura.errors import FAILURES
from mixtura.models.base import Model
from mixtura.records import Array, Summary
from mixtura.result import Certificate
from mixtura.solvers.charted import Charted
from mixtura.solvers.climb import Climb
from mixtura.solvers.curvature import DIFFERENCE, Curvature, in_sight, smallest_curvature
from mixtura.solvers.generalised import advanced
from mixtura.solvers.problem import SweepLike

# Shares of information below this are none: EM would need thousands of steps for one digit.
FLAT = 1e-4
# Means in steps of more than this share of the differences that tell the curvature hide it.
COARSE = 0.5
# The step tried away from a saddle and from a ridge, in the chart's units: small enough for a true
# saddle, and about as long as a component is wide where only a finite step can show the way.
SADDLE_STEP, RIDGE_STEP = 0.1, 0.7
# EM steps that such a step may take to show that it leads up; those that the highest of them, so
# many, take on before they are compared; and the least gain per row.
TRIAL, FINAL, FINALISTS = 20, 100, 3
GAIN = 1e-7
# With more rows than this a step is dear and fewer must do: at most 160 in all, as many as two
# searches for a start may take (`fitting.budget`).
LONG, LONG_TRIAL, LONG_FINAL = 50_000, 10, 20
SHOULDER = "a shoulder: the slope does not end where the curvature says it should"
# A gain per row that the slope promises where the climb stands still: no rounding makes so much.
STANDS = 1e-4
STRANGERS = (
    "the score says that the objective still rises where the steps stand still: the M-step and the "
    "score do not belong together"
)
# Directions drawn among the flat ones beside the flattest.
DRAWN = 4


def certify(
    model: Model, sweep: SweepLike, climb: Climb, edge: str, rng: np.random.RandomState
) -> tuple[Certificate, Curvature | None]:
    """(verdict and figures, the curvature if it was examined).

    `edge` says why the point lies at the edge of the parameters, empty where it does not. The
    examination costs a pass for each direction tried: all of them where there are at most 16,
    else at most 30, or one look at the rows that tells of all where that is worth no more; none at
    an edge where the last step gained no more than rounding.
    """
    if not climb.converged:
        return Certificate("not converged", detail=climb.reason), None
    if not climb.stationary:
        return Certificate("not a maximum", detail=f"{climb.ran} looks for something else"), None
    if edge and climb.at_rounding:
        # The curvature could only say whether anything is left to gain.
        return Certificate("boundary", detail=edge), None
    obstacle = model.obstacle() or model.examinable
    if not obstacle and (coarse := model.coarseness(climb.params)) > COARSE * DIFFERENCE:
        obstacle = (
            f"float64 holds the means in steps of {coarse:.1g} standard deviations only, so far "
            "are the rows from zero: subtract an offset from the columns"
        )
    if obstacle:
        return Certificate("not examined", detail=obstacle), None
    before = sweep.passes
    here = Charted.around(model, sweep, climb.params, climb.summary)
    if here.chart.size == 0:
        return Certificate("interior maximum", method="exact"), None
    seen = smallest_curvature(here, rng)
    verdict, detail = "interior maximum", ""
    if seen.smallest >= FLAT:
        seen = replace(seen, summit=in_sight(here, seen))
    if seen.smallest >= FLAT and seen.summit is None:
        verdict, detail = "not converged", SHOULDER
    elif edge:
        verdict, detail = "boundary", edge
    elif seen.smallest >= FLAT and seen.newton(here.centre.gradient)[1] > max(
        STANDS, 100 * climb.gap
    ):
        verdict, detail = "not converged", STRANGERS
    elif seen.smallest < -FLAT:
        verdict = "saddle"
    elif seen.smallest < FLAT:
        verdict = "ridge"
    certificate = Certificate(
        verdict,
        curvature=seen.smallest,
        error=seen.error,
        method="exact" if seen.exact else "lanczos",
        passes=sweep.passes - before,
        detail=detail,
    )
    return certificate, seen


def bound_on_gap(climb: Climb, certificate: Certificate) -> float:
    """The gain per row still to come, if the hill is nowhere flatter than its flattest direction.

    Half g' H^-1 g is at most half g'g over the smallest eigenvalue of H.
    """
    if certificate.curvature is None or certificate.curvature < FLAT:
        return climb.gap
    return max(climb.gap, 0.5 * climb.gradient_norm**2 / certificate.curvature)


def way_up(
    model: Model,
    sweep: SweepLike,
    climb: Climb,
    seen: Curvature,
    rng: np.random.RandomState,
) -> Any | None:
    """Parameters from which EM climbs higher than where `climb` ended; None if none is found.

    Raises one of `errors.FAILURES` where the ways up from a saddle all lead to singularities.

    Tried are steps both ways along the flattest direction and along a few drawn among those that
    are flat or rise, each followed by a short run of EM; the highest go on for a longer one. Over
    long tables both are shorter. At a degenerate saddle (equal components) the curvature is zero
    and only a finite step shows the way, and of the ways up some lead to lesser hills.
    """
    here = Charted.around(model, sweep, climb.params, climb.summary)
    points = (here.at(free) for free in _steps(seen, rng))
    begun = (Way(p.value, p.params, p.summary) for p in points if p is not None)
    long = sweep.rows.n > LONG
    tried, failure = _climbed(model, sweep, begun, LONG_TRIAL if long else TRIAL)
    least = climb.objective + GAIN * climb.summary.weight
    ways = sorted((way for way in tried if way.objective > least), key=_height, reverse=True)
    if not ways:
        if failure is not None and seen.smallest < -FLAT:
            raise failure
        return None
    finalists = ways[:FINALISTS] if len(ways) > 1 else ()
    further, _ = _climbed(model, sweep, finalists, LONG_FINAL if long else FINAL)
    return max((ways[0], *further), key=_height).params


class Way(NamedTuple):
    """A point on a way up."""

    objective: float
    params: Any
    summary: Summary


def _height(way: Way) -> float:
    return way.objective


def _steps(seen: Curvature, rng: np.random.RandomState) -> Iterator[Array]:
    saddle = seen.smallest < -FLAT
    yield from _both_ways(seen.flat[:, 0], SADDLE_STEP if saddle else RIDGE_STEP)
    if seen.flat.shape[1] > 1:
        for _ in range(DRAWN):
            yield from _both_ways(seen.flat @ rng.standard_normal(seen.flat.shape[1]), RIDGE_STEP)


def _both_ways(direction: Array, length: float) -> tuple[Array, Array]:
    step = direction * (length / np.linalg.norm(direction))
    return step, -step


def _climbed(
    model: Model, sweep: SweepLike, ways: Iterable[Way], steps: int
) -> tuple[list[Way], Exception | None]:
    """Where so many EM steps lead from each, and the last failure among them."""
    ends: list[Way] = []
    failure: Exception | None = None
    for way in ways:
        try:
            model.refuse_collapse(way.summary, way.params)
            params, summary, _ = advanced(model, sweep, way.params, way.summary, steps)
        except FAILURES as error:
            failure = error
            continue
        ends.append(Way(summary.loglik + model.log_prior(params), params, summary))
    return ends, failure
