"""An answer from the table's moments alone: no start, no climb.

Pearson (1894) and Hsu & Kakade (2013), as `families.by_moments` has them. Its error falls as
n^-1/2 wherever the truth lies, and no local maximum can hold it up; but it takes more rows than
maximum likelihood for the same error, and is no maximum of the likelihood.
"""

from __future__ import annotations

from mixtura.data.rows import in_memory
from mixtura.solvers.climb import Climb
from mixtura.solvers.logbook import Logbook
from mixtura.solvers.problem import Problem


def moments(problem: Problem) -> Climb:
    """The parameters whose moments are the table's; see `problem.Solver`.

    Of the problem's parameters only their number matters. ValueError where no method is made for
    the model, FitError where the moments are of no such mixture.
    """
    rows = in_memory(problem.sweep.rows, "moments")
    params = problem.model.by_moments(rows, problem.params)
    summary = problem.sweep(params)
    book = Logbook(problem.replaced(params=params), summary)
    book.reason = "answered: these are the parameters whose moments are the table's; no climb"
    return book.finish(params, summary, "moments", stationary=False)
