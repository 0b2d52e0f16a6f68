"""What a model or family of one's own hands back, read: right, or refused in one sentence.

A table of readers says of each method what it returns. `reading` makes of an object of a user's
class one whose methods' answers pass their readers; the house's own classes are left as they are,
so that reading costs them nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from mixtura.errors import WrongReturn
from mixtura.records import Array, Params, Statistics
from mixtura.supports import Real, Simplex

# An answer shown as it is, if it is no longer than this.
SHOWN = 60
# Parameters whose sizes lie between this and its inverse are no leap's.
FAR = 1e100
# Kinds of arrays that are real numbers: truth values, whole numbers, floating ones.
REAL = "biuf"

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What one method of a user's class `owner` returned, as messages name it; or a
    value that was `given` by that name."""

    method: str
    owner: str
    given: bool = False

    def wrong(self, found: str, must: str) -> WrongReturn:
        """The error that says what was returned and what must be."""
        if self.given:
            return WrongReturn(f"{self.method} is {found}: it must be {must}")
        return WrongReturn(f"{self.method} of {self.owner} returned {found}: it must return {must}")

    def numbers(self, value: Any, what: str, must: str) -> Array:
        """An array of real numbers."""
        if isinstance(value, np.ndarray) and value.dtype.kind in REAL:
            return value
        try:
            array = np.asarray(value)
        except ValueError:
            array = np.asarray(None)
        if array.dtype.kind not in REAL:
            raise self.wrong(f"{what} {shown(value)}".strip(), must)
        return array

    def number(self, value: Any, what: str, must: str) -> float:
        """One real number; NaN and infinity are numbers."""
        if type(value) is float:
            return value
        array = self.numbers(value, what, must)
        if array.ndim:
            raise self.wrong(f"{what} {shown(value)}".strip(), must)
        return float(array)

    def gradient(self, found: Any, params: Params) -> dict[str, Array]:
        """A score: an array for each parameter, of its shape."""
        return self._named(found, shapes_of(params), "the gradient", exact=True)

    def information(self, found: Any, params: Params) -> dict[str, Array]:
        """What a row tells of each free number, in their shape or one that broadcasts to it."""
        must = "what a row tells of each free number, from 0 up"
        told = self._named(found, _free_shapes(params), must, exact=False)
        for name, array in told.items():
            if (array < 0).any():
                raise self.wrong(f"for {name!r} {array.min():g}", must)
        self.refuse_nan(told, params)
        return told

    def refuse_nan(self, read: Mapping[str, Array], params: Params) -> None:
        """Refuse NaN, but where anything may overflow."""
        for name, array in read.items():
            if np.isnan(array).any() and ordinary(params):
                raise self.wrong(f"NaN for {name!r}", "numbers")

    def _named(
        self, found: Any, shapes: Mapping[str, tuple[int, ...]], must: str, exact: bool
    ) -> dict[str, Array]:
        names = ", ".join(map(repr, shapes))
        if not isinstance(found, Mapping):
            raise self.wrong(shown(found), f"a dictionary with {must}, by parameter: {names}")
        if set(found) != set(shapes):
            keys = ", ".join(map(repr, found)) or "no keys"
            raise self.wrong(f"a dictionary with {keys}", f"{must}, by parameter: {names}")
        read = {}
        for name, shape in shapes.items():
            wanted = f"{must}, real numbers of shape {shape} for {name!r}"
            read[name] = self.numbers(found[name], f"for {name!r}", wanted)
            if read[name].shape != shape and (exact or not _broadcasts(read[name].shape, shape)):
                raise self.wrong(f"for {name!r} {shown(read[name])}", wanted)
        return read

    def params(self, found: Any, like: Mapping[str, tuple[int, ...]] | None, must: str) -> Params:
        """A record of parameters; with `like`, of the same names and shapes."""
        if not isinstance(found, Params):
            raise self.wrong(shown(found), must)
        self.record(found, must)
        arrays = found.arrays()
        if like is not None and set(arrays) != set(like):
            raise self.wrong(
                f"{type(found).__name__} with {_listed(arrays)}", f"{must}, with {_listed(like)}"
            )
        changed = {}
        for name, value in arrays.items():
            wanted = f"{must}, whose {name!r} is an array of real numbers"
            array = self.numbers(value, f"{name!r} =", wanted)
            if like is not None and array.shape != like[name]:
                raise self.wrong(
                    f"{name!r} of shape {array.shape}", f"{name!r} of shape {like[name]}"
                )
            if array is not value:
                changed[name] = array
        return found.with_arrays(changed) if changed else found

    def statistics(self, found: Any, must: str) -> Statistics:
        """Sums: a record of arrays of real numbers, of such records, or of tuples of them."""
        if not isinstance(found, Statistics):
            raise self.wrong(f"statistics {shown(found)}", must)
        self.record(found, must)
        for field in fields(found):
            value = getattr(found, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Statistics):
                    self.statistics(part, must)
                else:
                    self.numbers(part, f"{type(found).__name__}.{field.name} =", must)
        return found

    def record(self, found: Any, must: str) -> None:
        """Refuse a record without fields: `@dataclass` forgotten, or no field annotated."""
        if not is_dataclass(found) or not fields(found):
            raise self.wrong(
                f"{type(found).__name__}, a record without fields",
                f"{must}: write @dataclass(frozen=True) above the class, and each array of it as "
                "a field, `name: np.ndarray`",
            )


