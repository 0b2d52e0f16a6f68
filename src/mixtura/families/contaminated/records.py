"""The contaminated normal's records: Gaussian ones, shares of good rows, inflations of bad ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianStatistics, gaussian_moments
from mixtura.families.heavy.records import HeavyGapsLook, HeavyLook, HeavyParams, HeavyStatistics
from mixtura.records import AnyArray, Array, RandomNumbers


@dataclass(frozen=True)
class ContaminatedParams(HeavyParams):
    """Means and covariances of good rows, their shares (K,), and what is eta: inflations (K,)."""

    good_shares: Array
    inflations: Array

    def arrays(self) -> dict[str, Array]:
        return {
            "means": self.gaussian.means,
            "covariances": self.gaussian.covariances,
            "good_shares": self.good_shares,
            "inflations": self.inflations,
        }


@dataclass(frozen=True)
class ContaminatedStatistics(HeavyStatistics):
    """Sums with u_ik = v_ik + (1 - v_ik) / eta_k, v_ik the chance that row i is a good one of k.

    counts  (K,)  sum_i r_ik
    weighed       Gaussian statistics with r_ik u_ik in place of r_ik
    bad           the same with r_ik (1 - v_ik); second of each component, whatever the form

    Of missing cells the expected ones, given those that are there and that the row is good, or bad.
    """

    bad: GaussianStatistics


@dataclass(frozen=True)
class _Parts:
    """Log-densities of the good and the bad of some rows (n, K), shares included."""

    good: Array
    bad: Array

    @property
    def log_density(self) -> Array:
        """log p(x_i | k), (n, K)."""
        return np.logaddexp(self.good, self.bad)

    @cached_property
    def outlying(self) -> Array:
        """1 - v_ik, (n, K)."""
        # Where a row has no density in logarithms it is further out than any good one.
        with np.errstate(invalid="ignore"):
            return np.asarray(expit(np.nan_to_num(self.bad - self.good, nan=np.inf)))


def _parts(
    plain: Array, distances: Array, cells: Array | int, params: ContaminatedParams
) -> _Parts:
    """Those of rows whose good parts have these log-densities."""
    eta, share = params.inflations, params.good_shares
    wider = 0.5 * (distances * (1.0 - 1.0 / eta) - cells * np.log(eta))
    # Where all rows are good, bad ones have no density.
    with np.errstate(divide="ignore"):
        bad = np.log1p(-share)
    return _Parts(plain + np.log(share), plain + wider + bad)


def _weights(resp: Array, outlying: Array, params: ContaminatedParams) -> Array:
    """r_ik u_ik."""
    return np.asarray(resp * (1.0 - outlying * (1.0 - 1.0 / params.inflations)))


@dataclass(frozen=True)
class ContaminatedLook(HeavyLook):
    """Rows looked at once for densities and sums."""

    params: ContaminatedParams

    @cached_property
    def parts(self) -> _Parts:
        """What is good and bad of the rows."""
        plain = self.params.gaussian.log_norm - 0.5 * self.distances
        return _parts(plain, self.distances, self.X.shape[1], self.params)

    @property
    def log_density(self) -> Array:
        """log p(x_i | k), (n, K)."""
        return self.parts.log_density

    def statistics(self, resp: Array) -> ContaminatedStatistics:
        """The sums at these responsibilities."""
        g, bad = self.params.gaussian, resp * self.parts.outlying
        weights = _weights(resp, self.parts.outlying, self.params)
        return gathered(
            resp.sum(axis=0),
            (weights.sum(axis=0), *gaussian_moments(self.X, weights, g)),
            (bad.sum(axis=0), *gaussian_moments(self.X, bad, g)),
            g.form,
        )


@dataclass(frozen=True)
class ContaminatedGapsLook(HeavyGapsLook):
    """The same of rows with missing cells: what is there is a contaminated normal law too.

    A missing cell's covariance given the others is eta times as large in a bad row, so that in sums
    weighed by u it counts once. Reference: Tong & Tortora (2022), Model-based clustering and
    outlier detection with missing data, Advances in Data Analysis and Classification 16.
    """

    params: ContaminatedParams

    @cached_property
    def parts(self) -> _Parts:
        """What is good and bad of the rows."""
        return _parts(self.gaussian.log_density, self.distances, self.cells, self.params)

    @property
    def log_density(self) -> Array:
        """log p of what is there of each row, (n, K)."""
        return self.parts.log_density

    def statistics(self, resp: Array) -> ContaminatedStatistics:
        """The sums at these responsibilities."""
        bad = resp * self.parts.outlying
        weights = _weights(resp, self.parts.outlying, self.params)
        left = bad * self.params.inflations
        return gathered(
            resp.sum(axis=0),
            (weights.sum(axis=0), *self.gaussian.moments(weights, resp)),
            (bad.sum(axis=0), *self.gaussian.moments(bad, left)),
            self.params.gaussian.form,
        )

    def completed(self, labels: AnyArray, rng: RandomNumbers) -> Array:
        """The rows, missing cells drawn given the others and whether the row is good."""
        chance = self.parts.outlying[np.arange(len(self.X)), labels]
        bad = rng.uniform(size=len(labels)) < chance
        wider = np.where(bad, np.sqrt(self.params.inflations[labels]), 1.0)
        return self.gaussian.completed(labels, rng, wider)


# Sums of weights (K,), first moments (K, d), and each component's second ones.
Moments = tuple[Array, Array, list[Array]]


def gathered(counts: Array, weighed: Moments, bad: Moments, form: Form) -> ContaminatedStatistics:
    """The statistics of these moments."""
    (u, first, seconds), (b, bad_first, bad_seconds) = weighed, bad
    return ContaminatedStatistics(
        counts,
        GaussianStatistics(u, first, form.gather(seconds)),
        GaussianStatistics(b, bad_first, np.stack(bad_seconds)),
    )
