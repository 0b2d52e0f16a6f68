"""The von Mises-Fisher family: rows that are unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from scipy.special import gammaln
from scipy.stats import vonmises_fisher

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.bessel import EVEN, concentration, log_bessel, scatter, told
from mixtura.families.dispersion import DispersionPrior, pooled
from mixtura.families.domain import BadRow
from mixtura.families.gaps import ColumnSums, summed
from mixtura.families.portrait import Column, Portrait, separation, spread_column
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Params, RandomNumbers
from mixtura.supports import UNIT, Positive, Sphere

# Below this concentration directions are even to rounding, and are drawn so.
NEARLY_EVEN = 1e-8


@dataclass(frozen=True)
class VonMisesFisherParams(Params):
    directions: Annotated[Array, Sphere()]
    concentrations: Annotated[Array, Positive()]


@dataclass(frozen=True)
class VonMisesFisher(Family):
    """log p(x | k) = kappa mu' x + (d/2 - 1) log kappa - d/2 log 2 pi - log I_{d/2-1}(kappa)

    directions      (K, d)  mu_k, unit vectors
    concentrations  (K,)    kappa_k, positive
    statistics      counts, sums of x (ColumnSums)
    M-step          mu the direction of sum r x, its length over sum r is R;
                    I_{d/2}(kappa) / I_{d/2-1}(kappa) = R by Newton from Banerjee's start
    Where all rows of a component are equal kappa has no bound: see VonMisesFisherPrior.
    Reference: Banerjee, Dhillon, Ghosh & Sra (2005), J. Machine Learning Research 6.
    """

    measure = "a density on the sphere"
    record = VonMisesFisherParams
    statistics = summed

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        return {"directions": (K, d), "concentrations": (K,)}

    def settled(self, survey: Survey, K: int) -> Settled:
        if survey.source.d < 2:
            raise ValueError(
                "family='vonmisesfisher' is for unit vectors of two columns and more, and X has "
                "one: use 'vonmises' for a column of angles"
            )
        found = Family.settled(self, survey, K)
        target = scatter(found.base.concentrations[:1], survey.source.d)
        return replace(found, prior=VonMisesFisherPrior.of(survey, target, self.name))

    def log_density(self, X: AnyArray, params: VonMisesFisherParams) -> Array:
        kappa, d = params.concentrations, params.directions.shape[1]
        inside = np.asarray(X, dtype=np.float64) @ (kappa[:, None] * params.directions).T
        return np.asarray(inside - kappa - _log_norm(kappa, d))

    def maximize(
        self, stats: ColumnSums, params: VonMisesFisherParams | None, prior: Prior
    ) -> VonMisesFisherParams:
        K, d = stats.sums.shape
        if params is None:
            params = VonMisesFisherParams(np.tile(np.eye(d)[0], (K, 1)), np.full(K, EVEN))
        length = np.linalg.norm(stats.sums, axis=1)
        directions = params.directions.copy()
        np.divide(stats.sums, length[:, None], out=directions, where=length[:, None] > 0)
        rest, before = np.maximum(stats.counts - length, 0.0), scatter(params.concentrations, d)
        found = pooled(prior, rest[:, None], stats.counts[:, None], before[:, None])
        new = VonMisesFisherParams(directions, concentration(found[:, 0], d))
        prior.refuse_collapse(new, stats.counts)
        return new

    def score(self, stats: ColumnSums, params: VonMisesFisherParams) -> dict[str, Array]:
        kappa, d = params.concentrations, params.directions.shape[1]
        along = np.einsum("kj,kj->k", stats.sums, params.directions)
        slope = along - stats.counts * (1.0 - scatter(kappa, d))
        return {"directions": kappa[:, None] * stats.sums, "concentrations": slope}

    def information(self, params: VonMisesFisherParams, shares: Array) -> dict[str, Array]:
        kappa, d = params.concentrations, params.directions.shape[1]
        across = shares * kappa * (1.0 - scatter(kappa, d))
        return {"directions": across[:, None], "concentrations": shares * told(kappa, d)}

    def means(self, params: VonMisesFisherParams) -> Array:
        length = 1.0 - scatter(params.concentrations, params.directions.shape[1])
        return np.asarray(length[:, None] * params.directions)

    def variances(self, params: VonMisesFisherParams) -> Array:
        kappa, d = params.concentrations, params.directions.shape[1]
        length, square = 1.0 - scatter(kappa, d), params.directions**2
        across = np.where(kappa > NEARLY_EVEN, length / np.maximum(kappa, NEARLY_EVEN), 1.0 / d)
        along = told(kappa, d) / np.maximum(kappa, NEARLY_EVEN) ** 2
        along = np.where(kappa > NEARLY_EVEN, along, 1.0 / d)
        return np.asarray(across[:, None] * (1.0 - square) + along[:, None] * square)

    def portrait(
        self, params: VonMisesFisherParams, weights: Array, names: Sequence[str]
    ) -> Portrait:
        means, variances = self.means(params), self.variances(params)

        def column(j: int) -> Column:
            def curve(x: Array) -> Array:
                return _marginal(x, params.directions[:, j], params.concentrations, len(names))

            sds = np.sqrt(variances[:, j])
            return spread_column(names[j], "density", means[:, j], sds, curve, (-1.0, 1.0))

        words = "unit vectors, each group around a direction of its own"
        tells = separation(weights, means, variances)
        return Portrait("VonMisesFisher", words, tells, column, means=means, variances=variances)

    def sample(self, labels: AnyArray, params: VonMisesFisherParams, rng: RandomNumbers) -> Array:
        out = np.empty((len(labels), params.directions.shape[1]))
        for k, (mu, kappa) in enumerate(zip(params.directions, params.concentrations, strict=True)):
            own = np.flatnonzero(labels == k)
            if len(own) and kappa > NEARLY_EVEN:
                out[own] = vonmises_fisher(mu, kappa).rvs(len(own), random_state=rng)
            else:
                out[own] = rng.standard_normal((len(own), len(mu)))
        return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True))

    def frame(self, X: AnyArray) -> Array:
        """The rows themselves: unit vectors have no unit, and nearness is what it seems."""
        return np.asarray(X, dtype=np.float64)

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        length = np.linalg.norm(np.asarray(X, dtype=np.float64), axis=1)
        bad = np.flatnonzero(~(np.abs(length - 1.0) < UNIT))
        if len(bad):
            i, ends = int(bad[0]), f"columns {names[0]!r} to {names[-1]!r}"
            raise BadRow(
                f"family='vonmisesfisher' is for unit vectors, and {ends} have length "
                f"{length[i]:g}",
                i,
                ": divide each row by its length",
            )


def _marginal(x: Array, cosines: Array, kappa: Array, d: int) -> Array:
    """The density of one column at x (m,), (m, K): the rest of the row lies on a smaller sphere."""
    inside = np.maximum(1.0 - x[:, None] ** 2, np.finfo(float).tiny)
    rest = kappa * np.sqrt(inside * np.maximum(1.0 - cosines**2, 0.0))
    norm = _log_norm(rest, d - 1) + rest - _log_norm(kappa, d) - kappa
    return np.asarray(np.exp(kappa * cosines * x[:, None] + norm + (d - 3) / 2 * np.log(inside)))


def _log_norm(kappa: Array, d: int) -> Array:
    """log of the integral of exp(kappa (mu' x - 1)) over the sphere."""
    order = d / 2 - 1
    # Below this all three terms but the sphere's area are lost in each other.
    even = np.log(2.0) + d / 2 * np.log(np.pi) - gammaln(d / 2)
    some = np.maximum(kappa, NEARLY_EVEN)
    found = log_bessel(order, some) - order * np.log(some) + d / 2 * np.log(2 * np.pi)
    return np.asarray(np.where(kappa > NEARLY_EVEN, found, even))


@dataclass(frozen=True)
class VonMisesFisherPrior(DispersionPrior):
    """Rows added whose mean length is the table's and that lie around the component's direction.

    Its dispersions have one column, (K, 1).
    """

    def dispersion(self, params: VonMisesFisherParams) -> Array:
        d = params.directions.shape[1]
        return scatter(params.concentrations, d)[:, None]

    def dispersed(self, params: VonMisesFisherParams, dispersion: Array) -> VonMisesFisherParams:
        d = params.directions.shape[1]
        return replace(params, concentrations=concentration(dispersion[:, 0], d))

    def row(self, params: VonMisesFisherParams) -> Array:
        kappa, d = params.concentrations, params.directions.shape[1]
        return -_log_norm(kappa, d) - kappa * self.target

    def row_score(self, params: VonMisesFisherParams) -> dict[str, Array]:
        kappa, d = params.concentrations, params.directions.shape[1]
        return {"concentrations": scatter(kappa, d) - self.target}
