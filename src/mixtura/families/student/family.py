"""The t family: K multivariate t densities under one structure of their scale matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.stats import t

from mixtura.families.base import at_edge
from mixtura.families.beyond import log_t_tail
from mixtura.families.gaussian.records import GaussianParams
from mixtura.families.heavy.chart import HeavyChart
from mixtura.families.heavy.family import HeavyTailed
from mixtura.families.heavy.intervals import Ends
from mixtura.families.heavy.prior import HeavyPrior
from mixtura.families.portrait import Column, Portrait, separation, spread_column
from mixtura.families.student.degrees import (
    LEAST,
    MOST,
    START,
    at_limit,
    degrees_chart,
    maximised,
    slope,
)
from mixtura.families.student.intervals import StudentBetween
from mixtura.families.student.records import (
    StudentGapsLook,
    StudentLook,
    StudentParams,
    StudentStatistics,
)
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import Positive, Support

CAPTION = "Centre ± scale within each group."
# What `degrees_of_freedom` may be beside a number.
EACH, COMMON = "each", "common"


@dataclass(frozen=True)
class Student(HeavyTailed):
    """log p(x | k) = log Gamma((nu+d)/2) - log Gamma(nu/2) - 1/2 log det(pi nu_k S_k)
    - (nu_k+d)/2 log(1 + delta/nu_k), delta = (x - m_k)' S_k^-1 (x - m_k)

    covariance_type     the structure of the S_k, by its name as in `GaussianMixture`
    degrees_of_freedom  "each" component its own, "common" to all, or a number
    means               (K, d)        centres, real
    scales              form's shape  S_k, positive definite; a covariance is nu / (nu - 2) times it
    degrees_of_freedom  (K,)          from 1 to 200, but where a number is asked for
    statistics  counts, moments of rows weighed by u = (nu+d) / (nu+delta), sums of log u - u
    M-step      m = sum r u x / sum r u;  S from the scatter about it by the structure, divided by
                the mean u (the expanded parameters of PX-EM; not with the penalty);
                nu by `degrees.maximised`
    Rows far from every centre count little: the heavier the tails, the less.
    Reference: Peel & McLachlan (2000), Statistics and Computing 10; Liu, Rubin & Wu (1998),
    Parameter expansion to accelerate EM, Biometrika 85.
    """

    degrees_of_freedom: float | str = EACH
    record = StudentParams
    matrices = "scales"
    shapes_of_tails: ClassVar[Mapping[str, Support]] = {"degrees_of_freedom": Positive()}

    def __post_init__(self) -> None:
        super().__post_init__()
        nu = self.degrees_of_freedom
        if isinstance(nu, (str, bool)):
            if nu not in (EACH, COMMON):
                raise ValueError(
                    f"Student: degrees_of_freedom must be 'each', 'common' or a number, got {nu!r}"
                )
        elif not 0 < nu < np.inf:
            raise ValueError(f"Student: degrees_of_freedom must be positive, got {nu!r}")

    @property
    def fixed(self) -> bool:
        """Whether the degrees of freedom are given."""
        return not isinstance(self.degrees_of_freedom, str)

    def begun(self, gaussian: GaussianParams) -> StudentParams:
        nu = self.degrees_of_freedom
        first = START if isinstance(nu, str) else float(nu)
        return StudentParams(gaussian, np.full(len(gaussian.means), first))

    def completed(
        self, X: AnyArray, labels: AnyArray, params: StudentParams, rng: RandomNumbers
    ) -> Array:
        return StudentGapsLook(X, params).completed(labels, rng)

    def look(self, X: AnyArray, params: StudentParams) -> StudentLook | StudentGapsLook:
        return StudentGapsLook(X, params) if self.gaps else StudentLook(X, params)

    def log_tails(self, squares: Array, d: int, params: StudentParams) -> Array:
        return log_t_tail(squares, d, params.degrees_of_freedom)

    def told(self, ends: Ends, params: StudentParams) -> StudentBetween:
        return StudentBetween(ends, params)

    def maximize(
        self, stats: StudentStatistics, params: StudentParams, prior: HeavyPrior
    ) -> StudentParams:
        """The M-step. A component with no rows keeps what it is."""
        nu, d = params.degrees_of_freedom, params.gaussian.means.shape[1]
        if not self.fixed:
            nu = maximised(stats, nu, d, common=self.degrees_of_freedom == COMMON)
        times = None if prior.penalised else self._expanded(stats, nu)
        moved = self.moved(params.gaussian, stats.weighed, stats.counts, prior, times)
        new = StudentParams(moved, nu)
        prior.refuse_collapse(new, stats.counts)
        return new

    def _expanded(self, stats: StudentStatistics, nu: Array) -> Array:
        """One over the mean weight of rows: each component's where its volume is its own."""
        rows, weights = stats.counts, stats.weighed.counts
        if self.structure.form.shared or not self.structure.letters.startswith("V"):
            # One scale of all weights, which are the firmer the more degrees of freedom there are.
            return np.asarray((nu @ rows) / (nu @ weights))
        return np.where(weights > 0, rows / np.where(weights > 0, weights, 1.0), 1.0)

    def score(self, stats: StudentStatistics, params: StudentParams) -> dict[str, Array]:
        d = params.gaussian.means.shape[1]
        seen = replace(stats.weighed, counts=stats.counts)
        found = self.gaussian.score(seen, params.gaussian)
        return {
            "means": found["means"],
            "scales": found["covariances"],
            "degrees_of_freedom": slope(stats, params.degrees_of_freedom, d),
        }

    def chart(self, params: StudentParams, weights: Array) -> HeavyChart:
        common, nu = self.degrees_of_freedom == COMMON, params.degrees_of_freedom
        own = self.gaussian.chart(params.gaussian, weights)
        tails = degrees_chart(nu, weights, common=common, fixed=self.fixed)
        return HeavyChart(StudentParams, own, tails)

    def edge(self, params: StudentParams) -> str:
        if self.fixed:
            return ""
        count = int(at_limit(params.degrees_of_freedom).sum())
        return at_edge(count, "degrees of freedom", f"at a limit, {LEAST:g} or {MOST:g}")

    def transported(
        self, stats: StudentStatistics, before: StudentParams, after: StudentParams
    ) -> StudentStatistics:
        moved = self.gaussian.transported(stats.weighed, before.gaussian, after.gaussian)
        return replace(stats, weighed=moved)

    def variances(self, params: StudentParams) -> Array:
        """nu / (nu - 2) times the scales; infinite up to two degrees of freedom."""
        nu = params.degrees_of_freedom[:, None]
        with np.errstate(divide="ignore"):
            times = np.where(nu > 2, nu / np.maximum(nu - 2, 0.0), np.inf)
        return np.asarray(times * self.gaussian.variances(params.gaussian))

    def log_sides(self, X: AnyArray, params: StudentParams) -> tuple[Array, Array]:
        g, nu = params.gaussian, params.degrees_of_freedom
        z = (X - g.means[:, 0]) / np.sqrt(self.gaussian.variances(g)[:, 0])
        # Of one column the squared distance is beyond on two sides.
        tail = log_t_tail(z**2, 1, nu) - np.log(2)
        rest = np.log1p(-np.exp(tail))
        return np.where(z < 0, tail, rest), np.where(z < 0, rest, tail)

    def n_parameters(self, params: StudentParams) -> int:
        of_gaussian = self.gaussian.n_parameters(params.gaussian)
        if self.fixed:
            return of_gaussian
        nu = params.degrees_of_freedom
        return of_gaussian + (1 if self.degrees_of_freedom == COMMON else len(nu))

    def sample(self, labels: AnyArray, params: StudentParams, rng: RandomNumbers) -> Array:
        g, nu = params.gaussian, params.degrees_of_freedom[labels]
        away = self.gaussian.sample(labels, g, rng) - g.means[labels]
        return np.asarray(g.means[labels] + away / np.sqrt(rng.chisquare(nu) / nu)[:, None])

    def portrait(self, params: StudentParams, weights: Array, names: Sequence[str]) -> Portrait:
        g, nu = params.gaussian, params.degrees_of_freedom
        widths = self.gaussian.variances(g)
        told = ", ".join(f"{each:.3g}" for each in (nu[:1] if self.one_number else nu))

        def column(j: int) -> Column:
            def curve(x: Array) -> Array:
                return np.asarray(t(nu, g.means[:, j], np.sqrt(widths[:, j])).pdf(x[:, None]))

            shown = spread_column(names[j], "density", g.means[:, j], np.sqrt(widths[:, j]), curve)
            return replace(shown, caption=CAPTION)

        return replace(
            self.gaussian.portrait(g, weights, names),
            name=f"Student {self.covariance_type}",
            words=f"{self.structure.words}; degrees of freedom {told}",
            tells=separation(weights, g.means, widths),
            column=column,
            label="scale",
            tails=nu,
        )

    @property
    def one_number(self) -> bool:
        """Whether all components have the same degrees of freedom."""
        return self.fixed or self.degrees_of_freedom == COMMON
