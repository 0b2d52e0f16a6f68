"""The regression family: a generalised linear model of one column on others in each component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Settled
from mixtura.families.dispersion import DispersionPrior
from mixtura.families.endless import Endless, undetermined
from mixtura.families.fields import FieldChart
from mixtura.families.portrait import Portrait
from mixtura.families.priors import Prior
from mixtura.families.regression.chart import coefficient_fields
from mixtura.families.regression.climbing import climbed
from mixtura.families.regression.portrait import portrait
from mixtura.families.regression.records import Coefficients, Dispersed, RegressionStatistics
from mixtura.families.regression.refusal import refuse_columns, refuse_response
from mixtura.families.regression.settling import settle
from mixtura.families.regression.terms import Terms
from mixtura.families.regression.ties import step
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import TINY


@dataclass(frozen=True)
class Regression(Terms):
    """log p(y | x, k) of a generalised linear model: eta = offset + intercept_k + x'b_k.

    Rows hold the response and the covariates; what is modelled is the response given the others.

    response    "gaussian" (identity link), "poisson" (log), "binomial" (logit) or "gamma" (log)
    target      the response's column, counted from 0; -1, the default, is the last
    covariates  the columns it hangs on, by default all others
    offset      a column added to every linear predictor, as log exposures
    trials      a column of totals of which a binomial response counts the successes; without it
                the response is 0 or 1
    intercept   whether there is one, by default yes
    common      covariates (by column) whose coefficient all components share
    common_dispersion  whether they share the dispersion

    coefficients (K, q)  intercept first, in units of the linear predictor per unit of the column
    dispersions  (K,)    variances (gaussian), 1 / shape (gamma: the variance is phi m^2); else none
    statistics   slopes and expected information at the current coefficients (RegressionStatistics)
    M-step       one step of Fisher scoring, exact for a gaussian response without common ones (with
                 them, a conditional step at the current variances); the dispersion by its maximum
    Where all rows of a component lie on its line a dispersion has no bound: see `ResidualPrior`.
    Reference: McLachlan & Peel (2000), section 5.6 and 5.10; Grün & Leisch (2008), J. Statistical
    Software 28(4); DeSarbo & Cron (1988), J. of Classification 5.
    """

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        refuse_columns(self, d)
        found: dict[str, tuple[int, ...]] = {
            "coefficients": (K, len(self.columns(d)) + self.intercept)
        }
        return found if self.dispersion is None else found | {"dispersions": (K,)}

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        refuse_columns(self, X.shape[1])
        trials = None if self.trials is None else X[:, self.trials]
        refuse_response(self.response, X, self.target, names, trials, self.trials)

    def settled(self, survey: Survey, K: int) -> Settled:
        return settle(self, survey, K)

    def moved(self, stats: RegressionStatistics, params: Coefficients) -> Array:
        """The M-step's change of the coefficients of z, (K, q)."""
        phi = self.phi(params)
        # A step hangs on the ratios of dispersions alone, which do not leave float64.
        part = phi.min() / phi
        whole = stats.information * part[:, None, None], stats.slopes * part[:, None]
        found = step(*whole, self.tied(len(phi)))
        size = np.sqrt((found**2).sum(axis=1, keepdims=True))
        shrink = np.minimum(1.0, self.law.reach / np.maximum(size, TINY))
        return np.asarray(found * (shrink.min() if self.common else shrink))

    def maximize(
        self, stats: RegressionStatistics, params: Coefficients, prior: Prior
    ) -> Coefficients:
        change = self.moved(stats, params)
        coefficients = params.coefficients + change @ self.seen().turn.T
        if not isinstance(params, Dispersed):
            return Coefficients(coefficients)
        ahead = np.einsum("kq,kqr,kr->k", change, stats.information, change)
        rest = stats.deviances - (stats.slopes * change).sum(axis=1) + 0.5 * ahead
        # Beyond rounding only where the deviance is not a parabola, and then it is not known.
        rest = np.where(rest > 0, rest, np.where(self.generalised, stats.deviances, 0.0))
        new = Dispersed(coefficients, self._dispersions(stats.counts, rest, params, prior))
        prior.refuse_collapse(new, stats.counts)
        return new

    def _dispersions(self, counts: Array, rest: Array, params: Dispersed, prior: Prior) -> Array:
        """From half the sums of deviances."""
        assert self.dispersion is not None
        if isinstance(prior, DispersionPrior):
            more = 2.0 * prior.strength
            counts, rest = counts + more, rest + more * prior.target
        if self.common_dispersion:
            counts, rest = np.full_like(counts, counts.sum()), np.full_like(rest, rest.sum())
        mean = np.divide(
            rest, counts, out=self.dispersion.deviance(params.dispersions), where=counts > 0
        )
        return np.maximum(self.dispersion.of(mean), TINY)

    def start(self, X: AnyArray, resp: Array, params: Any, prior: Prior) -> Coefficients:
        x = np.asarray(X, dtype=np.float64)
        return climbed(self, x, resp, params, prior)

    def score(self, stats: RegressionStatistics, params: Coefficients) -> dict[str, Array]:
        phi = self.phi(params)
        found = {"coefficients": stats.slopes / phi[:, None] @ self.seen().back.T}
        if self.dispersion is not None:
            found["dispersions"] = self.dispersion.score(phi, stats.counts, stats.deviances)
        return found

    def transported(
        self, stats: RegressionStatistics, before: Coefficients, after: Coefficients
    ) -> RegressionStatistics:
        # A gradient in the columns' coefficients is back times that of z, so its transpose undoes
        # `turn`.
        change = (after.coefficients - before.coefficients) @ self.seen().back
        along = np.einsum("kqr,kr->kq", stats.information, change)
        rest = stats.deviances - ((stats.slopes - 0.5 * along) * change).sum(axis=1)
        return replace(stats, slopes=stats.slopes - along, deviances=np.maximum(rest, 0.0))

    def chart(self, params: Coefficients, weights: Array) -> FieldChart:
        return FieldChart(
            coefficient_fields(self, params, weights),
            lambda arrays: self.record(**arrays),
            self.score,
        )

    def n_parameters(self, params: Coefficients) -> int:
        K, q = params.coefficients.shape
        phi = 0 if self.dispersion is None else 1 if self.common_dispersion else K
        return int(K * q - (K - 1) * len(self.common) + phi)

    def endless(self, stats: RegressionStatistics, params: Coefficients) -> tuple[Endless, ...]:
        found = self.seen()
        told = stats.information / np.maximum(stats.counts, TINY)[:, None, None]
        y, trials, _ = self.answers(found.rows)
        usual = self.law.usual(y, trials, found.shares)
        names = ((-1,) if self.intercept else ()) + found.columns
        held = stats.counts >= 0.5
        met = undetermined(told, usual, params.coefficients, found, names, held)
        # A common coefficient hangs on the rows of all components.
        often = [each.column for each in met]
        return tuple(
            each
            for each in met
            if each.column not in self.common or often.count(each.column) == held.sum()
        )

    def portrait(self, params: Coefficients, weights: Array, names: Sequence[str]) -> Portrait:
        return portrait(self, params, weights, names)

    def sample(self, labels: AnyArray, params: Coefficients, rng: RandomNumbers) -> Array:
        raise NotImplementedError(
            "a regression says how the response hangs on the covariates, not where these lie: draw "
            "responses for rows of covariates, as MixtureRegression.sample(X) does"
        )

    def sample_given(
        self, X: AnyArray, labels: AnyArray, params: Coefficients, rng: RandomNumbers
    ) -> Array:
        out = np.array(X, dtype=np.float64)
        eta = self.predictors(out, params)[np.arange(len(out)), labels]
        out[:, self.target] = self.law.draw(
            eta, self.phi(params)[labels], self.answers(out)[1], rng
        )
        return out
