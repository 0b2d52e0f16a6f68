"""The cells of a search in order: the table of results, and which is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from mixtura.inference.slope import slope_criterion
from mixtura.records import Array
from mixtura.selection.points import AnyPoint
from mixtura.selection.rounds import score
from mixtura.selection.trial import Trial

CRITERIA = ("bic", "icl", "aic", "aicc", "heldout", "slope")
MEASURES = ("loglik", "n_parameters", "bic", "icl", "aic", "aicc")


@dataclass(frozen=True)
class Ranking:
    """results as in `cv_results_`; best is None where no mixture may be chosen: why says why."""

    results: dict[str, Any]
    trials: tuple[Trial | None, ...]
    best: int | None
    why: str
    kappa: float | None


def ranked(grid: Sequence[AnyPoint], found: Mapping[AnyPoint, Trial], criterion: str) -> Ranking:
    """Every cell of the grid judged; cells that are not in `found` were pruned."""
    trials = tuple(found.get(point) for point in grid)
    measures = [{} if trial is None else trial.measures() for trial in trials]
    results: dict[str, Any] = {"params": [point._asdict() for point in grid]}
    for name in grid[0]._fields:
        results[f"param_{name}"] = np.array([getattr(point, name) for point in grid], dtype=object)
    for name in MEASURES:
        results[name] = np.array([each.get(name, np.nan) for each in measures])
    if criterion == "heldout":
        results["heldout"] = np.array([each.get("heldout", np.nan) for each in measures])
    kappa = None
    if criterion == "slope":
        results["slope"], kappa = _slope(trials, results)
        scores = -results["slope"]
    else:
        scores = np.array([-np.inf if t is None else score(t, criterion) for t in trials])
    scores = np.where(np.isfinite(scores), scores, np.nan)
    results["mean_test_score"] = scores
    results["std_test_score"] = np.array([_spread(trial) for trial in trials])
    results["rank_test_score"] = _ranks(scores)
    results["mean_fit_time"] = np.array([np.nan if t is None else t.seconds for t in trials])
    results["status"] = np.array(["pruned" if t is None else t.flaw or "fitted" for t in trials])
    best = None if np.isnan(scores).all() else int(np.nanargmax(scores))
    why = next((trial.flaw for trial in trials if trial is not None and trial.flaw), "")
    return Ranking(results, trials, best, why, kappa)


def _slope(trials: Sequence[Trial | None], results: dict[str, Any]) -> tuple[Array, float]:
    """The criterion of the mixtures that may be chosen, nan elsewhere, and the slope."""
    regular = np.array([trial is not None and trial.regular for trial in trials])
    sizes = results["n_parameters"][regular].astype(int).tolist()
    values, kappa = slope_criterion(results["loglik"][regular].tolist(), sizes)
    whole = np.full(len(trials), np.nan)
    whole[regular] = values
    return whole, kappa


def _spread(trial: Trial | None) -> float:
    """Standard deviation over the folds of the mean log-likelihood."""
    if trial is None:
        return np.nan
    if not trial.heldout:
        return 0.0
    return float(np.std([loglik / weight for loglik, weight in trial.heldout]))


def _ranks(scores: Array) -> Array:
    """1 is best; what has no score comes last."""
    filled = np.where(np.isnan(scores), -np.inf, scores)
    return np.asarray(rankdata(-filled, method="min"), dtype=np.int32)
