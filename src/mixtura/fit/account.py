"""The account of a search: what becomes the `Fit`."""

from __future__ import annotations

from mixtura.fit.result import Fit
from mixtura.fit.search import Outcome, Search


def account(outcome: Outcome, search: Search, ran: tuple[str, str], rows: tuple[int, int]) -> Fit:
    """The Fit of the best outcome; ran is (solver, engine), rows those of table and sample."""
    climb, model = outcome.climb, search.model
    return Fit(
        loglik=climb.summary.loglik,
        weight=climb.summary.weight,
        rows=rows[0],
        trace=(*climb.earlier, *climb.logliks),
        penalised=outcome.penalised,
        passes=search.passes,
        sample_passes=search.sample_passes,
        iterations=climb.iterations,
        converged=climb.converged,
        reason=climb.reason,
        gradient_norm=climb.gradient_norm,
        gap=climb.gap,
        certificate=outcome.certificate,
        n_parameters=model.n_parameters(climb.params),
        solver=ran[0] if ran[0] == climb.ran else f"{ran[0]} ({climb.ran})",
        engine=ran[1],
        remark=outcome.remark,
        starts=tuple(search.reports),
        moves=search.moves,
        sample_rows=rows[1],
        floored=outcome.floored,
        empty=model.empty(climb.summary, climb.params),
        held=model.held_columns,
        params=climb.params,
        summary=climb.summary,
    )
