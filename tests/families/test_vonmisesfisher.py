"""The von Mises-Fisher family: any number of columns, samples, and collapse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special, stats
from whole_fit import fitted

from mixtura.errors import Collapse
from mixtura.families.vonmisesfisher import (
    VonMisesFisher,
    VonMisesFisherParams,
    VonMisesFisherPrior,
)

# How often a sound sampler would fail its test.
FALSE_ALARM = 1e-4


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("d", [2, 3, 10, 300])
@pytest.mark.parametrize("kappa", [1e-12, 0.5, 10.0, 1e4])
def test_samples_and_density_agree_along_the_direction(d: int, kappa: float) -> None:
    """t = mu' x has a density proportional to exp(kappa t) (1 - t^2)^((d - 3) / 2)."""
    rng = np.random.default_rng(1)
    mu = unit(rng.normal(size=d))
    params = VonMisesFisherParams(mu[None], np.array([kappa]))
    X = VonMisesFisher().sample(np.zeros(1500, int), params, np.random.RandomState(2))
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), 1.0, rtol=1e-12)
    # In the angle to mu, where the density has no pole.
    angle = np.linspace(0, np.pi, 400_001)
    log = kappa * (np.cos(angle) - 1) + special.xlogy(d - 2, np.sin(angle).clip(0))
    below = integrate.cumulative_trapezoid(np.exp(log - log.max()), angle, initial=0)
    drawn = np.arccos(np.clip(X @ mu, -1, 1))
    p = stats.kstest(drawn, lambda a: np.interp(a, angle, below / below[-1])).pvalue
    assert p > FALSE_ALARM
    # And the density integrates to 1 over the slices of the sphere.
    area = np.log(2 * np.pi ** ((d - 1) / 2)) - special.gammaln((d - 1) / 2)
    total = np.log(below[-1]) + log.max() + kappa + area
    found = VonMisesFisher().log_density(mu[None], params)[0, 0]
    assert found == pytest.approx(kappa - total, abs=1e-6)


@pytest.mark.parametrize("d", [2, 5, 40])
def test_two_bundles_are_found(d: int) -> None:
    mus = unit(np.eye(2, d) + 0.2)
    family = VonMisesFisher()
    truth = VonMisesFisherParams(mus, np.array([40.0, 150.0]))
    X = family.sample(np.repeat([0, 1], 150), truth, np.random.RandomState(4))
    found = fitted("vonmisesfisher", X, 2)
    assert found.fit.verdict == "interior maximum"
    assert found.fit.n_parameters == 1 + 2 * d
    at_truth = np.logaddexp.reduce(family.log_density(X, truth) + np.log(0.5), axis=1).sum()
    assert at_truth < found.fit.loglik < at_truth + 4 * d + 10
    if d == 2:
        angles = np.arctan2(X[:, 1], X[:, 0])[:, None]
        assert found.fit.loglik == pytest.approx(fitted("vonmises", angles, 2).fit.loglik, abs=1e-4)
    else:
        near = (found.params.components.directions @ mus.T).max(axis=1)
        assert near.min() > 0.99


def test_equal_rows_are_refused_at_maximum_likelihood() -> None:
    family, x = VonMisesFisher(), np.tile([0.0, 0.6, 0.8], (4, 1))
    sums = family.statistics(x, np.ones((4, 1)), None)
    with pytest.raises(Collapse, match="component 0 holds 4 rows"):
        family.maximize(sums, None, VonMisesFisherPrior(0.0, np.array([0.9]), 3))
    kept = VonMisesFisherPrior(0.25, np.array([0.9]), 3)
    params = family.maximize(sums, None, kept)
    assert kept.narrow(params, sums.counts) != []
    assert kept.narrow(kept.sobered(params, sums.counts, [0]), sums.counts) == []


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unit vectors, and columns 'x' to 'z' have length 5 in"):
        VonMisesFisher().refuse(np.array([[0.0, 1.0, 0.0], [3.0, 4.0, 0.0]]), ["x", "y", "z"])
    with pytest.raises(ValueError, match="two columns and more"):
        fitted("vonmisesfisher", np.ones((5, 1)), 1)
