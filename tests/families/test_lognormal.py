"""The log-normal family: it is the Gaussian of the logarithms."""

from __future__ import annotations

import numpy as np
import pytest
from whole_fit import fitted

from mixtura.errors import Collapse
from mixtura.families.lognormal import LogNormal, LogNormalParams, LogNormalPrior

RNG = np.random.default_rng(0)
LOGS = RNG.normal(np.where(RNG.uniform(size=(300, 1)) < 0.5, [[0.0, 5.0]], [[2.0, 1.0]]), 0.5)


def test_it_is_the_gaussian_of_the_logarithms() -> None:
    ours, theirs = fitted("lognormal", np.exp(LOGS), 2), fitted("diag", LOGS, 2)
    assert ours.fit.loglik + LOGS.sum() == pytest.approx(theirs.fit.loglik, abs=1e-5)
    assert ours.fit.n_parameters == theirs.fit.n_parameters
    np.testing.assert_allclose(
        np.sort(ours.params.components.log_means, axis=0),
        np.sort(theirs.params.components.means, axis=0),
        atol=1e-4,
    )


def test_its_penalty_is_the_gaussians() -> None:
    from mixtura.families.gaussian.covariance import structure
    from mixtura.families.gaussian.prior import CovariancePrior
    from mixtura.families.gaussian.records import gaussian_params

    form, target = structure("diag").form, np.array([2.0, 3.0])
    means, variances = np.zeros((2, 2)), np.array([[0.5, 1.0], [2.0, 0.1]])
    zero = np.zeros(2)
    theirs = CovariancePrior(form, 0.01, target, zero, zero, target)
    ours = LogNormalPrior(0.01, target, 2)
    found = ours.log_prior(LogNormalParams(means, variances))
    assert found == pytest.approx(theirs.log_prior(gaussian_params(means, variances, form)))


def test_no_digits_are_lost_far_from_one() -> None:
    """Logarithms near 600 with a deviation of 1e-6, whose squares have no digit left for it."""
    logs = 600 + 1e-6 * RNG.normal(size=(200, 1))
    found = fitted("lognormal", np.exp(logs), 1).params.components
    kept = np.log(np.exp(logs))
    assert found.log_variances[0, 0] == pytest.approx(kept.var(), rel=1e-8)


def test_statistics_are_transported() -> None:
    family, resp = LogNormal(), RNG.uniform(size=(300, 2))
    one = LogNormalParams(np.array([[0.0, 1.0], [2.0, 3.0]]), np.ones((2, 2)))
    two = LogNormalParams(np.array([[0.5, 1.0], [1.0, -3.0]]), np.ones((2, 2)))
    X = np.exp(LOGS)
    found = family.transported(family.statistics(X, resp, one), one, two)
    whole = family.statistics(X, resp, two)
    np.testing.assert_allclose(found.first, whole.first, rtol=1e-10, atol=1e-8)
    np.testing.assert_allclose(found.second, whole.second, rtol=1e-10)


def test_equal_rows_are_refused_at_maximum_likelihood() -> None:
    family, x = LogNormal(), np.repeat([2.0, 3.0], [4, 6])[:, None]
    resp = np.repeat(np.eye(2), [4, 6], axis=0)
    with pytest.raises(Collapse, match="component"):
        family.maximize(family.statistics(x, resp, None), None, LogNormalPrior(0.0, np.ones(1), 1))


def test_a_column_of_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"column 1 .* holds one value only"):
        fitted("lognormal", np.column_stack([np.exp(LOGS[:, 0]), np.full(300, 3e40)]), 2)


def test_what_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="family='lognormal' is for numbers above 0"):
        LogNormal().refuse(np.array([[-1.0]]), ["x"])
