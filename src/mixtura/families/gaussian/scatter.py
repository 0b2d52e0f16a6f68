"""The covariance of a table, of the rows of each component, and within components."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.column_moments import Moments
from mixtura.data.moments import TableMoments
from mixtura.families.collapse import ROUNDED_SPREAD
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.families.gaussian.triangular import within
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


def own_spectrum(prior: Any, own: Array) -> AnyArray:
    """The eigenvalues of S^-1 times each scatter, S the covariance that a prior measures by."""
    if prior.form.correlates:
        return np.asarray(np.linalg.eigvalsh(within(prior.units, own)))
    return np.asarray(own / prior.form.restrict(prior.reference))


def rounding(prior: Any, means: Array) -> float:
    """The largest such eigenvalue that rows on one value may have, so far out are they."""
    steps = ROUNDINGS * np.spacing(np.abs(means)).max(axis=0)
    if prior.form.correlates:
        return ROUNDED_SPREAD + float(np.square(prior.units * steps).sum(axis=1).max())
    return ROUNDED_SPREAD + float(np.max(steps**2 / prior.form.restrict(prior.reference)))


def table_scatter(form: Form, moments: Moments) -> Array:
    """(d, d), or (d,) for a form without correlations."""
    if not form.correlates:
        return moments.variance
    assert isinstance(moments, TableMoments), "a form with correlations asks for covariances"
    return np.diag(moments.variance) if moments.flat else moments.covariance
