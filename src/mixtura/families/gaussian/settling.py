"""What a Gaussian family takes from a table: its prior, first parameters, and moments alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mixtura.data.column_moments import Moments
from mixtura.data.door import refuse_few_distinct
from mixtura.data.survey import Survey
from mixtura.errors import FitError
from mixtura.families.base import Settled
from mixtura.families.by_moments import by_moments
from mixtura.families.collapse import NUMERIC_SPREAD
from mixtura.families.frames import Affine, Filled
from mixtura.families.gaussian.conjugate import conjugate_prior
from mixtura.families.gaussian.forms import diagonal
from mixtura.families.gaussian.gap_moments import gap_moments, refuse_lone
from mixtura.families.gaussian.grain import grain_of
from mixtura.families.gaussian.held import held_in
from mixtura.families.gaussian.matrices import Full
from mixtura.families.gaussian.narrowest import numeric_steps
from mixtura.families.gaussian.prior import CovariancePrior, absolute_prior, table_prior
from mixtura.families.gaussian.ratio import Bounded
from mixtura.families.gaussian.records import GaussianParams, gaussian_params
from mixtura.families.gaussian.scatter import table_scatter
from mixtura.families.ratio import EigenvalueRatio
from mixtura.records import AnyArray, Array


def settled(kind: Any, survey: Survey, K: int) -> Settled:
    """Prior, first parameters and frames of a Gaussian family for a table; ValueError where the
    table is none for it."""
    _refuse_table(kind, survey, K)
    form = kind.form
    moments, fill = _moments(kind, survey)
    common = kind.structure.one_covariance
    relative = table_prior(form, moments, ranked=kind.structure.ranked, common=common)
    reference = relative.reference
    assert reference is not None
    if kind.structure.ranked and relative.held_columns:
        named = ", ".join(map(str, relative.held_columns))
        raise ValueError(
            f"covariance_type={kind.structure.name!r} compares the volumes or shapes of "
            f"components, and X has no variance of its own in column {named} (counted from "
            "0): leave out what is constant or a sum of others, or use 'VVV', 'EEE', 'EEV', "
            "'VVI' or 'EEI'"
        )
    if kind.gaps:
        refuse_lone(survey.sample.X, relative.equations)
    relative = replace(relative, steps=_steps(survey, relative))
    if type(form) is Full and not kind.gaps:
        grain = grain_of(survey.sample.X, survey.rows, relative.target)
        relative = replace(relative, grain=grain)
    prior = relative
    if kind.reg_covar is not None:
        prior = absolute_prior(form, moments, kind.reg_covar, common=common)
        prior = replace(prior, steps=relative.steps)
    if kind.ratio is not None:
        bounds = _bounds(kind, relative, kind.ratio)
        prior = replace(relative, strength=0.0, pivots=None, reference=None, bounds=bounds)
    if kind.asked:
        prior = conjugate_prior(relative, kind.asked, survey, K, gaps=kind.gaps)
    reference = _floored(kind, reference)
    base = _repeated(kind, moments, reference, K)
    frames = tuple(
        Filled(fill, Affine(moments.mean, B)) if fill else Affine(moments.mean, B)
        for B in form.frames(reference)
    )
    return Settled(
        replace(kind, equations=prior.equations), prior, base, frames, partial(_alike, kind)
    )


def _floored(kind: Any, reference: Array) -> Array:
    """The first units are the table's, with the floor that every component will have."""
    return np.asarray(reference + (kind.reg_covar or 0.0) * kind.form.identity(len(reference)))


def _repeated(kind: Any, moments: Moments, reference: Array, K: int) -> GaussianParams:
    """K components with these units, that all are the whole table."""
    covariances = kind.form.repeat(kind.form.restrict(reference), K)
    return gaussian_params(np.tile(moments.mean, (K, 1)), covariances, kind.form)


def _alike(kind: Any, survey: Survey, K: int) -> GaussianParams:
    """Those of another table, without what its rows say of rounding."""
    moments = _moments(kind, survey)[0]
    S = table_scatter(kind.form, moments)
    reference = S + held_in(S, moments.mean, kind.form).added
    return _repeated(kind, moments, _floored(kind, reference), K)


