"""What each method of a user's own model returns, and how it is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.errors import FAILURES, WrongReturn
from mixtura.models.base import Model
from mixtura.records import Chunk, Params, Summary
from mixtura.returned import (
    LEAST_ROWS,
    TRUTH,
    Answer,
    is_own,
    ordinary,
    reading,
    refuse_settings,
    shapes_of,
    shown,
)

# Rows that are looked at where a model fails.
ROWS = 200

SUMMARY = "mixtura.Summary(loglik, weight, statistics)"
LOGLIK = "the chunk's log-likelihood as one real number"
WEIGHT = "the chunk's weight as one number from 0 up, the sum of what its rows count"
SUMS = "sums over the chunk's rows as a mixtura.Statistics, its fields arrays of real numbers"
PARAMS = "a mixtura.Params"
AS_GIVEN = "the mixtura.Params that e_step is given"
DRAWS = "(rows, what was hidden behind them), as many of each as were asked for"


def read(model: Model) -> Model:
    """The same model, what its methods return read where its class is a user's own."""
    if is_own(type(model)):
        refuse_settings(model, SETTINGS)
    return reading(model, Model, READERS)


def read_start(start: Params, name: str = "start") -> Params:
    """First parameters that a user gave by that name: numbers as arrays, within their supports."""
    return _begun(start, Answer(name, type(start).__name__, given=True), name)


def _begun(found: Any, answer: Answer, name: str) -> Params:
    params = answer.params(found, None, PARAMS)
    arrays = params.arrays()
    for field, support in type(params).supports().items():
        support.check(np.asarray(arrays[field], dtype=np.float64), f"{name}.{field}")
    return params


def refuse_first(model: Model, source: Source, params: Params, name: str) -> None:
    """ValueError where a user's own model fails at first parameters, given by that `name`."""
    X, weight, *_ = next(iter(source.chunks(ROWS)))
    chunk, method = Chunk(np.asarray(X, dtype=np.float64), weight), "e_step"
    try:
        summary = model.e_step(chunk, params)
        method = "m_step"
        model.m_step(summary, params)
    except (WrongReturn, *FAILURES):
        return
    except (ValueError, TypeError, LookupError) as error:
        each = [f"{field!r} of shape {shape}" for field, shape in shapes_of(params).items()]
        raise ValueError(
            f"{name}: {method} of {type(model).__name__} fails at these parameters, "
            f"{', '.join(each)} ({type(error).__name__}: {error}): give them the shapes that "
            "e_step and m_step work with, or mend these"
        ) from error


def _start(model: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Params:
    return _begun(found, answer, "start")


def _e_step(model: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Summary:
    if not isinstance(found, Summary):
        raise answer.wrong(shown(found), SUMMARY)
    loglik = answer.number(found.loglik, "the log-likelihood", LOGLIK)
    weight = answer.number(found.weight, "the weight", WEIGHT)
    if not 0.0 <= weight < np.inf:
        raise answer.wrong(f"the weight {weight}", WEIGHT)
    answer.statistics(found.statistics, SUMS)
    return replace(found, loglik=loglik, weight=weight)


def _m_step(model: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Params:
    _refuse_weightless(given[0], answer)
    params = answer.params(found, shapes_of(given[1]), AS_GIVEN)
    model.refuse_inadmissible(params)
    for name, array in params.arrays().items():
        if not np.isfinite(array).all():
            raise answer.wrong(f"{name!r} with NaN or infinity", "finite parameters")
    return params


def _score(model: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> dict[str, Any]:
    summary, params = given
    _refuse_weightless(summary, answer)
    read = answer.gradient(found, params)
    if np.isfinite(summary.loglik):
        answer.refuse_nan(read, params)
    return read


def _refuse_weightless(summary: Summary, answer: Answer) -> None:
    if not summary.weight > 0.0:
        raise replace(answer, method="e_step").wrong("a weight of 0 for all rows", WEIGHT)


def _information(model: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> dict[str, Any]:
    return answer.information(found, given[0])


def _log_prior(model: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> float:
    must = "one real number, 0 without a prior"
    value = answer.number(found, "", must)
    if not value < np.inf and ordinary(given[0]):
        raise answer.wrong(shown(value), must)
    return value


def _n_parameters(model: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> int:
    must = "how many free parameters there are, a whole number from 0 up"
    number = answer.number(found, "", must)
    if not (number >= 0 and number == int(number)):
        raise answer.wrong(shown(found), must)
    return int(number)


def _sample(model: Any, given: tuple[Any, ...], found: Any, answer: Answer) -> Any:
    if not (isinstance(found, tuple) and len(found) == 2):
        raise answer.wrong(shown(found), DRAWS)
    X = answer.numbers(found[0], "rows", DRAWS)
    if len(np.shape(X)) not in (1, 2) or len(X) != given[0] or len(found[1]) != given[0]:
        raise answer.wrong(f"rows {shown(X)}", DRAWS)
    return X, found[1]


SETTINGS = {
    "monotone": TRUTH,
    "generalised": TRUTH,
    "curved": TRUTH,
    "extrapolates": TRUTH,
    "least_rows": LEAST_ROWS,
}

READERS = {
    "e_step": _e_step,
    "m_step": _m_step,
    "transported": _e_step,
    "start": _start,
    "score": _score,
    "information": _information,
    "log_prior": _log_prior,
    "n_parameters": _n_parameters,
    "sample": _sample,
}
