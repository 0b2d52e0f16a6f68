"""Shares lost to gaps, against differences of log-likelihoods that SciPy's densities make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, multivariate_t, nbinom, norm, poisson

from mixtura import Block, GaussianMixture, Mixture, Product, StudentMixture
from mixtura.records import Array


def by_cell(cell: Callable[..., Array], X: Array, *parts: Array) -> Array:
    """log p of the cells that are there, (n, K), of columns that are independent."""
    each = cell(np.nan_to_num(X)[:, None], *parts)
    return np.asarray(np.where(np.isnan(X)[:, None], 0.0, each).sum(axis=2))


def by_pattern(one: Callable[[Array, Array], Array], X: Array) -> Array:
    """(n, 1) of one(rows of a pattern, which columns are there)."""
    out = np.empty((len(X), 1))
    kinds, own = np.unique(~np.isnan(X), axis=0, return_inverse=True)
    for k, seen in enumerate(kinds):
        there = own.ravel() == k
        out[there, 0] = one(X[there][:, seen], np.flatnonzero(seen))
    return out


def of_normal(X: Array, p: dict[str, Array]) -> Array:
    def cell(x: Array, m: Array, v: Array) -> Array:
        return np.asarray(norm.logpdf(x, m, np.sqrt(v)))

    return by_cell(cell, X, p["means"], p["variances"])


def of_poisson(X: Array, p: dict[str, Array]) -> Array:
    return by_cell(poisson.logpmf, X, p["rates"])


def counted(X: Array, m: Array, s: Array) -> Array:
    return by_cell(lambda x, m, s: nbinom.logpmf(x, s, s / (s + m)), X, m, s)


def of_negative_binomial(X: Array, p: dict[str, Array]) -> Array:
    return counted(X, p["means"], p["sizes"])


def of_factors(X: Array, p: dict[str, Array]) -> Array:
    cov = p["loadings"][0] @ p["loadings"][0].T + np.diag(p["noise"][0])
    return by_pattern(
        lambda x, j: multivariate_normal.logpdf(x, p["means"][0, j], cov[np.ix_(j, j)]), X
    )


def of_student(X: Array, p: dict[str, Array]) -> Array:
    shape, df = np.tril(p["scales"][0]), p["degrees_of_freedom"][0]
    shape = shape + np.tril(shape, -1).T
    return by_pattern(
        lambda x, j: multivariate_t.logpdf(x, p["means"][0, j], shape[np.ix_(j, j)], df), X
    )


def of_product(X: Array, p: dict[str, Array]) -> Array:
    own = {"means": p["normal.means"], "variances": p["normal.variances"]}
    counts = counted(X[:, 1:], p["negativebinomial.means"], p["negativebinomial.sizes"])
    return of_normal(X[:, :1], own) + counts


@dataclass
class Numbers:
    """The free numbers among a mixture's arrays: all but one weight, and half of symmetric ones."""

    arrays: dict[str, Array]

    @property
    def which(self) -> dict[str, Array]:
        each = {name: np.ones(one.shape, dtype=bool) for name, one in self.arrays.items()}
        each["weights"][-1] = False
        if "scales" in each:
            each["scales"] = np.tril(each["scales"])
        return each

    def moved(self, free: Array) -> dict[str, Array]:
        found = {name: one.copy() for name, one in self.arrays.items()}
        for name, own in self.which.items():
            found[name][own], free = free[: own.sum()], free[own.sum() :]
        found["weights"][-1] = 1 - found["weights"][:-1].sum()
        return found

    @property
    def free(self) -> Array:
        return np.concatenate([self.arrays[name][own] for name, own in self.which.items()])

    @property
    def steps(self) -> Array:
        return np.diag(2e-3 * np.maximum(np.abs(self.free), 0.05))

    def rows(self, density: Any, X: Array, free: Array) -> Array:
        p = self.moved(free)
        return np.asarray(logsumexp(density(X, p) + np.log(p["weights"]), axis=1))

    def information(self, density: Any, X: Array) -> Array:
        """Minus the Hessian of the log-likelihood."""
        at, steps = self.free, self.steps
        found = np.empty(steps.shape)
        for i, a in enumerate(steps):
            for j, b in enumerate(steps[: i + 1]):
                signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
                ends = (s * t * self.rows(density, X, at + s * a + t * b).sum() for s, t in signs)
                found[i, j] = found[j, i] = -sum(ends) / (4 * a[i] * b[j])
        return found

    def hidden(self, density: Any, draws: Array) -> Array:
        """The covariance of scores over draws of the same rows, summed over rows."""
        X, (times, n, _) = draws.reshape(-1, draws.shape[2]), draws.shape
        at, scores = self.free, []
        for step in self.steps:
            high, low = (self.rows(density, X, at + sign * step) for sign in (1, -1))
            scores.append((high - low) / (2 * step.sum()))
        each = np.stack(scores, axis=-1).reshape(times, n, -1)
        each -= each.mean(axis=0)
        return np.einsum("tni,tnj->ij", each, each) / (times - 1)


def _two(rng: np.random.Generator, n: int = 500) -> Array:
    return rng.integers(0, 2, size=(n, 1))


TABLES: dict[str, tuple[Any, Any, Any]] = {
    "normal": (
        Mixture("normal", 2, random_state=0, tol=1e-10),
        of_normal,
        lambda rng: rng.normal(3.0 * _two(rng), 1.0, size=(500, 2)),
    ),
    "poisson": (
        Mixture("poisson", 2, random_state=0, tol=1e-10),
        of_poisson,
        lambda rng: rng.poisson(3 + 6 * _two(rng), size=(500, 2)),
    ),
    "negative binomial": (
        Mixture("negativebinomial", 1, tol=1e-10),
        of_negative_binomial,
        lambda rng: rng.negative_binomial(3, [0.3, 0.6], size=(500, 2)),
    ),
    "factors": (
        GaussianMixture(1, covariance_type="UUU:1", tol=1e-10),
        of_factors,
        lambda rng: rng.normal(size=(500, 4)) + rng.normal(size=(500, 1)),
    ),
    "student": (
        StudentMixture(1, tol=1e-10),
        of_student,
        lambda rng: rng.standard_t(4, size=(500, 2)) @ [[1, 0.7], [0, 1]],
    ),
    "product": (
        Mixture(
            Product([Block("normal", [0]), Block("negativebinomial", [1])]),
            2,
            random_state=0,
            tol=1e-10,
        ),
        of_product,
        lambda rng: np.hstack(
            [
                rng.normal(4.0 * (z := _two(rng)), 1.0),
                rng.negative_binomial(3, np.where(z, 0.2, 0.6)),
            ]
        ),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_shares_are_those_of_the_differences(name: str) -> None:
    mixture, density, table = TABLES[name]
    rng = np.random.default_rng(3)
    X = np.asarray(table(rng), dtype=float)
    X[rng.random(X.shape) < 0.3] = np.nan
    X = X[~np.isnan(X).all(axis=1)]
    mixture.fit(X)
    lost = Numbers(mixture.information_lost(X))
    here = Numbers(mixture._fitted()[1].arrays())
    gaps = here.information(density, X)
    hidden = here.hidden(density, mixture.impute(X, draws=30, random_state=1))
    with_gaps, whole = (np.diag(np.linalg.inv(each)) for each in (gaps, gaps + hidden))
    np.testing.assert_allclose(lost.free, 1 - whole / with_gaps, atol=0.03)
    assert (np.concatenate([each.ravel() for each in lost.arrays.values()]) >= 0).all()
