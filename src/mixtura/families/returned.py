"""What each method of a user's own family returns, read where the family settles on a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args

import numpy as np

from mixtura.data.survey import Survey
from mixtura.errors import WrongReturn
from mixtura.families.base import Family, Settled
from mixtura.families.portrait import Kind
from mixtura.families.priors import Prior
from mixtura.records import Array, Params, Statistics
from mixtura.returned import (
    LEAST_ROWS,
    TRUTH,
    Answer,
    is_own,
    plain,
    reading,
    refuse_settings,
    shapes_of,
    shown,
)

# Rows that are looked at.
ROWS = 200

SUMS = "a mixtura.Statistics, its fields arrays of real numbers"


def settle(family: Family, survey: Survey, K: int) -> Settled:
    """`family.settled`, and a first look at what a user's own family returns.

    WrongReturn names the method. Later passes over the rows cost nothing more.
    """
    asked = read(family)
    found = asked.settled(survey, K)
    if asked is family:
        return found
    X = np.asarray(survey.sample.X[:ROWS], dtype=np.float64)
    try:
        _ask(found, X, K)
    except WrongReturn as error:
        # What is asked of wrong parameters is not at fault.
        raise _wrong_base(family, found, K, X.shape[1]) or error from None
    return replace(found, family=plain(found.family))


def _ask(found: Settled, X: Array, K: int) -> None:
    for method, given, shape in _questions(found, X, K):
        # What few rows cannot tell, and what is not written.
        with np.errstate(all="ignore"), suppress(ValueError, ArithmeticError, NotImplementedError):
            told = getattr(found.family, method)(*given)
            answer = Answer(method, plain(found.family).__class__.__name__)
            if shape is not None and np.shape(told) != shape:
                raise answer.wrong(f"an array of shape {np.shape(told)}", f"one of shape {shape}")
            if method == "log_density" and not np.isfinite(told).all():
                wrong = _wrong_base(plain(found.family), found, K, X.shape[1])
                if wrong is not None:
                    raise wrong


def _wrong_base(family: Family, found: Settled, K: int, d: int) -> WrongReturn | None:
    """The error for first parameters of other shapes or outside their supports; None for right
    ones."""
    method = "maximize" if type(family).settled is Family.settled else "settled"
    answer, arrays = Answer(method, type(family).__name__), found.base.arrays()
    for name, shape in found.family.shapes(K, d).items():
        if np.shape(arrays[name]) != shape:
            must = f"{name!r} of shape {shape} for {K} components and {d} columns, as `shapes` says"
            return answer.wrong(f"{name!r} of shape {np.shape(arrays[name])}", must)
    try:
        found.family.params(arrays)
    except ValueError as error:
        return answer.wrong(f"parameters outside their supports ({error})", "admissible ones")
    return None


def maximized(family: Family, stats: Any, params: Any, prior: Any) -> Any:
    """`family.maximize`; of a user's own family components without rows keep their parameters."""
    if params is None or not is_own(type(family)) or (counts := family.counts(stats)).all():
        return family.maximize(stats, params, prior)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = family.maximize(stats, params, prior)
    old, gone = params.arrays(), np.flatnonzero(counts == 0.0)
    own = {name: a for name, a in found.arrays().items() if len(np.atleast_1d(a)) == len(counts)}
    # A prior may say what becomes of such a component.
    if not any(np.isnan(array[gone]).any() for array in own.values()):
        return found
    kept = {name: array.copy() for name, array in own.items()}
    for name, array in kept.items():
        array[gone] = old[name][gone]
    return found.with_arrays(kept)


def read(family: Family) -> Family:
    """The same family, what its methods return read where its class is a user's own."""
    check_class(family)
    return reading(family, Family, READERS)


def check_class(family: Family) -> None:
    """What a user's own class says of itself: its record, and attributes that are read."""
    if is_own(type(family)):
        _check_record(type(family).__name__, getattr(family, "record", None), family)
        refuse_settings(family, SETTINGS)


def _check_record(name: str, record: Any, family: Family) -> None:
    must = "a mixtura.Params whose fields say where they may live"
    if not (isinstance(record, type) and issubclass(record, Params)):
        raise WrongReturn(
            f"record of {name} is {shown(record)}: it must be the class of its parameters, {must}"
        )
    told: set[str] = {f.name for f in fields(record)} if is_dataclass(record) else set()
    silent = sorted(told - set(family.supports()))
    if silent or not told:
        what = f"{silent[0]!r} says not" if silent else "it has no fields that say"
        raise WrongReturn(
            f"record of {name} is {record.__name__}, and {what} where it may live: it must be "
            f"{must}, `{silent[0] if silent else 'scales'}: Annotated[np.ndarray, Positive()]` or "
            "another of mixtura.supports, under @dataclass(frozen=True)"
        )


