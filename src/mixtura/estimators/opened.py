"""Tables that are read in pieces, or small ones from a file, as they come in for an estimator."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mixtura.data import door
from mixtura.data.categories import Wanted
from mixtura.data.lazy import collected, is_lazy, within
from mixtura.data.opening import is_stream, loaded, stream
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.streamed import SMALL_BYTES, Streamed
from mixtura.data.tables import NamedRows, read_table
from mixtura.engines.choose import AWAY
from mixtura.estimators.weighing import weighed
from mixtura.families.base import Family
from mixtura.records import AnyArray, Array, Categories, Weights
from mixtura.solvers.registry import needs_memory


class Asking(Protocol):
    """An estimator, as what comes in is checked for it."""

    n_features_in_: int
    feature_names_in_: AnyArray
    weights: str
    solver: Any
    engine: str


class Fitting(Asking, Protocol):
    """One that is fitted with a number of components."""

    n_components: int

    def _names(self) -> list[str]: ...

    def _weights_for(self, sample_weight: Weights, X: AnyArray) -> Array: ...

    def _stood_in(self, X: AnyArray, kind: Family, found: Categories) -> AnyArray: ...


def wanted(kinds: Sequence[Family]) -> Wanted:
    """What a table may hold for all of these families; the first may know its categories."""
    return Wanted(lambda names: taken(kinds, names), kinds[0].categories, may_miss(kinds))


def may_miss(kinds: Sequence[Family], *, filling: bool = True) -> bool:
    """Whether cells may be missing, for all of these families."""
    return all(kind.allows_gaps or (filling and kind.fills_gaps) for kind in kinds)


def taken(kinds: Sequence[Family], names: Sequence[str]) -> list[bool]:
    """The columns in which all families take categories."""
    each = zip(*(kind.takes_categories(names) for kind in kinds), strict=True)
    return [all(told) for told in each]


def small(X: Any, kinds: Sequence[Family], columns: Sequence[str] | None = None) -> Any:
    """The table, read at once, if X is the path of a small one that may hold categories.

    A tensor as an array; what is made when asked for, if it is small, in memory.
    """
    X = door.host(X)
    if not is_lazy(X) or within(X, SMALL_BYTES):
        X = collected(X)
    if not isinstance(X, (str, os.PathLike)) or str(X).lower().endswith(".npy"):
        return X
    path = Path(X)
    if not path.is_file() or path.stat().st_size > SMALL_BYTES:
        return X
    names = None if columns is None else [str(name) for name in columns]
    if not any(taken(kinds, names or ["x1"])):
        return X
    return read_table(path, columns=names, wanted=wanted(kinds))


def read(estimator: Asking, X: Any, kind: Family, who: str) -> tuple[Any, Array | None]:
    """(X itself, or the rows of a small table that is read in pieces; the weights these bring).

    For what stands beside rows in memory, `who`; ValueError for a table that memory may not hold.
    """
    X = small(X, [kind], getattr(estimator, "feature_names_in_", None))
    if not is_stream(X):
        return X, None
    rows = loaded(asked(estimator, X, may_miss([kind], filling=True)))
    if not isinstance(rows, Rows):
        raise ValueError(f"{who}: X is read in pieces, and these are of rows in memory: load it")
    names = door.column_names(getattr(estimator, "feature_names_in_", None), rows.d)
    return NamedRows(rows.X, tuple(names), rows.sample_weight), rows.sample_weight


def opened(
    X: Any, sample_weight: Weights, gaps: bool, columns: list[str] | None = None
) -> Streamed:
    """A table opened to be read in pieces; `gaps` says whether cells may be missing."""
    source = stream(X, columns=columns, sample_weight=sample_weight, gaps=gaps)
    if source.reader.gaps and not gaps:
        raise ValueError(
            f"{source.reader.name}: it was opened with gaps=True, and cells of this family cannot "
            "be missing: open it without"
        )
    return source


def streamed(
    estimator: Fitting, X: Any, sample_weight: Weights, gaps: bool
) -> tuple[Source, AnyArray]:
    """The rows of a fit, and what is missing in any of them."""
    if estimator.engine == AWAY and isinstance(X, (str, os.PathLike)):
        if sample_weight is not None:
            raise ValueError(
                f"sample_weight cannot be given for {X}: make the weights a column, and name it in "
                "mixtura.stream(dask.dataframe.read_parquet(...), weights=...)"
            )
        X = read_apart(Path(X), gaps=gaps)
    source = weighed(opened(X, sample_weight, gaps), estimator.weights)
    refuse_single(source)
    note_columns(estimator, source)
    refuse_few(estimator, source.n)
    refuse_scales(source, estimator.n_components, estimator._names())
    rows = loaded(source)
    if isinstance(rows, Streamed) and needs_memory(estimator.solver):
        raise ValueError(
            f"solver={estimator.solver!r} needs all rows in memory, and these are read in pieces: "
            "use another solver, or load the table and fit the array"
        )
    return rows, missing_row(source)


def missing_row(source: Streamed) -> AnyArray:
    """One row (1, d) without the cells that any row is without."""
    return np.where(source.survey.missing, np.nan, 0.0)[None]


def read_apart(path: Path, **how: Any) -> Streamed:
    """A Parquet file or a folder of them as a table whose parts Dask's workers read."""
    try:
        from mixtura.data.dask_blocks import of_parquet
    except ModuleNotFoundError as error:
        raise ValueError(
            f"engine 'dask' needs the package {error.name}: pip install 'mixtura[dask]'"
        ) from None
    return of_parquet(path, **how)


