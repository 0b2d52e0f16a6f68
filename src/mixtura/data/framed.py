"""Tables as data frames of any kind, where they are such."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np


def framed(X: Any) -> nw.DataFrame[Any] | None:
    """X as Narwhals knows data frames in memory; None where it is none."""
    # Narwhals looks at an array for longer than many an answer takes.
    if isinstance(X, np.ndarray):
        return None
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    return frame if isinstance(frame, nw.DataFrame) else None
