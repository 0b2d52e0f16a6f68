"""A mixture with one component more from the next smaller one: its best split."""

from __future__ import annotations

import numpy as np

from mixtura.data.rows import Rows
from mixtura.errors import FAILURES
from mixtura.fitting.prepared import Ground
from mixtura.inference.nesting import responsibilities, split
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.solvers.em import em
from mixtura.solvers.problem import Problem

# EM steps of a trial that shows which component is best split.
TRIAL = 10


def best_split(
    ground: Ground, rows: Rows, smaller: Mixture, fewer: MixtureParams, tol: float
) -> MixtureParams | None:
    """Of the splits of each component of `fewer` the highest after TRIAL EM steps.

    None where all of them fail.
    """
    resp, frame = responsibilities(smaller, rows, fewer), smaller.family.frame(rows.X)
    best, highest = None, -np.inf
    for component in range(len(fewer.weights)):
        try:
            start = ground.model.first_step(
                rows.X, rows.sample_weight, split(resp, frame, rows, component), ground.maker.base
            )
            sweep = ground.open_sweep(ground.model, rows)
            trial = em(Problem(ground.model, sweep, start, tol, TRIAL), brief=True)
        except FAILURES:
            continue
        if trial.objective > highest:
            best, highest = trial.params, trial.objective
    return best
