"""The gamma family: columns of positive numbers, independent within a component."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.dispersion import DispersionPrior, pooled
from mixtura.families.frames import standardised
from mixtura.families.gaps import cells, observed, shares
from mixtura.families.log_tails import log_gammainc, log_gammaincc
from mixtura.families.priors import Prior
from mixtura.families.roots import falling_root
from mixtura.families.truncated_gamma import gamma_within, log_width
from mixtura.records import AnyArray, Array, Params, RandomNumbers, Statistics
from mixtura.supports import Positive

# Beyond this shape differences of the gamma function's logarithm are taken from their series.
LARGE = 1e4
# Shapes are no smaller and no larger; a component as narrow as the largest has long been refused.
LEAST, MOST = 1e-12, 1e15


@dataclass(frozen=True)
class GammaParams(Params):
    means: Annotated[Array, Positive()]
    shapes: Annotated[Array, Positive()]


@dataclass(frozen=True)
class GammaStatistics(Statistics):
    """counts (K,); sums of x, of log x, and rows in which a cell is there, each (K, d)."""

    counts: Array
    sums: Array
    logs: Array
    cells: Array


def excess(shapes: Array) -> Array:
    """log shape - digamma(shape): how far the mean log lies below the log of the mean."""
    y = 1.0 / np.maximum(shapes, LEAST)
    series = y / 2 + y**2 / 12 - y**4 / 120
    return np.where(shapes > LARGE, series, np.log(shapes) - digamma(shapes))


def told(shapes: Array) -> Array:
    """shape^2 (trigamma(shape) - 1 / shape): what a row tells of log shape."""
    y = 1.0 / np.maximum(shapes, LEAST)
    series = 0.5 + y / 6 - y**3 / 30
    return np.where(shapes > LARGE, series, shapes * (shapes * polygamma(1, shapes) - 1.0))


def normaliser(shapes: Array) -> Array:
    """shape log shape - shape - log Gamma(shape)."""
    y = 1.0 / np.maximum(shapes, LEAST)
    series = 0.5 * np.log(shapes / (2 * np.pi)) - y / 12 + y**3 / 360
    return np.where(shapes > LARGE, series, shapes * (np.log(shapes) - 1.0) - gammaln(shapes))


def shape_of(excesses: Array) -> Array:
    """The shapes with these `excess`, from the start of Minka (2002), Estimating a Gamma
    distribution."""
    e = np.maximum(excesses, 0.5 / MOST)
    start = np.clip((3 - e + np.sqrt((e - 3) ** 2 + 24 * e)) / (12 * e), LEAST, MOST)

    def over(shapes: Array) -> tuple[Array, Array]:
        return excess(shapes) - e, -told(shapes) / shapes

    return falling_root(over, start, np.full(e.shape, LEAST), np.full(e.shape, MOST))


@dataclass(frozen=True)
class Gamma(Family):
    """log p(x | k) = sum_j a log(a / m) - log Gamma(a) + (a - 1) log x_j - a x_j / m

    means       (K, d)  m_kj, positive, in the column's units
    shapes      (K, d)  a_kj, positive; scale = mean / shape, variance = mean^2 / shape
    statistics  counts, sums of x and of log x, rows in which a cell is there (GammaStatistics)
    M-step      m = sum r x / sum r;  log a - digamma(a) = log m - sum r log x / sum r by Newton
    Mean and shape are orthogonal. Where all rows of a component are equal in a column the shape
    runs to infinity and the likelihood has no bound: see GammaPrior.
    Reference: Choi & Wette (1969), Technometrics 11; McLachlan & Peel (2000), section 5.4.
    """

    record = GammaParams
    allows_gaps = True
    least = 0.0

    def settled(self, survey: Survey, K: int) -> Settled:
        found = Family.settled(self, survey, K)
        target = excess(found.base.shapes[0])
        return replace(found, prior=GammaPrior.of(survey, target, self.name))

    def log_density(self, X: AnyArray, params: GammaParams) -> Array:
        x, seen = observed(X)
        a, m = params.shapes, params.means
        logs = np.where(seen > 0, np.log(np.where(seen > 0, x, 1.0)), 0.0)
        constant = normaliser(a) + a - a * np.log(m)
        inside = logs @ a.T - x @ (a / m).T - logs.sum(axis=1, keepdims=True)
        return np.asarray(inside + seen @ constant.T)

    def statistics(self, X: AnyArray, resp: Array, params: GammaParams | None) -> GammaStatistics:
        x, seen = observed(X)
        logs = np.where(seen > 0, np.log(np.where(seen > 0, x, 1.0)), 0.0)
        return GammaStatistics(resp.sum(axis=0), resp.T @ x, resp.T @ logs, cells(resp, seen))

    def maximize(
        self, stats: GammaStatistics, params: GammaParams | None, prior: Prior
    ) -> GammaParams:
        before = GammaParams(*np.ones((2, *stats.sums.shape))) if params is None else params
        means = shares(stats.sums, stats.cells, before.means)
        excesses = np.maximum(stats.cells * np.log(means) - stats.logs, 0.0)
        found = pooled(prior, excesses, stats.cells, excess(before.shapes))
        new = GammaParams(means, shape_of(found))
        prior.refuse_collapse(new, stats.counts)
        return new

    def within(
        self, lower: Array, upper: Array, means: Array, shapes: Array
    ) -> tuple[Array, dict[str, Array]]:
        scale = means / shapes
        log_p, mean, logs = gamma_within(
            lower / scale, upper / scale, log_width(lower, upper), shapes
        )
        return log_p + normaliser(shapes), {"sums": scale * mean, "logs": np.log(scale) + logs}

    def score(self, stats: GammaStatistics, params: GammaParams) -> dict[str, Array]:
        a, m = params.shapes, params.means
        over = stats.sums / m - stats.cells
        shapes = stats.cells * (excess(a) - np.log(m)) + stats.logs - over
        return {"means": a * over / m, "shapes": shapes}

    def information(self, params: GammaParams, shares: Array) -> dict[str, Array]:
        part = shares[:, None]
        return {"means": part * params.shapes, "shapes": part * told(params.shapes)}

    def means(self, params: GammaParams) -> Array:
        return params.means

    def variances(self, params: GammaParams) -> Array:
        return params.means**2 / params.shapes

    def log_sides(self, X: AnyArray, params: GammaParams) -> tuple[Array, Array]:
        shape = params.shapes[:, 0]
        scaled = X * (shape / params.means[:, 0])
        return log_gammainc(shape, scaled), log_gammaincc(shape, scaled)

    def sample(self, labels: AnyArray, params: GammaParams, rng: RandomNumbers) -> Array:
        shapes, means = params.shapes[labels], params.means[labels]
        return np.asarray(rng.gamma(shapes, means / shapes), dtype=np.float64)

    def frame(self, X: AnyArray) -> Array:
        """Logarithms, standardised: no unit, and equal ratios are equal steps."""
        return standardised(np.log(X))


@dataclass(frozen=True)
class GammaPrior(DispersionPrior):
    """Rows added whose `excess` is the table's: their log-likelihood has its M-step's form."""

    def dispersion(self, params: GammaParams) -> Array:
        return excess(params.shapes)

    def dispersed(self, params: GammaParams, dispersion: Array) -> GammaParams:
        return GammaParams(params.means, shape_of(dispersion))

    def row(self, params: GammaParams) -> Array:
        return normaliser(params.shapes) - params.shapes * self.target

    def row_score(self, params: GammaParams) -> dict[str, Array]:
        return {"shapes": excess(params.shapes) - self.target}
