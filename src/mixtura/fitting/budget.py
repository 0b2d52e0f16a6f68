"""What the search for a start may cost: twice an ordinary climb, or a fifth of a second.

Counted in work and not in seconds, so that the same seed gives the same answer on any machine and
with any number of threads.
"""

from __future__ import annotations

from typing import Any

from mixtura.data.source import Source
from mixtura.models.base import Labelled

# EM steps of an ordinary climb over all rows: a search may cost twice as many.
CLIMB = 40
# Multiplications in a fifth of a second, on two cores, and those that take as long as a call.
LEAST, CALL = 4e9, 8e6
# And as long as a look at a mixture in the interpreter.
LOOK = 4e6
# Of one log density: so many for each of its parameters, and an exponential.
_NUMBER, _EXP = 4.0, 44.0


def density_work(numbers: float) -> float:
    """Multiplications of one row's log density under one component of so many parameters."""
    return _NUMBER * numbers + _EXP


def pass_work(model: Labelled, base: Any, rows: int) -> float:
    """Multiplications of a pass over so many rows by a mixture like `base`."""
    return rows * (_NUMBER * model.n_parameters(base) + _EXP * len(base.weights))


def allowed_work(model: Labelled, base: Any, rows: Source) -> float:
    """Multiplications that the search for the start of a climb over these rows may take."""
    return max(LEAST, 2 * CLIMB * pass_work(model, base, rows.positive))
