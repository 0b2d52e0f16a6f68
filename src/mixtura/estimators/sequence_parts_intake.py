"""Sequences that a callable gives part by part, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from mixtura.data.categories import UnmetCategory
from mixtura.data.opening import refuse_asking
from mixtura.data.sequence_parts import SequenceParts
from mixtura.data.sequences import Sequences
from mixtura.estimators.opened import missing_row
from mixtura.estimators.sequence_intake import refuse_few, sequences
from mixtura.families.base import Family
from mixtura.families.domain import BadRow

# Why nothing is given beside a callable.
PARTS_HOLD = (
    "its parts hold it, as tables or tuples (table, lengths, sample_weight, states): give it there"
)


def sequence_parts(
    estimator: Any, read: Callable[[], Iterable[Any]], kind: Family
) -> tuple[SequenceParts, Family]:
    """Sequences that a callable gives part by part, and the family for the first part's columns."""
    refuse_asking(read)

    def part(i: int, given: Any, kind: Family, reset: bool) -> tuple[Sequences, Family]:
        try:
            told = given if isinstance(given, tuple) else (given,)
            if not 1 <= len(told) <= 4:
                raise ValueError(
                    f"got a tuple of {len(told)}: give a table, or (table, lengths), (table, "
                    "lengths, sample_weight) or (table, lengths, sample_weight, states)"
                )
            X, lengths, weight, states = (*told, None, None, None)[:4]
            if np.shape(X)[:1] == (0,):
                raise ValueError("it has no rows: leave it out")
            beside = {"sample_weight": weight, "states": states}
            return sequences(estimator, X, lengths, kind, reset=reset, whole=False, **beside)
        except UnmetCategory as error:
            said = f"{error.met}: let the first part hold every category"
        except (ValueError, BadRow) as error:
            said = str(error)
        raise ValueError(f"X, part {i} (counted from 0): {said}")

    first = next(_begun(read), None)
    if first is None:
        raise ValueError("X gave no part: it must return a fresh iterator each time it is called")
    kind = part(0, first, kind, True)[1]
    del first

    def fresh() -> Iterator[Sequences]:
        for i, given in enumerate(_begun(read)):
            yield part(i, given, kind, False)[0]

    parts = SequenceParts(fresh)
    if parts.weight == 0:
        raise ValueError(
            "sample_weight is 0 in all parts of X: give some sequence a weight above 0"
        )
    refuse_few(estimator, parts.n)
    return parts, kind.filling(missing_row(parts.rows()))


def _begun(read: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """A fresh iterator of parts; ValueError where what is called returns none."""
    found: Any = read()
    if hasattr(found, "__array__") and np.ndim(found) <= 2:
        raise ValueError(
            "X, called, returned a table: it must return a fresh iterator of such tables, as "
            "iter([table]), or give the table itself"
        )
    if not isinstance(found, Iterable):
        raise ValueError(
            f"X, called, returned {type(found).__name__}: it must return a fresh iterator of parts "
            "each time it is called"
        )
    return iter(found)
