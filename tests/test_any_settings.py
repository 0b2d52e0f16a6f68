"""Settings drawn at random: a fit whose account is true, or one sentence that says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from mixtura import GaussianMixture
from mixtura.engines.choose import ENGINES
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.fitting.starts import STARTS
from mixtura.records import Array
from mixtura.solvers.registry import SOLVERS

# How many are drawn: the budget. All are drawn from what is registered.
DRAWS = range(80)
COVARIANCES = [*STRUCTURES, "UUU:1", "UUC:1", "CUU:1", "CCC:1"]


def drawn_table(rng: np.random.Generator) -> Array:
    n, d = int(rng.choice([25, 60, 150])), int(rng.integers(1, 4))
    groups = rng.integers(3, size=n)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 4.0 * rng.normal(size=(3, d))[groups]
    kind = rng.integers(5)
    if kind == 1:
        X = np.round(X)
    if kind == 2:
        X[0] *= 1e3
    if kind == 3:
        X *= 10.0 ** rng.integers(-20, 20, size=d)
    return np.asarray(X)


def drawn_weights(rng: np.random.Generator, n: int) -> Array | None:
    kind = rng.integers(6)
    if kind == 0:
        return np.asarray(rng.exponential(size=n))
    if kind == 1:
        return np.asarray(rng.integers(0, 3, size=n) * 10.0 ** rng.integers(-160, 160))
    return None


def drawn_settings(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "n_components": int(rng.integers(1, 16 if rng.integers(3) == 0 else 4)),
        "covariance_type": str(rng.choice(COVARIANCES)),
        "init_params": str(rng.choice(["auto", *STARTS])),
        "engine": str(rng.choice(["auto", *ENGINES])),
        "solver": str(rng.choice(["auto", *SOLVERS])),
        "max_iter": int(rng.choice([1, 2, 40])),
        "n_init": int(rng.choice([1, 1, 2])),
        "tol": float(rng.choice([1e-3, 1e-6])),
        "reg_covar": [None, None, 1e-6][rng.integers(3)],
    }


def plain_log_densities(X: Array, model: GaussianMixture) -> Array:
    """Of each row, from what the report shows, by NumPy alone."""
    view, joint = model.view(), []
    for weight, mean, cov in zip(view.weights, view.means, view.covariances, strict=True):
        unit = np.sqrt(np.diagonal(cov))
        y = np.linalg.solve(np.linalg.cholesky(cov / np.outer(unit, unit)), ((X - mean) / unit).T)
        logdet = np.linalg.slogdet(cov / np.outer(unit, unit))[1] + 2.0 * np.log(unit).sum()
        norm = logdet + X.shape[1] * np.log(2.0 * np.pi)
        with np.errstate(divide="ignore"):
            joint.append(np.log(weight) - 0.5 * (norm + np.sum(y**2, axis=0)))
    return np.asarray(logsumexp(joint, axis=0))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", DRAWS)
def test_any_settings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, settings = drawn_table(rng), drawn_settings(rng)
    weights = drawn_weights(rng, len(X))
    model = GaussianMixture(random_state=0, **settings)
    try:
        model.fit(X, sample_weight=weights)
    except ValueError as refused:
        # One sentence or two, and no traceback of what lies beneath.
        if not 20 < len(str(refused)) < 600:
            raise
        return
    fit, w = model.fit_result_, np.ones(len(X)) if weights is None else weights
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-9)
    mean = w @ plain_log_densities(X, model) / w.sum()
    assert fit.loglik / fit.weight == pytest.approx(mean, rel=1e-6, abs=1e-6)
    assert fit.weight == pytest.approx(w.sum())
