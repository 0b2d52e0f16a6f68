"""The steps of mixtures written out in loops, independent of the library; and tables for them."""

from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from mixtura.data.moments import table_moments
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior, table_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

Plain = tuple[Array, Array, Array]


def plain(params: MixtureParams) -> Plain:
    """(weights, means, dense covariances) as plain arrays."""
    means, cov = params.components.means, params.components.covariances
    K, d = means.shape
    if cov.shape == (K, d, d):
        dense = cov
    elif cov.shape == (d, d):
        dense = np.stack([cov] * K)
    else:
        dense = np.stack([np.diag(np.broadcast_to(cov[k], d)) for k in range(K)])
    return params.weights, means, dense


def joint(X: Array, mixture: Plain) -> Array:
    """log pi_k + log p(x_i | k) by SciPy."""
    weights, means, dense = mixture
    out = np.full((len(X), len(weights)), -np.inf)
    for k in np.flatnonzero(weights):
        out[:, k] = np.log(weights[k]) + multivariate_normal.logpdf(X, means[k], dense[k])
    return out


def maximised(X: Array, w: Array, resp: Array, name: str, a: float = 0.0) -> Plain:
    """The M-step for components that all have rows; a is the strength of the table's penalty."""
    (n, d), K = X.shape, resp.shape[1]
    centre = sum(w[i] * X[i] for i in range(n)) / w.sum()
    S = sum(w[i] * np.outer(X[i] - centre, X[i] - centre) for i in range(n)) / w.sum()
    counts = np.array([sum(w[i] * resp[i, k] for i in range(n)) for k in range(K)])
    means = np.array(
        [sum(w[i] * resp[i, k] * X[i] for i in range(n)) / counts[k] for k in range(K)]
    )
    scatter = np.zeros((K, d, d))
    for i in range(n):
        for k in range(K):
            scatter[k] += w[i] * resp[i, k] * np.outer(X[i] - means[k], X[i] - means[k])
    each = [(scatter[k] + 2 * a * S) / (counts[k] + 2 * a) for k in range(K)]
    dense = {
        "full": np.array(each),
        "tied": np.stack([(scatter.sum(axis=0) + 2 * a * S) / (counts.sum() + 2 * a)] * K),
        "diag": np.array([np.diag(np.diagonal(c)) for c in each]),
        "spherical": np.array([np.trace(c) / d * np.eye(d) for c in each]),
    }[name]
    return counts / counts.sum(), means, dense


def clouds(
    name: str = "full", *, K: int = 3, d: int = 2, n: int = 240, apart: float = 3.0, seed: int = 3
) -> tuple[Mixture, MixtureParams, Array]:
    """(maximum likelihood that refuses collapse, a start away from it, the table)."""
    rng = np.random.default_rng(seed)
    centres = apart * rng.normal(size=(K, d))
    X = centres[rng.integers(K, size=n)] + rng.normal(size=(n, d))
    form = structure(name).form
    cov = form.repeat(form.restrict(np.diag(np.linspace(1.0, 2.0, d))), K)
    weights = np.arange(2.0, K + 2) / np.arange(2.0, K + 2).sum()
    params = MixtureParams(weights, gaussian_params(centres + 0.8, cov, form))
    prior = table_prior(form, table_moments(X, None)).without_penalty()
    return Mixture(Gaussian(structure(name)), prior), params, X


def with_penalty(model: Mixture, X: Array, w: Array | None = None) -> Mixture:
    """The same model with the table's penalty against collapse."""
    return Mixture(model.family, table_prior(model.family.form, table_moments(X, w)))  # type: ignore[attr-defined]


def without_refusal(model: Mixture, d: int) -> Mixture:
    """The same model at maximum likelihood, come what may."""
    return Mixture(model.family, no_prior(model.family.form, d))  # type: ignore[attr-defined]
