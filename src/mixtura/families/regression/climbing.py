"""Regressions to rows in memory, as starts have them: Newton's steps, each halved by the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.families.priors import Flat
from mixtura.families.regression.records import Coefficients, Dispersed
from mixtura.families.regression.terms import Terms
from mixtura.records import Array
from mixtura.supports import TINY

# Steps at most, halvings of one at most, and the gain per row below which it is enough: EM goes on
# from there.
STEPS, HALVINGS, ENOUGH = 25, 12, 1e-8


def begun(family: Terms, X: Array, w: Array) -> Coefficients:
    """One component from the responses' own predictors, by least squares; weights w (n,)."""
    y, trials, offset = family.answers(X)
    found, root = family.seen(), np.sqrt(w)
    near = family.law.begun(y, trials) - offset
    solved = np.linalg.lstsq(root[:, None] * found.z(X), root * near, rcond=None)[0]
    first = Coefficients((found.turn @ solved)[None])
    if family.dispersion is None:
        return first
    half = w @ family.law.deviance(y, family.predictors(X, first)[:, 0]) / w.sum()
    return Dispersed(first.coefficients, family.dispersion.of(np.maximum([half], TINY)))


def climbed(family: Terms, X: Array, resp: Array, params: Any, prior: Any = None) -> Coefficients:
    """The regressions of given responsibilities (n, K), which include row weights.

    `params` are where the steps begin. Steps are halved component by component, where none of
    their coefficients is common.
    """
    prior = Flat() if prior is None else prior
    here: Any = params
    total = max(float(resp.sum()), np.finfo(float).tiny)
    for _ in range(STEPS):
        stats = family.statistics(X, resp, here)
        target: Any = family.maximize(stats, here, prior)
        value = _expected(family, X, resp, here)
        share, ahead = np.ones((resp.shape[1], 1)), value
        for _ in range(HALVINGS):
            between = here.coefficients + share * (target.coefficients - here.coefficients)
            trial = replace(target, coefficients=between)
            ahead = _expected(family, X, resp, trial)
            fell = ~(ahead >= value - 1e-12 * np.abs(value))
            if not fell.any():
                break
            share[fell] *= 0.5
        else:
            return here  # type: ignore[no-any-return]
        here = trial
        if not family.generalised or float((ahead - value).sum()) < ENOUGH * total:
            break
    return here  # type: ignore[no-any-return]


def _expected(family: Terms, X: Array, resp: Array, params: Coefficients) -> Array:
    """Each component's part of the expected log-likelihood, (K,); of all, where some are tied."""
    with np.errstate(invalid="ignore", over="ignore"):
        each = np.where(resp > 0, resp * family.log_density(X, params), 0.0).sum(axis=0)
    return np.full_like(each, each.sum()) if family.common or family.common_dispersion else each
