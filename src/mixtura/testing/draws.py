"""What is drawn: independent rows of the law that the densities say.

The law is looked at by ratios of densities: p'(x) / p(x) is 1 on the average over draws from p,
whatever p' is, in any number of columns, and so is their product over columns only where these are
as dependent as the density says. p' are parameters nearby.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import rankdata

from mixtura.families.base import Family
from mixtura.models.base import Model
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Chunk
from mixtura.testing.requiring import require

# Draws that are looked at, of a family and of a model, whose rows are summed one by one.
DRAWS, ROWS = 16_000, 2_000
# Directions in which parameters nearby lie, how far at most and at least; and by how much (a
# standard deviation) the logarithms of densities may differ there.
DIRECTIONS, FAR, NEAR, APART = 6, 0.3, 1e-2, 0.4
# Standard errors that chance may make.
SURE = 6.0
# What a draw may hold of a sum of squares whose mean is looked at: heavy tails tell none.
HOLDS = 0.02

# The log-density of each draw at some parameters, (n,).
Densities = Callable[[Any], Array]


def check_rows(model: Model, params: Any, rng: np.random.Generator) -> None:
    """The draws of a model that has no labels, one by one."""
    X = np.asarray(model.sample(ROWS, params, rng)[0], dtype=np.float64).reshape(ROWS, -1)
    _check_randomness(lambda rng: np.asarray(model.sample(200, params, rng)[0]))
    rows = [Chunk(X[i : i + 1]) for i in range(ROWS)]
    chart = model.chart(params)
    _check_law(
        lambda at: np.array([model.e_step(row, at).loglik for row in rows]), chart, params, rng
    )
    _check_order(X)
    if model.obstacle() or model.examinable:
        return
    scores = np.array([chart.gradient(model.e_step(row, params), params) for row in rows])
    squares = scores**2
    allowed = 1.1 + SURE * squares.std(axis=0) / np.sqrt(ROWS)
    for i in np.flatnonzero(squares.mean(axis=0) > allowed):
        raise AssertionError(
            f"information: in free number {i} the scores of draws vary by "
            f"{squares.mean(axis=0)[i]:.3g} a row, more than the 1 that `information` makes of it, "
            "and a row cannot tell more than with what is hidden in it"
        )


def check_draws(model: Mixture, params: MixtureParams, rng: np.random.Generator) -> None:
    """The draws of a family in all columns, with their labels."""
    family, parts, K = model.family, params.components, len(params.weights)
    zeros = np.zeros(200, dtype=np.int64)
    _check_randomness(lambda rng: family.sample(zeros, parts, rng))
    labels = rng.choice(K, p=params.weights, size=DRAWS)
    X = family.sample(labels, parts, rng)
    own = np.arange(DRAWS), labels

    def densities(at: Any) -> Array:
        return np.asarray(family.log_density(X, at)[own])

    def within(at: Any) -> bool:
        there = family.sample(labels[:ROWS], at, rng)
        known = family.log_density(there, parts)[own[0][:ROWS], labels[:ROWS]]
        return bool(np.isfinite(known).all())

    if type(family).chart is Family.chart or not model.obstacle():
        _check_law(densities, family.chart(parts, params.weights), parts, rng, within)
    for k in range(K):
        _check_order(X[labels == k])
    turns = family.sample(np.arange(DRAWS) % K, parts, rng)
    for k in range(1, K):
        _check_apart(turns[0::K], turns[k::K], "draws of one component and of another")
    check_moments(family, parts, X, labels)


def _check_randomness(drawn: Callable[[np.random.Generator], Array]) -> None:
    one, again, other = (drawn(np.random.default_rng(seed)) for seed in (1, 1, 2))
    require(
        bool(np.array_equal(one, again)),
        "sample: from the same `rng` come other rows: draw all that is random from it",
    )
    alike = np.array_equal(one, other) and not np.array_equal(
        one, np.broadcast_to(one[0], one.shape)
    )
    require(not alike, "sample: from another `rng` come the same rows: draw from it")


def _check_law(
    densities: Densities,
    chart: Any,
    params: Any,
    rng: np.random.Generator,
    within: Callable[[Any], bool] = lambda at: True,
) -> None:
    here = densities(params)
    require(
        bool(np.isfinite(here).all()),
        f"sample: {np.count_nonzero(~np.isfinite(here))} of {len(here)} draws have no density",
    )
    for _ in range(DIRECTIONS if chart.size else 0):
        step = rng.standard_normal(chart.size)
        step *= FAR / np.linalg.norm(step)
        change = densities(chart.params(step)) - here
        while not np.std(change) <= APART and np.linalg.norm(step) > NEAR:
            step *= 0.5
            change = densities(chart.params(step)) - here
        # Where the support hangs on the parameters there are no densities nearby.
        if not np.std(change) <= APART:
            continue
        ratio = np.exp(change)
        found, error = float(ratio.mean()), float(ratio.std() / np.sqrt(len(ratio)))
        if abs(found - 1.0) > SURE * error + 1e-9 and within(chart.params(step)):
            raise AssertionError(
                f"sample: over draws densities nearby should be 1.000 of those of their own "
                f"parameters, and are {found:.3f}: rows, or columns within rows, are not drawn "
                "from the law of the log-density"
            )


def _check_order(X: AnyArray) -> None:
    """Rows one after the other, and far from each other, tell nothing of each other."""
    for apart in (1, len(X) // 2):
        _check_apart(X[:-apart], X[apart:], f"draws that stand {apart} rows apart")


def _check_apart(one: AnyArray, other: AnyArray, which: str) -> None:
    n = min(len(one), len(other))
    for j in range(one.shape[1]) if n > 100 else ():
        a, b = rankdata(one[:n, j]), rankdata(other[:n, j])
        if a.std() == 0.0 or b.std() == 0.0:
            continue
        r = float(np.corrcoef(a, b)[0, 1])
        require(
            abs(r) * np.sqrt(n) <= SURE,
            f"sample: {which} are correlated ({r:.2f} in column {j}): rows are to be independent",
        )


def check_moments(family: Family, params: Any, X: Array, labels: AnyArray) -> None:
    """`means` and `variances`, where they are written, are those of draws."""
    if family.column_kind in ("circle", "levels"):
        return
    for k in range(int(labels.max()) + 1):
        rows = X[labels == k]
        centre = rows.mean(axis=0)
        for name, each in (("means", rows), ("variances", (rows - centre) ** 2)):
            if getattr(type(family), name) is getattr(Family, name):
                continue
            told = np.asarray(getattr(family, name)(params))[k]
            most = np.abs(each).max(axis=0) / np.maximum(np.abs(each).sum(axis=0), 1e-300)
            miss = np.abs(each.mean(axis=0) - told)
            allowed = SURE * each.std(axis=0) / np.sqrt(len(each)) + 1e-9 * np.abs(told)
            # An infinite one, and one that a few draws make, is told by no number of draws.
            for j in np.flatnonzero((most < HOLDS) & np.isfinite(told) & (miss > allowed)):
                raise AssertionError(
                    f"{name}: of component {k} in column {j} it says {told[j]:.6g}, and draws "
                    f"have {each.mean(axis=0)[j]:.6g}"
                )
