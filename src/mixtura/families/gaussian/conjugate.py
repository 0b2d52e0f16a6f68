"""Conjugate priors of Gaussian components: the M-step is the posterior's mode.

m_k = (n_k xbar_k + kappa m_0) / (n_k + kappa), and the scatter of a covariance has Lambda and
n_k kappa / (n_k + kappa) (xbar_k - m_0)(xbar_k - m_0)' more: Fraley & Raftery (2007), J.
Classification 24, table 1. Lambda is as `rows` rows of covariance Lambda / rows, so the structures'
own M-steps serve:

full       rows = nu + d + 1, and 1 where means have a prior
tied       rows = nu + d + 1, and K
diag       rows = nu + 2, and 1: an inverse gamma law of each variance
spherical  rows = (nu + 2) / d, and 1: one of the variance of all columns
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from mixtura.data.moments import source_moments
from mixtura.data.survey import Survey
from mixtura.families.conjugate import Conjugate, Dirichlet, NormalInverseWishart, RowsBefore
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.held import null_directions
from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
)
from mixtura.families.gaussian.triangular import square, times
from mixtura.records import Array, Spike

# Rows that a scatter without any is spread over: too few to be told from none.
_NO_ROWS = 1e-12


@dataclass(frozen=True)
class ConjugatePrior(CovariancePrior):
    """A table's prior with what was asked for.

    weight_rows  alpha - 1 of the weights' Dirichlet law
    shrinkage    kappa; centre is m_0 (d,)
    wishart      whether strength and target are those of an inverse Wishart law, which no climb
                 leaves out; else they are the penalty against collapse
    bounded      whether the posterior then is: not where such a law holds some directions only
    asked        always
    """

    weight_rows: float = 0.0
    shrinkage: float = 0.0
    centre: Array | None = None
    wishart: bool = False
    bounded: bool = True
    asked: bool = True

    @property
    def penalised(self) -> bool:
        return super().penalised and not self.wishart

    def without_penalty(self) -> ConjugatePrior:
        return self if self.wishart else replace(self, strength=0.0)

    def obstacle(self) -> str:
        return "a conjugate prior is climbed by EM's steps alone"

    @cached_property
    def _target_root(self) -> Array:
        try:
            return np.asarray(np.linalg.cholesky(self.target))
        except np.linalg.LinAlgError:
            # Rows that vary in fewer directions than there are columns, as rows all alike.
            values, axes = np.linalg.eigh(self.target)
            return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)))

    def whitened(self, whiten: Array) -> CovariancePrior:
        if not (self.wishart and self.form.correlates):
            return super().whitened(whiten)
        # By its root: of matrices that are nearly singular a product with them has half the digits.
        return replace(self, target=square(times(whiten, self._target_root)))

    def log_prior(self, params: GaussianParams) -> float:
        found = super().log_prior(params)
        if self.wishart and self.form.correlates:
            d = params.means.shape[1]
            half_log_det = self.form.half_log_det(params.whiten, d).sum()
            trace = float(np.sum(times(params.whiten, self._target_root) ** 2))
            found = float(-self.strength * (trace - 2 * half_log_det))
        if self.centre is None:
            return found
        off = self.form.move(params.whiten, params.means - self.centre)
        return found - 0.5 * self.shrinkage * float(np.sum(off**2))

    def refuse_collapse(self, params: GaussianParams, counts: Array) -> None:
        judge = self if self.bounded else replace(self, strength=0.0)
        CovariancePrior.refuse_collapse(judge, params, counts)

    def narrow(
        self, params: GaussianParams, counts: Array, stats: GaussianStatistics | None = None
    ) -> list[Spike]:
        # Where the posterior is bounded there is no singularity to be near.
        return [] if self.wishart and self.bounded else super().narrow(params, counts, stats)

    def finer(
        self, params: GaussianParams, counts: Array, stats: GaussianStatistics
    ) -> ConjugatePrior | None:
        found = None if self.wishart else super().finer(params, counts, stats)
        return found if isinstance(found, ConjugatePrior) else None

    def drawn(
        self, params: GaussianParams, counts: Array, shift: Array, scatter: Array
    ) -> tuple[Array, Array]:
        if self.centre is None:
            return shift, scatter
        kappa, to_centre = self.shrinkage, self.form.move(params.whiten, self.centre - params.means)
        total = counts + kappa
        off = self.form.about(counts * kappa / total, shift - to_centre, np.zeros_like(scatter))
        return (counts[:, None] * shift + kappa * to_centre) / total[:, None], scatter - off


def conjugate_prior(
    relative: CovariancePrior,
    asked: tuple[Conjugate, ...],
    survey: Survey,
    K: int,
    *,
    gaps: bool,
) -> ConjugatePrior:
    """The table's prior with those asked for; ValueError where they do not fit the table."""
    if gaps:
        raise ValueError("prior: X has missing cells, of which conjugate priors know nothing")
    changed: dict[str, object] = {}
    for part in asked:
        if isinstance(part, Dirichlet):
            # Weights may be shares, of which a row is less than one.
            changed["weight_rows"] = (float(part.alpha) - 1) / relative.count_scale
        elif isinstance(part, NormalInverseWishart):
            changed |= _wishart(relative, part, survey, K)
    return _changed(relative, changed)


