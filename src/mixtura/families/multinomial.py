"""The multinomial family: rows of counts over categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.believed import of_shares
from mixtura.families.factorials import log_factorials
from mixtura.families.gaps import ColumnSums, shares, summed
from mixtura.families.portrait import Portrait, share_portrait
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Params, RandomNumbers
from mixtura.supports import TINY, Simplex

# The table's totals are remembered by at most so many of their quantiles.
QUANTILES = 256


@dataclass(frozen=True)
class MultinomialParams(Params):
    probabilities: Annotated[Array, Simplex()]


@dataclass(frozen=True)
class Multinomial(Family):
    """log p(x | k, N) = log N! - sum_j log x_j! + sum_j x_j log probability_kj, N = sum_j x_j

    totals         totals that samples draw theirs from, by default (quantiles of) the table's
    probabilities  (K, d)  a simplex
    statistics     counts, sums of x (ColumnSums)
    M-step         probability_kj = sum r x_j / sum r N
    The density is conditional on each row's total N, which may be any count: totals tell nothing
    of the component. A component that never met a category has probability 0 there.
    Reference: Nigam, McCallum, Thrun & Mitchell (2000), Machine Learning 39.
    """

    totals: tuple[float, ...] = ()
    record = MultinomialParams
    conjugate = of_shares("sums")
    statistics = summed
    soft_starts = True
    column_kind = "counts"
    measure = "a probability given the row's total"

    def settled(self, survey: Survey, K: int) -> Settled:
        if survey.source.d < 2:
            raise ValueError(
                "family='multinomial' shares a row's total among its columns, and X has one: use "
                "'poisson' or 'negativebinomial' for one column of counts"
            )
        if self.totals:
            return Family.settled(self, survey, K)
        found, times = survey.sample.X.sum(axis=1), survey.sample.sample_weight
        levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
        totals = np.quantile(found, levels, weights=times, method="inverted_cdf")
        if totals[0] == totals[-1]:
            totals = totals[:1]
        return Family.settled(replace(self, totals=tuple(map(float, totals))), survey, K)

    def log_density(self, X: AnyArray, params: MultinomialParams) -> Array:
        x = np.asarray(X, dtype=np.float64)
        constant = log_factorials(x.sum(axis=1)) - log_factorials(x).sum(axis=1)
        logs = np.log(np.maximum(params.probabilities, TINY)).T
        return np.asarray(x @ logs + constant[:, None])

    def maximize(
        self, stats: ColumnSums, params: MultinomialParams | None, prior: Prior
    ) -> MultinomialParams:
        d = stats.sums.shape[1]
        before = np.full_like(stats.sums, 1.0 / d) if params is None else params.probabilities
        total = np.repeat(stats.sums.sum(axis=1, keepdims=True), d, axis=1)
        return MultinomialParams(shares(stats.sums, total, before))

    def score(self, stats: ColumnSums, params: MultinomialParams) -> dict[str, Array]:
        # A start may have 0 where rows are: the slope there is endless.
        with np.errstate(over="ignore"):
            return {"probabilities": stats.sums / np.maximum(params.probabilities, TINY)}

    def information(self, params: MultinomialParams, shares: Array) -> dict[str, Array]:
        # Of one draw it is the identity: see `coordinates`.
        draws = float(np.mean(self.totals)) if self.totals else 1.0
        return {"probabilities": shares[:, None] * draws}

    def portrait(self, params: MultinomialParams, weights: Array, names: Sequence[str]) -> Portrait:
        words, whole = "shares of a row's total", tuple(range(len(names)))
        caption = "Share of the row's total within each group."
        return share_portrait(
            "Multinomial", words, caption, weights, names, params.probabilities, whole
        )

    def sample(self, labels: AnyArray, params: MultinomialParams, rng: RandomNumbers) -> Array:
        if not self.totals:
            raise ValueError("Multinomial: give totals=(...) to say how many draws a row has")
        left = rng.choice(np.array(self.totals), size=len(labels)).astype(np.int64)
        # One category after the other, of the draws that are left for it and those behind it.
        behind = np.cumsum(params.probabilities[:, ::-1], axis=1)[:, ::-1]
        odds = np.minimum(params.probabilities / np.maximum(behind, TINY), 1.0)
        out = np.empty((len(labels), params.probabilities.shape[1]))
        for j in range(out.shape[1] - 1):
            out[:, j] = rng.binomial(left, odds[labels, j])
            left -= out[:, j].astype(np.int64)
        out[:, -1] = left
        return out

    def frame(self, X: AnyArray) -> Array:
        """Roots of the row's shares, in which distances do not hang on how likely a category is."""
        x = np.asarray(X, dtype=np.float64)
        return np.asarray(np.sqrt(x / np.maximum(x.sum(axis=1, keepdims=True), 1.0)))
