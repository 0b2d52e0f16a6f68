"""The list that a new family, model or engine joins to inherit the whole contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.data.column_moments import column_moments
from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.prior import no_noise_prior, noise_prior
from mixtura.families.factor.records import factor_params
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior, table_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array


@dataclass(frozen=True)
class Case:
    """A model with data it suits and parameters that are not its optimum."""

    name: str
    model: Mixture
    X: Array
    params: MixtureParams
    # log p(x | k) by something independent of the library, or None
    twin: Callable[[Array, MixtureParams], Array] | None = None

    @property
    def free(self) -> bool:
        """Whether there are free coordinates."""
        return not self.model.obstacle()

    @property
    def tied(self) -> bool:
        """Whether they are a subspace of the numbers stored."""
        family: Any = self.model.family
        structure = getattr(family, "structure", None)
        # Loadings of factors are stored in some rotation, which no likelihood tells apart.
        return structure is None or structure.tangent is not None


def dense_covariances(case: Case) -> Array:
    form: Any = case.model.family.form
    K, d = case.params.components.means.shape
    return np.asarray(form.dense(case.params.components.covariances, K, d))


def gaussian_case(name: str, K: int = 3, d: int = 4, penalised: bool = False) -> Case:
    rng = np.random.default_rng(7)
    form = structure(name).form
    centres = 2.0 * rng.normal(size=(K, d))
    mix = rng.normal(size=(d, d)) / 2 + np.eye(d)
    X = centres[rng.integers(K, size=150)] + rng.normal(size=(150, d)) @ mix
    covariances = {
        "full": np.stack([np.atleast_2d(np.cov(rng.normal(size=(d, 30)))) for _ in range(K)]),
        "tied": np.atleast_2d(np.cov(rng.normal(size=(d, 30)))),
        "diag": rng.uniform(0.5, 2.0, size=(K, d)),
        "spherical": rng.uniform(0.5, 2.0, size=K),
    }[form.name]
    apart = gaussian_params(centres + 0.3, covariances, form)
    parts = gaussian_params(apart.means, structure(name).imposed(apart), form)
    params = MixtureParams(rng.dirichlet(np.full(K, 5.0)), parts)
    prior = table_prior(form, table_moments(X, None)) if penalised else no_prior(form, d)
    label = f"gaussian-{name}-K{K}-d{d}" + ("-penalised" if penalised else "")
    return Case(label, Mixture(Gaussian(structure(name)), prior), X, params, scipy_log_density)


def scipy_log_density(X: Array, params: MixtureParams) -> Array:
    from scipy.stats import multivariate_normal

    means, cov = params.components.means, params.components.covariances
    K, d = means.shape
    columns = []
    for k in range(K):
        if cov.shape == (K, d, d):
            dense = cov[k]
        elif cov.shape == (d, d):
            dense = cov
        else:
            dense = np.diag(np.broadcast_to(cov[k], d))
        columns.append(multivariate_normal(means[k], dense).logpdf(X).reshape(len(X)))
    return np.stack(columns, axis=1)


def factor_case(letters: str, d: int = 8, q: int = 2, penalised: bool = False) -> Case:
    """Rows of factor analysers, and parameters near theirs."""
    rng = np.random.default_rng(11)
    kind, K = FactorAnalytic(q, letters), 2
    means, loadings = 2.0 * rng.normal(size=(K, d)), rng.normal(size=kind.loadings_shape(K, d))
    noise = rng.uniform(0.3, 0.6, size=kind.noise_shape(K, d))
    made = MixtureParams(np.array([0.4, 0.6]), factor_params(means, loadings, noise))
    family = FactorAnalysers(kind)
    prior = no_noise_prior(kind, noise.shape[1])
    X, _ = Mixture(family, prior).sample(400, made, np.random.RandomState(3))
    if penalised:
        prior = noise_prior(kind, column_moments(Rows(X)))
    near = factor_params(means + 0.3, loadings + 0.2 * rng.normal(size=loadings.shape), 1.3 * noise)
    params = MixtureParams(np.array([0.5, 0.5]), near)
    label = f"factors-{letters}" + ("-penalised" if penalised else "")
    return Case(label, Mixture(family, prior), X, params, scipy_log_density)


# Every way of estimating once: the other names are aliases of scikit-learn's.
SCIKIT = ("full", "tied", "diag", "spherical")
SHARING = ("EII", "EEI", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV")
CASES = [
    *(gaussian_case(name) for name in SCIKIT),
    *(gaussian_case(name, penalised=True) for name in SCIKIT),
    *(gaussian_case(name, K=2, d=3) for name in SHARING),
    *(gaussian_case(name, K=2, d=3, penalised=True) for name in ("VEI", "VEE", "VVE")),
    *(gaussian_case(name, K=2, d=1) for name in (*SCIKIT, "E", "V")),
    *(gaussian_case(name, K=1, d=4) for name in SCIKIT),
]
FACTOR_CASES = [
    *(factor_case(letters) for letters in ("UUU", "CUU", "UCU", "UUC", "CCC")),
    factor_case("UUU", penalised=True),
]
