"""Where starts of mixtures of regressions are made.

Rows of one component need not lie together. They are alike in how they would change the one
regression to the whole table: groups of residuals, and of residuals times covariates, where lines
cross.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.families.frames import Frame, standardised
from mixtura.families.regression.records import Coefficients
from mixtura.families.regression.terms import Terms
from mixtura.records import AnyArray, Array

# Residuals are cut here, in standard deviations: a far one would be a group by itself.
LONGEST = 4.0


@dataclass(frozen=True)
class Residuals:
    """Pearson's residuals of one regression to the table: times covariates, or beside them."""

    family: Terms
    one: Coefficients
    times: bool

    def __call__(self, X: AnyArray) -> Array:
        x = np.asarray(X, dtype=np.float64)
        y, trials, _ = self.family.answers(x)
        eta = self.family.predictors(x, self.one)
        s, w = self.family.law.slope(y[:, None], eta, trials[:, None])
        pearson = s / np.sqrt(np.maximum(w, 1e-12) * self.family.phi(self.one))
        z, cut = self.family.seen().z(x), np.clip(pearson, -LONGEST, LONGEST)
        if self.times:
            return standardised(cut * z)
        return standardised(np.column_stack([cut, z[:, self.family.intercept :]]))


def frames(family: Terms, one: Coefficients) -> tuple[Frame, ...]:
    """Those of a table to which one regression is known."""
    return Residuals(family, one, True), Residuals(family, one, False)
