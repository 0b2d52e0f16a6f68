"""`max_seconds` of a fit: when it ends."""

from __future__ import annotations

import math
import time
from typing import Any

from mixtura.solvers.settings import refuse_timed


def deadline(max_seconds: Any, checkpoint: Any) -> float:
    """The time by `time.monotonic`; never where no seconds are given."""
    if max_seconds is None:
        return math.inf
    refuse_timed(max_seconds, checkpoint)
    return time.monotonic() + float(max_seconds)
