"""Shares of good rows and inflations: their M-step, their gradient, and their free numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mixtura.families.contaminated.records import ContaminatedParams, ContaminatedStatistics
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.records import Array

# Less than half are not what a component is of, and the rest would not be outliers (Punzo &
# McNicholas 2016, section 3); all of them leave nothing to be told of bad ones.
GOOD = (0.5, 1.0 - 1e-9)
# Without a most a component could shrink onto one good row, and hold all others as bad ones: with
# alpha at least 1/2 that costs each other row log 2, and gains at most d/2 log of it once.
MOST = 1e4
# Where climbs begin.
START = (0.95, 10.0)
# How far, in logits and logarithms, free numbers are trusted.
RADIUS = 3.0


def maximised(
    stats: ContaminatedStatistics, now: ContaminatedParams, moved: GaussianParams, least: float
) -> tuple[Array, Array]:
    """The M-step: alpha = sum r v / n, and at the new centres and matrices
    eta = sum r (1 - v) delta / (d sum r (1 - v)), between their limits.

    Components without rows, or without bad ones, keep theirs. Reference: Punzo & McNicholas (2016),
    Parsimonious mixtures of multivariate contaminated normal distributions, Biometrical Journal 58,
    section 4.
    """
    rows, bad, d = stats.counts, stats.bad.counts, moved.means.shape[1]
    good = np.clip(1.0 - bad / np.where(rows > 0, rows, 1.0), *GOOD)
    far = distances(carried(stats.bad, now.gaussian, moved))
    eta = np.clip(far / np.where(bad > 0, d * bad, 1.0), least, MOST)
    return np.where(rows > 0, good, now.good_shares), np.where(bad > 0, eta, now.inflations)


def carried(
    stats: GaussianStatistics, before: GaussianParams, after: GaussianParams
) -> GaussianStatistics:
    """Sums of each component, whatever the form, as if taken at other centres and matrices."""
    form: Form = after.form
    inner = form.compose(after.whiten, before.root)
    shift = form.move(after.whiten, before.means - after.means)
    first = form.move(inner, stats.first) + stats.counts[:, None] * shift
    seconds = []
    for k in range(len(stats.counts)):
        own, at = slice(k, k + 1), slice(None) if form.shared else slice(k, k + 1)
        second = stats.second[k] if form.shared else stats.second[own]
        sums = stats.counts[own], stats.first[own], second
        seconds.append(form.carried(inner[at], shift[own], sums).reshape(stats.second.shape[1:]))
    return replace(stats, first=first, second=np.stack(seconds))


def distances(stats: GaussianStatistics) -> Array:
    """Squared whitened distances, added, of each component, (K,)."""
    second = stats.second
    if second.ndim == 3:
        return np.asarray(np.trace(second, axis1=1, axis2=2))
    return np.asarray(second.reshape(len(second), -1).sum(axis=1))


def slopes(stats: ContaminatedStatistics, params: ContaminatedParams) -> tuple[Array, Array]:
    """The derivatives of the log-likelihood in alpha and eta, (K,), by Fisher's identity."""
    alpha, eta, bad = params.good_shares, params.inflations, stats.bad.counts
    d = params.gaussian.means.shape[1]
    in_alpha = (stats.counts - bad) / alpha - bad / (1.0 - alpha)
    return in_alpha, 0.5 * (distances(stats.bad) / eta - d * bad) / eta


def at_limit(alpha: Array, eta: Array, least: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which are the least or the most that there may be, but for rounding."""
    low, high = GOOD
    of_alpha = (alpha <= low * (1 + 1e-9)) | (alpha >= high)
    return of_alpha, (eta <= least * (1 + 1e-9)) | (eta >= MOST * (1 - 1e-9))


@dataclass(frozen=True)
class TailsChart:
    """logit alpha, then log eta, in units of what rows told to be good or bad would tell of them.

    `free` are the places of those that are at no limit.
    """

    centre: Array
    free: NDArray[np.intp]
    scale: Array
    least: float

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return len(self.free)

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        return RADIUS * self.scale

    def numbers(self, free: Array) -> tuple[Array, Array]:
        """(alpha, eta) at these coordinates."""
        found = self.centre.copy()
        found[self.free] += free / self.scale
        alpha, eta = np.split(found, 2)
        limits = np.log([self.least, MOST])
        return np.clip(expit(alpha), *GOOD), np.exp(np.clip(eta, *limits))

    def coordinates(self, params: ContaminatedParams) -> Array:
        """Where those of `params` lie."""
        at = logit(params.good_shares), np.log(params.inflations)
        away = np.concatenate(at) - self.centre
        return np.asarray(away[self.free] * self.scale)

    def gradient(self, stats: ContaminatedStatistics, params: ContaminatedParams) -> Array:
        """Of the expected log-likelihood; 0 at a limit where it rises beyond."""
        alpha, eta = params.good_shares, params.inflations
        in_alpha, in_eta = slopes(stats, params)
        each = np.concatenate([in_alpha * alpha * (1.0 - alpha), in_eta * eta])
        middle = np.concatenate([alpha > np.mean(GOOD), eta > np.sqrt(self.least * MOST)])
        outside = np.concatenate(at_limit(alpha, eta, self.least)) & (middle == (each > 0))
        return np.asarray(np.where(outside, 0.0, each)[self.free] / self.scale)


def tails_chart(params: ContaminatedParams, weights: Array, least: float) -> TailsChart:
    """The chart around these for components with these shares of the rows (K,)."""
    alpha, eta, d = params.good_shares, params.inflations, params.gaussian.means.shape[1]
    free = np.flatnonzero(~np.concatenate(at_limit(alpha, eta, least)))
    told = np.concatenate([weights * alpha * (1 - alpha), weights * (1 - alpha) * d / 2])
    centre = np.concatenate([logit(alpha), np.log(eta)])
    return TailsChart(centre, free, np.sqrt(told[free]), least)
