"""The normal family is the diagonal Gaussian, and lets cells be missing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import mixtura
from mixtura import GaussianMixture, Mixture
from mixtura.families.normal import Normal, NormalParams


@pytest.mark.parametrize("unit", [1.0, 1e-40, 1e60])
def test_it_ends_where_the_diagonal_gaussian_does(unit: float) -> None:
    rng = np.random.default_rng(0)
    X = unit * np.concatenate([rng.normal(0, 1, (80, 2)), rng.normal(4, (1, 3), (60, 2))])
    ours = Mixture("normal", 2, random_state=0, tol=1e-10).fit(X)
    theirs = GaussianMixture(2, covariance_type="diag", random_state=0, tol=1e-10).fit(X)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, abs=1e-9)
    order = np.argsort(ours.means_[:, 0]), np.argsort(theirs.means_[:, 0])
    assert ours.means_[order[0]] == pytest.approx(theirs.means_[order[1]], rel=1e-4)
    assert ours.variances_[order[0]] == pytest.approx(theirs.covariances_[order[1]], rel=1e-4)


def test_a_missing_cell_is_summed_over() -> None:
    params = NormalParams(np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[1.0, 4.0], [2.0, 0.5]]))
    found = Normal().log_density(np.array([[np.nan, 0.3], [0.7, np.nan]]), params)
    for k in range(2):
        sds = np.sqrt(params.variances[k])
        assert found[0, k] == pytest.approx(norm(params.means[k, 1], sds[1]).logpdf(0.3))
        assert found[1, k] == pytest.approx(norm(params.means[k, 0], sds[0]).logpdf(0.7))


def test_no_digit_is_lost_far_from_zero() -> None:
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(0, 1, (80, 2)), rng.normal(5, 1, (60, 2))])
    near, far = (Mixture("normal", 2, random_state=0).fit(x) for x in (X, X + 1e8))
    assert near.lower_bound_ == pytest.approx(far.lower_bound_, abs=1e-6)


def test_it_does_not_collapse_onto_a_point() -> None:
    X = np.concatenate([np.random.default_rng(2).normal(0, 1, (50, 2)), [[9.0, 9.0]]])
    with pytest.warns(mixtura.DegenerateWarning, match="only the penalty keeps it"):
        fitted = Mixture("normal", 3, random_state=0).fit(X)
    assert np.all(fitted.variances_ > 1e-4)