def _questions(
    found: Settled, X: Array, K: int
) -> Iterator[tuple[str, tuple[Any, ...], tuple[int, ...] | None]]:
    """(method, what it is given, the shape of its answer), in the order in which a fit asks."""
    family, params, even = found.family, found.base, np.full((len(X), K), 1.0 / K)
    yield "log_density", (X, params), (len(X), K)
    yield "refuse", (X, [f"x{j}" for j in range(X.shape[1])]), None
    yield "frame", (X,), None
    yield "start", (X, even, params, found.prior), None
    stats = family.statistics(X, even, params)
    yield "maximize", (stats, params, found.prior), None
    try:
        family.params(params.arrays())
    except ValueError:
        # The fit itself says that the M-step left what is admissible.
        return
    yield "information", (params, even[0]), None
    if family.scored:
        yield "score", (stats, params), None
    if not family.conditional:
        yield "means", (params,), (K, X.shape[1])
        yield "variances", (params,), (K, X.shape[1])
        yield "sample", (np.arange(K), params, np.random.RandomState(0)), (K, X.shape[1])


def _numbers(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Array:
    must = "an array of real numbers"
    if not isinstance(found, np.ndarray):
        raise answer.wrong(shown(found), must)
    return answer.numbers(found, "", must)


def _statistics(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Statistics:
    sums, shape = answer.statistics(found, SUMS), np.shape(given[1])[1:]
    counts: Any = getattr(sums, "counts", None)
    if type(family).counts is Family.counts and np.shape(counts) != shape:
        told = "no `counts`" if counts is None else f"`counts` of shape {np.shape(counts)}"
        raise answer.wrong(
            f"{type(sums).__name__} with {told}",
            f"the components' sums of responsibilities in its field `counts`, of shape {shape}",
        )
    return sums


def _maximize(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Params:
    must = f"a {family.record.__name__}, the family's `record`"
    if not isinstance(found, family.record):
        raise answer.wrong(shown(found), must)
    if answer.params(found, None if given[1] is None else shapes_of(given[1]), must) is not found:
        raise answer.wrong(shown(found), f"{must}, its fields arrays")
    params: Params = found
    for name, array in params.arrays().items():
        if np.isnan(array).any():
            raise answer.wrong(f"NaN for {name!r}", "numbers")
    return params


def _score(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> dict[str, Any]:
    told = answer.gradient(found, given[1])
    answer.refuse_nan(told, given[1])
    return told


def _information(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> dict[str, Any]:
    return answer.information(found, given[0])


def _sample(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Array:
    drawn, n = _numbers(family, given, found, answer), len(given[0])
    if drawn.ndim != 2 or len(drawn) != n:
        raise answer.wrong(
            shown(drawn), f"a row for each of {n} labels, an array of shape ({n}, d)"
        )
    return drawn


def _settled(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Settled:
    must = "what `super().settled(survey, K)` does, its fields replaced: "
    if not isinstance(found, Settled):
        raise answer.wrong(shown(found), f"{must}a mixtura.families.base.Settled")
    for name, kind in (("family", Family), ("prior", Prior), ("base", Params)):
        part = getattr(found, name)
        if not isinstance(part, kind):
            raise answer.wrong(f"{name} = {shown(part)}", f"{must}a {kind.__name__} as `{name}`")
    frames: Any = found.frames
    if not (isinstance(frames, tuple) and frames and all(map(callable, frames))):
        raise answer.wrong(f"frames = {shown(frames)}", f"{must}a tuple of functions as `frames`")
    return found


def _refuse(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> None:
    if found is not None:
        raise answer.wrong(shown(found), "nothing, and raise ValueError where rows are wrong")


def _frame(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Array:
    frame, n = _numbers(family, given, found, answer), len(given[0])
    if frame.ndim != 2 or len(frame) != n or not np.isfinite(frame).all():
        raise answer.wrong(shown(frame), f"finite numbers of shape ({n}, q), a line for each row")
    return frame


def _start(family: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Params | None:
    return None if found is None else _maximize(family, given[1:], found, answer)


def _is_least(value: Any) -> bool:
    return isinstance(value, int | float | np.floating) and float(value) < np.inf


SETTINGS = {
    "least": (_is_least, "a number that all cells are above, or -numpy.inf"),
    "column_kind": (
        lambda value: value in get_args(Kind),
        f"one of {', '.join(map(repr, get_args(Kind)))}",
    ),
    "least_rows": LEAST_ROWS,
    "generalised": TRUTH,
    "curved": TRUTH,
    "allows_gaps": TRUTH,
    "fills_gaps": TRUTH,
    "conditional": TRUTH,
    "heavy_tailed": TRUTH,
    "soft_starts": TRUTH,
}

READERS = {
    "settled": _settled,
    "refuse": _refuse,
    "frame": _frame,
    "start": _start,
    "log_density": _numbers,
    "statistics": _statistics,
    "maximize": _maximize,
    "score": _score,
    "information": _information,
    "means": _numbers,
    "variances": _numbers,
    "sample": _sample,
}
