"""When the higher of two hills is no better: where rows are few its height may be noise.

A search among hills takes what fits these rows best, and with few rows for each parameter that is
often a hill that fits others worse (docs/outliers.md). Groups with one covariance hang on few
numbers, so the hill they lie on, the plain one, is surely found. One that is higher but not surely
above it, in these rows and in each that is left out, is a spurious maximum of a second kind, beside
that of a few narrow rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.errors import FAILURES
from mixtura.families.collapse import rows_per_weight
from mixtura.fitting.budget import allowed_work
from mixtura.fitting.climbs import Climbs
from mixtura.fitting.outcome import Outcome, better
from mixtura.fitting.reported import reported
from mixtura.fitting.starts import StartMaker
from mixtura.fitting.tied import tied_work
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise
from mixtura.records import Array
from mixtura.result import SAME_OPTIMUM, StartReport
from mixtura.solvers.climb import Climb
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# The start that leads to the plain hill.
PLAIN = "tied"
# Rows are few where there are less than so many for each parameter: the rule of thumb of
# regression (Peduzzi et al. 1996, J. Clinical Epidemiology 49).
PLENTY = 10
# Of so many components there is no one plain hill: on 2,000 x 5 with K = 10 six seeds find five.
SEVERAL = 6
# The one-sided 5 % point of a normal law; and its 10 % point for rows that are left out, for these
# ask more: a component of few rows says little of a row that it has not seen.
SURELY, UNSEEN = 1.645, 1.2816
# So many in the rows alone are enough: two small groups far apart say little of rows left out of
# them, and no end that was high by noise reached it (3.5 at most in 5,000 tables).
CERTAINLY = 4.0
# EM steps after which two ends are one hill where rows' log-likelihood ratios vary by no more than
# so many nats: then there is nothing to tell apart (Vuong's first test), and no climb is needed.
SHORT, ALIKE = 10, 0.05
# What is said where there was no time for that.
LATE = "max_seconds ended the search before the end was compared with that of one covariance"


def unless_surely_above(search: Climbs, maker: StartMaker, best: Outcome) -> Outcome:
    """The best end of a search, where it is surely above the plain hill; else the end of that."""
    weight = best.climb.summary.weight
    n = weight * rows_per_weight(search.rows.positive, weight)
    if not _asked(search, maker, n):
        return best
    plain = None if search.late else _plain_end(search, maker, best)
    if plain is None:
        search.cut = search.cut or (LATE if search.late else "")
        return best
    if better(plain, best):
        return plain
    one, other = (_said(maker, end, weight / n) for end in (best, plain))
    above = how_surely(one, other, maker.weights, n)
    gain = best.climb.summary.loglik - plain.climb.summary.loglik
    if surely(above):
        return best
    why = told(gain, above)
    return replace(plain, remark=f"{why}; {plain.remark}" if plain.remark else why)


def _asked(search: Climbs, maker: StartMaker, n: float) -> bool:
    """Whether a hill may be high by noise, `n` rows being few, and the plain one is soon found."""
    model, base, rows = maker.model, maker.base, maker.rows
    K, shaped = len(base.weights), isinstance(model, Mixture) and model.family.follows_noise
    if not (shaped and 1 < K < SEVERAL) or n >= PLENTY * model.n_parameters(base):
        return False
    return tied_work(rows.n, rows.d, K) <= 0.5 * allowed_work(model, base, search.rows)


def _plain_end(search: Climbs, maker: StartMaker, best: Outcome) -> Outcome | None:
    """The end of the plain hill; None where it is none, or that of the best."""
    try:
        short = _short(search, maker)
        if _apart(maker, best.climb.params, short.params) < ALIKE:
            search.reports.append(reported(PLAIN, short.iterations, short, "dropped", search.model))
            return None
        plain = search.climb(short.params)
    except FAILURES as error:
        search.reports.append(StartReport(PLAIN, 0, None, "failed", str(error)))
        return None
    steps = plain.climb.iterations + short.iterations
    how = "collapsed" if plain.floored else "kept"
    search.reports.append(reported(PLAIN, steps, plain.climb, how, search.model))
    apart = plain.climb.summary.loglik - best.climb.summary.loglik
    far = abs(apart) >= SAME_OPTIMUM * best.climb.summary.weight
    sound = not plain.spikes or bool(best.spikes)
    return plain if far and sound and _regular(search, plain) else None


def _regular(search: Climbs, plain: Outcome) -> bool:
    """Whether it is a maximum; as far as is known, where columns hang on each other."""
    climb, verdict = plain.climb, plain.certificate.verdict
    unknown = verdict == "not examined" and not plain.penalised
    top = unknown and not search.model.at_edge(climb.summary, climb.params)
    return verdict == "interior maximum" or top


def _short(search: Climbs, maker: StartMaker) -> Climb:
    """Some EM steps on the sample from the start, as those of a race."""
    resp = maker.split(PLAIN, 0, search.rng)
    sweep = search.open_sweep(maker.model, maker.rows)
    start, summary = sweep.begun(maker.model, resp, maker.base)
    try:
        problem = Problem(maker.model, sweep, start, search.tol, SHORT, summary=summary)
        return em(problem, brief=True)
    finally:
        search.sample_passes += sweep.passes


def _apart(maker: StartMaker, one: MixtureParams, other: MixtureParams) -> float:
    """The deviation of rows' log-likelihood ratios between two mixtures."""
    X = maker.rows.X.astype(np.float64, copy=False)
    first, second = (normalise(maker.model.log_joint(X, each))[0] for each in (one, other))
    return _moments(first - second, maker.weights)[1]


