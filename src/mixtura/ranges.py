"""Plain numbers of a certain range, as the types of a record's fields."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Among:
    """Which values of a type are meant, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


# Larger ones are no counts, and no floats.
MOST = 2**63 - 1
Count = Annotated[int, Among("a whole number from 0", lambda n: 0 <= n <= MOST)]
Size = Annotated[int, Among("a whole number from 1", lambda n: 1 <= n <= MOST)]
Finite = Annotated[float, Among("a finite number", math.isfinite)]
Positive = Annotated[float, Among("a finite number above 0", lambda v: 0 < v < math.inf)]
