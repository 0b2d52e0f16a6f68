"""What comes in at `fit` and `predict`, checked: a table in memory or one read in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from mixtura.data import door
from mixtura.data.categories import coded
from mixtura.data.exact import refuse_inexact
from mixtura.data.lazy import collected
from mixtura.data.nulls import as_nan
from mixtura.data.opening import is_stream
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.tables import NamedRows
from mixtura.estimators.opened import (
    Asking,
    Fitting,
    may_miss,
    missing_row,
    note_columns,
    opened,
    refuse_few,
    refuse_scales,
    refuse_single,
    small,
    streamed,
    taken,
)
from mixtura.estimators.weighing import scaled, weighed
from mixtura.families.base import Family
from mixtura.families.domain import BadRow
from mixtura.records import AnyArray, Array, Categories, Weights
from mixtura.report.digits import counted
from mixtura.solvers.registry import needs_memory

# The rows with numbers in cells of which only an interval is known, and `Rows.measured`.
BesideCells = Callable[[AnyArray, Sequence[Family], Categories], tuple[AnyArray, dict[str, Array]]]


def admitted(
    estimator: Fitting, X: Any, sample_weight: Weights, kind: Family
) -> tuple[Source, Family]:
    """The rows of a fit, and the family for their table; ValueError where they cannot be fitted."""
    mapped = isinstance(X, np.memmap) and needs_memory(estimator.solver)
    X = small(X, [kind])
    if is_stream(X) and not mapped:
        rows, missing = streamed(estimator, X, sample_weight, may_miss([kind]))
        if isinstance(rows, Rows):
            numbers = estimator._stood_in(rows.X, kind, ())
            if numbers is not rows.X:
                rows, missing = replace(rows, X=numbers), numbers
        return rows, kind.for_table(estimator._names(), (), None).filling(missing)
    return _in_memory(estimator, X, sample_weight, kind)


def validated(
    estimator: Any,
    X: Any,
    kinds: Sequence[Family],
    *,
    reset: bool = True,
    least: int = 1,
    filling: bool = False,
) -> tuple[AnyArray, Categories]:
    """Rows (n, d) for any of these families, and what codes among them stand for.

    `X` is whatever holds rows, `NamedRows` too. `reset` says whether they are those of a fit, which
    has at least so many; `filling`, whether a family may expect missing cells from others.
    ValueError for what cannot be read as numbers, and for gaps where a family allows none.
    """
    gaps = may_miss(kinds, filling=filling)
    how: dict[str, Any] = {
        "dtype": [np.float64, np.float32],
        "order": "C",
        "ensure_min_samples": least,
        # The door says where an infinite cell is.
        "ensure_all_finite": False,
    }
    if not isinstance(X, NamedRows):
        door.refuse_no_table(X)
        X = as_nan(collected(door.host(X)), gaps)
    rows, found = _numbers(estimator, X, kinds, reset, how)
    names = door.column_names(getattr(estimator, "feature_names_in_", None), rows.shape[1])
    door.refuse_infinite(rows, names)
    if not gaps:
        door.refuse_gaps(rows, names)
    return rows, found


def _numbers(
    estimator: Any, X: Any, kinds: Sequence[Family], reset: bool, how: dict[str, Any]
) -> tuple[AnyArray, Categories]:
    if isinstance(X, NamedRows):
        if not reset:
            # Its columns were chosen by name.
            return check_array(X.X, **how), X.categories
        rows = validate_data(estimator, X.X, **how)
        estimator.feature_names_in_ = np.array(X.names, dtype=object)
        return rows, X.categories
    door.refuse_dask(X)
    door.refuse_masked(X)
    known = kinds[0].categories
    if not reset and known:
        # Names before anything is looked up by them.
        validate_data(estimator, X, reset=False, skip_check_array=True)
    X, found = coded(X, lambda names: taken(kinds, names) if reset or known else [], known)
    refuse_inexact(X)
    return validate_data(estimator, X, reset=reset, **how), found


def _in_memory(
    estimator: Fitting, X: Any, sample_weight: Weights, kind: Family
) -> tuple[Rows, Family]:
    if isinstance(X, Iterator):
        raise ValueError(
            "X is an iterator, which can be read only once: give a callable that returns a fresh "
            "iterator of chunks each time, or an array"
        )
    X, found = validated(estimator, X, [kind], least=2, filling=True)
    X = estimator._stood_in(X, kind, found)
    refuse_few(estimator, len(X))
    rows = Rows(X)
    if sample_weight is not None:
        rows = Rows(X, estimator._weights_for(sample_weight, X))
    rows, kinds = _admitted(rows, estimator.n_components, estimator._names(), [kind], found)
    return rows, kinds[0]


def held(
    estimator: Asking,
    X: Any,
    sample_weight: Weights,
    kinds: Sequence[Family],
    beside: BesideCells | None = None,
) -> tuple[Source, list[Family]]:
    """The rows of a search, in memory or apart, and its families; ValueError as a fit.

    `beside` says of a table in memory what is known of its cells beside their numbers.
    """
    found: Categories = ()
    X = small(X, kinds)
    if is_stream(X):
        source = opened(X, sample_weight, may_miss(kinds))
        refuse_single(source)
        note_columns(estimator, source)
        if source.apart:
            source = weighed(source, estimator.weights)
            names = door.column_names(getattr(estimator, "feature_names_in_", None), source.d)
            refuse_scales(source, 1, names)
            gaps = missing_row(source)
            return source, [kind.for_table(names, (), None).filling(gaps) for kind in kinds]
        try:
            rows = source.loaded()
        except MemoryError:
            raise ValueError(
                f"{source.reader.name}: a search holds its rows in memory, and {source.n:,} rows "
                f"of {source.d} columns do not fit there: give it a sample of them"
            ) from None
        if beside is not None:
            X, cells = beside(rows.X, kinds, found)
            rows = replace(rows, X=X, measured=cells)
    else:
        X, found = validated(estimator, X, kinds, least=2, filling=True)
        X, cells = (X, {}) if beside is None else beside(X, kinds, found)
        rows = Rows(X, _weights(X, sample_weight), measured=cells)
    told = door.column_names(getattr(estimator, "feature_names_in_", None), rows.d)
    if rows.sample_weight is not None:
        rows = replace(rows, sample_weight=scaled(rows.sample_weight, estimator.weights))
    return _admitted(rows, 1, told, kinds, found)


def compared(
    X: Any, n_components: int, sample_weight: Weights, kind: Family
) -> tuple[Rows, Family]:
    """Rows in memory for several fits, and the family for them; ValueError as a fit."""
    nobody = BaseEstimator()
    X, found = validated(nobody, X, [kind], least=2, filling=True)
    if len(X) < n_components:
        raise ValueError(
            f"n_components={n_components}, but X has only {counted(len(X), 'row')}: use at most "
            f"{counted(len(X), 'component')}"
        )
    names = door.column_names(getattr(nobody, "feature_names_in_", None), X.shape[1])
    rows, kinds = _admitted(Rows(X, _weights(X, sample_weight)), n_components, names, [kind], found)
    return rows, kinds[0]


def _admitted(
    rows: Rows, n_components: int, names: list[str], kinds: Sequence[Family], found: Categories
) -> tuple[Rows, list[Family]]:
    """The rows, and the families for those that have weight; ValueError for what one refuses.

    The others are absent, whatever they hold: where that is what no family takes they are left out.
    A search judges several families cell by cell.
    """
    where, whole = np.arange(0), rows
    if rows.sample_weight is not None:
        door.check_weights(rows.sample_weight, n_components)
        if not rows.sample_weight.all():
            where = np.flatnonzero(rows.sample_weight)
            rows = rows.take(where)
    door.refuse_extreme_scales(rows.X, names)
    door.refuse_all_missing(rows.X, names, where)
    kinds = [kind.for_table(names, found, rows.X).filling(rows.X) for kind in kinds]
    if len(kinds) > 1:
        return rows, kinds
    try:
        kinds[0].refuse(rows.X, names)
    except BadRow as bad:
        raise bad.at(int(where[bad.row])) if len(where) else bad from None
    if not len(where) or np.isnan(np.delete(whole.X, where, axis=0)).any():
        return rows, kinds
    try:
        kinds[0].refuse(whole.X, names)
    except ValueError:
        return rows, kinds
    return whole, kinds


def _weights(X: AnyArray, sample_weight: Weights) -> Array | None:
    if sample_weight is None:
        return None
    return door.row_weights(sample_weight, X)
