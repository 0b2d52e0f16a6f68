"""The t family's records: Gaussian ones and degrees of freedom; sums weighed by distance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import betaln, digamma, gammaln

from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
    gaussian_sums,
)
from mixtura.records import AnyArray, Array, Params, Statistics


@dataclass(frozen=True)
class StudentParams(Params):
    """Centres and scales, as means and covariances of a Gaussian, and degrees of freedom (K,)."""

    gaussian: GaussianParams
    degrees_of_freedom: Array

    def arrays(self) -> dict[str, Array]:
        return {
            "means": self.gaussian.means,
            "scales": self.gaussian.covariances,
            "degrees_of_freedom": self.degrees_of_freedom,
        }

    @cached_property
    def log_norm(self) -> Array:
        """The logarithm of each density at its centre, (K,)."""
        nu, d = self.degrees_of_freedom, self.gaussian.means.shape[1]
        # A difference of two logarithms of Gamma, which are large where nu is.
        ratio = gammaln(d / 2) - betaln(nu / 2, d / 2)
        return np.asarray(self.gaussian.log_norm + ratio - 0.5 * d * np.log(nu / 2))


@dataclass(frozen=True)
class StudentStatistics(Statistics):
    """Sums with u_ik = (nu_k + d) / (nu_k + delta_ik), delta the squared whitened distance.

    counts  (K,)  sum_i r_ik
    weighed       Gaussian statistics with r_ik u_ik in place of r_ik
    logs    (K,)  sum_i r_ik (log u_ik - u_ik)
    """

    counts: Array
    weighed: GaussianStatistics
    logs: Array


@dataclass(frozen=True)
class StudentLook:
    """Squared whitened distances of some rows, looked at once for densities and sums."""

    X: AnyArray
    params: StudentParams

    @cached_property
    def distances(self) -> Array:
        """delta, (n, K)."""
        g = self.params.gaussian
        out = np.empty((len(self.X), len(g.means)))
        for k in range(len(g.means)):
            y = g.form.residuals(self.X, g.means, g.whiten, k)
            out[:, k] = np.einsum("ij,ij->i", y, y)
        return out

    @property
    def log_density(self) -> Array:
        """log p(x_i | k), (n, K)."""
        nu, d = self.params.degrees_of_freedom, self.X.shape[1]
        far = 0.5 * (nu + d) * np.log1p(self.distances / nu)
        return np.asarray(self.params.log_norm - far)

    def statistics(self, resp: Array) -> StudentStatistics:
        """The sums at these responsibilities."""
        g, nu = self.params.gaussian, self.params.degrees_of_freedom
        u = (nu + self.X.shape[1]) / (nu + self.distances)
        weighed = gaussian_sums(self.X, resp * u, g)
        logs = np.einsum("ik,ik->k", resp, np.log(u) - u)
        return StudentStatistics(resp.sum(axis=0), weighed, logs)


def with_gaussian(params: StudentParams, gaussian: GaussianParams) -> StudentParams:
    """The same with other centres and scales."""
    return params if gaussian is params.gaussian else replace(params, gaussian=gaussian)


def expected_logs(nu: Array, d: int) -> Array:
    """What E[log u] is more than log u."""
    half = (nu + d) / 2
    return np.asarray(digamma(half) - np.log(half))
