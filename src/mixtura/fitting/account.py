"""The account of a search: what becomes the `Fit`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mixtura.data.source import Source
from mixtura.fitting.constants import met
from mixtura.fitting.outcome import Outcome
from mixtura.fitting.search import Search
from mixtura.models.base import Model
from mixtura.records import Spike
from mixtura.result import Fit


def account(outcome: Outcome, search: Search, ran: tuple[str, str], rows: tuple[int, int]) -> Fit:
    """The Fit of the best outcome; ran is (solver, engine), rows those of table and sample."""
    climb, model = outcome.climb, search.model
    interrupted = search.clock.interrupted
    climbed = model if outcome.penalised else model.unpenalised()
    return Fit(
        loglik=climb.summary.loglik,
        weight=climb.summary.weight,
        rows=rows[0],
        trace=(*climb.earlier, *climb.logliks),
        penalised=outcome.penalised,
        passes=search.passes,
        sample_passes=search.sample_passes,
        iterations=climb.iterations,
        converged=climb.converged and not interrupted,
        reason=search.clock.reason(climb.reason, search.place),
        gradient_norm=climb.gradient_norm,
        gap=climb.gap,
        certificate=outcome.certificate,
        n_parameters=model.n_parameters(climb.params),
        solver=ran[0] if ran[0] == climb.ran else f"{ran[0]} ({climb.ran})",
        engine=ran[1],
        remark="; ".join(filter(None, (outcome.remark, "" if interrupted else search.cut))),
        starts=tuple(search.reports),
        moves=search.moves,
        sample_rows=rows[1],
        floored=named(outcome.floored, model, climb.params, climb.summary.weight, search.rows),
        empty=model.empty(climb.summary, climb.params),
        held=model.held_columns,
        equations=model.equations,
        standings=climbed.standings(
            climb.summary, climb.params, [part.component for part in outcome.floored]
        ),
        params=climb.params,
        summary=climb.summary,
    )


def named(
    floored: Iterable[Spike],
    model: Model,
    params: Any,
    weight: float,
    rows: Source | None = None,
) -> tuple[Spike, ...]:
    """The same with the columns that are constant inside a component; `rows`, if given, decide."""
    floored = tuple(floored)
    guess = model.constant(weight, params) if floored else {}
    guess = {part.component: guess.get(part.component, ()) for part in floored}
    constant = guess if rows is None else met(guess, model, rows, params)
    return tuple(replace(part, constant=constant[part.component]) for part in floored)