def _changed(relative: CovariancePrior, changed: dict[str, object]) -> ConjugatePrior:
    own: dict[str, Any] = {each.name: getattr(relative, each.name) for each in fields(relative)}
    return ConjugatePrior(**own | changed)


def prior_rows(form: Form, asked: NormalInverseWishart, d: int, K: int) -> float:
    """The rows that the prior of a covariance is worth."""
    nu = d + 2.0 if asked.dof is None else asked.dof
    means = float(asked.shrinkage > 0)
    if form.name == "spherical":
        return (nu + 2) / d + means
    if form.name == "diag":
        return nu + 2 + means
    return nu + d + 1 + (K if form.shared else 1) * means


def _wishart(
    relative: CovariancePrior, asked: NormalInverseWishart, survey: Survey, K: int
) -> dict[str, object]:
    if relative.held_columns:
        named = ", ".join(map(str, relative.held_columns))
        raise ValueError(
            f"prior: X has no variance of its own in column {named} (counted from 0), and so has "
            "no covariance's prior: leave out what is constant or a sum of others"
        )
    moments, form = source_moments(survey.source), relative.form
    d = len(moments.mean)
    if asked.dof is not None and not asked.dof > d - 1:
        raise ValueError(
            f"prior: dof={asked.dof:g} of {d} columns: an inverse Wishart law needs more than "
            f"{d - 1}"
        )
    mean = moments.mean if asked.mean is None else np.asarray(asked.mean)
    if mean.shape != (d,):
        raise ValueError(
            f"prior: mean must be {d} numbers, one for each column of X, got {asked.mean!r}"
        )
    rows = prior_rows(form, asked, d, K)
    if asked.scale is None:
        # mclust's `var` has n - 1 for n, and too few rows have no correlations.
        n = moments.weight * relative.count_scale
        whole = moments.covariance * (n / max(n - 1.0, 1.0))
        whole = np.diag(np.diagonal(whole)) if moments.rows <= d else whole
        _refuse_singular(whole, form)
        scale = (whole if form.correlates else np.trace(whole) / d) / K ** (2 / d)
    else:
        scale = np.asarray(asked.scale)
    target = _target(form, np.asarray(scale), d)
    return _held_to(relative, asked.shrinkage, mean, rows, target)


def _held_to(
    relative: CovariancePrior, shrinkage: float, mean: Array, rows: float, scatter: Array
) -> dict[str, object]:
    return {
        "strength": rows / 2 / relative.count_scale,
        "target": scatter / rows,
        "shrinkage": shrinkage / relative.count_scale,
        "centre": mean if shrinkage > 0 else None,
        "wishart": True,
        # Whole numbers and how they are written are no matter where nothing collapses.
        "grain": None,
    }


def before_rows(relative: CovariancePrior, asked: RowsBefore) -> ConjugatePrior:
    """The table's prior with rows seen before, which may have no scatter, or be none but means."""
    scatter = asked.scatter
    found = _held_to(relative, asked.weight, asked.centre, max(asked.rows, _NO_ROWS), scatter)
    if asked.rows == 0 and not scatter.any():
        return _changed(relative, {name: found[name] for name in ("shrinkage", "centre")})
    spread = np.linalg.eigvalsh(scatter) if scatter.ndim == 2 else scatter
    bounded = bool(np.min(spread) > 1e-12 * np.max(spread))
    return _changed(relative, {**found, "bounded": bounded})


def _refuse_singular(whole: Array, form: Form) -> None:
    """ValueError where a table's covariance is no scale of an inverse Wishart law."""
    d = len(whole)
    empty = null_directions(whole, np.sqrt(np.diagonal(whole)), form)[1].shape[1]
    if empty:
        raise ValueError(
            f"prior: X varies in {d - empty} directions only and has {d} columns, so its "
            "covariance, the scale by default, is singular: give NormalInverseWishart(scale=...), "
            "leave out columns that follow from others, or use covariance_type='diag'"
        )


def _target(form: Form, scale: Array, d: int) -> Array:
    """Lambda in the form's shape for one component; ValueError where it is none."""
    got = f"shape {scale.shape}" + (f", the least {scale.min():.3g}" if scale.size else "")
    if form.correlates:
        full = np.diag(np.broadcast_to(scale, d)) if scale.shape in ((), (d,)) else scale
        # Sums of weighed rows are symmetric to rounding.
        right = full.shape == (d, d) and np.allclose(full, full.T, rtol=1e-10, atol=0.0)
        if right and (least := np.linalg.eigvalsh(full).min()) > 0:
            return np.asarray(0.5 * (full + full.T))
        if full.shape == (d, d):
            got = f"the least eigenvalue {least:.3g}" if right else "one that is not symmetric"
    elif form.name == "diag" and scale.shape in ((), (d,)) and np.all(scale > 0):
        return np.broadcast_to(scale, d).copy()
    elif form.name == "spherical" and scale.shape == () and scale > 0:
        return np.asarray(scale / d)
    kinds = {"diag": f"a number above 0 or {d} of them", "spherical": "one number above 0"}
    wanted = kinds.get(form.name, f"symmetric and positive definite, ({d}, {d})")
    raise ValueError(f"prior: scale must be {wanted} here, got {got}")