def _said(maker: StartMaker, end: Outcome, unit: float) -> tuple[Array, Array]:
    """`said` by an end, by the model that it was climbed with."""
    model: Any = maker.model if end.penalised else maker.model.unpenalised()
    return said(model, end.climb.params, maker.rows, end.climb.summary.weight, unit)


def surely(above: tuple[float, float]) -> bool:
    """Whether so many standard errors are enough."""
    seen, unseen = above
    return seen >= CERTAINLY or (seen >= SURELY and unseen >= UNSEEN)


def how_surely(
    one: tuple[Array, Array], other: tuple[Array, Array], w: Array, n: float
) -> tuple[float, float]:
    """By how many standard errors one end is above another: of its rows, of rows left out."""
    seen, unseen = zip(one, other, strict=True)
    return standard_errors(*seen, w, n), standard_errors(*unseen, w, n)


def standard_errors(first: Array, second: Array, w: Array, n: float) -> float:
    """How many of its standard errors the sum of `first` (n,) is above that of `second`.

    The statistic of Vuong (1989), Likelihood ratio tests for model selection and non-nested
    hypotheses, Econometrica 57: the mean of the rows' log-likelihood ratios by their standard
    deviation, times the root of the number of rows `n`. Those with weights `w` are a sample of
    these.
    """
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return np.inf if np.isfinite(first).all() else -np.inf
    mean, deviation = _moments(first - second, w)
    return mean / deviation * n**0.5 if deviation > 0 else 0.0


def said(
    model: Mixture, params: MixtureParams, rows: Rows, total: float, unit: float
) -> tuple[Array, Array]:
    """log p(x_i) at an end, (n,), and after an M-step without row i at its responsibilities.

    Of a row whose weight is more than the `unit` that a row has one is left out; `total` is the
    weight of all rows, of which these may be a sample.
    """
    X, w = rows.X.astype(np.float64, copy=False), rows.sample_weight
    log_p, resp = normalise(model.log_joint(X, params))
    taken = resp * (unit if w is None else np.minimum(w, unit)[:, None])
    counts = total * params.weights
    found = model.family.left_out(X, params.components, taken, counts, model.prior)
    shares = np.maximum(counts - taken, 0.0) / (total - taken.sum(axis=1, keepdims=True))
    with np.errstate(divide="ignore"):
        return log_p, normalise(found + np.log(shares))[0]


def told(gain: float, above: tuple[float, float]) -> str:
    """What the fit says where it leaves an end that is so many nats higher."""
    return (
        f"another end is {gain:.3g} nats higher: {above[0]:.2g} of its standard errors where "
        f"{SURELY:.3g} are asked, in rows that are left out {above[1]:.2g} where {UNSEEN:.3g} are. "
        "With so few rows its height may be noise, so this end is taken, to which one covariance "
        "of all components leads. n_init=2 or more (--starts) takes the highest regular one"
    )


def _moments(ratios: Array, w: Array) -> tuple[float, float]:
    mean = float(np.average(ratios, weights=w))
    return mean, float(np.average((ratios - mean) ** 2, weights=w)) ** 0.5
