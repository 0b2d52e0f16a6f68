"""When the higher of two hills is no better: where rows are few its height may be noise.

A search among hills takes what fits these rows best, and with few rows for each parameter that is
often a hill that fits others worse (docs/outliers.md). Groups with one covariance hang on few
numbers, so the hill they lie on, the plain one, is surely found. One that is higher but not surely
above it is a spurious maximum of a second kind, beside that of a few narrow rows.
"""

from __future__ import annotations

from dataclasses import replace

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
from mixtura.models.base import Labelled
from mixtura.models.mixture import Mixture
from mixtura.models.responsibilities import normalise
from mixtura.records import AnyArray, Array
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
# The one-sided 5 % point of a normal law.
SURELY = 1.645
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
    above = standard_errors(maker.model, maker.rows, (best.climb.params, plain.climb.params), n)
    gain = best.climb.summary.loglik - plain.climb.summary.loglik
    if above >= SURELY:
        return best
    said = told(gain, above)
    return replace(plain, remark=f"{said}; {plain.remark}" if plain.remark else said)


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
        ends = best.climb.params, short.params
        if _log_ratios(maker.model, maker.rows, ends)[1] < ALIKE:
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
    return plain if far and _regular(search, plain) else None


def _regular(search: Climbs, plain: Outcome) -> bool:
    """Whether it is a maximum; as far as is known, where columns hang on each other."""
    climb, verdict = plain.climb, plain.certificate.verdict
    unknown = verdict == "not examined" and not plain.penalised
    top = unknown and not search.model.at_edge(climb.summary, climb.params)
    return (verdict == "interior maximum" or top) and not plain.spikes


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


def standard_errors(
    model: Labelled, rows: Rows, ends: tuple[AnyArray, AnyArray], n: float
) -> float:
    """How many of its standard errors the log-likelihood of the first end is above the second's.

    The statistic of Vuong (1989), Likelihood ratio tests for model selection and non-nested
    hypotheses, Econometrica 57: the mean of the rows' log-likelihood ratios by their standard
    deviation, times the root of the number of rows `n`. `rows` is a sample of these.
    """
    mean, deviation = _log_ratios(model, rows, ends)
    return mean / deviation * n**0.5 if deviation > 0 else 0.0


def _log_ratios(
    model: Labelled, rows: Rows, ends: tuple[AnyArray, AnyArray]
) -> tuple[float, float]:
    """Mean and deviation of rows' log p(x) at the first end less that at the second."""
    X = rows.X.astype(np.float64, copy=False)
    one, other = (normalise(model.log_joint(X, end))[0] for end in ends)
    ratios: Array = one - other
    w = np.ones(len(X)) if rows.sample_weight is None else rows.sample_weight
    mean = float(np.average(ratios, weights=w))
    return mean, float(np.average((ratios - mean) ** 2, weights=w)) ** 0.5


def told(gain: float, above: float) -> str:
    """What the fit says where it leaves an end that is so many nats higher."""
    return (
        f"another end is {gain:.3g} nats higher, only {above:.2g} of its standard errors (Vuong's "
        "test): with so few rows that is noise, so this end is taken, to which one covariance of "
        "all components leads. n_init=2 or more (--starts) takes the highest regular one"
    )
