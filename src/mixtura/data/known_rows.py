"""Rows of some of which somebody knows the component, and how such labels may be written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from mixtura.data.door import as_numbers, at_hand, column
from mixtura.data.refusal import row_at
from mixtura.data.rows import Rows
from mixtura.data.sequences import known_states
from mixtura.records import AnyArray, Array, Chunk

# How far from one the memberships of a row may add up.
_SLACK = 1e-6
# Text where nobody knows: none, and what `astype(str)` makes of a missing value.
UNKNOWN = ("", "-1", "nan", "None", "<NA>")
# Names that a message lists.
LISTED = 8


@dataclass(frozen=True)
class KnownRows(Rows):
    """Rows with what is known of their components, as `Chunk.known` has it."""

    known: AnyArray | None = None

    def chunks(self, size: int) -> Iterator[Chunk]:
        assert self.known is not None
        for chunk in super().chunks(size):
            yield chunk._replace(known=self.known[chunk.where])

    def take(self, indices: AnyArray) -> KnownRows:
        assert self.known is not None
        rows = super().take(indices)
        return KnownRows(rows.X, rows.sample_weight, self.known[indices], measured=rows.measured)

    @property
    def told(self) -> AnyArray:
        """Which rows somebody knows something of, bool (n,)."""
        assert self.known is not None
        return np.asarray(self.known >= 0 if self.known.ndim == 1 else self.known.any(axis=1))


def labels_of(labels: Any, n: int, K: int) -> tuple[AnyArray | None, tuple[str, ...]]:
    """(labels of n rows as `Chunk.known` has them, the names of the first components).

    `labels` are numbers of components (n,), names (n,), or memberships (n, K); None, NaN, a masked
    cell, -1 and the text `UNKNOWN` say that nobody knows. Names are put in order, numbers among
    them by size; without any there are no names. None where nothing is known of any row. ValueError
    for what is no component, and for memberships that do not add up to one.
    """
    if labels is None:
        return None, ()
    # Of one component one column is its memberships.
    labels = at_hand(labels) if K == 1 else column(labels)
    if isinstance(labels, np.ma.MaskedArray):
        # A cell that is masked is one that nobody knows.
        labels = _unmasked(labels)
    # NumPy would turn a list of text and NaN into text.
    given = labels if hasattr(labels, "dtype") else np.asarray(labels, dtype=object)
    if np.ndim(given) == 2:
        return _memberships(as_numbers(given, "labels"), n, K), ()
    if np.asarray(given).dtype.kind in "iuf":
        return known_states(given, n, K, "labels"), ()
    if np.shape(given) != (n,):
        raise ValueError(
            f"labels has shape {np.shape(given)}, and X has {n} rows: give the label of each row, "
            "None where nobody knows"
        )
    found = _told(given)
    if all(isinstance(each, int | float) for each in found if each is not None):
        numbers = [np.nan if each is None else float(each) for each in found]
        return known_states(np.array(numbers), n, K, "labels"), ()
    return _named([None if each is None else str(each) for each in found], K)


def _unmasked(labels: Any) -> AnyArray:
    """Labels, or memberships, without a value where they are masked."""
    found = np.array(labels.data, dtype=object if labels.ndim == 1 else np.float64)
    found[np.ma.getmaskarray(labels)] = None if labels.ndim == 1 else np.nan
    return found


def _told(given: Any) -> list[Any]:
    """What is told of each row, None where nothing is."""
    import pyarrow as pa

    each = np.array(given, dtype=object)
    # Beside names the number -1 is still no name.
    each[[isinstance(one, Real) and one == -1 for one in each]] = None
    try:
        found = pa.array(each, from_pandas=True).to_pylist()
    except pa.ArrowException:
        there = [one for one in each if one is not None and one is not np.nan]
        other = [one for one in there if isinstance(one, str) != isinstance(there[0], str)]
        found = " and ".join(map(repr, [*there[:1], *other[:1]]))
        raise ValueError(
            f"labels are neither all numbers nor all text (found {found}): give one kind, and "
            "None, NaN or -1 where nobody knows"
        ) from None
    nested = next((each for each in found if isinstance(each, list | dict)), None)
    if nested is not None:
        raise ValueError(f"labels hold {nested!r}: give one number or name for each row")
    return [None if one in UNKNOWN else one for one in found]


def _named(found: list[str | None], K: int) -> tuple[AnyArray | None, tuple[str, ...]]:
    names = sorted({each for each in found if each is not None}, key=_place)
    if len(names) > K:
        raise ValueError(
            f"labels have {len(names)} different names, and there are {K} components: use "
            f"n_components={len(names)} or more; the names are {listed_names(names)}"
        )
    places: dict[str | None, int] = {name: k for k, name in enumerate(names)} | {None: -1}
    known = np.array([places[each] for each in found], dtype=np.int64)
    return (known if names else None), tuple(names)


def listed_names(names: list[str]) -> str:
    """The first of them, for a message."""
    more = len(names) - LISTED
    return ", ".join(map(repr, names[:LISTED])) + (f" and {more} more" if more > 0 else "")


def _place(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return np.inf, name


def _memberships(given: Array, n: int, K: int) -> Array | None:
    """Their logarithms, 0 in all places where nobody knows."""
    if given.shape != (n, K):
        raise ValueError(
            f"labels has shape {given.shape}, and memberships of {n} rows in {K} components have "
            f"({n}, {K}): give a row of NaN where nobody knows"
        )
    unknown = np.asarray(np.isnan(given).all(axis=1))
    total = np.where(unknown, 1.0, given.sum(axis=1))
    wrong = ~unknown & ~((given >= 0).all(axis=1) & (np.abs(total - 1.0) <= _SLACK))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"labels: {row_at(row)} has memberships {given[row].tolist()}, and these are at least "
            "0 and add up to 1: divide them by their sum, or make all of them NaN where nobody "
            "knows"
        )
    with np.errstate(divide="ignore"):
        known = np.where(unknown[:, None], 0.0, np.log(given / total[:, None]))
    return None if unknown.all() else known