def refuse_scales(source: Streamed, n_components: int, names: list[str]) -> None:
    """ValueError for columns without a value or of extreme size, and for weights that are none."""
    survey = source.survey
    for j in np.flatnonzero(np.isinf(survey.low)):
        raise ValueError(f"X: column {names[j]!r} has no value in any row: leave it out")
    if survey.empty >= 0 and not source.reader.steps:
        raise ValueError(
            f"{source.place_of(survey.empty)} has no value in any column: leave it out"
        )
    door.refuse_extreme_ranges(survey.low, survey.high, survey.dtype, names)
    if survey.weighted:
        door.check_total_weight(survey.weight, survey.positive, n_components)


def refuse_single(source: Streamed) -> None:
    if source.n < 2:
        raise ValueError(
            f"{source.reader.name}: found array with {source.n} sample(s) while a minimum of 2 is "
            "required"
        )


def note_columns(estimator: Asking, source: Streamed) -> None:
    """Set what scikit-learn sets of the columns of a table in memory."""
    estimator.n_features_in_ = source.d
    if source.reader.names is not None:
        estimator.feature_names_in_ = np.array(source.reader.names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def refuse_few(estimator: Fitting, n: int) -> None:
    if n < estimator.n_components:
        raise ValueError(
            "Expected n_samples >= n_components but got n_components = "
            f"{estimator.n_components}, n_samples = {n}"
        )


def asked(estimator: Asking, X: Any, gaps: bool, sample_weight: Weights = None) -> Streamed:
    """The rows of a table that is read in pieces, for a fitted estimator.

    From a file the columns that were fitted are taken, by name.
    """
    names = getattr(estimator, "feature_names_in_", None)
    is_table = isinstance(X, (str, bytes)) or hasattr(X, "__fspath__")
    if names is not None and is_table and not str(X).lower().endswith(".npy"):
        source = opened(X, None, gaps, [str(name) for name in names])
    else:
        source = opened(X, sample_weight, gaps)
    refuse_columns(estimator, source.d, source.reader.names, source.reader.name)
    return source


def refuse_columns(estimator: Asking, d: int, found: Sequence[str] | None, name: str) -> None:
    """ValueError where a table is not of the columns that were fitted, d of them in these names."""
    if d != estimator.n_features_in_:
        raise ValueError(
            f"X has {d} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and found is not None and list(found) != [str(n) for n in names]:
        raise ValueError(
            f"{name}: its columns are {', '.join(found)}, and the mixture was fitted "
            f"to {', '.join(map(str, names))}: choose them with mixtura.stream(..., columns=...)"
        )