def from_moments(kind: Any, X: AnyArray, w: Array, K: int) -> tuple[Array, GaussianParams]:
    """(weights, components) that the moments of rows of weights w tell; ValueError where they tell
    none of this family, FitError where they are those of no mixture."""
    d = X.shape[1]
    if kind.gaps or kind.ratio or (d > 1 and kind.form.name != "spherical"):
        raise ValueError(
            "solver='moments' answers for covariance_type='spherical', or for two components "
            "in one column, without missing cells or a constraint: use solver='auto'"
        )
    found = by_moments(X, w, K, one_variance=kind.one_covariance)
    floor, least = kind.reg_covar or 0.0, found.variances.min()
    # Moments are sums over all rows, so a variance that is nothing beside theirs is rounding.
    table = float(np.max(w @ (X - w @ X / w.sum()) ** 2) / w.sum())
    if least < 0 or least + floor <= NUMERIC_SPREAD * table:
        size = "below zero" if least < 0 else "of nothing but rounding"
        raise FitError(
            f"the moments of the table give a component a variance {size}: it has too few rows, "
            "or too few distinct ones, for solver='moments', or is of no such mixture. Use "
            "solver='auto'"
        )
    each = found.variances[:1] if kind.form.shared else found.variances
    covariances = each.reshape(kind.form.shape(K, d)) + floor
    return found.weights, gaussian_params(found.means, covariances, kind.form)


def _bounds(kind: Any, relative: CovariancePrior, ratio: EigenvalueRatio) -> Bounded:
    """The eigenvalue ratio for a table; ValueError where it has no variance somewhere."""
    assert relative.reference is not None
    if relative.held_columns:
        named = ", ".join(map(str, relative.held_columns))
        raise ValueError(
            f"constraint: X has no variance of its own in column {named} (counted from 0), so "
            "that no eigenvalue there is comparable: leave out what is constant or a sum of "
            "others"
        )
    one = kind.form.identity(len(relative.reference))
    if not ratio.scale or one.ndim == 0:
        return Bounded(ratio, one)
    if kind.form.correlates:
        return Bounded(ratio, relative.units)
    return Bounded(ratio, 1.0 / np.sqrt(kind.form.restrict(relative.reference)))


def _steps(survey: Survey, prior: CovariancePrior) -> Array | None:
    """What is no rounding in each column of the table; None where columns hang on each other, for
    what is held there is wider than that."""
    if any(len(each.columns) > 1 for each in prior.equations):
        return None
    X, w, reference = survey.sample.X, survey.sample.sample_weight, prior.reference
    assert reference is not None
    rows = np.ones(len(X)) if w is None else w * prior.count_scale
    return numeric_steps(X, rows, diagonal(reference))


def _moments(kind: Any, survey: Survey) -> tuple[Moments, Callable[[AnyArray], Array] | None]:
    """The table's, and what fills gaps, where there are any."""
    if kind.gaps:
        return gap_moments(survey, correlates=kind.form.correlates)
    return (survey.moments if kind.form.correlates else survey.columns), None


def _refuse_table(kind: Any, survey: Survey, K: int) -> None:
    distinct = len(survey.sample.X)
    if kind.ratio is not None and distinct <= K:
        raise ValueError(
            f"constraint: n_components={K}, and X has {distinct} different rows: with a component "
            "on each all spreads go to zero together, whatever their ratio. Use fewer components "
            "than there are different rows"
        )
    if kind.reg_covar is None and distinct < K:
        refuse_few_distinct(survey.source, K)
    if kind.structure.columns not in (None, survey.source.d):
        raise ValueError(
            f"covariance_type={kind.structure.name!r} is for a table of "
            f"{kind.structure.columns} column, found {survey.source.d}. Use 'EII' or 'VII' "
            "for one variance in all columns, 'EEE' or 'VVV' for correlations"
        )
