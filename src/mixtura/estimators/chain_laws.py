"""What is asked of a chain's transitions and first states, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.models.stationary import closed_classes
from mixtura.records import AnyArray


def allowed_where(name: str, given: Any, shape: tuple[int, ...]) -> AnyArray | None:
    """Where something may be; ValueError where a row allows nothing."""
    if given is None:
        return None
    found = np.asarray(given, dtype=np.float64)
    if found.shape != shape or not (found >= 0).all():
        raise ValueError(
            f"{name} must be of shape {shape} and not negative, got shape {found.shape}: give "
            "numbers above 0 where there may be one"
        )
    if not found.any(axis=-1).all():
        raise ValueError(f"{name}: a row is 0 throughout: allow one state at least")
    return found > 0


def as_law(first_states: Any) -> AnyArray:
    """Weights as probabilities."""
    law = np.asarray(first_states, dtype=np.float64)
    return np.asarray(law / law.sum())


def refuse_law(initial: str, first_states: Any, allowed: AnyArray | None) -> None:
    """ValueError where the initial law that is asked for is none."""
    if initial == "fixed" and first_states is None:
        raise ValueError(
            "initial='fixed' needs the law: give it as first_states, or use initial='free'"
        )
    if initial != "stationary":
        return
    if first_states is not None:
        raise ValueError(
            "first_states: with initial='stationary' the first state follows the transitions: "
            "leave it out, or use initial='free'"
        )
    if allowed is not None and (many := closed_classes(allowed)) > 1:
        raise ValueError(
            f"transitions: {many} sets of states are never left, so that there is no one "
            "stationary law: allow more transitions, or use initial='free'"
        )