# (the object, the arguments, what the method returned, the answer as messages name it) -> the same.
Reader = Callable[[Any, tuple[Any, ...], Any, Answer], Any]


def shown(value: Any) -> str:
    """A value in messages: as it is where it is short, else its type and shape."""
    kind = type(value).__name__
    if isinstance(value, np.ndarray) and (value.ndim or value.dtype.kind == "O"):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, np.ndarray | np.generic):
        kind, value = str(value.dtype), value.item()
    text = " ".join(repr(value).split())
    return text if value is None else f"{kind} {text}" if len(text) <= SHOWN else f"a {kind}"


def shapes_of(params: Params) -> dict[str, tuple[int, ...]]:
    """The shape of each array of a record, by name."""
    return {name: np.shape(array) for name, array in params.arrays().items()}


def ordinary(params: Params) -> bool:
    """Not far out, where solvers leap, and not on an edge: there anything may overflow."""
    supports, arrays = type(params).supports(), params.arrays()
    sizes = [np.abs(array)[np.not_equal(array, 0.0)] for array in arrays.values()]
    if any(((size < 1.0 / FAR) | (size > FAR)).any() for size in sizes):
        return False
    return not any(support.at_edge(arrays[name]).any() for name, support in supports.items())


def is_own(kind: type) -> bool:
    """Whether a class is a user's, not the house's."""
    return kind.__module__.partition(".")[0] != "mixtura"


def refuse_settings(one: Any, settings: Mapping[str, Setting]) -> None:
    """What a user's class says of itself, by attribute, is of the kind that is read."""
    for name, (right, must) in settings.items():
        found = getattr(one, name)
        if not right(found):
            told = "a method" if callable(found) else shown(found)
            raise WrongReturn(f"{name} of {type(one).__name__} is {told}: it must be {must}")


def _truth(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _rows(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


# (whether a value will do, what it must be).
Setting = tuple[Callable[[Any], bool], str]
TRUTH: Setting = (_truth, "True or False")
LEAST_ROWS: Setting = (_rows, "a whole number of rows, at least 1")


def reading(one: T, base: type, readers: Mapping[str, Reader]) -> T:
    """The same object, what its class writes anew of `base` read as `readers` say.

    It shares the object's attributes, whose changes both see.
    """
    kind: Any = type(one)
    if not is_own(kind) or issubclass(kind, _Reading):
        return one
    made: T = _as(_read_class(kind, base, tuple(readers.items())), one)
    return made


def plain(one: T) -> T:
    """The object itself, of what `reading` made of it."""
    kind = type(one)
    # Of what is read the class itself stands behind that mark.
    made: T = _as(kind.__bases__[1], one) if issubclass(kind, _Reading) else one
    return made


def _as(kind: type, one: Any) -> Any:
    """An object of that class with the attributes of this one."""
    made: Any = object.__new__(kind)
    for each in kind.__mro__:
        slots = each.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(one, name):
                object.__setattr__(made, name, getattr(one, name))
    if hasattr(one, "__dict__"):
        object.__setattr__(made, "__dict__", one.__dict__)
    return made


class _Reading:
    """What `_read_class` makes; no class of a user's is told of it as of one derived from it."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        pass


@lru_cache(maxsize=64)
def _read_class(kind: type, base: type, readers: tuple[tuple[str, Reader], ...]) -> type:
    """A class like `kind`, whose answers are read."""

    def read(method: str, reader: Reader) -> Callable[..., Any]:
        answer = Answer(method, kind.__name__)
        asked_for = len(inspect.signature(getattr(base, method)).parameters) - 1

        def asked(self: Any, *given: Any, **named: Any) -> Any:
            own = getattr(super(made, self), method)
            found = own(*given, **named)
            if named or len(given) < asked_for:
                # Only a user's own methods name what they give, or leave out what has a default.
                told = inspect.signature(own).bind(*given, **named)
                told.apply_defaults()
                given = told.args
            # What cannot be told from that is theirs.
            return found if len(given) < asked_for else reader(self, given, found, answer)

        return asked

    names: dict[str, Any] = {
        method: read(method, reader)
        for method, reader in readers
        if getattr(kind, method) is not getattr(base, method)
    }
    # A process that is sent one reads on.
    names["__reduce__"] = lambda self: (reading, (plain(self), base, dict(readers)))
    names |= {"__slots__": (), "__doc__": kind.__doc__}
    names |= {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    made: type = type(kind)(kind.__name__, (_Reading, kind), names)
    return made


def _free_shapes(params: Params) -> dict[str, tuple[int, ...]]:
    """Of each array's free numbers; of shares it is told one by one."""
    supports = type(params).supports()
    return {
        name: shape
        if isinstance(support := supports.get(name, Real()), Simplex)
        else support.free_shape(shape)
        for name, shape in shapes_of(params).items()
    }


def _broadcasts(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False


def _listed(names: Mapping[str, Any]) -> str:
    return " and ".join(filter(None, [", ".join(map(repr, list(names)[:-1])), repr([*names][-1])]))
