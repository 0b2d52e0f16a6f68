"""Against R's mclust, from the same responsibilities: one M-step, and the optimum below it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mixtura import GaussianMixture
from mixtura.data.rows import Rows
from mixtura.engines.choose import ENGINES, open_sweep
from mixtura.families.covariance import structure
from mixtura.families.gaussian import Gaussian
from mixtura.families.gaussian_records import gaussian_params
from mixtura.families.prior import no_prior
from mixtura.fit.em import em
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams

DATA = Path(__file__).parent / "data"
REFERENCE = json.loads((DATA / "mclust_fixed_start_iris.json").read_text())["models"]
NAMES = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}


def first_step(name: str, iris: np.ndarray) -> tuple[Mixture, MixtureParams]:
    resp = np.loadtxt(DATA / "fixed_iris_z0.csv", delimiter=",", skiprows=1)
    form = structure(name).form
    model = Mixture(Gaussian(structure(name)), no_prior(form, 4))
    table = gaussian_params(
        np.tile(iris.mean(axis=0), (3, 1)), form.repeat(form.restrict(np.eye(4)), 3), form
    )
    return model, model.start(iris, None, resp, MixtureParams(np.full(3, 1 / 3), table))


def assert_parameters(params: MixtureParams, model: Mixture, expected: dict, tol: float) -> None:
    parts = params.components
    np.testing.assert_allclose(params.weights, expected["pro"], atol=tol)
    np.testing.assert_allclose(parts.means, expected["mean"], atol=tol)
    dense = model.family.form.dense(parts.covariances, 3, 4)  # type: ignore[attr-defined]
    np.testing.assert_allclose(dense, expected["sigma"], atol=tol)


@pytest.mark.parametrize("name", NAMES)
def test_one_m_step(name: str, iris: np.ndarray) -> None:
    model, params = first_step(name, iris)
    expected = REFERENCE[NAMES[name]]["after_one_mstep"]
    assert_parameters(params, model, expected, 1e-8)
    assert model.e_step(iris, None, params).loglik == pytest.approx(expected["loglik"], abs=1e-8)


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("name", NAMES)
def test_convergence(name: str, engine: str, iris: np.ndarray) -> None:
    model, start = first_step(name, iris)
    climb = em(model, open_sweep(engine, model, Rows(iris)), start, tol=1e-12, max_iter=100_000)
    expected = REFERENCE[NAMES[name]]["converged"]
    # mclust stops on a small step (1e-10), so ours may be higher by what was left to climb.
    assert climb.summary.loglik >= expected["loglik"] - 1e-7
    assert climb.summary.loglik == pytest.approx(expected["loglik"], abs=1e-3)
    assert_parameters(climb.params, model, expected, 2e-3)
    assert model.n_parameters(climb.params) == expected["df"]


@pytest.mark.parametrize("name", NAMES)
def test_the_estimator_from_that_start(name: str, iris: np.ndarray) -> None:
    _, start = first_step(name, iris)
    factor = start.components.whiten
    inverse = (
        np.swapaxes(factor, -1, -2) @ factor
        if factor.shape[-1] == 4
        and name
        in (
            "full",
            "tied",
        )
        else factor**2
    )
    fitted = GaussianMixture(
        3,
        covariance_type=name,
        weights_init=start.weights,
        means_init=start.components.means,
        precisions_init=inverse,
        tol=1e-12,
        max_iter=100_000,
    ).fit(iris)
    assert fitted.fit_result_.loglik == pytest.approx(
        REFERENCE[NAMES[name]]["converged"]["loglik"], abs=1e-3
    )
