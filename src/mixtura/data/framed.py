"""Tables as data frames of any kind, where they are such."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError


def framed(X: Any) -> nw.DataFrame[Any] | None:
    """X as Narwhals knows data frames in memory; None where it is none."""
    # Narwhals looks at an array for longer than many an answer takes.
    if isinstance(X, np.ndarray):
        return None
    frame = known_frame(X, eager_only=True)
    return frame if isinstance(frame, nw.DataFrame) else None


def known_frame(X: Any, *, eager_only: bool = False) -> Any:
    """What Narwhals makes of X, itself where that is no frame; ValueError for twins of a name."""
    try:
        return nw.from_native(X, eager_only=eager_only, pass_through=True)
    except DuplicateError as error:
        found = str(error).partition("- ")[2].splitlines()[0]
        raise ValueError(
            f"the table has column {found}: give each column a name of its own"
        ) from None
