"""`fixed={"bounds": ..., "tied": ...}` of an estimator: what its parameters may not leave."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mixtura.families.base import Family
from mixtura.families.limits import Groups, Limits
from mixtura.families.registry import limited
from mixtura.records import Array
from mixtura.supports import Positive, Support, UnitInterval

LIMITS = ("bounds", "tied")


def with_limits(asked: Mapping[str, Any], family: Family, K: int, d: int) -> Family:
    """The family of K components over d columns within its limits; ValueError for what are none."""
    given = {name: asked.get(name) or {} for name in LIMITS}
    if not any(given.values()):
        return family
    for name, parts in given.items():
        if not isinstance(parts, Mapping):
            raise ValueError(f"fixed: {name} are given by parameter, as a dict, got {parts!r}")
    shapes = family.shapes(K, d)
    for name in {**given["bounds"], **given["tied"]}:
        if name not in shapes:
            raise ValueError(
                f"fixed: family {family.name!r} has no {name!r}: its parameters are "
                f"{', '.join(shapes)}"
            )
    tied = {name: _groups(name, groups, K) for name, groups in given["tied"].items()}
    low, high = {}, {}
    for name, pair in given["bounds"].items():
        # Of a covariance the eigenvalues have bounds.
        shape = (K,) if name == "covariances" else shapes[name]
        low[name], high[name] = _pair(name, pair, shape, tied.get(name, ()))
    found = limited(family, Limits(low, high, tied))
    for name in low:
        _refuse_outside(family, name, low[name], high[name])
    return found


def _groups(name: str, given: Any, K: int) -> Groups:
    try:
        groups = tuple(tuple(operator.index(k) for k in group) for group in given)
    except (TypeError, ValueError):
        groups = ()
    members = [k for group in groups for k in group]
    sound = groups and all(len(group) > 1 for group in groups)
    if not sound or len(set(members)) < len(members) or not set(members) <= set(range(K)):
        raise ValueError(
            f"fixed: tied {name} are groups of two or more components, each from 0 to {K - 1} and "
            f"in one group, as [[0, 1]], got {given!r}"
        )
    return groups


def _pair(name: str, given: Any, shape: tuple[int, ...], groups: Groups) -> tuple[Array, Array]:
    if not isinstance(given, Iterable) or len(pair := list(given)) != 2:
        raise ValueError(
            f"fixed: bounds of {name} are a pair (low, high), None where there is none, got "
            f"{given!r}"
        )
    low, high = (
        _bound(name, each, shape, none) for each, none in zip(pair, (-np.inf, np.inf), strict=True)
    )
    for group in map(list, groups):
        low[group], high[group] = low[group].max(axis=0), high[group].min(axis=0)
    if (low > high).any():
        at = tuple(np.argwhere(low > high)[0])
        raise ValueError(
            f"fixed: bounds of {name} are {low[at]:g} and {high[at]:g} in component {at[0]}: the "
            "first is the smaller one"
        )
    return low, high


def _bound(name: str, given: Any, shape: tuple[int, ...], none: float) -> Array:
    try:
        found = np.asarray(none if given is None else given, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty((0,))
    if found.shape not in ((), shape):
        raise ValueError(
            f"fixed: a bound of {name} is a number, or has the shape {shape}, NaN where there is "
            f"none, got {given!r}"
        )
    return np.broadcast_to(np.where(np.isnan(found), none, found), shape).copy()


def _refuse_outside(family: Family, name: str, low: Array, high: Array) -> None:
    """ValueError for bounds between which no parameter may be."""
    for end, each, endless in (("upper", high, -np.inf), ("lower", low, np.inf)):
        if (each == endless).any():
            raise ValueError(
                f"fixed: bounds of {name} have {endless} as the {end} one, and no number lies "
                "beyond: None is no bound"
            )
    support: Support = Positive() if name == "covariances" else family.supports()[name]
    what = "eigenvalues, which are" if name == "covariances" else "numbers that are"
    if isinstance(support, Positive) and (high <= 0).any():
        raise ValueError(
            f"fixed: bounds of {name} are of {what} above 0, and the upper one is "
            f"{high.min():g}: give one above 0, or None"
        )
    outside = (low > 1) | (high < 0)
    if isinstance(support, UnitInterval) and outside.any():
        at = tuple(np.argwhere(outside)[0])
        raise ValueError(
            f"fixed: bounds of {name} are of numbers from 0 to 1, and between {low[at]:g} and "
            f"{high[at]:g} there is none: give others"
        )


def plain_limits(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The parts for a model file: bounds as two arrays, groups as lists."""
    found: dict[str, Any] = {}
    for name, pair in (asked.get("bounds") or {}).items():
        ends = zip(pair, (-np.inf, np.inf), strict=True)
        each = [np.asarray(none if end is None else end, dtype=np.float64) for end, none in ends]
        found.setdefault("bounds", {})[name] = each
    for name, groups in (asked.get("tied") or {}).items():
        found.setdefault("tied", {})[name] = [[int(k) for k in group] for group in groups]
    return found


def are_limits(name: str, value: Any) -> bool:
    """Whether this may be such a part of a file."""
    if not isinstance(value, dict) or not all(isinstance(each, list) for each in value.values()):
        return False
    if name == "tied":
        groups = [group for each in value.values() for group in each]
        return all(isinstance(g, list) and all(type(k) is int for k in g) for g in groups)
    ends = [end for each in value.values() for end in each]
    return all(isinstance(end, np.ndarray) and end.dtype.kind == "f" for end in ends)
