"""The covariance of a table, of the rows of each component, and within components."""

from __future__ import annotations

import numpy as np

from mixtura.data.column_moments import Moments
from mixtura.data.moments import TableMoments
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianParams, GaussianStatistics
from mixtura.records import AnyArray, Array


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


def table_scatter(form: Form, moments: Moments) -> Array:
    """(d, d), or (d,) for a form without correlations."""
    if not form.correlates:
        return moments.variance
    assert isinstance(moments, TableMoments), "a form with correlations asks for covariances"
    return np.diag(moments.variance) if moments.flat else moments.covariance
