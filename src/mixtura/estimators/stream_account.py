"""What a stream tells of itself after a chunk: the `Fit` of its steps, and what is new in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.data.column_moments import Moments
from mixtura.families.collapse import few_rows, spikes, standings
from mixtura.fitting.account import named
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Spike, Summary
from mixtura.report.warnings_text import LEARNING
from mixtura.result import Certificate, Fit

# So many times the rows that are few tell how wide a component is in its narrowest direction.
TELLING = 5
REASON = f"{LEARNING}; its log-likelihood is an estimate"


@dataclass(frozen=True)
class Learnt:
    """What the steps of a chunk brought.

    bounds     log-likelihood per row after each step
    steps      since the last fit
    engine     its name
    penalised  whether the mixture shown needed the penalty
    batch      the summary of the last mini-batch
    at         the parameters at which that was taken
    """

    bounds: list[float]
    steps: int
    engine: str
    penalised: bool
    batch: Summary
    at: MixtureParams


def account(model: Mixture, params: MixtureParams, moments: Moments, learnt: Learnt) -> Fit:
    """The `Fit` of a mixture that is shown after a chunk."""
    weight, counts = moments.weight, params.weights * moments.weight
    found = _collapsed(model, params, counts, learnt)
    prior = model.prior if learnt.penalised else model.unpenalised().prior
    rows = counts * prior.count_scale
    return Fit(
        loglik=learnt.bounds[-1] * weight,
        weight=weight,
        rows=moments.rows,
        trace=tuple(bound * weight for bound in learnt.bounds),
        penalised=learnt.penalised,
        passes=1,
        sample_passes=0,
        iterations=learnt.steps,
        converged=False,
        reason=REASON,
        gradient_norm=math.inf,
        gap=math.inf,
        certificate=Certificate("not converged", detail=REASON),
        n_parameters=model.n_parameters(params),
        solver="online",
        engine=learnt.engine,
        floored=named(found, model, params, weight),
        empty=tuple(int(k) for k in np.flatnonzero(rows < 0.5)),
        held=model.prior.held_columns,
        equations=model.prior.equations,
        standings=standings(prior, params.components, rows, [part.component for part in found]),
    )


def news(fit: Fit, before: Fit | None) -> Fit:
    """The fit with no more to warn of than was not so before, and that a chunk is no whole fit."""
    known = () if before is None else before.standings
    collapsed = {each.component for each in known if each.verdict == "collapsed"}
    empty = () if before is None else before.empty
    return replace(
        fit,
        trace=(),
        floored=tuple(each for each in fit.floored if each.component not in collapsed),
        empty=tuple(k for k in fit.empty if k not in empty),
        standings=tuple(
            now
            for now in fit.standings
            if now.verdict not in [was.verdict for was in known if was.component == now.component]
        ),
    )


def _collapsed(model: Mixture, params: MixtureParams, counts: Array, learnt: Learnt) -> list[Spike]:
    """The components that only the penalty holds up, or once did and whose width is left of it."""
    prior, parts = model.prior, params.components
    found = prior.narrow(parts, counts) if learnt.penalised else []
    if prior.reference is None or prior.equations:
        return found
    stats: Any = learnt.batch.statistics
    told = stats.counts >= TELLING * few_rows(prior.width(parts))
    left = told & prior.left_over(parts, stats, learnt.at.components)
    left[[spike.component for spike in found]] = False
    return found + spikes(left, counts, prior.spread(parts))
