"""Where noise takes the rows of whole components, the optimum without noise is climbed from too.

Starts beside noise are made of rows in crowds. Of repeated rows each crowd is one point, whose
component collapses, and then a mixture some of whose components are empty, their rows noise, is
regular where every full one is not. A fit beside noise is no worse than one without, by what both
are worth.
"""

from __future__ import annotations

from collections.abc import Callable

from mixtura.errors import FAILURES
from mixtura.fitting.outcome import Outcome
from mixtura.fitting.prepared import Ground
from mixtura.fitting.search import Search


def refilled(search: Search, grounded: Callable[[], Ground], beside: Outcome) -> Outcome:
    """The better of an end beside noise and of the climb from the end without any, where that end
    has empty components; `grounded` makes the ground of the same mixture without noise."""
    climb = beside.climb
    if search.late or not search.model.empty(climb.summary, climb.params):
        return beside
    plain = grounded()
    inner = Search(
        plain.model,
        search.rows,
        plain.open_sweep,
        search.tol,
        search.max_iter,
        search.rng,
        search.solver,
        clock=search.clock,
    )
    try:
        alone = inner.from_starts(plain.maker, "auto", 1)
        other = search.climb(alone.climb.params)
    except FAILURES:
        return beside
    finally:
        search.passes += inner.passes
        search.sample_passes += inner.sample_passes
    return other if other.climb.summary.loglik > climb.summary.loglik else beside
