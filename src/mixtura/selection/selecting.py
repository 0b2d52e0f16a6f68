"""A fitted search as reports and figures see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixtura.estimators.prior_setting import prior_notes
from mixtura.report.selection_text import Selection

if TYPE_CHECKING:
    from mixtura.selection.component_search import ComponentSearch


def selection(search: ComponentSearch, rows: int) -> Selection:
    """The criterion's table: a line for each lane of the grid, a column for each number."""
    results = search.cv_results_
    numbers = tuple(sorted(set(results["param_n_components"].tolist())))
    lines, noun = _lines(results)
    names = tuple(dict.fromkeys(lines))
    shape = len(names), len(numbers)
    values, pruned = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    sign = 1.0 if search.criterion == "heldout" else -1.0
    for index, (line, K) in enumerate(zip(lines, results["param_n_components"], strict=True)):
        place = names.index(line), numbers.index(K)
        values[place] = sign * results["mean_test_score"][index]
        pruned[place] = results["status"][index] == "pruned"
    return Selection(
        criterion=search.criterion,
        larger=sign > 0,
        names=names,
        components=numbers,
        values=values,
        pruned=pruned,
        rows=rows,
        columns=search.n_features_in_,
        noun=noun,
        prior=" ".join(told for _, told in prior_notes(getattr(search, "best_estimator_", None))),
        untried=_untried(search),
    )


def _untried(search: ComponentSearch) -> str:
    if not search.untried_:
        return ""
    why = "have no such prior" if search.prior is not None else "know no such bounds or errors"
    return f"not tried, for they {why}: {', '.join(search.untried_)}"


def _lines(results: dict[str, Any]) -> tuple[list[str], tuple[str, str]]:
    """What the line of each cell is called, and what lines are: one of them, and several."""
    if "param_family" in results:
        return results["param_family"].tolist(), ("family", "families")
    names, priors = results["param_covariance_type"], results["param_reg_covar"]
    if len(set(priors.tolist())) == 1:
        return names.tolist(), ("structure", "structures")
    told = [f"{name}, reg_covar {prior}" for name, prior in zip(names, priors, strict=True)]
    return told, ("structure", "structures")
