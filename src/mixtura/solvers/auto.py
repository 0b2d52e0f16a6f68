"""The fastest safe path: EM, then SQUAREM, then a quasi-Newton climb once the hill is concave.

A quasi-Newton climb from far away is fast, and ends at another optimum than EM about as often as
not, now higher, now lower. So it is not begun before EM's way is decided: where the log-likelihood
is concave along every direction that a dozen passes can try, what is left is arithmetic. One that
knows the whole information keeps to EM's way better, and begins when that is worth its price.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mixtura.errors import FAILURES
from mixtura.solvers.charted import Charted
from mixtura.solvers.climb import Climb
from mixtura.solvers.curvature import smallest_curvature
from mixtura.solvers.em import em
from mixtura.solvers.lbfgs import lbfgs, sphered
from mixtura.solvers.logbook import still_to_come
from mixtura.solvers.problem import Problem, Solver
from mixtura.solvers.squarem import squarem

# EM steps before anything else is thought of, and between two decisions.
FIRST, BETWEEN = 10, 5
# Until so many steps EM is given the chance to grow steady by itself.
PATIENCE = 25
# EM goes on while it needs no more steps than this by its own rate: a look costs half of them.
FEW = 25
# EM's gains shrink steadily when their last ratios differ by no more than this.
STEADY = 0.05
# Passes at most for one look at the curvature.
LOOK = 12
# L-BFGS has at least so many steps before the whole information is asked for, of at most so many
# free numbers.
BEND, MOST = 100, 1000
# With the information in one look the last digits are a few steps, which spare another climb.
FINER = 1e-3
# Steps after which the whole information, where it is one look, may lead: EM's way is by then
# decided about as well as when the hill is concave.
CHOSEN = 40
# What is said of a climb that others go on from.
EDGE = "stopped: a component holds less than a row"
# So often it leads at most, where it runs into singularities.
TRIES = 3
# SQUAREM steps between two looks: so many, and this share of all steps so far.
STRIDE, SHARE = 20, 0.5


def auto(problem: Problem) -> Climb:
    """Climb by at most `max_iter` steps of whatever kind; see `problem.Solver`.

    The rule:

    1. Ten EM steps, more (to 25) until the ratios of the last gains differ by at most 0.05, and
       more while those ratios say that 25 will do. Where EM converges, nothing else runs.
    2. Where the ratios are steady, and `sphered` does not take over by 3, the curvature is looked
       at, in at most 12 passes (Lanczos). If no direction rises, L-BFGS climbs the rest; along the
       axes of the whole information (`sphered`) what is left after as many steps as there are free
       numbers, and 100, or where an engine has that in one look, when as many passes as it is worth
       were made.
    3. Otherwise SQUAREM takes 20 steps and half as many as were taken so far, EM five, and 2 is
       asked again. After 40 steps `sphered` takes over, wherever that is, where an engine has the
       whole information in one look at the rows and as many passes as that is worth were made,
       since it last ran into a singularity too: then SQUAREM goes on, and it is tried TRIES times;
       but where somebody goes on from the way (`Problem.on_way`) that ends the climb, and so does
       an edge.
    4. At the edge of the parameters (a component with less than a row, or at the floor of its
       variance) and where L-BFGS runs into a singularity, SQUAREM goes on instead; where rounding
       stops its line search, EM. A model without free coordinates (`Model.obstacle`) and `tol=0`,
       which asks for steps and not for an optimum, are left to EM.
    """
    model, tol, max_iter = problem.model, problem.tol, problem.max_iter
    if tol == 0 or model.obstacle():
        return em(problem)
    if model.log_prior(problem.params) != 0:
        # Of several steps at once only the last penalised objective is known, and legs are short.
        problem.sweep.stride = 1
    before = since = problem.sweep.passes
    tries = TRIES
    ran = em(problem.replaced(max_iter=min(FIRST, max_iter)))
    while not (ran.converged or problem.late) and ran.iterations < max_iter:
        left = max_iter - ran.iterations
        calm = steady(ran)
        if (ran.iterations < PATIENCE and not calm) or (calm and remaining(ran, tol) <= FEW):
            ran = leg(problem, em, ran, min(BETWEEN, left))
            continue
        spent = problem.sweep.passes - before
        decided = ran.iterations >= CHOSEN
        edge = decided and model.at_edge(ran.summary, ran.params)
        led = decided and not edge and tries > 0
        price = whole_price(problem, ran) if led else math.inf
        # Where the information is asked for anyway nobody has to be told that the hill is concave.
        asked = problem.sweep.passes - since >= price
        if calm and not asked and concave(problem, ran):
            return quasi_newton(problem, ran, spent)
        if edge and problem.on_way is not None:
            return replace(ran, reason=EDGE)
        if problem.sweep.passes - since >= price:
            tries -= 1
            try:
                ran = informed(problem, ran, left)
                continue
            except FAILURES:
                if problem.on_way is not None:
                    raise
            since = problem.sweep.passes
        ran = leg(problem, squarem, ran, min(int(STRIDE + SHARE * ran.iterations), left))
        left = max_iter - ran.iterations
        if not ran.converged and left > 0:
            ran = leg(problem, em, ran, min(BETWEEN, left))
    return ran


def leg(problem: Problem, solver: Solver, before: Climb, steps: int) -> Climb:
    """The climb so far, continued by at most `steps` of `solver`."""
    # A history is one of objectives, and a climb's log-likelihoods are not penalised.
    penalised = before.objective != before.summary.loglik
    history = () if penalised else (*before.earlier, *before.logliks)
    after = before.followed(solver(problem.onward(before, max_iter=steps, history=history)))
    if problem.on_way is not None:
        problem.on_way(after)
    return after


def quasi_newton(problem: Problem, before: Climb, spent: int) -> Climb:
    """L-BFGS for all steps left where it is safe, else SQUAREM; so many passes were made."""
    left = problem.max_iter - before.iterations
    if problem.model.at_edge(before.summary, before.params):
        return leg(problem, squarem, before, left)
    size = problem.model.chart(before.params).size
    price = whole_price(problem, before)
    # The information only where its price would have been spent anyway.
    first = max(size, BEND) if size <= MOST else left
    if price < math.inf:
        first = max(0, math.ceil(price) - spent)
    first, after = min(left, first), before
    try:
        if first > 0:
            after = leg(problem, lbfgs, before, first)
        left = problem.max_iter - after.iterations
        if not after.converged and after.iterations == before.iterations + first and left > 0:
            after = informed(problem, after, left)
    except FAILURES:
        return leg(problem, squarem, after, left)
    left = problem.max_iter - after.iterations
    return after if after.converged or left <= 0 else leg(problem, em, after, left)


def informed(problem: Problem, before: Climb, steps: int) -> Climb:
    """The climb so far, continued in the axes of the whole information."""
    if whole_price(problem, before) == math.inf:
        return leg(problem, sphered, before, steps)
    after = leg(problem.replaced(tol=problem.tol * FINER), sphered, before, steps)
    if not after.gap <= problem.tol:
        return after
    return replace(after, converged=True, reason=still_to_come(after.gap, problem.tol))


def whole_price(problem: Problem, climb: Climb) -> float:
    """How many passes the information is worth in one look; infinite where passes cost less."""
    price = problem.sweep.information_price(climb.params, led=True)
    known = price < math.inf and price <= problem.model.chart(climb.params).size
    return price if known else math.inf


def steady(climb: Climb) -> bool:
    """Whether the last gains shrank at nearly the same ratio."""
    gains = [after - before for before, after in pairwise(climb.logliks[-BETWEEN:])]
    if len(gains) < BETWEEN - 1 or min(gains) <= 0:
        return False
    ratios = [after / before for before, after in pairwise(gains)]
    return max(ratios) < 1 and max(ratios) - min(ratios) <= STEADY


def remaining(climb: Climb, tol: float) -> float:
    """EM steps still to take to a gap of `tol` per row, if its last ratio goes on."""
    before, last = (after - before for before, after in pairwise(climb.logliks[-3:]))
    if not 0 < last < before:
        return math.inf
    ratio = last / before
    gap = last * ratio / (1 - ratio) / climb.summary.weight
    return math.log(gap / tol) / -math.log(ratio)


def concave(problem: Problem, climb: Climb) -> bool:
    """Whether a short search finds no direction in which the slope grows."""
    here = Charted.around(problem.model, problem.sweep, climb.params, climb.summary)
    seen = smallest_curvature(here, np.random.RandomState(0), LOOK, any_rise=True)
    return seen.smallest > 0
