"""What is asked of a chain's transitions and first states, checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mixtura.data.door import as_numbers
from mixtura.data.sequences import Sequences
from mixtura.models.stationary import closed_classes
from mixtura.records import AnyArray, Array


def allowed_where(name: str, given: Any, shape: tuple[int, ...]) -> AnyArray | None:
    """Where something may be; ValueError where a row allows nothing."""
    if given is None:
        return None
    found = as_numbers(given, name)
    if found.shape != shape:
        raise ValueError(
            f"{name} must be of shape {shape}, got shape {found.shape}: give numbers above 0 where "
            "there may be one"
        )
    bad = np.argwhere(~(found >= 0))
    if len(bad):
        at = tuple(bad[0].tolist())
        raise ValueError(
            f"{name}: entry {', '.join(map(str, at))} (counted from 0) is {found[at]:g}: give "
            "numbers above 0 where there may be one, and 0 where not"
        )
    if not found.any(axis=-1).all():
        raise ValueError(f"{name}: a row is 0 throughout: allow one state at least")
    return found > 0


def _triangle(K: int) -> AnyArray:
    return np.triu(np.ones((K, K)))


def _next(K: int) -> AnyArray:
    return np.eye(K) + np.eye(K, k=1)


# Which transitions there are, by name; Rabiner (1989), Proc. IEEE 77(2), section IV.C.
TOPOLOGIES: dict[str, Callable[[int], AnyArray]] = {
    "left-right": _triangle,
    "linear": _next,
    "cyclic": lambda K: np.maximum(_next(K), np.roll(np.eye(K), 1, axis=1)),
    "banded": lambda K: _next(K) + np.eye(K, k=-1),
}
# Those whose sequences begin in state 0.
_FORWARD = ("left-right", "linear")


def allowed_moves(
    K: int, transitions: Any, topology: str | None, first_states: Any, initial: str
) -> tuple[AnyArray | None, AnyArray | None]:
    """Where transitions (K, K) and first states (K,) may be, None where anywhere; or ValueError."""
    if topology is not None:
        if transitions is not None:
            raise ValueError(
                f"topology={topology!r} and transitions both say where a transition may be: leave "
                "one of them out"
            )
        transitions = TOPOLOGIES[topology](K)
        if topology in _FORWARD and first_states is None and initial == "free":
            first_states = np.eye(K)[0]
    allowed = allowed_where("transitions", transitions, (K, K))
    return allowed, allowed_where("first_states", first_states, (K,))


# What that asks for where a stay ends in another state.
_AMONG_OTHERS = " (with durations none of them may go on to another of them, nor to itself)"


def tied_groups(given: Any, K: int, allowed: AnyArray | None, initial: str) -> tuple[int, ...]:
    """For each state the group whose rows of transitions are one, from 0; () where none is tied."""
    if given is None:
        return ()
    labels = np.array(given if isinstance(given, list | tuple) else np.ravel(given), dtype=object)
    if labels.shape != (K,):
        raise ValueError(
            f"tied_rows has shape {labels.shape}: give a label for each of the {K} states"
        )
    if initial == "stationary":
        raise ValueError(
            "tied_rows: with initial='stationary' rows cannot be tied: use initial='free'"
        )
    try:
        groups = np.unique(labels, return_inverse=True)[1].ravel()
    except TypeError:
        raise ValueError(
            f"tied_rows has labels that cannot be compared: {given!r}: give numbers or names"
        ) from None
    if allowed is not None:
        for g in range(groups.max() + 1):
            rows = allowed[groups == g]
            if (rows != rows[0]).any():
                raise ValueError(
                    f"tied_rows: states {np.flatnonzero(groups == g).tolist()} have one row, and "
                    "may go to different states: let their rows of transitions allow the same"
                    f"{_AMONG_OTHERS * (not np.diag(allowed).any())}"
                )
    return tuple(int(g) for g in groups)


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
    if allowed is not None and len(left := _left_for_good(allowed)):
        raise ValueError(
            f"initial='stationary': state {left[0]} is never come back to, so that it has no share "
            "of the stationary law and no sequence would ever be in it: allow a way back, or use "
            "initial='free'"
        )


def _left_for_good(allowed: AnyArray) -> AnyArray:
    """The states from which there is a way that never leads back."""
    reach = allowed | np.eye(len(allowed), dtype=bool)
    for _ in range(len(allowed).bit_length()):
        reach = (reach.astype(np.float64) @ reach) > 0
    return np.flatnonzero((reach & ~reach.T).any(axis=1))


def refuse_impossible(loglik: Array, rows: Sequences) -> None:
    """ValueError where one of these sequences has no path."""
    bad = np.flatnonzero(np.isneginf(loglik))
    if len(bad):
        first, last = rows.starts[bad[0]], rows.stops[bad[0]]
        told = rows.known is not None and bool((rows.known[first:last] >= 0).any())
        raise ValueError(
            f"sequence {int(bad[0])} (counted from 0) has no path of positive probability under "
            f"this model{' through its known states' * told}: look at "
            f"{'these, at ' * told}its cells, and at transitions and first states that are 0"
        )
