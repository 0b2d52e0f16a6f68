"""What the settings of a configurable solver may be: one clear refusal for the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from mixtura.models.base import Model
from mixtura.records import StrPath

# NumPy's random generators take no larger one.
LARGEST_SEED = 2**32 - 1


def check_integer(name: str, value: object, least: int) -> None:
    """ValueError unless `value` is an integer (and no truth value), at least `least`."""
    if isinstance(value, bool) or not (isinstance(value, Integral) and int(value) >= least):
        raise ValueError(f"{name} must be an integer, at least {least}, got {value!r}")


def check_number(name: str, value: object, range_: str, inside: Callable[[float], bool]) -> None:
    """ValueError unless `value` is a number `inside` the range that `range_` puts in words."""
    if isinstance(value, bool) or not (isinstance(value, Real) and inside(float(value))):
        raise ValueError(f"{name} must be a number {range_}, got {value!r}")


def check_seed(value: object) -> None:
    """ValueError unless `value` can seed NumPy's generators."""
    fine = isinstance(value, Integral) and not isinstance(value, bool)
    if not (fine and 0 <= int(value) <= LARGEST_SEED):  # type: ignore[call-overload]
        raise ValueError(f"seed must be an integer from 0 to 2**32 - 1, got {value!r}")


def refuse_obstacle(name: str, model: Model) -> None:
    """ValueError, for the solver of this name, where a model has no free coordinates."""
    if model.obstacle():
        raise ValueError(
            f"solver={name!r} cannot climb here: {model.obstacle()}. Use solver='em' or 'auto'"
        )


def refuse_timed(max_seconds: Any, checkpoint: StrPath | None) -> None:
    """ValueError for what is no time, and for a time beside a checkpoint."""
    check_number("max_seconds", max_seconds, "above 0", lambda seconds: 0 < seconds < math.inf)
    if checkpoint is not None:
        raise ValueError(
            "max_seconds and checkpoint: a fit that is taken up again repeats its steps, and a "
            "clock does not: leave out one of them"
        )
