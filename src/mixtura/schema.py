"""What a file may hold: records as their own description, read at the door.

A record is a frozen dataclass, and the types of its fields say what belongs there: `bool`, `str`,
`float` (any number, inf and nan too), ranges such as `Count`, other records, `tuple[X, ...]`,
`tuple[X, Y]`, `X | None`, `dict[str, Any]`. `read` takes what JSON gives and returns the record, or
says in one sentence which part is something else. Parameters of components are named arrays:
`Floats` says of what shape, and where their values may lie.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, NoReturn, Union, get_args, get_origin, get_type_hints

import numpy as np

from mixtura.ranges import MOST
from mixtura.records import AnyArray
from mixtura.supports import Support

_PLAIN: dict[type, tuple[str, type | tuple[type, ...]]] = {
    bool: ("true or false", (bool, np.bool_)),
    int: ("a whole number", Integral),
    float: ("a number", Real),
    str: ("text", str),
}


class ShapeMismatch(ValueError):
    """An array of another shape than its sizes say."""


@dataclass(frozen=True)
class Floats:
    """An array of float64 or float32 of one shape, whose values lie in a support."""

    shape: tuple[int, ...]
    support: Support | None = None


def read(kind: Any, value: Any, place: str) -> Any:
    """`value` as `kind`; ValueError that names the place, what was found and what belongs there."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Annotated:
        base, among = parts
        if not (_is_plain(base, value) and among.holds(value)):
            _refuse(place, value, among.words)
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in parts:
            return None
        *plain, last = (part for part in parts if part is not NoneType)
        first = next((part for part in plain if _is_plain(part, value)), last)
        return read(first, value, place)
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            _refuse(place, value, "a list")
        if origin is tuple and parts[-1] is not Ellipsis:
            return _row(parts, value, place)
        return origin(read(parts[0], each, f"{place}[{i}]") for i, each in enumerate(value))
    if is_dataclass(kind):
        return _record(kind, value, place)
    if origin is dict:
        return _object(value, place)
    if not _is_plain(kind, value):
        _refuse(place, value, _PLAIN[kind][0])
    return value


def _row(kinds: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if len(value) != len(kinds):
        _refuse(place, value, f"a list of {len(kinds)}")
    each = enumerate(zip(kinds, value, strict=True))
    return tuple(read(kind, part, f"{place}[{i}]") for i, (kind, part) in each)


def read_arrays(kinds: Mapping[str, Floats], arrays: Mapping[str, Any], place: str) -> None:
    """ValueError, naming the array, unless these are the arrays there are, each of its kind."""
    _refuse_names(arrays, kinds, set(kinds), place)
    for name, kind in kinds.items():
        value = arrays[name]
        if not isinstance(value, np.ndarray) or value.dtype.name not in ("float64", "float32"):
            raise ValueError(f"{name} is not an array of floats")
        check_floats(kind, value, name)


def check_floats(kind: Floats, value: AnyArray, name: str) -> None:
    """ValueError, naming the array, unless it has that shape and its values lie in the support."""
    if value.shape != kind.shape:
        raise ShapeMismatch(f"{name} has the shape {value.shape}, not {kind.shape}")
    if kind.support is not None:
        kind.support.check(value, name.rstrip("_"))


def _record(kind: Any, value: Any, place: str) -> Any:
    found = _object(value, place)
    hints = _hints(kind)
    optional = {
        each.name
        for each in fields(kind)
        if each.default is not MISSING or each.default_factory is not MISSING
    }
    _refuse_names(found, hints, set(hints) - optional, place)
    return kind(
        **{name: read(hints[name], part, _within(place, name)) for name, part in found.items()}
    )


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        _refuse(place, value, "an object")
    return value


def _refuse_names(
    found: Mapping[str, Any], known: Mapping[str, Any], needed: set[str], place: str
) -> None:
    for name in known:
        if name in needed and name not in found:
            missing = f"{place} has no {name!r}" if place else f"its part {name!r} is missing"
            raise ValueError(missing)
    for name in found:
        if name not in known:
            raise ValueError(f"{place or 'it'} has an unknown {reprlib.repr(name)}")


def _within(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _is_plain(kind: type, value: Any) -> bool:
    if type(value) is kind:
        return True
    fits = isinstance(value, _PLAIN[kind][1])
    if kind is float and fits:
        # A whole number may be too large for one.
        fits = not isinstance(value, Integral) or abs(int(value)) <= MOST
    return fits and (kind is bool or not isinstance(value, bool))


def _refuse(place: str, value: Any, words: str) -> NoReturn:
    raise ValueError(f"{place or 'it'} is {reprlib.repr(value)}, not {words}")
