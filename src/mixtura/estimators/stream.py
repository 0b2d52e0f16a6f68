"""What is known of a stream of rows when they are gone: the mixture, and what it implies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixtura.data.column_moments import ColumnMoments, Moments, column_moments, robust
from mixtura.data.moments import NO_VARIANCE, TableMoments, robust_covariance, table_moments
from mixtura.data.rows import Rows
from mixtura.families.equations import HELD_SHARE, settle
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.gaussian.records import GaussianStatistics
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Summary
from mixtura.result import Fit
from mixtura.solvers.online import Running

# A constant column stays one while it moves by no more than this share of its values.
CONSTANT = 1e-12
# Columns that depend on each other do so while chunks show less than this share of their variances
# in the direction found here, which is the fit's to some digits only.
SHOWN = 0.01 * HELD_SHARE


@dataclass(frozen=True)
class Stream:
    """What is known of the rows so far.

    moments count them and hold the units in which a component is narrow; running is their
    forgetful average; kept are the rows themselves while the stream is young, and searched is
    their number at the last search; gaps says whether a cell was missing in a chunk of the steps.
    """

    covariance_type: str
    moments: Moments
    running: Running
    kept: Rows | None = None
    searched: int = 0
    gaps: bool = False


def implied(
    params: MixtureParams, form: Form, prior: CovariancePrior, weight: float, mean_loglik: float
) -> Summary:
    """The summary whose M-step is `params` themselves: that of the rows a fit ended on.

    About the means first moments vanish, and in whitened units the scatter of n_k rows is n_k
    times the identity, less what the prior adds to every covariance.
    """
    K, d = params.components.means.shape
    shape, counts = form.shape(K, d), weight * params.weights
    added = prior.whitened(params.components.whiten)
    unit = np.broadcast_to(form.identity(d) - added.held - added.absolute, shape)
    rows = counts.sum() if form.shared else counts.reshape(-1, *(1,) * (len(shape) - 1))
    stats = GaussianStatistics(counts, np.zeros((K, d)), form.as_second(rows * unit, d))
    return Summary(mean_loglik * weight, weight, stats)


def moments_of(params: MixtureParams, form: Form, fit: Fit | None) -> Moments:
    """The moments of the rows a fit ended on, as the mixture itself has them.

    Equal to the rows' own at a stationary point, but that components far out do not set the
    units, as far rows do not in a fit.
    """
    return (_table_of if form.correlates else _columns_of)(params, form, fit)


def _columns_of(params: MixtureParams, form: Form, fit: Fit | None) -> ColumnMoments:
    means = params.components.means
    sd = np.sqrt(form.variances(params.components.covariances, *means.shape))
    # Two points for each component have its means and variances.
    points = np.concatenate([means - sd, means + sd])
    if fit is not None:
        settle(points, fit.equations, points.var(axis=0))
    rows = Rows(points, np.tile(params.weights / 2, 2))
    moments = robust(column_moments(rows), rows)
    if fit is None:
        return replace(moments, weight=0.0, rows=0)
    return replace(moments, weight=fit.weight, rows=fit.rows or round(fit.weight))


def _table_of(params: MixtureParams, form: Form, fit: Fit | None) -> TableMoments:
    K, d = params.components.means.shape
    # Two points on each axis of a component have its mean and covariance.
    axes = np.sqrt(d) * np.swapaxes(form.dense(params.components.root, K, d), 1, 2)
    centres = params.components.means[:, None, :]
    points = np.concatenate([centres + axes, centres - axes], axis=1).reshape(-1, d)
    if fit is not None:
        settle(points, fit.equations, points.var(axis=0))
    weights = np.repeat(params.weights / (2 * d), 2 * d)
    moments = table_moments(points, weights)
    covariance = robust_covariance(points, weights, moments.mean, moments.covariance)
    if fit is None:
        return TableMoments(0.0, 0, moments.mean, covariance)
    return TableMoments(fit.weight, fit.rows or round(fit.weight), moments.mean, covariance)


def measured(rows: Rows, form: Form) -> Moments:
    """The moments of a chunk, as far as the form has a use for them."""
    return table_moments(rows.X, rows.sample_weight) if form.correlates else column_moments(rows)


def merged(known: Moments, new: Moments) -> Moments:
    """The moments after a chunk: its rows counted, and variance where there was none before.

    Otherwise the covariance, which is but a unit, stays: one far row must not change it.
    """
    weight = known.weight + new.weight
    gap = new.mean - known.mean
    mean = known.mean + new.weight / weight * gap
    rows = known.rows + new.rows
    if isinstance(known, ColumnMoments) or isinstance(new, ColumnMoments):
        shown = new.variance + gap**2
        variance = np.where(_moved(known, shown), shown, known.variance)
        return ColumnMoments(weight, rows, mean, variance)
    covariance = _widened(known, new.covariance + np.outer(gap, gap))
    return replace(known, weight=weight, rows=rows, mean=mean, covariance=covariance)


def _moved(known: Moments, shown: Array) -> AnyArray:
    """Which columns, constant so far, show a variance."""
    return np.asarray((known.variance <= 0) & (shown > (CONSTANT * known.mean) ** 2))


def _widened(known: TableMoments, shown: Array) -> Array:
    """The covariance with the scatter `shown` by new rows in directions that it lacks."""
    out, moved = known.covariance.copy(), _moved(known, np.diagonal(shown))
    out[moved, moved] = np.diagonal(shown)[moved]
    varied = np.flatnonzero(known.variance > 0)
    unit, values, vectors = _correlations(known.covariance, varied)
    null = vectors[:, values < NO_VARIANCE * len(known.mean)]
    if null.shape[1] == 0:
        return out
    part = shown[np.ix_(varied, varied)] / np.outer(unit, unit)
    inner = null.T @ part @ null
    if np.trace(inner) > SHOWN * max(1.0, float(np.trace(part))):
        back = unit[:, None] * null
        out[np.ix_(varied, varied)] += back @ inner @ back.T
    return out


def _correlations(covariance: Array, varied: AnyArray) -> tuple[Array, Array, Array]:
    """(standard deviations, eigenvalues, eigenvectors) of those columns' correlations."""
    inner = covariance[np.ix_(varied, varied)]
    unit = np.sqrt(np.diagonal(inner))
    values, vectors = np.linalg.eigh(inner / np.outer(unit, unit))
    return unit, values, vectors


def joined(first: Rows, second: Rows) -> Rows:
    """Both tables as one."""
    X = np.concatenate([first.X, second.X])
    if first.sample_weight is None and second.sample_weight is None:
        return Rows(X)
    return Rows(X, np.concatenate([_weights(first), _weights(second)]))


def _weights(rows: Rows) -> Array:
    return np.ones(len(rows.X)) if rows.sample_weight is None else rows.sample_weight
