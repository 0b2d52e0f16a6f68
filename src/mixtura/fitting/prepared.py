"""What every climb over one table shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.survey import Survey
from mixtura.engines.base import Sweep
from mixtura.engines.choose import open_sweep
from mixtura.engines.trimming import Trimming, kept_weights, log_densities
from mixtura.fitting.starts import StartMaker
from mixtura.models.mixture import Mixture


@dataclass(frozen=True)
class Ground:
    """What every climb over one table shares: it depends on the table and on no solver.

    engine is the one that runs, survey the whole table's, maker makes the starts; trim is the share
    of the table's rows that sweeps leave out.
    """

    model: Mixture
    engine: str
    survey: Survey
    maker: StartMaker
    trim: float = 0.0

    def open_sweep(self, model: Mixture, rows: Source) -> Sweep:
        """A sweep of the engine."""
        if self.trim > 0 and rows is self.survey.source:
            return Trimming(self.engine, model, rows, self.trim)
        return open_sweep(self.engine, model, rows)


class Kept(NamedTuple):
    """How many rows trimming keeps, and the log-density midway between the least of theirs and the
    largest of those that are left out: rounding of what is held, to float32 say, moves no row."""

    rows: int
    threshold: float


def trimmed(ground: Ground, params: Any) -> Kept | None:
    """What is kept of the table at `params`; None where nothing is trimmed."""
    rows = ground.survey.source
    if not ground.trim:
        return None
    assert isinstance(rows, Rows)
    log_p = log_densities(ground.engine, ground.model, rows, params)
    weights, threshold = kept_weights(log_p, rows.sample_weight, ground.trim)
    given = True if rows.sample_weight is None else rows.sample_weight > 0
    left = log_p[(weights == 0) & given & np.isfinite(log_p)]
    if len(left):
        threshold -= 0.5 * max(threshold - float(left.max()), 0.0)
    # Equals of which one goes each keep a part: together they are a row fewer.
    whole = np.ones(rows.n) if rows.sample_weight is None else rows.sample_weight
    shares = weights[weights > 0] / whole[weights > 0]
    return Kept(math.ceil(shares.sum() - 1e-6), threshold)
