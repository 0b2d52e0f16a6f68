"""What missing cells cost: the information that is lost of each parameter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.estimators.imputing import imputed
from mixtura.estimators.known import refuse_told
from mixtura.families.digits import percent
from mixtura.fitting.mixture_fit import prepare
from mixtura.inference.information import information_roots
from mixtura.records import Array
from mixtura.solvers.deviations import variances

# Rows are drawn so often that there are so many: one draw of few rows is far from the mean of all.
_DRAWN = 100_000
# Of the columns' means so many are named in a report, those that lost most.
_NAMED = 4


def information_lost(estimator: Any, rows: Source) -> dict[str, Array]:
    """1 - (variance without gaps) / (variance with them), by parameter, in its shape.

    Both are of maximum likelihood at the fitted parameters, by the observed information of the
    rows as they are, and of the rows with their cells drawn given the others (seed 0): its mean
    over draws is the information with gaps and what these hide (Louis 1982, J. Royal Statistical
    Society B 44, with the cells for the complete data).
    """
    refuse_told("information_lost", estimator)
    if not isinstance(rows, Rows):
        raise ValueError("information_lost: X is read in pieces: give rows in memory")
    if not np.isnan(rows.X).any():
        raise ValueError("information_lost: no cell of X is missing, so nothing is lost")
    times = -(-_DRAWN // rows.n)
    drawn = np.concatenate(imputed(estimator, rows, times, 0))
    own = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
    whole = Rows(drawn, np.tile(own / times, times))
    gaps, none = (_variances(estimator, table) for table in (rows, whole))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {
            name: np.where(gaps[name] > 0, 1 - none[name] / gaps[name], np.nan) for name in gaps
        }
    estimator._lost = estimator.fit_result_, found
    return found


def _variances(estimator: Any, rows: Rows) -> dict[str, Array]:
    model, params = estimator._fitted()
    family = model.family.filling(rows.X)
    # The chart of some families needs what their penalty took from the table, if without it.
    ground = prepare(rows, family, len(model.shares(params)), np.random.RandomState(0))
    prior = ground.model.unpenalised().prior
    model = replace(model, family=family, prior=prior)
    said = "information_lost", "rows", "components"
    chart, roots = information_roots(model, params, rows, said)
    return {name: variances(chart, roots, name) for name in params.arrays()}


def lost_notes(estimator: Any) -> list[tuple[str, str]]:
    """What the report says of it, by component, after it was asked for."""
    fit, lost = estimator.__dict__.get("_lost", (None, {}))
    if fit is None or fit is not estimator.fit_result_:
        return []
    names, K = estimator._names(), len(lost["means"]) if "means" in lost else 0
    return [("lost to gaps" if k == 0 else "", f"{k}: {_said(lost, k, names)}") for k in range(K)]


def _said(lost: dict[str, Array], k: int, names: list[str]) -> str:
    """ "weight 2%; means 31% (x2), 4% (x1); covariances 20%"."""
    parts = [f"weight {_share(lost['weights'][k])}"]
    means = lost["means"][k]
    most = np.argsort(-np.nan_to_num(means), kind="stable")[:_NAMED]
    parts.append("means " + ", ".join(f"{_share(means[j])} ({names[j]})" for j in most))
    for name, each in lost.items():
        if name not in ("weights", "means"):
            own = np.asarray(each[k] if len(each) == len(lost["means"]) else each)
            if not np.isnan(own).all():
                parts.append(f"{name.replace('_', ' ')} {_share(np.nanmean(own))}")
    return "; ".join(parts)


def _share(lost: float) -> str:
    return percent(float(np.clip(np.nan_to_num(lost), 0.0, 1.0)))
