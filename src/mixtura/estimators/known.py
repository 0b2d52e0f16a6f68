"""What labels of some rows change of an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.known_rows import KnownRows, labels_of
from mixtura.data.rows import Rows
from mixtura.data.source import Source


def labelled(
    estimator: Any, rows: Source, sample_weight: Any, labels: Any
) -> tuple[Source, tuple[str, ...]]:
    """(the rows of a fit with what is known of them, the names of the first components).

    ValueError where labels are not those of the rows.
    """
    if labels is None:
        return rows, ()
    if not estimator._knows_labels:
        raise ValueError(f"labels: {type(estimator).__name__} knows none: use GaussianMixture")
    if not isinstance(rows, Rows):
        raise ValueError(
            "labels need all rows in memory, and these are read from a file or in chunks: load "
            "the table and fit the array"
        )
    w = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    # Of rows without weight some are left out at the door.
    all_rows = rows.n if w is None or w.ndim == 0 else len(w)
    known, names = labels_of(labels, all_rows, estimator.n_components)
    if known is None:
        return rows, ()
    if len(known) != rows.n:
        assert w is not None
        known = known[w > 0]
    return KnownRows(rows.X, rows.sample_weight, known), names


def hold_names(estimator: Any, names: tuple[str, ...]) -> None:
    """Set `classes_`, or take it away."""
    estimator.__dict__.pop("classes_", None)
    if names:
        estimator.classes_ = np.array(names)


def stored_names(estimator: Any) -> dict[str, Any]:
    """The part of a model file; nothing without names."""
    names = estimator.__dict__.get("classes_")
    return {} if names is None else {"classes": [str(name) for name in names]}


def restore_names(estimator: Any, names: tuple[str, ...] | None) -> None:
    """Set `classes_` from a file; ValueError where they are not those of components."""
    if names is None:
        return
    K = getattr(estimator, estimator._groups)
    if not 0 < len(set(names)) == len(names) <= K:
        raise ValueError(f"classes has {len(names)} names, not different ones of {K} components")
    hold_names(estimator, names)
