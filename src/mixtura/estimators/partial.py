"""`partial_fit`: a mixture that learns from a stream of chunks, by online EM (`fit.online`).

The first chunk is fitted. From then on every chunk is cut into mini-batches of at most 500 rows,
and takes a step for each. A stream is young while it has fewer rows than a start can be trusted to
(20 for each free parameter, at least 2000, at most 20,000): then it keeps its rows, and each time
their number has doubled the fit is made again on all of them. A start on fifty or a hundred rows is
often near another optimum than EM's on all rows, and online EM stays there. Components may change
places in such a fit. Grown up, a stream holds no rows.

What is promised: with rows in random order the steps converge to a stationary point of the expected
log-likelihood (Cappé & Moulines 2009), and the mixture shown, of an average over about the last
half of the rows, is nearly as precise as maximum likelihood. How finely the rows are cut hardly
matters; their order does: a stream that drifts is followed ever more slowly. Time is counted in
rows, so weights need a common scale in all chunks and no more.

What the attributes mean: `converged_` is False, no chunk being enough to tell; `n_iter_` counts the
steps since the last fit. `lower_bound_` is an estimate for rows not seen yet: the mean, late rows
counting more, of the log-likelihood per row that each mini-batch had before it was learnt;
`lower_bounds_` has it after each step of the last call, and `fit_result_` is made of it. After a
fit, on a young stream as well, they are those of the fit.

What is kept: pickles hold everything. `save` holds the mixture and the number of its rows; after
`load` the average begins anew as the one this mixture is the M-step of, with the weight of those
rows, and so it does after `fit`. After `from_parameters` it begins with no rows. `clone` holds
nothing.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from mixtura.data import door
from mixtura.data.column_moments import Moments
from mixtura.data.lazy import collected
from mixtura.data.opening import is_stream
from mixtura.data.refusal import row_at
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep, resolve
from mixtura.errors import FAILURES, FitError
from mixtura.estimators import factored
from mixtura.estimators.complaints import complaints, warn_caller
from mixtura.estimators.gaussian_face import GaussianFace
from mixtura.estimators.imputing import imputed
from mixtura.estimators.intake import validated
from mixtura.estimators.known import refuse_beyond
from mixtura.estimators.stream import Stream, implied, joined, measured, merged, moments_of
from mixtura.estimators.stream_account import Learnt, account, news
from mixtura.estimators.untouched import untouched_on_failure
from mixtura.estimators.weighing import COUNTS, LightWeightsWarning
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import absolute_prior, table_prior
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Summary, Weights
from mixtura.solvers.online import Pace, Running, batches, enough_rows, present

# A chunk is cut into mini-batches of at most so many rows (more for very many parameters).
BATCH = 500
# Mini-batches that the beginning counts for, beside its rows.
DELAY = 10.0
# A stream is young until it has so many rows for each free parameter, within these bounds.
GROWN_UP, LEAST, MOST = 20, 2_000, 20_000


def absorb(estimator: GaussianFace, X: Any, sample_weight: Weights, **beyond: Any) -> None:
    """Learn from one chunk; if that raises, the estimator is left as it was."""
    refuse_beyond("partial_fit", beyond)
    if factored.factors_of(estimator) is not None:
        raise ValueError(
            f"partial_fit: covariance_type={str(estimator.covariance_type)!r} has factors, whose "
            "sums cannot be averaged from step to step: use fit, which also reads a table in "
            "pieces (mixtura.stream)"
        )
    if estimator.weights != COUNTS and sample_weight is not None:
        raise ValueError(
            f"partial_fit: weights={estimator.weights!r} takes its scale from the weights of all "
            "rows, which a stream never has: give all chunks weights on one scale, with "
            "weights='counts'"
        )
    if isinstance(X, np.memmap):
        X = np.asarray(X)
    X = collected(X)
    if is_stream(X):
        raise ValueError("partial_fit learns from one chunk of rows: give an array or data frame")
    with untouched_on_failure(estimator), warnings.catch_warnings():
        # Time is counted in rows, and of weights nothing but a common scale is asked.
        warnings.simplefilter("ignore", LightWeightsWarning)
        _absorbed(estimator, X, sample_weight)


def _absorbed(estimator: GaussianFace, X: Any, sample_weight: Weights) -> None:
    if hasattr(estimator, "weights_"):
        _learn(estimator, _stream(estimator), _chunk(estimator, X, sample_weight))
        return
    rows = estimator._fit(X, sample_weight)
    assert isinstance(rows, Rows)
    estimator._stream = _begun(estimator, present(rows))


def _chunk(estimator: GaussianFace, X: Any, sample_weight: Weights) -> Rows:
    """The rows of a chunk that carry weight, checked as `fit` checks them."""
    estimator._validate_params()
    X, _ = validated(estimator, X, [estimator._family()], reset=False, filling=True)
    names = estimator._names()
    door.refuse_extreme_scales(X, names)
    nothing = np.flatnonzero(np.isnan(X).all(axis=1))
    if len(nothing):
        raise ValueError(f"X: {row_at(nothing[0])} has no value in any column: leave it out")
    if sample_weight is None:
        return Rows(X)
    w = estimator._weights_for(sample_weight, X)
    door.check_weights(w, 0)
    return present(Rows(X, w))


def _stream(estimator: GaussianFace) -> Stream:
    """The stream so far, or the one that a fit, a file or given parameters begin."""
    form, K = structure(estimator.covariance_type).form, estimator.n_components
    size, shape = len(estimator.means_), estimator.precisions_cholesky_.shape
    stream = estimator._stream
    same = stream is None or stream.covariance_type == estimator.covariance_type
    if not same or size != K or shape != form.shape(K, estimator.n_features_in_):
        raise ValueError(
            f"partial_fit: the mixture so far has {size} components and precisions of shape "
            f"{shape}, which n_components={K} with covariance_type={estimator.covariance_type!r} "
            "cannot continue: set them back, or call fit"
        )
    return stream or _begun(estimator)


def _begun(estimator: GaussianFace, rows: Rows | None = None) -> Stream:
    """The stream after a fit, a file or given parameters; `rows` are those of the fit, if known.

    All that the steps go on from is the mixture.
    """
    params, fit = estimator._fitted()[1], estimator.fit_result_
    shape = structure(estimator.covariance_type)
    form, name = shape.form, shape.name
    moments = moments_of(params, form, fit)
    if fit is None:
        return Stream(name, moments, Running(params, None, None, 0.0))
    model = _model(estimator, moments)
    summary = implied(params, form, model.prior, fit.weight, fit.mean_loglik)
    running = Running.begun(params, summary, moments.rows, float(moments.rows))
    if rows is None or len(rows.X) >= _grown_up(model, params):
        return Stream(name, moments, running)
    # A copy: the caller may read the next chunk into the same array.
    kept = rows.take(np.arange(len(rows.X)))
    return Stream(name, moments, running, kept, len(rows.X))


def _model(estimator: GaussianFace, moments: Moments, *, gaps: bool = False) -> Mixture:
    """The model, in the units of all rows so far."""
    shape = structure(estimator.covariance_type)
    if estimator.reg_covar is None:
        prior = table_prior(shape.form, moments, ranked=shape.ranked, common=shape.one_covariance)
    else:
        prior = absolute_prior(
            shape.form, moments, estimator.reg_covar, common=shape.one_covariance
        )
    return Mixture(Gaussian(shape, equations=prior.equations, gaps=gaps), prior)


def _grown_up(model: Mixture, params: MixtureParams) -> int:
    return int(np.clip(GROWN_UP * model.n_parameters(params), LEAST, MOST))


def _learn(estimator: GaussianFace, stream: Stream, rows: Rows) -> None:
    """The estimator after one more chunk."""
    known = stream.moments
    if known.rows > 0 and len(rows.X):
        door.refuse_far(rows.X, known.mean, known.variance, estimator._names())
    dtype = np.result_type(estimator.means_.dtype, rows.X.dtype)
    if stream.kept is not None:
        grown_up = _grown_up(*estimator._fitted())
        room = min(grown_up - len(stream.kept.X), len(rows.X))
        stream = replace(stream, kept=joined(stream.kept, rows.take(np.arange(room))))
        assert stream.kept is not None
        if len(stream.kept.X) >= min(2 * stream.searched, grown_up):
            # A clone has no last fit: with warm_start it would not search but go on from there.
            family = estimator._family().filling(stream.kept.X)
            estimator._keep(clone(estimator)._find(stream.kept, family), dtype)
            stream = _begun(estimator, stream.kept)
            rows = rows.take(np.arange(room, len(rows.X)))
    if len(rows.X):
        stream = _stepped(estimator, stream, rows, dtype)
    estimator._stream = stream


def _stepped(estimator: GaussianFace, stream: Stream, rows: Rows, dtype: np.dtype[Any]) -> Stream:
    """One online step for each mini-batch; sets what the estimator shows."""
    form = structure(estimator.covariance_type).form
    gaps = bool(np.isnan(rows.X).any())
    # What is constant or a sum shows in rows whose gaps are filled by the mixture so far.
    whole = replace(rows, X=imputed(estimator, rows, None, None)) if gaps else rows
    moments = merged(stream.moments, measured(whole, form))
    stream = replace(stream, gaps=stream.gaps or gaps)
    model, running = _model(estimator, moments, gaps=stream.gaps), stream.running
    last: tuple[Summary, MixtureParams] | None = None
    engine, enough = resolve(estimator.engine, model), enough_rows(running.params)
    pace, bounds = Pace(max(enough, BATCH), DELAY), []
    # Whatever the order within a chunk; the same chunks always lead to the same mixture.
    rng = np.random.RandomState(stream.moments.rows % 2**32)
    for chosen in batches(len(rows.X), pace.batch, rng):
        part = rows.take(chosen)
        batch = open_sweep(engine, model, part)(running.params)
        if not math.isfinite(batch.loglik):
            raise FitError(
                "X: some row lies so far from every component that its density is zero even in "
                "logarithms: leave it out, or rescale the columns"
            )
        still = running.rows + len(part.X) < enough
        weight = None if still else moments.weight
        last = batch, running.params
        running = _after(model, running, batch, len(part.X), pace, weight)
        assert running.late is not None
        bounds.append(running.late.loglik / running.late.weight)
    params, penalised = running.params, False
    if running.rows >= enough:
        params, penalised = _smoothed(model, running, moments.weight)
    assert last is not None
    learnt = Learnt(bounds, running.steps, engine, penalised, *last)
    fit, before = account(model, params, moments, learnt), estimator.fit_result_
    estimator._set_parameters(params, dtype)
    estimator.converged_, estimator.n_iter_ = False, running.steps
    estimator.lower_bound_, estimator.lower_bounds_ = bounds[-1], bounds
    estimator.fit_result_ = fit
    for message, category in complaints(news(fit, before), estimator):
        warn_caller(message, category)
    return replace(stream, moments=moments, running=running)


def _after(
    model: Mixture, running: Running, batch: Summary, new: int, pace: Pace, weight: float | None
) -> Running:
    """A step at maximum likelihood; one with the penalty where a component would collapse."""
    try:
        return running.after(model.unpenalised(), batch, new, pace, weight=weight)
    except FAILURES:
        if not model.penalised:
            raise
        return running.after(model, batch, new, pace, weight=weight)


def _smoothed(model: Mixture, running: Running, weight: float) -> tuple[Any, bool]:
    """(the parameters to show, whether they needed the penalty)."""
    try:
        return running.smoothed(model.unpenalised(), weight), False
    except FAILURES:
        if not model.penalised:
            raise
        return running.smoothed(model, weight), True
