"""The von Mises family: columns of angles, independent within a component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.bessel import EVEN, concentration, log_bessel, scatter, told
from mixtura.families.dispersion import DispersionPrior, pooled
from mixtura.families.domain import refuse_outside
from mixtura.families.gaps import cells
from mixtura.families.portrait import Column, Portrait, told_by_angle
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Params, RandomNumbers, Statistics
from mixtura.supports import Angle, Positive


@dataclass(frozen=True)
class VonMisesParams(Params):
    directions: Annotated[Array, Angle()]
    concentrations: Annotated[Array, Positive()]


@dataclass(frozen=True)
class VonMisesStatistics(Statistics):
    """counts (K,); sums of cos x, of sin x, and rows in which a cell is there, each (K, d)."""

    counts: Array
    cosines: Array
    sines: Array
    cells: Array


@dataclass(frozen=True)
class VonMises(Family):
    """log p(x | k) = sum_j kappa_kj cos(x_j - mu_kj) - log 2 pi I_0(kappa_kj)

    directions      (K, d)  mu_kj, angles in radians, from -pi to pi
    concentrations  (K, d)  kappa_kj, positive; 0 is even, large ones are normal of variance 1/kappa
    statistics      counts, sums of cos x and sin x, rows in which a cell is there
    M-step          mu the angle of sum r (cos x, sin x), its length over sum r is R;
                    I_1(kappa) / I_0(kappa) = R by Newton
    Where all angles of a component are equal kappa has no bound: see VonMisesPrior.
    Reference: Mardia & Jupp (2000), Directional Statistics, section 5.3.
    """

    record = VonMisesParams
    allows_gaps = True
    column_kind = "circle"

    def settled(self, survey: Survey, K: int) -> Settled:
        found = Family.settled(self, survey, K)
        target = scatter(found.base.concentrations[0], 2)
        return replace(found, prior=VonMisesPrior.of(survey, target, self.name))

    def log_density(self, X: AnyArray, params: VonMisesParams) -> Array:
        cosines, sines, seen = _parts(X)
        mu, kappa = params.directions, params.concentrations
        inside = cosines @ (kappa * np.cos(mu)).T + sines @ (kappa * np.sin(mu)).T
        constant = kappa + log_bessel(0.0, kappa) + np.log(2 * np.pi)
        return np.asarray(inside - seen @ constant.T)

    def statistics(
        self, X: AnyArray, resp: Array, params: VonMisesParams | None
    ) -> VonMisesStatistics:
        cosines, sines, seen = _parts(X)
        counts = resp.sum(axis=0)
        return VonMisesStatistics(counts, resp.T @ cosines, resp.T @ sines, cells(resp, seen))

    def maximize(
        self, stats: VonMisesStatistics, params: VonMisesParams | None, prior: Prior
    ) -> VonMisesParams:
        even = np.zeros_like(stats.cells)
        before = VonMisesParams(even, even + EVEN) if params is None else params
        known = stats.cells > 0
        directions = np.where(known, np.arctan2(stats.sines, stats.cosines), before.directions)
        rest = np.maximum(stats.cells - np.hypot(stats.cosines, stats.sines), 0.0)
        found = pooled(prior, rest, stats.cells, scatter(before.concentrations, 2))
        new = VonMisesParams(directions, concentration(found, 2))
        prior.refuse_collapse(new, stats.counts)
        return new

    def score(self, stats: VonMisesStatistics, params: VonMisesParams) -> dict[str, Array]:
        mu, kappa = params.directions, params.concentrations
        across = stats.sines * np.cos(mu) - stats.cosines * np.sin(mu)
        along = stats.cosines * np.cos(mu) + stats.sines * np.sin(mu)
        slope = along - stats.cells * (1.0 - scatter(kappa, 2))
        return {"directions": kappa * across, "concentrations": slope}

    def information(self, params: VonMisesParams, shares: Array) -> dict[str, Array]:
        kappa, part = params.concentrations, shares[:, None]
        mean = 1.0 - scatter(kappa, 2)
        return {"directions": part * kappa * mean, "concentrations": part * told(kappa, 2)}

    def portrait(self, params: VonMisesParams, weights: Array, names: Sequence[str]) -> Portrait:
        mu, kappa = params.directions, params.concentrations

        def curve_of(j: int) -> Callable[[Array], Array]:
            own = VonMisesParams(mu[:, [j]], kappa[:, [j]])
            return lambda x: np.exp(self.log_density(x[:, None], own))

        def column(j: int) -> Column:
            each = zip(mu[:, j], kappa[:, j], strict=True)
            cells = tuple(f"{m:.2f} (κ {k:.3g})" for m, k in each)
            return Column(names[j], self.column_kind, cells, caption, curve=curve_of(j))

        tells = np.array([told_by_angle(weights, curve_of(j)) for j in range(mu.shape[1])])
        words = "angles, independent within a group"
        caption = "Mean direction in radians, and concentration κ, of each group."
        return Portrait("VonMises", words, tells, column)

    def sample(self, labels: AnyArray, params: VonMisesParams, rng: RandomNumbers) -> Array:
        mu, kappa = params.directions[labels], params.concentrations[labels]
        return np.asarray(rng.vonmises(mu, kappa), dtype=np.float64)

    def frame(self, X: AnyArray) -> Array:
        """Cosines, then sines; 0 in the gaps."""
        cosines, sines, _ = _parts(X)
        return np.hstack([cosines, sines])

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        with np.errstate(invalid="ignore"):
            inside = np.abs(X) <= 2 * np.pi + 1e-6
        refuse_outside(X, names, inside, "vonmises", "angles in radians, from -2 pi to 2 pi")


def _parts(X: AnyArray) -> tuple[Array, Array, Array]:
    """(cosines, sines, 1 where a cell is there); both are 0 in the gaps, as `gaps.observed`."""
    x = np.asarray(X, dtype=np.float64)
    cosines, sines = np.cos(x), np.sin(x)
    if not np.isnan(x.sum()):
        return cosines, sines, np.ones((1, x.shape[1]))
    missing = np.isnan(x)
    cosines[missing] = sines[missing] = 0.0
    return cosines, sines, np.asarray(~missing, dtype=np.float64)


@dataclass(frozen=True)
class VonMisesPrior(DispersionPrior):
    """Rows added whose mean length is the table's and that lie around the component's direction."""

    def dispersion(self, params: VonMisesParams) -> Array:
        return scatter(params.concentrations, 2)

    def dispersed(self, params: VonMisesParams, dispersion: Array) -> VonMisesParams:
        return replace(params, concentrations=concentration(dispersion, 2))

    def row(self, params: VonMisesParams) -> Array:
        kappa = params.concentrations
        return -log_bessel(0.0, kappa) - kappa * self.target

    def row_score(self, params: VonMisesParams) -> dict[str, Array]:
        return {"concentrations": scatter(params.concentrations, 2) - self.target}
