"""The contaminated normal family: each component a normal law, and a wider one about its centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.stats import norm

from mixtura.families.base import at_edge
from mixtura.families.beyond import log_tail
from mixtura.families.contaminated.intervals import ContaminatedBetween
from mixtura.families.contaminated.records import (
    ContaminatedGapsLook,
    ContaminatedLook,
    ContaminatedParams,
    ContaminatedStatistics,
)
from mixtura.families.contaminated.tails import (
    GOOD,
    MOST,
    START,
    at_limit,
    carried,
    maximised,
    slopes,
    tails_chart,
)
from mixtura.families.gaussian.records import GaussianParams
from mixtura.families.heavy.chart import HeavyChart
from mixtura.families.heavy.family import HeavyTailed
from mixtura.families.heavy.intervals import Ends
from mixtura.families.heavy.prior import HeavyPrior
from mixtura.families.portrait import Column, Portrait, separation, spread_column
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import Positive, Support, UnitInterval

CAPTION = "Mean ± standard deviation of the good rows within each group."
# The least inflation by default.
LEAST = 4.0


@dataclass(frozen=True)
class Contaminated(HeavyTailed):
    """log p(x | k) = log(alpha_k N(x; m_k, S_k) + (1 - alpha_k) N(x; m_k, eta_k S_k))

    covariance_type  the structure of the S_k, by its name as in `GaussianMixture`
    least_inflation  the least eta_k, above 1 and below 10,000
    means        (K, d)        real
    covariances  form's shape  S_k of good rows, positive definite
    good_shares  (K,)          alpha_k, from 1/2 to 1
    inflations   (K,)          eta_k, from `least_inflation` to 10,000
    statistics   counts, moments of rows weighed by u = v + (1 - v) / eta, and of bad ones
    M-step       m = sum r u x / sum r u;  S from the scatter about it by the structure, over n_k;
                 alpha and eta by `tails.maximised`
    v is the chance that a row of the component is good; below 1/2 it is an outlier.
    Reference: Punzo & McNicholas (2016), Parsimonious mixtures of multivariate contaminated normal
    distributions, Biometrical Journal 58.
    """

    least_inflation: float = LEAST
    record = ContaminatedParams
    tells_outliers = True
    shapes_of_tails: ClassVar[Mapping[str, Support]] = {
        "good_shares": UnitInterval(),
        "inflations": Positive(),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        least = self.least_inflation
        if isinstance(least, bool | str) or not 1.0 < least < MOST:
            raise ValueError(
                f"Contaminated: least_inflation must be a number above 1 and below {MOST:,.0f}, "
                f"got {least!r}"
            )

    def begun(self, gaussian: GaussianParams) -> ContaminatedParams:
        K, (share, wider) = len(gaussian.means), START
        wider = max(wider, self.least_inflation)
        return ContaminatedParams(gaussian, np.full(K, share), np.full(K, wider))

    def look(
        self, X: AnyArray, params: ContaminatedParams
    ) -> ContaminatedLook | ContaminatedGapsLook:
        return ContaminatedGapsLook(X, params) if self.gaps else ContaminatedLook(X, params)

    def log_tails(self, squares: Array, d: int, params: ContaminatedParams) -> Array:
        bad = log_tail(squares / params.inflations, d)
        # Where all rows are good, there are no others.
        with np.errstate(divide="ignore"):
            shares = np.log(params.good_shares), np.log1p(-params.good_shares)
        return np.asarray(np.logaddexp(shares[0] + log_tail(squares, d), shares[1] + bad))

    def outlying(self, X: AnyArray, params: ContaminatedParams) -> Array:
        return self.look(X, params).parts.outlying

    def completed(
        self, X: AnyArray, labels: AnyArray, params: ContaminatedParams, rng: RandomNumbers
    ) -> Array:
        return ContaminatedGapsLook(X, params).completed(labels, rng)

    def told(self, ends: Ends, params: ContaminatedParams) -> ContaminatedBetween:
        return ContaminatedBetween(ends, params)

    def maximize(
        self, stats: ContaminatedStatistics, params: ContaminatedParams, prior: HeavyPrior
    ) -> ContaminatedParams:
        """The M-step, in two conditional ones. A component with no rows keeps what it is."""
        moved = self.moved(params.gaussian, stats.weighed, stats.counts, prior)
        tails = maximised(stats, params, moved, self.least_inflation)
        new = ContaminatedParams(moved, *tails)
        # A narrow component of few good rows is a spike, however many bad ones lie about it.
        prior.refuse_collapse(new, stats.counts - stats.bad.counts)
        return new

    def score(self, stats: ContaminatedStatistics, params: ContaminatedParams) -> dict[str, Array]:
        seen = replace(stats.weighed, counts=stats.counts)
        in_alpha, in_eta = slopes(stats, params)
        found = self.gaussian.score(seen, params.gaussian)
        return {**found, "good_shares": in_alpha, "inflations": in_eta}

    def chart(self, params: ContaminatedParams, weights: Array) -> HeavyChart:
        own = self.gaussian.chart(params.gaussian, weights)
        tails = tails_chart(params, weights, self.least_inflation)
        return HeavyChart(ContaminatedParams, own, tails)

    def edge(self, params: ContaminatedParams) -> str:
        at = at_limit(params.good_shares, params.inflations, self.least_inflation)
        limits = f"{self.least_inflation:g} or {MOST:,.0f}"
        said = (
            at_edge(int(at[0].sum()), "good shares", f"at a limit, {GOOD[0]:g} or 1"),
            at_edge(int(at[1].sum()), "inflations", f"at a limit, {limits}"),
        )
        return "; ".join(each for each in said if each)

    def transported(
        self, stats: ContaminatedStatistics, before: ContaminatedParams, after: ContaminatedParams
    ) -> ContaminatedStatistics:
        moved = self.gaussian.transported(stats.weighed, before.gaussian, after.gaussian)
        bad = carried(stats.bad, before.gaussian, after.gaussian)
        return replace(stats, weighed=moved, bad=bad)

    def variances(self, params: ContaminatedParams) -> Array:
        """Of good and bad rows together."""
        alpha, eta = params.good_shares, params.inflations
        times = (alpha + (1.0 - alpha) * eta)[:, None]
        return np.asarray(times * self.gaussian.variances(params.gaussian))

    def n_parameters(self, params: ContaminatedParams) -> int:
        return self.gaussian.n_parameters(params.gaussian) + 2 * len(params.good_shares)

    def sample(self, labels: AnyArray, params: ContaminatedParams, rng: RandomNumbers) -> Array:
        g = params.gaussian
        away = self.gaussian.sample(labels, g, rng) - g.means[labels]
        bad = rng.uniform(size=len(labels)) >= params.good_shares[labels]
        wider = np.where(bad, np.sqrt(params.inflations[labels]), 1.0)
        return np.asarray(g.means[labels] + away * wider[:, None])

    def portrait(
        self, params: ContaminatedParams, weights: Array, names: Sequence[str]
    ) -> Portrait:
        g, alpha, eta = params.gaussian, params.good_shares, params.inflations
        means, sd = g.means, np.sqrt(self.gaussian.variances(g))
        shares = ", ".join(f"{100 * each:.3g}%" for each in alpha)
        wider = ", ".join(f"{each:.3g}" for each in eta)

        def column(j: int) -> Column:
            def curve(x: Array) -> Array:
                good = norm(means[:, j], sd[:, j]).pdf(x[:, None])
                bad = norm(means[:, j], sd[:, j] * np.sqrt(eta)).pdf(x[:, None])
                return np.asarray(alpha * good + (1.0 - alpha) * bad)

            shown = spread_column(names[j], "density", means[:, j], sd[:, j], curve)
            return replace(shown, caption=CAPTION)

        return replace(
            self.gaussian.portrait(g, weights, names),
            name=f"contaminated {self.covariance_type}",
            words=f"{self.structure.words}; good rows {shares}; covariances of bad ones x {wider}",
            tells=separation(weights, means, sd**2),
            column=column,
            marked="outlier",
            good_alone=True,
        )
