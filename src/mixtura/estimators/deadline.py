"""`max_seconds` of a fit: when it ends."""

from __future__ import annotations

import math
import time
from typing import Any

from mixtura.solvers.settings import check_number


def checked_seconds(max_seconds: Any, checkpoint: Any) -> float:
    """The seconds; ValueError for others than positive numbers, and beside a checkpoint."""
    check_number("max_seconds", max_seconds, "above 0", lambda seconds: 0 < seconds < math.inf)
    if checkpoint is not None:
        raise ValueError(
            "max_seconds and checkpoint: a fit that is taken up again repeats its steps, and a "
            "clock does not: leave out one of them"
        )
    return float(max_seconds)


def deadline(max_seconds: Any, checkpoint: Any) -> float:
    """The time by `time.monotonic`; never where no seconds are given."""
    if max_seconds is None:
        return math.inf
    return time.monotonic() + checked_seconds(max_seconds, checkpoint)
