"""The von Mises family: turns, concentrations from even to one direction, and collapse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from whole_fit import fitted

from mixtura.errors import Collapse
from mixtura.families.bessel import concentration, log_bessel, scatter, told
from mixtura.families.vonmises import VonMises, VonMisesPrior

RNG = np.random.default_rng(0)
X = np.vstack([RNG.vonmises(3.1, 5.0, size=(150, 1)), RNG.vonmises(0.5, 20.0, size=(150, 1))])


@pytest.mark.parametrize("p", [2, 3, 7, 50, 400])
@pytest.mark.parametrize("kappa", [1e-9, 1e-3, 0.4, 3.0, 60.0, 1e3, 1e5, 1e9])
def test_concentrations_are_found_again(p: int, kappa: float) -> None:
    rest = scatter(np.array([kappa]), p)
    # So near to even or to one direction as the mean's length has digits for.
    assert concentration(rest, p)[0] == pytest.approx(kappa, rel=1e-6 if kappa > 1e-6 else 1e-3)
    assert 0 < rest[0] <= 1


def test_bessel_functions_agree_where_their_ways_meet() -> None:
    order = 60.0
    x = np.array([1e-4, 0.1, 1.0, 5.0, 30.0, 500.0])
    # I_{v-1}(x) - I_{v+1}(x) = 2 v / x I_v(x)
    low, here, high = (np.exp(log_bessel(order + i, x) - log_bessel(order, x)) for i in (-1, 0, 1))
    np.testing.assert_allclose(low - high, 2 * order / x * here, rtol=1e-8)
    x = np.array([9e3, 1.1e4, 1e6])
    np.testing.assert_allclose(log_bessel(0.0, x), np.log(special.i0e(x)), rtol=1e-12)
    assert np.isfinite(log_bessel(499.0, np.array([1e-3, 1.0, 50.0, 1e3, 1e12]))).all()


def test_what_an_angle_tells_is_the_slope_of_the_mean_length() -> None:
    for p in (2, 3, 9):
        for kappa in (1e-4, 0.01, 1.0, 30.0, 2e4, 1e6):
            step = 1e-4
            ends = scatter(kappa * np.exp(np.array([-step, step])), p)
            numeric = kappa * (ends[0] - ends[1]) / (2 * step)
            found = told(np.array([kappa]), p)[0]
            assert found == pytest.approx(numeric, rel=1e-4, abs=1e-9 * kappa)


@pytest.mark.parametrize("solver", ["auto", "squarem", "anderson", "lbfgs", "newton"])
def test_a_direction_where_the_circle_is_cut_is_found_by_every_solver(solver: str) -> None:
    found, turned = fitted("vonmises", X, 2, solver=solver), fitted("vonmises", X - 2.0, 2)
    assert found.fit.verdict == "interior maximum"
    assert found.fit.loglik == pytest.approx(turned.fit.loglik, abs=1e-4)
    directions = np.exp(1j * found.params.components.directions[:, 0])
    other = np.exp(1j * (turned.params.components.directions[:, 0] + 2.0))
    order, others = np.argsort(directions.real), np.argsort(other.real)
    np.testing.assert_allclose(directions[order], other[others], atol=1e-3)


def test_even_angles_are_even() -> None:
    x = np.linspace(-np.pi, np.pi, 65)[:-1, None]
    found = fitted("vonmises", x, 1)
    assert found.params.components.concentrations[0, 0] < 1e-12
    assert found.fit.loglik == pytest.approx(-64 * np.log(2 * np.pi), rel=1e-12)


def test_equal_angles_are_a_spike_that_is_refused_and_found() -> None:
    family, x = VonMises(), np.repeat([1.0, 2.0], [4, 30])[:, None]
    x[4:, 0] += np.linspace(-1, 1, 30)
    sums = family.statistics(x, np.repeat(np.eye(2), [4, 30], axis=0), None)
    target = np.array([0.6])
    with pytest.raises(Collapse, match="component 0 holds 4 rows"):
        family.maximize(sums, None, VonMisesPrior(0.0, target, 1))
    kept = VonMisesPrior(1 / 34, target, 1)
    params = family.maximize(sums, None, kept)
    assert [spike.component for spike in kept.narrow(params, sums.counts)] == [0]
    sober = kept.sobered(params, sums.counts, [0])
    assert sober.concentrations[0] == pytest.approx(params.concentrations[1], rel=1e-9)


def test_degrees_are_refused() -> None:
    with pytest.raises(ValueError, match=r"angles in radians, .* and column 'wind' holds 90"):
        VonMises().refuse(np.array([[90.0]]), ["wind"])
