"""What comes in at `fit` and `predict`, checked: a table in memory or one read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight, validate_data

from mixtura.data import door
from mixtura.data.opening import is_stream, loaded, stream
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.streamed import Streamed
from mixtura.estimators.weighing import scaled, weighed
from mixtura.families.base import Family
from mixtura.solvers.registry import needs_memory

if TYPE_CHECKING:
    from mixtura.estimators.base import MixtureEstimator
    from mixtura.estimators.climbed import ClimbedMixture
    from mixtura.estimators.component_search import ComponentSearch


def admitted(
    estimator: ClimbedMixture, X: Any, sample_weight: Any, names: Sequence[str] | None = None
) -> Source:
    """The rows of a fit; ValueError where they cannot be fitted.

    `names` are those of the columns of an array, which has none itself.
    """
    mapped = isinstance(X, np.memmap) and needs_memory(estimator.solver)
    if is_stream(X) and not mapped:
        return _streamed(estimator, X, sample_weight)
    return _in_memory(estimator, X, sample_weight, names)


def _in_memory(
    estimator: ClimbedMixture, X: Any, sample_weight: Any, names: Sequence[str] | None
) -> Rows:
    if isinstance(X, Iterator):
        raise ValueError(
            "X is an iterator, which can be read only once: give a callable that returns a fresh "
            "iterator of chunks each time, or an array"
        )
    door.refuse_unfit(X)
    door.refuse_text(X)
    X = validate_data(
        estimator,
        X,
        dtype=[np.float64, np.float32],
        order="C",
        ensure_min_samples=2,
        ensure_all_finite=finite(estimator._family()),
    )
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    _refuse_few(estimator, len(X))
    door.refuse_extreme_scales(X, estimator._names())
    door.refuse_all_missing(X, estimator._names())
    estimator._family().refuse(X, estimator._names())
    if sample_weight is None:
        return Rows(X)
    weights = estimator._weights_for(sample_weight, X)
    door.check_weights(weights, estimator.n_components)
    return Rows(X, weights)


def finite(family: Family) -> bool | str:
    """scikit-learn's word for whether gaps may pass."""
    return "allow-nan" if family.allows_gaps else True


def _streamed(estimator: ClimbedMixture, X: Any, sample_weight: Any) -> Source:
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


def held(estimator: ComponentSearch, X: Any, sample_weight: Any) -> Rows:
    """The rows of a search, in memory; ValueError where they cannot be searched."""
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
        rows = _array(estimator, X, sample_weight)
    names = getattr(estimator, "feature_names_in_", None)
    door.refuse_extreme_scales(rows.X, door.column_names(names, rows.d))
    if rows.sample_weight is None:
        return rows
    door.check_weights(rows.sample_weight, 1)
    return Rows(rows.X, scaled(rows.sample_weight, estimator.weights))


def _array(estimator: ComponentSearch, X: Any, sample_weight: Any) -> Rows:
    door.refuse_unfit(X)
    X = validate_data(
        estimator,
        X,
        dtype=[np.float64, np.float32],
        order="C",
        ensure_min_samples=2,
        ensure_all_finite="allow-nan" if estimator._gaps() else True,
    )
    if sample_weight is None:
        return Rows(X)
    door.refuse_no_weights(sample_weight)
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    return Rows(X, np.asarray(weights))


def _refuse_single(source: Streamed) -> None:
    if source.n < 2:
        raise ValueError(
            f"{source.reader.name}: found array with {source.n} sample(s) while a minimum of 2 is "
            "required"
        )


def _note_columns(estimator: ClimbedMixture | ComponentSearch, source: Streamed) -> None:
    """Set what scikit-learn sets of the columns of a table in memory."""
    estimator.n_features_in_ = source.d
    if source.reader.names is not None:
        estimator.feature_names_in_ = np.array(source.reader.names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def _refuse_few(estimator: ClimbedMixture, n: int) -> None:
    if n < estimator.n_components:
        raise ValueError(
            "Expected n_samples >= n_components but got n_components = "
            f"{estimator.n_components}, n_samples = {n}"
        )


def asked(estimator: MixtureEstimator, X: Any) -> Streamed:
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
