"""Overlapping Gaussian clouds, starts by k-means++, and a sweep that keeps what it met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import ortho_group
from sklearn.cluster import kmeans_plusplus

from mixtura.data.moments import table_moments
from mixtura.data.rows import Rows
from mixtura.engines.gaussian.compiled import CompiledSweep
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Summary
from mixtura.solvers.climb import Climb
from mixtura.solvers.problem import Problem
from mixtura.solvers.registry import resolve_solver

ECCENTRICITY = 10.0


def clouds(c: float, K: int, d: int, n: int, seed: int) -> Array:
    """n rows of K equal clouds, the nearest means c sqrt(d) apart, largest variance 1."""
    rng = np.random.default_rng(seed)
    spread = np.linspace(1.0, ECCENTRICITY, d) / ECCENTRICITY
    axes = [ortho_group.rvs(d, random_state=rng.integers(2**31)) for _ in range(K)]
    covariances = [Q @ np.diag(spread) @ Q.T for Q in axes]
    means = rng.normal(size=(K, d))
    apart = np.linalg.norm(means[:, None] - means, axis=2)
    means *= c * np.sqrt(d) / apart[apart > 0].min()
    labels = rng.integers(K, size=n)
    X = np.empty((n, d))
    for k in range(K):
        mine = labels == k
        X[mine] = rng.multivariate_normal(means[k], covariances[k], size=mine.sum())
    return X


class Recorder(CompiledSweep):
    """A sweep, one step at a time, that keeps (objective, parameters) of every pass."""

    def __init__(self, model: Mixture, rows: Rows) -> None:
        super().__init__(model, rows)
        self.stride = 1
        self.met: list[tuple[float, MixtureParams]] = []

    def __call__(self, params: MixtureParams) -> Summary:
        summary = super().__call__(params)
        self.met.append((summary.loglik, params))
        return summary

    @property
    def values(self) -> Array:
        """The log-likelihood at each pass."""
        return np.array([value for value, _ in self.met])


@dataclass(frozen=True)
class Task:
    """A table and the full-covariance mixture to be fitted to it at maximum likelihood."""

    X: Array
    K: int
    model: Mixture = field(init=False)
    base: MixtureParams = field(init=False)

    def __post_init__(self) -> None:
        form: Any = structure("full").form
        moments, d = table_moments(self.X, None), self.X.shape[1]
        table = gaussian_params(
            np.tile(moments.mean, (self.K, 1)), np.tile(moments.covariance, (self.K, 1, 1)), form
        )
        weights = np.full(self.K, 1.0 / self.K)
        model = Mixture(Gaussian(structure("full")), no_prior(form, d))
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "base", MixtureParams(weights, table))

    def start(self, seed: int) -> MixtureParams:
        """One M-step from the rows' nearest k-means++ centres."""
        centres, _ = kmeans_plusplus(self.X, self.K, random_state=np.random.RandomState(seed))
        nearest = np.square(self.X[:, None] - centres).sum(axis=2).argmin(axis=1)
        return self.model.first_step(self.X, None, np.eye(self.K)[nearest], self.base)

    def climbed(self, solver: str, start: MixtureParams, tol: float) -> tuple[Climb, Recorder]:
        sweep = Recorder(self.model, Rows(self.X))
        _, climber = resolve_solver(solver, self.model)
        return climber(Problem(self.model, sweep, start, tol=tol, max_iter=10_000)), sweep
