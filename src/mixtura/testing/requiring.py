"""What all checks ask of what they are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mixtura.data.entry import admitted
from mixtura.data.rows import Rows
from mixtura.errors import WrongReturn
from mixtura.records import Array


def require(holds: bool, what: str) -> None:
    """Not an assert: those go with python -O."""
    if not holds:
        raise AssertionError(what)


@contextmanager
def refusing() -> Iterator[None]:
    """What a method may not return is a broken contract too."""
    try:
        yield
    except WrongReturn as error:
        raise AssertionError(str(error)) from error


def table(data: Any, *, gaps: bool = False) -> Array:
    known = np.asarray(data)
    if not gaps and known.dtype.kind == "f" and np.isnan(known).any():
        place = ", ".join(map(str, np.argwhere(np.isnan(known))[0]))
        raise ValueError(
            f"data[{place}] is missing, and the model takes no gaps: leave such rows out, or write "
            "`allows_gaps = True` where a family leaves missing cells out of its density"
        )
    rows = admitted(data, gaps=gaps)
    if not isinstance(rows, Rows):
        raise TypeError("data: give the rows in memory; a few dozen will do")
    return np.asarray(rows.X, dtype=np.float64)
