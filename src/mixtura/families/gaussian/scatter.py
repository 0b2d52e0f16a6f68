"""The covariance of a table, of the rows of each component, and within components."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.column_moments import Moments
from mixtura.data.moments import TableMoments
from mixtura.families.collapse import (
    NUMERIC_SPREAD,
    PENALTY_SHARE,
    ROUNDED_SPREAD,
    SPURIOUS_SPREAD,
    THIN_SPREAD,
)
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.families.gaussian.triangular import square, times, within
from mixtura.records import AnyArray, Array

# Numbers that are meant to be one may be so many of float64's steps apart.
ROUNDINGS = 8


def own_scatter(form: Form, stats: GaussianStatistics, params: GaussianParams) -> Array:
    """The covariances of the components' own rows, nothing added to them, in the form."""
    counts = rows = np.maximum(stats.counts, 1e-300)
    scatter = form.about(counts, stats.first / counts[:, None], stats.second)
    own = form.whitened(params.root, scatter)
    if form.shared:
        rows = counts.sum(keepdims=True)
    return np.asarray(own / rows.reshape((-1,) + (1,) * (own.ndim - 1)))


def within_components(
    form: Form, own: Array, counts: Array, some: AnyArray, d: int
) -> tuple[Array, AnyArray]:
    """(the mean of some components' covariances, (d, d) or of a form without correlations (d,);
    its Cholesky pivots, in the form)."""
    K = len(counts)
    if form.correlates:
        S = np.average(form.dense(own, K, d)[some], axis=0, weights=counts[some])
        return S, np.diagonal(np.linalg.cholesky(S))
    S = np.average(form.variances(own, K, d)[some], axis=0, weights=counts[some])
    return S, np.sqrt(np.atleast_1d(form.restrict(S)))


def wider(prior: Any, params: GaussianParams, least: float) -> bool:
    """Whether every `spread` is at least so much: traces and roots cost less than eigenvalues."""
    if prior.reference is None:
        return False
    if not prior.form.correlates:
        return bool(prior.spread(params).min() >= least)
    # All S Sigma^-1 together have no eigenvalue above the sum of their traces.
    if prior.form.trace_within(params.whiten, prior.scale, params.means.shape[1]) * least < 0.5:
        return True
    relative = square(times(prior.units, params.root))
    try:
        np.linalg.cholesky(relative - least * np.eye(relative.shape[-1]))
    except np.linalg.LinAlgError:
        return False
    return True


def own_spectrum(prior: Any, own: Array) -> AnyArray:
    """The eigenvalues of S^-1 times each scatter, S the covariance that a prior measures by."""
    if prior.form.correlates:
        return np.asarray(np.linalg.eigvalsh(within(prior.units, own)))
    return np.asarray(own / prior.form.restrict(prior.reference))


def own_spread(prior: Any, own: Array, means: Array) -> Array:
    """The smallest such eigenvalue of each scatter, (K,) or (1,) where it is shared; 0 where
    that is rounding, so far out are the rows.

    1 / lambda_max(L^-1 S L^-T), L L' the scatter in units of its own deviations: to all digits also
    where S is far wider than it along some axes alone, as eigenvalues of S^-1 L L' are not. Rows on
    a plane have no L, and on one value no more than the steps of float64 there.
    """
    form, d = prior.form, means.shape[1]
    steps = ROUNDINGS * np.spacing(np.abs(means)).max(axis=0)
    if not form.correlates:
        own = form.variances(own, len(means), d)
        # A column that is constant in the table is no measure of a component.
        units = np.broadcast_to(prior.reference, own.shape)
        spread = np.divide(own, units, where=units > 0, out=np.full(own.shape, np.inf)).min(axis=1)
        known = (own > steps**2).all(axis=1)
    else:
        own = own.reshape(-1, d, d)
        spread, known = np.zeros(len(own)), np.zeros(len(own), dtype=bool)
        some = np.flatnonzero((np.diagonal(own, axis1=1, axis2=2) > 0).all(axis=1))
        units = np.sqrt(np.diagonal(own[some], axis1=1, axis2=2))[:, :, None]
        values, axes = np.linalg.eigh(own[some] / (units * np.swapaxes(units, 1, 2)))
        sound = values[:, 0] > NUMERIC_SPREAD * values[:, -1]
        some, whiten = some[sound], (axes / units)[sound] / np.sqrt(values[sound])[:, None]
        inner = np.swapaxes(whiten, 1, 2) @ prior.reference @ whiten
        spread[some] = 1.0 / np.linalg.eigvalsh(inner)[:, -1]
        known[some] = np.square(whiten * steps[:, None]).sum(axis=1).max(axis=1) < 1.0
    return np.where(known & (spread > ROUNDED_SPREAD), spread, 0.0)


def left_over(
    prior: Any, params: GaussianParams, stats: GaussianStatistics, at: GaussianParams
) -> AnyArray:
    """Which narrow components have rows on one value or a plane, so that hardly any of their
    smallest variance is of these; bool (K,). The sums of rows were taken at other parameters, `at`.
    """
    own = own_spread(prior, own_scatter(prior.form, stats, at), at.means)
    spread = prior.spread(params)
    most = np.minimum(THIN_SPREAD, (1.0 - PENALTY_SHARE) * spread)
    return np.asarray((own < most) & (spread < SPURIOUS_SPREAD))


def table_scatter(form: Form, moments: Moments) -> Array:
    """(d, d), or (d,) for a form without correlations."""
    if not form.correlates:
        return moments.variance
    assert isinstance(moments, TableMoments), "a form with correlations asks for covariances"
    return np.diag(moments.variance) if moments.flat else moments.covariance
