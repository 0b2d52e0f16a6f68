"""The t family: K multivariate t densities under one structure of their scale matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import t

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled, at_edge
from mixtura.families.gaussian.covariance import STRUCTURES, Structure
from mixtura.families.gaussian.family import PLAIN, Gaussian
from mixtura.families.gaussian.records import (
    gaussian_params,
    gaussian_params_from_root,
)
from mixtura.families.portrait import Column, Portrait, separation, spread_column
from mixtura.families.student.chart import StudentChart
from mixtura.families.student.degrees import (
    LEAST,
    MOST,
    START,
    at_limit,
    degrees_chart,
    maximised,
    slope,
)
from mixtura.families.student.prior import StudentPrior
from mixtura.families.student.records import (
    StudentGapsLook,
    StudentLook,
    StudentParams,
    StudentStatistics,
)
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import Positive, Real, Support

CAPTION = "Centre ± scale within each group."
# What `degrees_of_freedom` may be beside a number.
EACH, COMMON = "each", "common"
# And what `covariance_type`.
TYPES = frozenset(STRUCTURES)


@dataclass(frozen=True)
class Student(Family):
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

    covariance_type: str = PLAIN
    degrees_of_freedom: float | str = EACH
    # Whether cells of its rows may be missing.
    gaps: bool = False
    record = StudentParams
    fills_gaps = True
    simpler = "a simpler covariance"

    def __post_init__(self) -> None:
        if self.covariance_type not in TYPES:
            raise ValueError(
                f"Student: covariance_type must be one of {sorted(TYPES)}, got "
                f"{self.covariance_type!r}"
            )
        nu = self.degrees_of_freedom
        if isinstance(nu, (str, bool)):
            if nu not in (EACH, COMMON):
                raise ValueError(
                    f"Student: degrees_of_freedom must be 'each', 'common' or a number, got {nu!r}"
                )
        elif not 0 < nu < np.inf:
            raise ValueError(f"Student: degrees_of_freedom must be positive, got {nu!r}")

    @property
    def structure(self) -> Structure:
        """That of the scales."""
        return STRUCTURES[self.covariance_type]

    @property
    def _gaussian(self) -> Gaussian:
        return Gaussian(self.structure, gaps=self.gaps)

    @property
    def fixed(self) -> bool:
        """Whether the degrees of freedom are given."""
        return not isinstance(self.degrees_of_freedom, str)

    @property
    def one_covariance(self) -> bool:  # type: ignore[override]
        return self.structure.one_covariance

    @property
    def correlates(self) -> bool:  # type: ignore[override]
        return self.structure.form.correlates

    def supports(self) -> dict[str, Support]:
        form = self.structure.form
        return {"means": Real(), "scales": form.support, "degrees_of_freedom": Positive()}

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        scales = self.structure.form.shape(K, d)
        return {"means": (K, d), "scales": scales, "degrees_of_freedom": (K,)}

    def params(self, arrays: Mapping[str, Array]) -> StudentParams:
        g = gaussian_params(arrays["means"], arrays["scales"], self.structure.form)
        return StudentParams(g, np.asarray(arrays["degrees_of_freedom"], dtype=np.float64))

    def settled(self, survey: Survey, K: int) -> Settled:
        found = self._gaussian.settled(survey, K)
        if found.prior.equations:
            columns = sorted({j for each in found.prior.equations for j in each.columns})
            raise ValueError(
                f"family='student': column {', '.join(map(str, columns))} (counted from 0) is "
                "constant or a sum of others, so no component has a width there: leave it out, or "
                "leave out a row that lies ever so far from all others"
            )
        base = StudentParams(found.base, self._begun(K))
        return Settled(self, StudentPrior(found.prior), base, found.frames)

    def _begun(self, K: int) -> Array:
        nu = self.degrees_of_freedom
        return np.full(K, START if isinstance(nu, str) else float(nu))

    def filling(self, X: AnyArray) -> Student:
        return replace(self, gaps=self._gaussian.filling(X).gaps)

    def whole(self) -> Student:
        return replace(self, gaps=False)

    def filled(self, X: AnyArray, params: StudentParams, k: int) -> Array:
        return self._gaussian.filled(X, params.gaussian, k)

    def completed(
        self, X: AnyArray, labels: AnyArray, params: StudentParams, rng: RandomNumbers
    ) -> Array:
        return StudentGapsLook(X, params).completed(labels, rng)

    def look(self, X: AnyArray, params: StudentParams) -> StudentLook | StudentGapsLook:
        return StudentGapsLook(X, params) if self.gaps else StudentLook(X, params)

    def log_density(self, X: AnyArray, params: StudentParams) -> Array:
        return self.look(X, params).log_density

    def statistics(self, X: AnyArray, resp: Array, params: StudentParams) -> StudentStatistics:
        return self.look(X, params).statistics(resp)

    def start(
        self, X: AnyArray, resp: Array, params: StudentParams, prior: StudentPrior
    ) -> StudentParams:
        """Gaussians of the groups: how far rows are from the table's centre says nothing yet."""
        x = np.asarray(X, dtype=np.float64)
        sums = self._gaussian.statistics(x, resp, params.gaussian)
        g = self._gaussian.maximize(sums, params.gaussian, prior.gaussian)
        return StudentParams(g, self._begun(len(g.means)))

    def maximize(
        self, stats: StudentStatistics, params: StudentParams, prior: StudentPrior
    ) -> StudentParams:
        """The M-step. A component with no rows keeps what it is."""
        now, weighed, form = params.gaussian, stats.weighed, self.structure.form
        total = np.where(weighed.counts > 0, weighed.counts, 1.0)
        shift = weighed.first / total[:, None]
        scatter = form.about(weighed.counts, shift, weighed.second)
        nu = params.degrees_of_freedom
        if not self.fixed:
            nu = maximised(stats, nu, shift.shape[1], common=self.degrees_of_freedom == COMMON)
        if not prior.penalised:
            scatter = self._expanded(scatter, stats, nu)
        root = self.structure.roots(form, now, scatter, stats.counts, prior.gaussian)
        g = gaussian_params_from_root(now.means + form.move(now.root, shift), root, form)
        new = StudentParams(g, nu)
        prior.refuse_collapse(new, stats.counts)
        return new

    def _expanded(self, scatter: Array, stats: StudentStatistics, nu: Array) -> Array:
        """Scatter over the mean weight of rows: each component's where its volume is its own."""
        rows, weights = stats.counts, stats.weighed.counts
        if self.structure.form.shared or not self.structure.letters.startswith("V"):
            # One scale of all weights, which are the firmer the more degrees of freedom there are.
            return np.asarray(scatter * ((nu @ rows) / (nu @ weights)))
        ratio = np.where(weights > 0, rows / np.where(weights > 0, weights, 1.0), 1.0)
        return np.asarray(scatter * ratio.reshape((-1,) + (1,) * (scatter.ndim - 1)))

    def score(self, stats: StudentStatistics, params: StudentParams) -> dict[str, Array]:
        d = params.gaussian.means.shape[1]
        seen = replace(stats.weighed, counts=stats.counts)
        found = self._gaussian.score(seen, params.gaussian)
        return {
            "means": found["means"],
            "scales": found["covariances"],
            "degrees_of_freedom": slope(stats, params.degrees_of_freedom, d),
        }

    def obstacle(self, prior: StudentPrior) -> str:
        return self._gaussian.obstacle(prior.gaussian)

    def chart(self, params: StudentParams, weights: Array) -> StudentChart:
        common = self.degrees_of_freedom == COMMON
        nu = params.degrees_of_freedom
        return StudentChart(
            self._gaussian.chart(params.gaussian, weights),
            degrees_chart(nu, weights, common=common, fixed=self.fixed),
        )

    def edge(self, params: StudentParams) -> str:
        if self.fixed:
            return ""
        count = int(at_limit(params.degrees_of_freedom).sum())
        return at_edge(count, "degrees of freedom", f"at a limit, {LEAST:g} or {MOST:g}")

    def rounding(self, params: StudentParams) -> float:
        return self._gaussian.rounding(params.gaussian)

    def coarseness(self, params: StudentParams) -> float:
        return self._gaussian.coarseness(params.gaussian)

    def transported(
        self, stats: StudentStatistics, before: StudentParams, after: StudentParams
    ) -> StudentStatistics:
        moved = self._gaussian.transported(stats.weighed, before.gaussian, after.gaussian)
        return replace(stats, weighed=moved)

    def means(self, params: StudentParams) -> Array:
        return params.gaussian.means

    def variances(self, params: StudentParams) -> Array:
        """nu / (nu - 2) times the scales; infinite up to two degrees of freedom."""
        nu = params.degrees_of_freedom[:, None]
        with np.errstate(divide="ignore"):
            times = np.where(nu > 2, nu / np.maximum(nu - 2, 0.0), np.inf)
        return np.asarray(times * self._gaussian.variances(params.gaussian))

    def covariances(self, params: StudentParams, columns: AnyArray) -> Array:
        """The scales of these columns: what ellipses are drawn of, for covariances may be none."""
        return self._gaussian.covariances(params.gaussian, columns)

    def refuse_inadmissible(self, params: Any) -> None:
        """Nothing: its M-step refuses what is not positive definite itself."""

    def n_parameters(self, params: StudentParams) -> int:
        of_gaussian = self._gaussian.n_parameters(params.gaussian)
        if self.fixed:
            return of_gaussian
        nu = params.degrees_of_freedom
        return of_gaussian + (1 if self.degrees_of_freedom == COMMON else len(nu))

    def sample(self, labels: AnyArray, params: StudentParams, rng: RandomNumbers) -> Array:
        g, nu = params.gaussian, params.degrees_of_freedom[labels]
        away = self._gaussian.sample(labels, g, rng) - g.means[labels]
        return np.asarray(g.means[labels] + away / np.sqrt(rng.chisquare(nu) / nu)[:, None])

    def portrait(self, params: StudentParams, weights: Array, names: Sequence[str]) -> Portrait:
        g, nu = params.gaussian, params.degrees_of_freedom
        widths = self._gaussian.variances(g)
        told = ", ".join(f"{each:.3g}" for each in (nu[:1] if self.one_number else nu))

        def column(j: int) -> Column:
            def curve(x: Array) -> Array:
                return np.asarray(t(nu, g.means[:, j], np.sqrt(widths[:, j])).pdf(x[:, None]))

            shown = spread_column(names[j], "density", g.means[:, j], np.sqrt(widths[:, j]), curve)
            return replace(shown, caption=CAPTION)

        return replace(
            self._gaussian.portrait(g, weights, names),
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
