"""What trimming and an eigenvalue ratio change of an estimator."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from mixtura.data.source import Source
from mixtura.estimators.complaints import warn_caller
from mixtura.estimators.fixed import fixed_note
from mixtura.families.ratio import EigenvalueRatio
from mixtura.fitting.mixture_fit import Found
from mixtura.report.view import LONGEST_NAME, shorten
from mixtura.schema import read

# What the parameters may be.
TRIM_SETTINGS: list[Any] = [Interval(Real, 0.0, 0.5, closed="left")]
CONSTRAINT_SETTINGS: list[Any] = [None, EigenvalueRatio]


def trim_of(estimator: Any) -> float:
    """The share of the rows that a fit leaves out; 0 for none."""
    return float(getattr(estimator, "trim", 0.0))


def warn_of_none(estimator: Any, rows: Source) -> None:
    """A warning where the share to leave out is less than one of the rows."""
    trim, weighted = trim_of(estimator), getattr(rows, "sample_weight", None) is not None
    # The margin is that of `kept_weights`.
    if trim and not weighted and trim * rows.positive + 1e-9 < 1:
        warn_caller(
            f"trim={trim:g} of {rows.positive} rows is less than one row, so that none is left "
            f"out: use trim={1 / rows.positive:.2g} or more, or trim=0"
        )


def hold_trim(estimator: Any, found: Found) -> None:
    """Set `trim_threshold_`, or take it away."""
    estimator.__dict__.pop("trim_threshold_", None)
    if found.threshold is not None:
        estimator.trim_threshold_ = found.threshold


def stored_limits(estimator: Any) -> dict[str, Any]:
    """The part of a model file; nothing where no row was left out."""
    threshold = estimator.__dict__.get("trim_threshold_")
    return {} if threshold is None else {"trim_threshold": threshold}


def restored_constraint(stored: Any) -> EigenvalueRatio | None:
    """The constraint in a model file; ValueError where it is none."""
    return None if stored is None else read(EigenvalueRatio, stored, "settings.constraint")


def notes(estimator: Any) -> tuple[tuple[str, str], ...]:
    """What the report says of both, and of labels: (label, sentence)."""
    found = []
    threshold, fit = estimator.__dict__.get("trim_threshold_"), estimator.fit_result_
    if threshold is not None and fit is not None:
        share = 100 * estimator.trim
        told = f"{share:.3g}% of the rows are left out, of the least log-density"
        bound = f"{threshold:.4g} divides them"
        found.append(("trimmed", f"{told}: {bound}; the log-likelihood is that of the others"))
    constraint = getattr(estimator, "constraint", None)
    if constraint is not None:
        scaled = estimator._family().compared_in
        units = scaled if constraint.scale else "the table's units"
        found.append(("constraint", f"eigenvalues at most {constraint.c:g} apart, {units}"))
    names = estimator.__dict__.get("classes_")
    if names is not None:
        each = [f"{k} is {shorten(str(name), LONGEST_NAME)}" for k, name in enumerate(names)]
        told = ", ".join(each)
        found.append(("labels", f"{told}; the log-likelihood is that of rows and labels"))
    return (*found, *fixed_note(estimator))


def trimmed_labels(labels: Any, log_density: Any, estimator: Any) -> None:
    """Mark rows below the threshold, in place, as of no component."""
    threshold = estimator.__dict__.get("trim_threshold_")
    if threshold is not None:
        labels[~(np.asarray(log_density) >= threshold)] = -1
