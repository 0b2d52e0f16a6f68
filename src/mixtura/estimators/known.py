"""What labels of some rows change of an estimator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mixtura.data.door import column, weights_of
from mixtura.data.known_rows import KnownRows, labels_of
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.models.noise import NOISE
from mixtura.records import AnyArray, Weights


def labelled(
    estimator: Any, rows: Source, sample_weight: Weights, labels: Any, K: int | None = None
) -> tuple[Source, tuple[str, ...]]:
    """(the rows of a fit with what is known of them, the names of the first components).

    `K` is the number of components, by default the estimator's. ValueError where labels are not
    those of the rows.
    """
    if labels is None:
        return rows, ()
    if not getattr(estimator, "_knows_labels", True):
        name = type(estimator).__name__
        raise ValueError(f"labels: {name} knows none: use GaussianMixture or Mixture")
    if not isinstance(rows, Rows):
        raise ValueError(
            "labels need all rows in memory, and these are read from a file or in chunks: load "
            "the table and fit the array"
        )
    w = None if sample_weight is None else weights_of(sample_weight)
    # Of rows without weight some are left out at the door.
    all_rows = rows.n if w is None or w.ndim == 0 else len(w)
    known, names = labels_of(labels, all_rows, K or estimator.n_components)
    if known is None:
        return rows, ()
    if len(known) != rows.n:
        assert w is not None
        known = known[w > 0]
    return KnownRows(rows.X, rows.sample_weight, known, measured=rows.measured), names


def groups_in(labels: Any, most: int) -> int:
    """How many components labels are written for: columns of memberships, else `most`."""
    given = labels if most == 1 else column(labels)
    return int(np.shape(given)[1]) if np.ndim(given) == 2 else most


def labelled_groups(rows: Source, names: tuple[str, ...]) -> int:
    """How many components the labels of rows speak of; 0 without labels."""
    if not isinstance(rows, KnownRows) or rows.known is None:
        return 0
    return len(names) or int(rows.known.shape[1] if rows.known.ndim == 2 else rows.known.max() + 1)


def hold_told(estimator: Any, names: tuple[str, ...], rows: Source) -> None:
    """Set `classes_`, and what the fit was told of its rows (`told_`), or take them away."""
    w = rows.sample_weight if isinstance(rows, Rows) else None
    weighted = w is not None and bool(np.any(w != 1))
    told = ["labels"] if isinstance(rows, KnownRows) else []
    beside = rows.measured if isinstance(rows, Rows) else {}
    told += ["error"] * ("_error" in estimator.__dict__ or "error" in beside)
    told += ["bounds"] * ("_bounds" in estimator.__dict__ or bool({"lower", "upper"} & {*beside}))
    for name, value in (("classes_", names), ("told_", told), ("_weighted", weighted)):
        estimator.__dict__.pop(name, None)
        if value:
            setattr(estimator, name, np.array(value))


def refuse_told(what: str, estimator: Any) -> None:
    """ValueError where something compares a fit with rows of which it was told more than X."""
    told = estimator.__dict__.get("told_", ())
    if len(told):
        raise ValueError(
            f"{what}: the fit was told {' and '.join(told)} of its rows, which X alone does not "
            "say: what it is worth is in fit_result_ and summary()"
        )


def refuse_beyond(what: str, beyond: dict[str, Any]) -> None:
    """ValueError for what a fit may be told of its rows and this may not; TypeError for others."""
    strange = [name for name in beyond if name not in ("lower", "upper", "error")]
    if strange:
        raise TypeError(f"{what}() got an unexpected keyword argument {strange[0]!r}")
    if beyond:
        raise ValueError(
            f"{what}: rows are taken for the numbers themselves; {', '.join(beyond)} is known to "
            "fit, fit_predict, predict, predict_proba, score and score_samples alone: leave it out"
        )


def refuse_unweighted(what: str, estimator: Any, sample_weight: Weights) -> None:
    """ValueError where the rows of a fit come back without the weights that they had there."""
    fit, weighted = estimator.__dict__.get("fit_result_"), "_weighted" in estimator.__dict__
    if fit is not None and fit.rows > 0:
        # A model file tells of weights by their sum alone.
        weighted |= not math.isclose(fit.weight, fit.rows, rel_tol=1e-9)
    if sample_weight is None and weighted:
        raise ValueError(
            f"{what}: the fit was given sample_weight, and it is asked of the same rows: give "
            "sample_weight= as in the fit"
        )


def told_notes(estimator: Any) -> list[tuple[str, str]]:
    """What the report says of errors and bounds: (label, sentence)."""
    told = estimator.__dict__.get("told_", ())
    said = {
        "error": ("errors", "known of the rows: the groups are of the numbers behind them"),
        "bounds": ("bounds", "of cells of which only an interval is known"),
    }
    return [
        (label, f"{words}; the log-likelihood is that of rows and {label}")
        for name, (label, words) in said.items()
        if name in told
    ]


def group_names(estimator: Any) -> tuple[str, ...]:
    """What each component is called where labels had names, by its number where none had its;
    empty where there are no names."""
    names = [str(each) for each in estimator.__dict__.get("classes_", ())]
    rest = range(len(names), getattr(estimator, estimator._groups)) if names else ()
    return (*names, *(f"group {k}" if str(k) in names else str(k) for k in rest))


def called(names: tuple[str, ...], components: AnyArray) -> AnyArray:
    """Components by their names, where labels had some; noise is -1 then too."""
    return np.array([*names, str(NOISE)])[components] if names else components


def stored_names(estimator: Any) -> dict[str, Any]:
    """The parts of a model file; nothing without labels, errors or bounds."""
    held = {"classes": estimator.__dict__.get("classes_"), "told": estimator.__dict__.get("told_")}
    return {
        name: [str(each) for each in value] for name, value in held.items() if value is not None
    }


def restore_names(
    estimator: Any, names: tuple[str, ...] | None, told: tuple[str, ...] | None
) -> None:
    """Set `classes_` and `told_` from a file; ValueError where they are none of such."""
    if told is not None:
        if not set(told) <= {"labels", "error", "bounds"}:
            raise ValueError(
                f"told is {list(told)}, and what can be told is labels, error and bounds"
            )
        estimator.told_ = np.array(told)
    if names is None:
        return
    K = getattr(estimator, estimator._groups)
    if not 0 < len(set(names)) == len(names) <= K:
        raise ValueError(f"classes has {len(names)} names, not different ones of {K} components")
    estimator.classes_ = np.array(names)
