"""Standard errors of transitions and emissions: those of Stata, and where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_known_chains import QUAKES

from mixtura import GaussianHMM, HiddenMarkov, Regression

DATA = Path(__file__).parents[1] / "reference" / "data"
RATE = np.genfromtxt(DATA / "fedfunds.csv", delimiter=",", skip_header=1)[:, 0]
SETTINGS = {"initial": "stationary", "random_state": 0, "tol": 1e-11}


def test_they_are_those_of_a_switching_mean():
    # Stata 14, manual of mswitch, as the tests of statsmodels have them (observed information).
    fitted = HiddenMarkov("tied", 2, **SETTINGS).fit(RATE[:, None])
    found = fitted.standard_errors(RATE[:, None])
    moves = [[0.0104002] * 2, [0.0268434] * 2]
    np.testing.assert_allclose(found["transitions"], moves, atol=1e-6)
    np.testing.assert_allclose(found["means"][:, 0], [0.1767083, 0.2999889], atol=1e-6)


def test_they_are_those_of_a_switching_regression():
    X = np.c_[RATE[:-1], RATE[1:]]
    kind = Regression("gaussian", common_dispersion=True)
    found = HiddenMarkov(kind, 2, **SETTINGS).fit(X).standard_errors(X)
    # In the order of our states, which is not theirs.
    np.testing.assert_allclose(found["transitions"][:, 0], [0.0495924, 0.1202616], atol=1e-6)
    lines = [[0.1183838, 0.0185031], [0.2886657, 0.0337234]]
    np.testing.assert_allclose(found["coefficients"], lines, atol=1e-6)


def test_copies_make_them_smaller():
    fitted = HiddenMarkov("poisson", 2, **SETTINGS).fit(QUAKES)
    once, four = (fitted.standard_errors(QUAKES, sample_weight=[w]) for w in (1, 4))
    for name, errors in once.items():
        np.testing.assert_allclose(errors, 2 * four[name], rtol=1e-6)


def test_what_does_not_move_has_none():
    law = {"initial": "fixed", "first_states": [1, 1, 2]}
    moves = [[1, 1, 0], [0, 1, 1], [1, 0, 1]]
    fitted = HiddenMarkov("poisson", 3, transitions=moves, **law, random_state=0, tol=1e-9)
    found = fitted.fit(QUAKES, [50, 57]).standard_errors(QUAKES, [50, 57])
    assert np.isnan(found["initial"]).all()
    assert (np.isnan(found["transitions"]) == (np.array(moves) == 0)).all()
    assert (found["rates"] > 0).all()


def test_elsewhere_than_at_the_top_they_are_refused():
    fitted = HiddenMarkov("poisson", 2, **SETTINGS).fit(QUAKES)
    with pytest.raises(ValueError, match="no standard errors: the log-likelihood is flat or rises"):
        fitted.standard_errors(np.full((60, 1), 25.0))


def test_of_parameters_set_by_hand():
    X = np.r_[np.zeros(9), np.ones(9)][:, None] + np.random.default_rng(0).normal(0, 0.1, (18, 1))
    found = GaussianHMM(2, random_state=0).fit(X).standard_errors(X)
    np.testing.assert_allclose(found["means"][:, 0], 0.1 / 3, rtol=0.6)
