"""What missing cells cost: the information that is lost of each parameter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import chunk_slices
from mixtura.estimators.imputing import imputed
from mixtura.estimators.known import refuse_told
from mixtura.families.digits import percent
from mixtura.fitting.mixture_fit import prepare
from mixtura.inference.information import observed_information
from mixtura.models.noise import Noisy
from mixtura.records import Array, Chunk
from mixtura.solvers.deviations import variances

# Rows with gaps are drawn so often that there are so many: few would be far from the mean of all.
_DRAWN = 100_000
# What they hide is a covariance of so many degrees of freedom: off by 3 % of itself, or so.
_DEGREES = 2_000
# Of these so many columns are named in a report, those that lost most.
_BY_COLUMN, _NAMED = ("means", "log_means", "rates"), 4


def information_lost(estimator: Any, rows: Source) -> dict[str, Array]:
    """1 - (variance without gaps) / (variance with them), by parameter, in its shape.

    Both are of maximum likelihood at the fitted parameters. The information of whole rows is that
    of the rows as they are and what their gaps hide, the covariance of the whole rows' scores given
    the cells that are there (Orchard & Woodbury 1972, Proc. 6th Berkeley Symposium 1; Louis 1982,
    J. Royal Statistical Society B 44): so it is never less, and no share leaves [0, 1].
    """
    refuse_told("information_lost", estimator)
    if not isinstance(rows, Rows):
        raise ValueError("information_lost: X is read in pieces: give rows in memory")
    if not np.isnan(rows.X).any():
        raise ValueError("information_lost: no cell of X is missing, so nothing is lost")
    model, params = estimator._fitted()
    if estimator.fit_result_ is not None and estimator.fit_result_.penalised:
        simpler = f", or {model.family.simpler}" if model.family.simpler else ""
        raise ValueError(
            "information_lost: the penalty against collapse holds this fit where the likelihood "
            f"has no maximum, and no curvature says what is lost: use fewer components{simpler}"
        )
    family = model.family.filling(rows.X)
    # The chart of some families needs what their penalty took from the table, if without it.
    ground = prepare(rows, family, len(model.shares(params)), np.random.RandomState(0))
    prior = ground.model.unpenalised().prior
    said = "information_lost", "rows", "components"
    own = replace(model, family=ground.model.family, prior=prior)
    gaps = observed_information(own, params, rows, said)
    hidden = _hidden(estimator, rows, prior)
    whole = replace(gaps, information=gaps.information + hidden)
    found = {}
    for name, moves in gaps.slopes.items():
        with_gaps, without = (variances(moves, told.roots) for told in (gaps, whole))
        with np.errstate(invalid="ignore", divide="ignore"):
            found[name] = np.where(with_gaps > 0, 1 - without / with_gaps, np.nan)
    if len(found["weights"]) == 1:
        found["weights"] = np.zeros(1)
    estimator._lost = estimator.fit_result_, found
    return found


def _hidden(estimator: Any, rows: Rows, prior: Any) -> Array:
    """The covariance, given the cells that are there, of the score of the rows as whole ones.

    In the chart's numbers. Cells are drawn given the others (seed 0), several times, and scores of
    the same few rows compared.
    """
    some = rows.take(np.flatnonzero(np.isnan(rows.X).any(axis=1)))
    times = min(max(2, -(-_DRAWN // some.n)), 1 + _DEGREES)
    drawn = imputed(estimator, some, times, 0)
    model, params = estimator._fitted()
    family = model.family.meeting(drawn.reshape(-1, some.d))
    model = replace(model, family=family, prior=prior)
    chart = model.chart(params)
    # A weight of 2 is two rows, of which each is drawn for itself.
    weight = None if some.sample_weight is None else np.sqrt(some.sample_weight)
    total = np.zeros((chart.size, chart.size))
    for own in chunk_slices(some.n, max(1, some.n * (times - 1) // _DEGREES)):
        w = None if weight is None else weight[own]
        each = (model.e_step(Chunk(X, w, own), params) for X in drawn[:, own])
        scores = np.stack([chart.gradient(one, params) for one in each])
        scores -= scores.mean(axis=0)
        total += scores.T @ scores / (times - 1)
    return total


def lost_notes(estimator: Any) -> list[tuple[str, str]]:
    """What the report says of it, by component, after it was asked for."""
    fit, lost = estimator.__dict__.get("_lost", (None, {}))
    if fit is None or fit is not estimator.fit_result_:
        return []
    model = estimator._fitted()[0]
    names, K = estimator._names(), len(lost["weights"]) - isinstance(model, Noisy)
    # What has another shape with more components is no number that all share.
    here, more = (model.family.shapes(each, len(names)) for each in (K, K + 1))
    found = []
    for k in range(K):
        own = {n: a if n in here and here[n] == more[n] else a[k] for n, a in lost.items()}
        found.append(("" if k else "lost to gaps", f"{k}: {_said(own, names)}"))
    return found


def _said(lost: dict[str, Array], names: list[str]) -> str:
    """ "weight 2%; means 31% (x2), 4% (x1); covariances 20%"."""
    parts = []
    for name, own in lost.items():
        if np.isnan(own).all() or not own.any():
            continue
        said = percent(float(np.nanmean(own)))
        if name in _BY_COLUMN and own.shape == (len(names),):
            there = np.flatnonzero(~np.isnan(own))
            most = there[np.argsort(-own[there], kind="stable")[:_NAMED]]
            said = ", ".join(f"{percent(float(own[j]))} ({names[j]})" for j in most)
        words = "weight" if name == "weights" else name.replace("_", " ")
        parts.append(f"{words} {said}")
    return "; ".join(parts)
