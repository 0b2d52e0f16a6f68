"""Poisson mixtures of published counts."""

from __future__ import annotations

import numpy as np
import pytest
from whole_fit import fitted

from mixtura import HiddenMarkov, Mixture, PoissonHMM
from mixtura.supports import TINY

# Major earthquakes in the world, 1900 to 2006 (Zucchini & MacDonald 2009, Hidden Markov Models for
# Time Series, table 1.1).
# fmt: off
EARTHQUAKES = np.array([
    13, 14, 8, 10, 16, 26, 32, 27, 18, 32, 36, 24, 22, 23, 22, 18, 25, 21, 21, 14, 8, 11,
    14, 23, 18, 17, 19, 20, 22, 19, 13, 26, 13, 14, 22, 24, 21, 22, 26, 21, 23, 24, 27, 41,
    31, 27, 35, 26, 28, 36, 39, 21, 17, 22, 17, 19, 15, 34, 10, 15, 22, 18, 15, 20, 15, 22,
    19, 16, 30, 27, 29, 23, 20, 16, 21, 21, 25, 16, 18, 15, 18, 14, 10, 15, 8, 15, 6, 11,
    8, 7, 18, 16, 13, 12, 13, 20, 15, 16, 12, 18, 15, 16, 13, 15, 16, 11, 11,
], dtype=float)[:, None]
# fmt: on
# Deaths of women of 80 and more in The Times, 1910 to 1912, by days with so many (Hasselblad 1969).
DAYS = np.array([162, 267, 271, 185, 111, 61, 27, 8, 3, 1], dtype=float)


@pytest.mark.parametrize(
    ("m", "loglik"), [(1, -391.91893), (2, -360.36904), (3, -356.84894), (4, -356.7337)]
)
def test_earthquakes(m: int, loglik: float) -> None:
    found = fitted("poisson", EARTHQUAKES, m)
    assert found.fit.loglik == pytest.approx(loglik, abs=2e-5)
    assert found.fit.verdict == "interior maximum"


@pytest.mark.parametrize("estimator", [Mixture("poisson", 2), HiddenMarkov("poisson", 2)])
def test_rates_that_end_at_0_are_alike(estimator: Mixture | HiddenMarkov) -> None:
    """So that a row that no component allows is told by what else there is."""
    D = np.array([[0, 1], [0, 2], [0, 1], [5, 0], [6, 0], [7, 0]] * 4)
    found = estimator.set_params(random_state=0).fit(D)
    low = found.rates_.argmin(axis=1)
    assert sorted(low) == [0, 1]
    assert found.rates_[[0, 1], low].tolist() == [TINY, TINY]
    a, b = found.rates_[[0, 1], 1 - low]
    assert [a, b] == pytest.approx([4 / 3, 6] if low[0] == 0 else [6, 4 / 3])
    first, second = found.predict_proba([[1, 1]])[0]
    if isinstance(found, Mixture):
        assert first / second == pytest.approx(a / b * np.exp(b - a))
    assert "0 ± 0" in found.summary()
    assert "0.000000" not in found.summary()


def test_given_rates_are_left_as_they_are() -> None:
    """Also those near 0."""
    D = np.array([[0, 1], [0, 2], [0, 1], [5, 0], [6, 0], [7, 0]] * 4)
    given = np.array([[1e-12, 1.5], [5.5, 1e-14]])
    found = PoissonHMM(2, params="st", init_params="st", random_state=0)
    found.lambdas_ = given
    assert np.array_equal(found.fit(D).lambdas_, given)


@pytest.mark.parametrize("solver", ["auto", "newton", "squarem", "anderson", "lbfgs"])
def test_the_times(solver: str) -> None:
    found = fitted("poisson", np.arange(10)[:, None], 2, weight=DAYS, solver=solver)
    assert found.fit.loglik == pytest.approx(-1989.945860, abs=1e-5)
    order = np.argsort(found.params.components.rates[:, 0])
    np.testing.assert_allclose(
        found.params.components.rates[order, 0], [1.2560951, 2.6634044], atol=1e-3
    )
    assert found.params.weights[order[0]] == pytest.approx(0.3598854, abs=1e-3)
