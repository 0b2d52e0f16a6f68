"""Noise-contrastive estimation: a mixture learnt by telling the rows from noise.

With nu noise rows per data row the mixture p is the classifier D = p / (p + nu q), which knows the
noise's density q, and the criterion is that classifier's log-likelihood,
J = sum_i w_i log D(x_i) + sum_j v_j log(1 - D(y_j)). Its gradient is Fisher's identity with other
row weights, w_i (1 - D(x_i)) for the data and -v_j D(y_j) for the noise: the difference of two EM
summaries.

References: Gutmann & Hyvarinen (2012), Journal of Machine Learning Research 13; why it is no
shortcut to the likelihood's global maximum: Goodfellow (2014), arXiv:1412.6515, and
`examples/self_contrastive.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from scipy.special import expit, log_expit

from mixtura.data.rows import Rows, in_memory
from mixtura.models.base import Model
from mixtura.models.responsibilities import normalise
from mixtura.records import Array, Chart, Chunk, Summary
from mixtura.solvers.charted import Charted, Point
from mixtura.solvers.climb import Climb
from mixtura.solvers.contrast_noise import default_noise, drawn, log_density, methods
from mixtura.solvers.descent import Descent
from mixtura.solvers.lbfgs import CHARTS, climb_in_chart
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem, SweepLike
from mixtura.solvers.settings import check_number, check_seed, refuse_obstacle

# Weights are copies of rows, and copies get noise of their own, up to this many.
COPIES = 100_000


@dataclass(frozen=True)
class Contrasted(Summary):
    """The criterion in place of the log-likelihood, and a difference of statistics.

    likelihood is what `loglik` is elsewhere: that of the data at the same parameters.
    """

    likelihood: float


@dataclass(frozen=True)
class Contrast:
    """The criterion J: parameters in, `Contrasted` out, one pass over each of two tables.

    data, noise           sweeps over them; nu is the ratio of their weights
    log_q, log_q_noise    the noise's log-density (nats) at their rows, (n,) and (m,)
    """

    model: Model
    data: SweepLike
    noise: SweepLike
    log_q: Array
    log_q_noise: Array

    def __call__(self, params: Any) -> Contrasted:
        """J, and the statistics whose Fisher gradient is that of J."""
        gained, data = self.side(self.data, self.log_q, 1.0, params)
        lost, noise = self.side(self.noise, self.log_q_noise, -1.0, params)
        difference = data.statistics + noise.statistics.scale(-1.0)
        return Contrasted(gained + lost, data.weight, difference, data.loglik)

    def charted(self, chart: Chart) -> Chart:
        """The chart as the data's sweep knows it."""
        return self.data.charted(chart)

    def side(
        self, sweep: SweepLike, log_q: Array, sign: float, params: Any
    ) -> tuple[float, Summary]:
        """(one table's part of J, its summary weighted by how wrong the classifier is)."""
        log_nu = math.log(self.noise.rows.weight / self.data.rows.weight)
        verdicts = np.zeros(len(log_q))

        def step(chunk: Chunk) -> Summary:
            w, where = chunk.weight, chunk.where
            heavy = slice(None) if w is None or w.all() else w > 0

            def respond(joint: Array) -> tuple[Array, Array]:
                log_p, resp = normalise(joint)
                log_odds = sign * (log_p - log_q[where][heavy] - log_nu)
                verdicts[where][heavy] = log_expit(log_odds)
                return log_p, resp * expit(-log_odds)[:, None]

            return self.model.e_step_with(chunk, params, respond)

        summary = sweep.folded(step)
        weights = in_memory(sweep.rows, "nce").sample_weight
        return float(verdicts.sum() if weights is None else weights @ verdicts), summary


