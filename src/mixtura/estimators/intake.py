"""What comes in at `fit` and `predict`, checked: a table in memory or one read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_sample_weight, validate_data

from mixtura.data import door
from mixtura.data.categories import coded
from mixtura.data.exact import refuse_inexact
from mixtura.data.opening import is_stream, loaded, stream
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.streamed import Streamed
from mixtura.data.tables import NamedRows
from mixtura.estimators.weighing import scaled, weighed
from mixtura.families.base import Family
from mixtura.records import AnyArray, Array, Categories
from mixtura.report.digits import counted
from mixtura.solvers.registry import needs_memory


class Asking(Protocol):
    """An estimator, as what comes in is checked for it."""

    n_features_in_: int
    feature_names_in_: AnyArray
    weights: str
    solver: Any


class Fitting(Asking, Protocol):
    """One that is fitted with a number of components."""

    n_components: int

    def _names(self) -> list[str]: ...

    def _weights_for(self, sample_weight: Any, X: AnyArray) -> Array: ...


def admitted(
    estimator: Fitting,
    X: Any,
    sample_weight: Any,
    kind: Family,
) -> tuple[Source, Family]:
    """The rows of a fit, and the family for their table; ValueError where they cannot be fitted."""
    mapped = isinstance(X, np.memmap) and needs_memory(estimator.solver)
    if is_stream(X) and not mapped:
        rows = _streamed(estimator, X, sample_weight)
        return rows, kind.for_table(estimator._names(), (), None)
    return _in_memory(estimator, X, sample_weight, kind)


def validated(
    estimator: Any,
    X: Any,
    kinds: Sequence[Family],
    *,
    reset: bool = True,
    least: int = 1,
) -> tuple[AnyArray, Categories]:
    """Rows (n, d) for any of these families, and what codes among them stand for.

    `X` is whatever holds rows, `NamedRows` too. `reset` says whether they are those of a fit, which
    has at least so many. ValueError for what cannot be read as numbers, and for gaps where a
    family allows none.
    """
    if isinstance(X, NamedRows):
        rows, _ = validated(estimator, X.X, kinds, reset=reset, least=least)
        estimator.feature_names_in_ = np.array(X.names, dtype=object)
        return rows, X.categories
    door.refuse_masked(X)
    known = kinds[0].categories
    if not reset and known:
        # Names before anything is looked up by them.
        validate_data(estimator, X, reset=False, skip_check_array=True)
    X, found = coded(X, lambda names: _taken(kinds, names) if reset or known else [], known)
    refuse_inexact(X)
    X = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=[np.float64, np.float32],
        order="C",
        ensure_min_samples=least,
        ensure_all_finite="allow-nan" if all(kind.allows_gaps for kind in kinds) else True,
    )
    return X, found


def _taken(kinds: Sequence[Family], names: Sequence[str]) -> list[bool]:
    """The columns in which all families take categories."""
    each = zip(*(kind.takes_categories(names) for kind in kinds), strict=True)
    return [all(told) for told in each]


def _in_memory(
    estimator: Fitting,
    X: Any,
    sample_weight: Any,
    kind: Family,
) -> tuple[Rows, Family]:
    if isinstance(X, Iterator):
        raise ValueError(
            "X is an iterator, which can be read only once: give a callable that returns a fresh "
            "iterator of chunks each time, or an array"
        )
    X, found = validated(estimator, X, [kind], least=2)
    kind = kind.for_table(estimator._names(), found, X)
    _refuse_few(estimator, len(X))
    door.refuse_extreme_scales(X, estimator._names())
    door.refuse_all_missing(X, estimator._names())
    kind.refuse(X, estimator._names())
    if sample_weight is None:
        return Rows(X), kind
    weights = estimator._weights_for(sample_weight, X)
    door.check_weights(weights, estimator.n_components)
    return Rows(X, weights), kind


def _streamed(estimator: Fitting, X: Any, sample_weight: Any) -> Source:
    source = weighed(stream(X, sample_weight=sample_weight), estimator.weights)
    _refuse_single(source)
    _note_columns(estimator, source)
    _refuse_few(estimator, source.n)
    survey = source.survey
    door.refuse_extreme_ranges(survey.low, survey.high, survey.dtype, estimator._names())
    if survey.weighted:
        door.check_total_weight(survey.weight, survey.positive, estimator.n_components)
    rows = loaded(source)
    if isinstance(rows, Streamed) and needs_memory(estimator.solver):
        raise ValueError(
            f"solver={estimator.solver!r} needs all rows in memory, and these are read in pieces: "
            "use another solver, or load the table and fit the array"
        )
    return rows


def held(
    estimator: Asking,
    X: Any,
    sample_weight: Any,
    kinds: Sequence[Family],
) -> tuple[Rows, list[Family]]:
    """The rows of a search, in memory, and its families for them; ValueError as a fit."""
    found: Categories = ()
    if is_stream(X):
        source = stream(X, sample_weight=sample_weight)
        _refuse_single(source)
        _note_columns(estimator, source)
        try:
            rows = source.loaded()
        except MemoryError:
            raise ValueError(
                f"{source.reader.name}: a search holds its rows in memory, and {source.n:,} rows "
                f"of {source.d} columns do not fit there: give it a sample of them"
            ) from None
    else:
        X, found = validated(estimator, X, kinds, least=2)
        rows = Rows(X, _weights(X, sample_weight))
    told = door.column_names(getattr(estimator, "feature_names_in_", None), rows.d)
    door.refuse_extreme_scales(rows.X, told)
    kinds = [kind.for_table(told, found, rows.X) for kind in kinds]
    if rows.sample_weight is None:
        return rows, kinds
    door.check_weights(rows.sample_weight, 1)
    return Rows(rows.X, scaled(rows.sample_weight, estimator.weights)), kinds


def compared(X: Any, n_components: int, sample_weight: Any, kind: Family) -> tuple[Rows, Family]:
    """Rows in memory for several fits, and the family for them; ValueError as a fit."""
    nobody = BaseEstimator()
    X, found = validated(nobody, X, [kind], least=2)
    if len(X) < n_components:
        raise ValueError(
            f"n_components={n_components}, but X has only {counted(len(X), 'row')}: use at most "
            f"{counted(len(X), 'component')}"
        )
    names = door.column_names(getattr(nobody, "feature_names_in_", None), X.shape[1])
    door.refuse_extreme_scales(X, names)
    kind = kind.for_table(names, found, X)
    kind.refuse(X, names)
    weights = _weights(X, sample_weight)
    if weights is not None:
        door.check_weights(weights, n_components)
    return Rows(X, weights), kind


def _weights(X: AnyArray, sample_weight: Any) -> Array | None:
    if sample_weight is None:
        return None
    door.refuse_masked(sample_weight, "sample_weight")
    return np.asarray(
        _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    )


def _refuse_single(source: Streamed) -> None:
    if source.n < 2:
        raise ValueError(
            f"{source.reader.name}: found array with {source.n} sample(s) while a minimum of 2 is "
            "required"
        )


def _note_columns(estimator: Asking, source: Streamed) -> None:
    """Set what scikit-learn sets of the columns of a table in memory."""
    estimator.n_features_in_ = source.d
    if source.reader.names is not None:
        estimator.feature_names_in_ = np.array(source.reader.names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def _refuse_few(estimator: Fitting, n: int) -> None:
    if n < estimator.n_components:
        raise ValueError(
            "Expected n_samples >= n_components but got n_components = "
            f"{estimator.n_components}, n_samples = {n}"
        )


def asked(estimator: Asking, X: Any) -> Streamed:
    """The rows of a table that is read in pieces, for a fitted estimator.

    From a file the columns that were fitted are taken, by name.
    """
    names = getattr(estimator, "feature_names_in_", None)
    is_table = isinstance(X, (str, bytes)) or hasattr(X, "__fspath__")
    if names is not None and is_table and not str(X).lower().endswith(".npy"):
        source = stream(X, columns=[str(name) for name in names])
    else:
        source = stream(X)
    if source.d != estimator.n_features_in_:
        raise ValueError(
            f"X has {source.d} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    found = source.reader.names
    if names is not None and found is not None and list(found) != [str(n) for n in names]:
        raise ValueError(
            f"{source.reader.name}: its columns are {', '.join(found)}, and the mixture was fitted "
            f"to {', '.join(map(str, names))}: choose them with mixtura.stream(..., columns=...)"
        )
    return source
