"""The Bernoulli family: edges, and the latent classes it is."""

from __future__ import annotations

import numpy as np
import pytest
from whole_fit import fitted

from mixtura.families.bernoulli import Bernoulli, BernoulliParams

RNG = np.random.default_rng(0)
X = (RNG.uniform(size=(300, 4)) < np.where(RNG.uniform(size=(300, 1)) < 0.5, 0.9, 0.2)).astype(
    float
)


def test_it_is_the_categorical_family_with_two_levels() -> None:
    ours, theirs = fitted("bernoulli", X, 2), fitted("categorical", X, 2)
    assert ours.fit.loglik == pytest.approx(theirs.fit.loglik, abs=1e-6)
    assert ours.fit.n_parameters == theirs.fit.n_parameters == 9
    assert ours.fit.verdict == "interior maximum"
    assert ours.fit.certificate.curvature == pytest.approx(
        theirs.fit.certificate.curvature, rel=1e-3
    )


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton", "squarem", "anderson"])
def test_a_column_of_ones_has_no_free_number(solver: str) -> None:
    whole = fitted("bernoulli", np.hstack([X, np.ones((300, 1))]), 2, solver=solver)
    assert np.all(whole.params.components.probabilities[:, 4] == 1.0)
    assert whole.fit.loglik == pytest.approx(fitted("bernoulli", X, 2).fit.loglik, abs=1e-5)
    assert (whole.fit.verdict, whole.fit.certificate.detail) == (
        "boundary",
        "2 of the probabilities are 0 or 1",
    )


def test_an_impossible_cell_has_a_density_that_is_0_but_for_rounding() -> None:
    params = BernoulliParams(np.array([[1.0, 0.0]]))
    found = Bernoulli().log_density(np.array([[1.0, 0.0], [0.0, 0.0]]), params)
    assert found[0, 0] == 0.0
    assert found[1, 0] < -700


def test_what_is_neither_0_nor_1_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"family='bernoulli' is for 0 and 1, and column 'b' holds"
    ):
        fitted_with_names(np.array([[0.0, 1.0], [1.0, 2.0]]))


def fitted_with_names(rows: np.ndarray) -> None:
    Bernoulli().refuse(rows, ["a", "b"])
