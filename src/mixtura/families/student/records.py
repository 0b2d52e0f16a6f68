"""The t family's records: Gaussian ones and degrees of freedom; sums weighed by distance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betaln, digamma, gammaln

from mixtura.families.gaussian.records import LOG_2PI, gaussian_sums
from mixtura.families.heavy.records import HeavyGapsLook, HeavyLook, HeavyParams, HeavyStatistics
from mixtura.records import AnyArray, Array, RandomNumbers


@dataclass(frozen=True)
class StudentParams(HeavyParams):
    """Centres and scales, as means and covariances of a Gaussian, and degrees of freedom (K,)."""

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
class StudentStatistics(HeavyStatistics):
    """Sums with u_ik = (nu_k + d) / (nu_k + delta_ik), delta the squared whitened distance.

    counts  (K,)  sum_i r_ik
    weighed       Gaussian statistics with r_ik u_ik in place of r_ik
    logs    (K,)  sum_i r_ik (log u_ik - u_ik)

    Where m of d cells of a row are there it is nu + m and what is there; its log u is set so that
    `expected_logs` of d makes E[log u] of it.
    """

    logs: Array


@dataclass(frozen=True)
class StudentLook(HeavyLook):
    """Rows looked at once for densities and sums."""

    params: StudentParams

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


@dataclass(frozen=True)
class StudentGapsLook(HeavyGapsLook):
    """The same of rows with missing cells: those that are there have a t density too.

    Given u a missing cell is Gaussian, so its covariance is that of the Gaussian over u, and counts
    once in sums weighed by u. Reference: Liu & Rubin (1995), ML estimation of the t distribution
    using EM and its extensions, Statistica Sinica 5, section 3.
    """

    params: StudentParams

    @property
    def log_density(self) -> Array:
        """log p of what is there of each row, (n, K)."""
        nu, m = self.params.degrees_of_freedom, self.cells
        # The Gaussian's, whose exponent and constants give way to those of t.
        scales = self.gaussian.log_density + 0.5 * (self.distances + m * LOG_2PI)
        ratio = gammaln((nu + m) / 2) - gammaln(nu / 2) - 0.5 * m * np.log(np.pi * nu)
        return np.asarray(scales + ratio - 0.5 * (nu + m) * np.log1p(self.distances / nu))

    def statistics(self, resp: Array) -> StudentStatistics:
        """The sums at these responsibilities."""
        nu, m, d = self.params.degrees_of_freedom, self.cells, self.X.shape[1]
        u = (nu + m) / (nu + self.distances)
        weighed = self.gaussian.statistics(resp * u, resp)
        logs = np.log(u) - u + expected_logs(nu, m) - expected_logs(nu, d)
        return StudentStatistics(resp.sum(axis=0), weighed, np.einsum("ik,ik->k", resp, logs))

    def completed(self, labels: AnyArray, rng: RandomNumbers) -> Array:
        """The rows, missing cells drawn given the others: t with nu + m degrees of freedom."""
        rows = np.arange(len(self.X))
        nu, delta = self.params.degrees_of_freedom[labels], self.distances[rows, labels]
        weight = rng.chisquare(nu + self.cells[:, 0]) / (nu + delta)
        return self.gaussian.completed(labels, rng, 1.0 / np.sqrt(weight))


def expected_logs(nu: Array, d: Array | int) -> Array:
    """What E[log u] is more than log u."""
    half = (nu + d) / 2
    return np.asarray(digamma(half) - np.log(half))
