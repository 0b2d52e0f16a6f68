"""The family of factor analysers: K normal densities whose covariances are factors and noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from mixtura.data.door import refuse_few_distinct
from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.beyond import log_normal_tails
from mixtura.families.equations import settle
from mixtura.families.factor.chart import FactorChart, factor_chart
from mixtura.families.factor.gaps import FactorGapsLook, guessed
from mixtura.families.factor.look import FactorLook
from mixtura.families.factor.prior import NoisePrior, noise_prior
from mixtura.families.factor.records import FactorParams, FactorStatistics, factor_params
from mixtura.families.factor.score import score
from mixtura.families.factor.start import started
from mixtura.families.factor.step import maximised
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.frames import Affine, Filled
from mixtura.families.gaussian.family import ROUNDED
from mixtura.families.gaussian.gap_moments import column_gap_moments, refuse_lone
from mixtura.families.portrait import Portrait, normal_portrait
from mixtura.records import AnyArray, Array, Equation, RandomNumbers
from mixtura.supports import Positive, Real, Support

# Said of columns that are a factor each by themselves.
HEYWOOD = (
    "The noise of {columns} runs to zero, and only the penalty keeps it above: a Heywood case, in "
    "which a column is a factor all by itself. Use fewer factors."
)
# Rows looked at together where all are asked for at once.
_ROWS = 2048


@dataclass(frozen=True)
class FactorAnalysers(Family):
    """x = m_k + Lambda_k z + e with z ~ N(0, I_q), e ~ N(0, Psi_k), Psi_k diagonal.

    means       (K, d)     real
    loadings    (K, d, q)  real, known up to a rotation of the factors; (1, d, q) where common
    noise       (K, d)     positive; one line where it is common, one column where isotropic
    statistics  sums of rows, squares, factor scores and their products (FactorStatistics)
    M-step      `factor.step`, without a d x d matrix
    equations   the constant columns: no free parameters, and nothing to draw
    Reference: McNicholas & Murphy (2008), Parsimonious Gaussian mixture models, Statistics and
    Computing 18.
    """

    kind: FactorAnalytic
    # Added to every noise variance; None: the penalty relative to the table.
    reg_covar: float | None = None
    equations: tuple[Equation, ...] = ()
    # Whether cells of its rows may be missing.
    gaps: bool = False
    record = FactorParams
    fills_gaps = tells_distance = True
    simpler = "fewer factors"
    least_rows: ClassVar[int] = 2048
    start_numbers = 1 << 22

    @property
    def name(self) -> str:
        return str(self.kind)

    def supports(self) -> dict[str, Support]:
        return {"means": Real(), "loadings": Real(), "noise": Positive()}

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        self.kind.check_columns(d)
        loadings, noise = self.kind.loadings_shape(K, d), self.kind.noise_shape(K, d)
        return {"means": (K, d), "loadings": loadings, "noise": noise}

    def settled(self, survey: Survey, K: int) -> Settled:
        """Nothing here grows with the square of the number of columns."""
        self.kind.check_columns(survey.source.d)
        if self.reg_covar is None and len(survey.sample.X) < K:
            refuse_few_distinct(survey.source, K)
        moments, fill = column_gap_moments(survey) if self.gaps else (survey.columns, None)
        d = survey.source.d
        prior = noise_prior(self.kind, moments, self.reg_covar)
        if self.gaps:
            refuse_lone(survey.sample.X, prior.equations)
        unit = np.broadcast_to(prior.scale, (d,)) + prior.absolute
        unit = np.where(unit > 0, unit, 1.0)
        noise = unit.mean(keepdims=True) if self.kind.isotropic else unit
        base = factor_params(
            np.tile(moments.mean, (K, 1)),
            np.zeros(self.kind.loadings_shape(K, d)),
            np.broadcast_to(noise, self.kind.noise_shape(K, d)).copy(),
        )
        family = replace(self, equations=prior.equations)
        frame = Affine(moments.mean, 1.0 / np.sqrt(unit))
        return Settled(family, prior, base, (Filled(fill, frame) if fill else frame,))

    def params(self, arrays: Mapping[str, Array]) -> FactorParams:
        return factor_params(arrays["means"], arrays["loadings"], arrays["noise"])

    def filling(self, X: AnyArray) -> FactorAnalysers:
        gaps = bool(np.isnan(X.sum())) and bool(np.isnan(X).any())
        return self if gaps == self.gaps else replace(self, gaps=gaps)

    def whole(self) -> FactorAnalysers:
        return replace(self, gaps=False)

    def filled(self, X: AnyArray, params: FactorParams, k: int) -> Array:
        return FactorGapsLook(X, params).filled(k)

    def completed(
        self, X: AnyArray, labels: AnyArray, params: FactorParams, rng: RandomNumbers
    ) -> Array:
        return FactorGapsLook(X, params).completed(labels, rng)

    def log_density(self, X: AnyArray, params: FactorParams) -> Array:
        out = np.empty((len(X), len(params.means)))
        for first in range(0, len(X), _ROWS):
            rows = slice(first, first + _ROWS)
            out[rows] = self.look(X[rows], params).log_density
        return out

    def log_beyond(self, X: AnyArray, params: FactorParams) -> Array:
        return log_normal_tails(self, X, params)

    def look(self, X: AnyArray, params: FactorParams) -> FactorLook | FactorGapsLook:
        return FactorGapsLook(X, params) if self.gaps else FactorLook(X, params)

    def statistics(self, X: AnyArray, resp: Array, params: FactorParams) -> FactorStatistics:
        return self.look(X, params).statistics(resp)

    def start(
        self, X: AnyArray, resp: Array, params: FactorParams, prior: NoisePrior
    ) -> FactorParams:
        X = guessed(X, resp, params.means.mean(axis=0)) if self.gaps else X
        return started(X, resp, params, self.kind, prior)

    def maximize(
        self, stats: FactorStatistics, params: FactorParams, prior: NoisePrior
    ) -> FactorParams:
        """One step of EM with expanded parameters."""
        if self.gaps and np.any(prior.held):
            # A missing cell of a held column is expected to vary as that, which says nothing.
            stats = replace(stats, square=np.where(prior.held > 0, 0.0, stats.square))
        new = factor_params(*maximised(stats, params, self.kind, prior))
        prior.refuse_collapse(new, stats.counts)
        return new

    def score(self, stats: FactorStatistics, params: FactorParams) -> dict[str, Array]:
        return score(stats, params, self.kind)

    def rounding(self, params: FactorParams) -> float:
        """Of a difference of sums as large as the strongest factors are, in units of the noise;
        and of means in that unit.
        """
        eps = float(np.finfo(np.float64).eps)
        of_sums = ROUNDED * params.means.shape[1] * eps * params.signal
        return float(min(1.0, of_sums + 0.125 * self.coarseness(params) ** 2))

    def coarseness(self, params: FactorParams) -> float:
        off = np.spacing(np.abs(params.means)) / np.sqrt(params.noise)
        return float(np.linalg.norm(off, axis=1).max())

    def obstacle(self, prior: NoisePrior) -> str:
        return prior.obstacle()

    def chart(self, params: FactorParams, weights: Array) -> FactorChart:
        return factor_chart(params, weights, self.kind)

    def means(self, params: FactorParams) -> Array:
        return params.means

    def variances(self, params: FactorParams) -> Array:
        return params.variances

    def covariances(self, params: FactorParams, columns: AnyArray) -> Array:
        return params.among(columns)

    def portrait(self, params: FactorParams, weights: Array, names: Sequence[str]) -> Portrait:
        means, variances = params.means, params.variances
        told = normal_portrait(
            self.name,
            self.kind.words,
            weights,
            names,
            means,
            variances,
            partial(self.covariances, params),
            lone=HEYWOOD,
        )
        excess = self.kind.excess(*means.shape)
        return replace(told, simpler=self.simpler, excess=excess)

    def refuse_inadmissible(self, params: FactorParams) -> None:
        """Nothing: its M-step refuses what is not positive definite itself."""

    def n_parameters(self, params: FactorParams) -> int:
        K, d = params.means.shape
        free = d - len(self.equations)
        return Real().size((K, free)) + self.kind.n_parameters(K, free) if free else 0

    def sample(self, labels: AnyArray, params: FactorParams, rng: RandomNumbers) -> Array:
        K, d = params.means.shape
        out = rng.standard_normal((len(labels), d))
        scores = rng.standard_normal((len(labels), self.kind.n_factors))
        loadings = np.broadcast_to(params.loadings, (K, *params.loadings.shape[1:]))
        deviation = np.broadcast_to(np.sqrt(params.noise), (K, d))
        for k in range(K):
            own = labels == k
            out[own] = out[own] * deviation[k] + scores[own] @ loadings[k].T + params.means[k]
        settle(out, self.equations, np.ones(d))
        return out

    def transported(
        self, stats: FactorStatistics, before: FactorParams, after: FactorParams
    ) -> FactorStatistics:
        raise ValueError(
            f"covariance_type={str(self.kind)!r}: the factors take another scale in every step, so "
            "sums of different steps cannot be averaged, as solver='online', 'stochastic' and "
            "partial_fit do. Use solver='auto' or 'em', with fit"
        )
