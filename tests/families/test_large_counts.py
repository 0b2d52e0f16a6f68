"""Poisson components of counts so large that x log rate - rate - log x! has no digits left."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from mixtura import BayesianMixture, Mixture
from mixtura.families.large_counts import log_masses
from mixtura.families.poisson import Poisson, PoissonParams
from mixtura.supports import TINY


def _exact(x: float, rate: float) -> float:
    """In 60 digits; factorials beyond 10,000 by Stirling's series to its fourth term."""
    with localcontext() as context:
        context.prec = 60
        n, r = Decimal(x), Decimal(rate)
        if x <= 1e4:
            factorial = Decimal(math.factorial(int(x))).ln()
        else:
            pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
            factorial = n * n.ln() - n + (2 * pi * n).ln() / 2
            factorial += 1 / (12 * n) - 1 / (360 * n**3) + 1 / (1260 * n**5)
        return float(n * r.ln() - r - factorial)


def test_densities_at_every_size() -> None:
    """Beside 60 digits, from counts of 0 to 1e15, near the rate and far from it."""
    x = np.array([0.0, 1, 7, 999, 1000, 1001, 1e6, 1e10 + 3, 1e13, 1e15])
    rates = np.array([TINY, 0.3, 1000.0, 1e6 + 500, 1e10, 1e13 - 4e6, 1e15 + 3e7])
    found = log_masses(x[:, None], np.ones((1, 1)), rates[:, None])
    exact = np.array([[_exact(each, rate) for rate in rates] for each in x])
    np.testing.assert_allclose(found, exact, rtol=1e-13, atol=1e-8)


def test_gaps_and_both_forms_agree() -> None:
    """One large cell changes the form of a piece, and no density in it."""
    rng = np.random.default_rng(0)
    X = rng.poisson([3.0, 40.0, 2e6], (50, 3)).astype(np.float64)
    X[rng.uniform(size=X.shape) < 0.2] = np.nan
    params = PoissonParams(np.array([[2.0, 50.0, 2.001e6], [4.0, 30.0, 1.999e6]]))
    split = sum(
        Poisson().log_density(X[:, [j]], PoissonParams(params.rates[:, [j]])) for j in range(3)
    )
    np.testing.assert_allclose(Poisson().log_density(X, params), split, atol=1e-9)


def test_groups_among_huge_counts_are_found() -> None:
    """Two groups eight deviations apart at 1e13."""
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1], 100)
    X = rng.poisson(np.array([1e13, 1e13 + 25e6])[truth][:, None], (200, 1))
    found = Mixture("poisson", 2, random_state=0).fit(X)
    labels = found.predict(X)
    assert np.mean(labels == truth) in (0.0, 1.0)
    assert found.converged_
    plain = np.random.default_rng(0).poisson(1e13, (30, 2))
    assert Mixture("poisson", 2, random_state=0).fit(plain).converged_


def test_a_posterior_refuses_what_it_cannot_hold() -> None:
    X = np.random.default_rng(0).poisson(1e13, (30, 2))
    with pytest.raises(ValueError, match=r"counts below 1,000,000,000,000, .*column 'x1' holds"):
        BayesianMixture("poisson", 2).fit(X)
    less = np.random.default_rng(0).poisson(1e11, (30, 2))
    BayesianMixture("poisson", 2, random_state=0).fit(less)
