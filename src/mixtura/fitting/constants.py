"""Columns said to be constant inside a component, looked up in the rows that it holds.

Sums tell a variance to so many digits of the table's: in a column that runs to 1e8 a standard
deviation of 1 is nothing. So what a prior takes for constant is a guess, and the rows decide.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.source import Source
from mixtura.models.base import Labelled

# (column, value) by component.
Guess = dict[int, tuple[tuple[int, float], ...]]
# Rows looked at together, and how many different values are counted.
_PIECE, _MANY = 1 << 14, 64
# The share of a component's rows that agree, to as many digits as are printed: a row or two of
# another may lie near.
_SHARE, _DIGITS = 0.95, 1e-6

Tally = dict[tuple[int, int], tuple[int, dict[float, int]]]


def met(guess: Guess, model: Any, rows: Source, params: Any) -> Guess:
    """Of a guess what nearly all rows of a component have, with the value that they have."""
    asked = [(k, j) for k, columns in guess.items() for j, _ in columns]
    if not asked or not isinstance(model, Labelled):
        return guess

    def tallied(part: Source) -> Tally:
        found: Tally = dict.fromkeys(asked, (0, {}))
        for x, w, *_ in part.chunks(_PIECE):
            X = np.asarray(x if w is None else x[w > 0], dtype=np.float64)
            labels = model.log_joint(X, params).argmax(axis=1)
            for k, j in asked:
                cells = X[labels == k, j]
                values, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
                first = np.argsort(-counts, kind="stable")[:_MANY]
                seen = dict(zip(values[first].tolist(), counts[first].tolist(), strict=True))
                found[k, j] = _added(found[k, j], (int(counts.sum()), seen))
        return found

    def together(one: Tally, two: Tally) -> Tally:
        return {key: _added(one[key], two[key]) for key in asked}

    tally = rows.reduced(tallied, together)
    kept = {key: value for key, seen in tally.items() if (value := _agreed(*seen)) is not None}
    return {k: tuple((j, kept[k, j]) for j, _ in guess[k] if (k, j) in kept) for k in guess}


def _added(
    one: tuple[int, dict[float, int]], two: tuple[int, dict[float, int]]
) -> tuple[int, dict[float, int]]:
    every = {value: one[1].get(value, 0) + two[1].get(value, 0) for value in {**one[1], **two[1]}}
    most = sorted(every.items(), key=lambda item: -item[1])[:_MANY]
    return one[0] + two[0], dict(most)


def _agreed(rows: int, seen: dict[float, int]) -> float | None:
    """The value that nearly all rows have; None where there is none, or no row."""
    if not seen:
        return None
    value = max(seen, key=lambda one: seen[one])
    near = sum(n for each, n in seen.items() if abs(each - value) <= _DIGITS * abs(value))
    return value + 0.0 if near >= _SHARE * rows else None  # Zero has no sign.