@dataclass(frozen=True)
class NoiseContrastive:
    """Maximise the contrastive criterion by L-BFGS; see `problem.Solver`.

    noise   what the rows are told from: an object with `logpdf(X)` and `rvs(size, random_state)`,
            such as a frozen SciPy distribution, or with `score_samples(X)` and
            `sample(n, random_state)`, such as a fitted mixture. None is a Gaussian with the table's
            weighted mean and 1.25 times its covariance
    ratio   nu, the noise's weight per unit of the rows'; above 0, default 1. There are as many
            noise rows, weights being copies of rows up to 100,000 in all
    seed    of the noise, which is the same for every climb; default 0

    Consistent as maximum likelihood is, and less efficient: with the defaults the estimates'
    variances are about twice as large, more where few rows lie far out and widen the noise
    (docs/outliers.md), and the excess shrinks as 1 / ratio. No step towards the
    global optimum: the criterion has local optima as the likelihood has, and a component that lies
    where there are neither rows nor noise feels nothing at all. A prior enters as in the
    likelihood, once for all rows. The log-likelihoods reported are real ones; `tol` and `gap` are
    about the criterion. Beside each pass over the rows, which is counted, is one over the noise.

    ValueError for noise of another dimension or without a finite log-density at every row, for a
    ratio or seed out of range, for missing cells, and for a model without free coordinates.
    """

    noise: Any = None
    ratio: float = 1.0
    seed: int = 0
    name: ClassVar[str] = "nce"

    def __post_init__(self) -> None:
        check_number("ratio", self.ratio, "above 0 and finite", lambda v: 0 < v < math.inf)
        check_seed(self.seed)
        if self.noise is not None and not methods(self.noise):
            raise ValueError(
                f"noise must have logpdf and rvs, or score_samples and sample, got {self.noise!r}: "
                "give a frozen SciPy distribution, a fitted mixture, or None"
            )

    def __call__(self, problem: Problem) -> Climb:
        """Climb by at most `max_iter` quasi-Newton steps."""
        model, sweep = problem.model, problem.sweep
        refuse_obstacle(self.name, model)
        climb = ascended(problem, self.contrast(model, sweep))
        params, summary = climb.last.params, problem.summary
        if climb.book.steps:
            summary = sweep(params)
            model.refuse_collapse(summary, params)
            # The criterion stops at a narrow component, not at none: on tied rows EM tells.
            model.refuse_collapse(summary, model.m_step(summary, params))
        return climb.book.finish(
            params, summary or sweep(params), self.name, stopped=climb.stopped, stationary=False
        )

    def contrast(self, model: Model, sweep: SweepLike) -> Contrast:
        """The criterion for the rows of a sweep, its noise drawn."""
        rows = in_memory(sweep.rows, self.name)
        if np.isnan(rows.X).any():
            raise ValueError(
                "solver='nce' tells rows from noise of which no cell is missing, and cells of X "
                "are: use another solver, or fill them in"
            )
        w = np.ones(len(rows.X)) if rows.sample_weight is None else rows.sample_weight
        source = default_noise(rows) if self.noise is None else self.noise
        copies = max(float(np.count_nonzero(w)), min(rows.weight, COPIES))
        size = max(1, round(self.ratio * copies))
        ask, draw = methods(source)
        noise = drawn(draw, size, rows.X.shape[1], self.seed)
        _refuse_foreign(model, noise)
        weights = np.full(size, self.ratio * rows.weight / size)
        log_q = log_density(ask, rows.X, w > 0, "X")
        log_q_noise = log_density(ask, noise, weights > 0, "those it drew")
        return Contrast(model, sweep, sweep.over(Rows(noise, weights)), log_q, log_q_noise)


class Contrastive(Descent):
    """L-BFGS on the criterion. It has no singularities to refuse: no row gains more than log D.

    The classifier knows no more than the labels would, so the gap is judged as the likelihood's.
    """

    what = "contrastive criterion"

    def begun(self, problem: Problem, point: Point) -> Logbook:
        """Note where the climb begins: the criterion, and the likelihood beside it."""
        return Logbook(problem, _likelihood(point), point.value, monotone=False, what=self.what)

    def note(self, point: Point) -> None:
        """Record both."""
        self.book.note(point.params, _likelihood(point), value=point.value)


def _refuse_foreign(model: Model, noise: Array) -> None:
    """ValueError where the noise draws rows to which the model gives no density."""
    why = model.foreign(noise)
    if why:
        raise ValueError(
            f"solver='nce' tells rows from noise of their kind, but {why} of the noise: "
            "give NoiseContrastive(noise=...) a fitted mixture of one such component, or choose "
            "another solver"
        )


def _likelihood(point: Point) -> Summary:
    """The summary with the data's log-likelihood in place of the criterion."""
    summary = point.summary
    assert isinstance(summary, Contrasted)
    return Summary(summary.likelihood, summary.weight, summary.statistics)


def ascended(problem: Problem, contrast: Contrast) -> Contrastive:
    """The climb to its end, over as many charts as it takes."""
    # A chart only ever calls its sweep.
    sweep, params = cast(SweepLike, contrast), problem.params
    here = Charted.around(contrast.model, sweep, params, contrast(params))
    climb = Contrastive(problem, here)
    for _ in range(CHARTS):
        if not climb.book.left:
            break
        climb.open(here)
        point = climb_in_chart(climb, here, climb.book.left)
        if climb.book.reason is None and point.value <= here.centre.value:
            climb.exhausted()
            break
        here = Charted.around(contrast.model, sweep, point.params, point.summary)
    else:
        climb.stopped = f"stopped: the top was not reached in {CHARTS} charts"
    return climb
