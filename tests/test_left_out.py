"""What an end says of a row that was left out: the closed form against M-steps without the row."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import table_prior
from mixtura.fitting.plainer import said
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise
from mixtura.records import Array, Chunk


def settled(model: Mixture, rows: Rows, params: MixtureParams) -> MixtureParams:
    """The end of many EM steps."""
    for _ in range(300):
        params = model.m_step(model.e_step(Chunk(rows.X, rows.sample_weight), params), params)
    return params


def refitted(model: Mixture, rows: Rows, params: MixtureParams, unit: float) -> Array:
    """log p of each row after an M-step from the responsibilities of all, one of it left out."""
    w = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
    resp, found = normalise(model.log_joint(rows.X, params))[1], np.empty(rows.n)
    for i in range(rows.n):
        less = w.copy()
        less[i] -= min(unit, less[i])
        without = model.first_step(rows.X, less, resp, params)
        found[i] = normalise(model.log_joint(rows.X[i : i + 1], without))[0][0]
    return found


@pytest.mark.parametrize("case", ["rows", "weights", "shares", "penalty", "gaps", "constant"])
def test_a_row_that_is_left_out_is_as_if_refitted_without_it(case: str, iris: Array) -> None:
    X = np.column_stack([iris[::4], np.ones(38)]) if case == "constant" else iris[::4]
    w = {"weights": np.arange(38.0) % 3 + 1, "shares": np.full(38, 0.1)}.get(case)
    form, moments = structure("full").form, table_moments(X, w)
    prior = table_prior(form, moments)
    prior = prior if case == "penalty" else prior.without_penalty()
    model = Mixture(Gaussian(structure("full"), gaps=case == "gaps"), prior)
    params = GaussianMixture(2, init_params="tied", random_state=0).fit(X)._fitted()[1]
    if case == "gaps":
        X = np.where(np.random.default_rng(0).uniform(size=X.shape) < 0.1, np.nan, X)
    rows, unit = Rows(X, w), 0.1 if case == "shares" else 1.0
    params, total = settled(model, rows, params), float(38 if w is None else w.sum())
    seen, found = said(model, params, rows, total, unit)
    np.testing.assert_allclose(found, refitted(model, rows, params, unit), atol=1e-6)
    np.testing.assert_allclose(seen, normalise(model.log_joint(X, params))[0])
    assert (found < seen).all()


def test_the_only_row_of_a_direction_is_impossible_without_it() -> None:
    X = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [1.0, 1.0]])
    mean, cov = X.mean(axis=0), np.cov(X.T, bias=True)
    family = Gaussian(structure("full"))
    model = Mixture(family, table_prior(family.form, table_moments(X, None)).without_penalty())
    arrays = {"means": mean[None], "covariances": cov[None]}
    params = MixtureParams(np.ones(1), family.params(arrays))
    _, found = said(model, params, Rows(X), 4.0, 1.0)
    assert found[3] == -np.inf or found[3] < -1e6
    assert np.isfinite(found[:3]).all()
