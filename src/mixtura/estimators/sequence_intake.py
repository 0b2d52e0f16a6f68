"""What comes in for a hidden Markov model, checked: rows, and where their sequences end."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from mixtura.data import door
from mixtura.data.categories import coded
from mixtura.data.exact import EXACT_INTEGER, refuse_inexact
from mixtura.data.lazy import collected, is_dask
from mixtura.data.nulls import as_nan
from mixtura.data.opening import is_stream
from mixtura.data.refusal import refuse_given
from mixtura.data.sequences import Ordered, Sequences, ends_of, known_states, sequence_weights
from mixtura.data.tables import NamedRows
from mixtura.estimators.driving import Columns, columns_of
from mixtura.estimators.opened import (
    may_miss,
    missing_row,
    note_columns,
    refuse_columns,
    refuse_scales,
    taken,
)
from mixtura.families.base import Family
from mixtura.families.domain import BadRow
from mixtura.models.driven import refuse_gaps
from mixtura.records import AnyArray, Categories, Weights

# What nothing is given beside either.
APART = "sequences in Dask partitions"


def sequences(
    estimator: Any,
    X: Any,
    lengths: Any,
    kind: Family,
    *,
    sample_weight: Weights = None,
    states: Any = None,
    reset: bool = False,
    whole: bool = True,
) -> tuple[Any, Family]:
    """The rows with their ends, and the family for their table; ValueError where they are none.

    `reset` says whether they are those of a fit, `whole` whether they are all of them.
    """
    X, lengths = _joined(collected(X), lengths)
    if reset and is_dask(X):
        told = {"sample_weight": sample_weight, "states": states}
        for name in ("covariates", "initial_covariates"):
            told[name] = getattr(estimator, name, None)
        refuse_given(APART, told, "load the table, or leave it out")
        return _apart(estimator, X, lengths, kind)
    _refuse_elsewhere(X)
    rows, found = _validated(estimator, X, kind, reset)
    ends = ends_of(lengths, len(rows))
    names = door.column_names(getattr(estimator, "feature_names_in_", None), rows.shape[1])
    columns = columns_of(estimator, names)
    rows = _first_rows_alone(rows, ends, columns)
    if reset:
        kind = kind.for_table(names, found, rows)
    if columns.moves:
        refuse_gaps(rows, ends, columns.moves, names)
    known = known_states(states, len(rows), getattr(estimator, estimator._groups))
    table = Sequences(rows, sequence_weights(sample_weight, ends, whole), ends, known, columns.all)
    if not math.isfinite(table.total):
        door.refuse_infinite(rows, names)
    seen = table.rows()
    if not seen.n:
        raise ValueError("X has no value in any row: give at least one step that was seen")
    if not (table.complete or may_miss([kind])):
        _refuse_gaps(rows, table.seen, names, kind, reset)
    # Of a whole table gaps are not looked for twice.
    here = kind if table.complete and not reset else kind.filling(seen.X)
    try:
        _refuse_rows(here, table, names)
    except BadRow as bad:
        raise (bad if reset else bad.asked(here.allows_gaps)) from None
    if reset:
        door.refuse_extreme_scales(seen.X, names)
        if whole:
            refuse_few(estimator, seen.n)
            kind = here
    return table, kind


def _refuse_elsewhere(X: Any) -> None:
    """ValueError for rows that are not in memory."""
    if is_dask(X):
        raise ValueError(
            "X: a Dask collection is for fit and score, and answers about states are of sequences "
            "in memory: ask partition by partition, or give X.compute() where it fits there"
        )
    if is_stream(X):
        raise ValueError(
            "X: a hidden Markov model holds its sequences in memory: load the table, and give the "
            "array or the frame; to fit to more than that, give HiddenMarkov.fit a callable that "
            "returns an iterator of parts"
        )


def _first_rows_alone(X: AnyArray, ends: AnyArray, columns: Columns) -> AnyArray:
    """The rows, where what only first states hang on is that of the first row if it is missing."""
    own = [j for j in columns.first if j not in columns.moves]
    gaps = np.isnan(X[:, own])
    if not gaps.any():
        return X
    lengths = np.diff(ends, prepend=0)
    X = X.copy()
    X[:, own] = np.where(gaps, np.repeat(X[ends - lengths][:, own], lengths, axis=0), X[:, own])
    return X


def _apart(estimator: Any, X: Any, lengths: Any, kind: Family) -> tuple[Ordered, Family]:
    """Whole sequences in the partitions of a Dask collection."""
    from mixtura.data.dask_blocks import of_collection
    from mixtura.data.dask_sequences import DaskSequences

    gaps = may_miss([kind])
    source = of_collection(X, gaps=gaps, steps=True)
    if source.dtype != np.float64:
        source = of_collection(X.astype(np.float64), gaps=gaps, steps=True)
    note_columns(estimator, source)
    refuse_scales(source, 1, estimator._names())
    refuse_few(estimator, source.n)
    table = DaskSequences(source, ends_of(lengths, source.n))
    kind = kind.for_table(estimator._names(), (), None)
    return table, kind.filling(missing_row(table.rows()))


def summed_apart(
    estimator: Any, X: Any, lengths: Any, kind: Family, told: dict[str, Any]
) -> tuple[float, int]:
    """(log-likelihood, steps) of whole sequences in the partitions of a Dask collection."""
    from mixtura.data.dask_blocks import of_collection
    from mixtura.data.dask_sequences import DaskSequences

    refuse_given(APART, told, "load the table, or leave it out")
    source = of_collection(X, gaps=may_miss([kind]), steps=True)
    refuse_columns(estimator, source.d, source.reader.names, "X")
    names = tuple(estimator._names())

    def total(part: Any) -> float:
        # Of steps that nobody saw the likelihood is 1.
        if np.isnan(part.X).all():
            return 0.0
        rows = NamedRows(part.X, names, None)
        return float(estimator.score(rows, np.diff(part.stops, prepend=0)))

    table = DaskSequences(source, ends_of(lengths, source.n))
    return table.reduced(total, operator.add), source.n


def _joined(X: Any, lengths: Any) -> tuple[Any, Any]:
    """One table and its lengths, of a list of sequences."""
    parts = isinstance(X, Sequence) and len(X) > 0 and all(np.ndim(part) == 2 for part in X)
    if not parts or isinstance(X, str):
        return X, lengths
    if lengths is not None:
        raise ValueError("lengths: X is a list of sequences, whose lengths are known: leave it out")
    lengths = [len(part) for part in X]
    widths = {np.shape(part)[1] for part in X}
    if len(widths) > 1:
        raise ValueError(f"X: its sequences have {sorted(widths)} columns: give all the same ones")
    names = [list(getattr(part, "columns", ())) for part in X]
    for i, own in enumerate(names):
        if own != names[0]:
            raise ValueError(
                f"X: sequence {i} (counted from 0) has columns {own}, and the first has "
                f"{names[0]}: give all the same ones, in one order"
            )
    if names[0]:
        # pandas and Polars join frames by the same word.
        frames: Any = import_module(type(X[0]).__module__.partition(".")[0])
        return frames.concat(list(X)), lengths
    return np.concatenate([np.asarray(part) for part in X]), lengths


def _validated(estimator: Any, X: Any, kind: Family, reset: bool) -> tuple[AnyArray, Categories]:
    how: dict[str, Any] = {
        "dtype": np.float64,
        "order": "C",
        # `sequences` looks at the sum of all cells, once, and the door says where one is infinite.
        "ensure_all_finite": False,
    }
    plain = None if reset else _plain(estimator, X)
    if plain is not None:
        return plain, kind.categories
    if isinstance(X, NamedRows):
        if not reset:
            # Whoever has named rows has chosen the columns.
            return check_array(X.X, **how), X.categories
        found = validate_data(estimator, X.X, **how)
        estimator.feature_names_in_ = np.array(X.names, dtype=object)
        return found, X.categories
    X = as_nan(door.host(X), False)
    door.refuse_masked(X)
    known = kind.categories
    X, codes = coded(X, lambda names: taken([kind], names) if reset or known else [], known)
    refuse_inexact(X)
    return validate_data(estimator, X, reset=reset, **how), codes


def _plain(estimator: Any, X: Any) -> AnyArray | None:
    """X as the checks would leave it, where it hardly needs them; else None."""
    if not _of_the_fit(estimator, X):
        return None
    if X.dtype.kind == "f":
        return X if X.dtype == np.float64 and X.flags.c_contiguous else None
    # As a number without a sign what is negative is large, and goes through the checks.
    told = X if X.dtype.itemsize < 8 else X.view(np.uint64)
    exact = X.dtype.isnative and told.max() <= EXACT_INTEGER
    return X.astype(np.float64, order="C") if exact else None


def _of_the_fit(estimator: Any, X: Any) -> bool:
    """Whether X is an array of numbers with rows, and with the columns of the fit."""
    own = estimator.__dict__
    return (
        type(X) is np.ndarray
        and X.dtype.kind in "fiu"
        and X.ndim == 2
        and X.size > 0
        and X.shape[1] == own.get("n_features_in_")
        and "feature_names_in_" not in own
    )


def _refuse_gaps(
    X: AnyArray, seen: AnyArray, names: Sequence[str], kind: Family, reset: bool
) -> None:
    gaps = np.isnan(X) & seen[:, None]
    if gaps.any():
        i, j = np.argwhere(gaps)[0]
        raise BadRow(
            f"column {names[j]!r} has a gap",
            int(i),
            f", and cells of family {kind.name!r} cannot be missing alone: make the whole row NaN, "
            "a step that nobody saw" + (", or use family='normal'" if reset else ""),
        )


def _refuse_rows(kind: Family, table: Sequences, names: Sequence[str]) -> None:
    """`Family.refuse` of the steps that were seen; of many equal ones one is looked at."""
    kinds = None if kind.measure == "a density" else table.kinds
    if kinds is not None:
        try:
            return kind.refuse(kinds.rows, names)
        except BadRow:
            # What is told of a row must name the row.
            pass
    kind.refuse(table.rows().X, names)


def refuse_few(estimator: Any, n: int) -> None:
    K = getattr(estimator, estimator._groups)
    if n < K:
        steps = f"{n} step{'s' * (n != 1)}"
        raise ValueError(f"{estimator._groups}={K}, and X has only {steps}: use fewer states")
