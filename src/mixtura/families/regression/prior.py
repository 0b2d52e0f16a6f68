"""What keeps the dispersion of a regression from vanishing: rows added, as dispersed as the table.

The likelihood has no bound where a component's line goes through all its rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.dispersion import DispersionPrior
from mixtura.families.regression.records import Dispersed
from mixtura.families.regression.responses import Dispersion
from mixtura.records import Array


@dataclass(frozen=True)
class ResidualPrior(DispersionPrior):
    """Rows added whose half mean deviance is that of one regression to the whole table.

    For a normal response that is the penalty of Chen & Tan (2009) on the residual variances, S
    being the residual variance of one regression.
    """

    of_mean: Dispersion | None = None

    @property
    def law(self) -> Dispersion:
        """How the dispersion hangs on the deviance."""
        assert self.of_mean is not None
        return self.of_mean

    @property
    def rounding(self) -> float:  # type: ignore[override]
        return self.law.rounding

    def dispersion(self, params: Dispersed) -> Array:
        return self.law.deviance(params.dispersions)[:, None]

    def dispersed(self, params: Dispersed, dispersion: Array) -> Dispersed:
        return replace(params, dispersions=self.law.of(dispersion[:, 0]))

    def row(self, params: Dispersed) -> Array:
        return self.law.row(params.dispersions, self.target)[:, None]

    def row_score(self, params: Dispersed) -> dict[str, Array]:
        one = np.ones_like(params.dispersions)
        return {"dispersions": self.law.score(params.dispersions, one, self.target * one)}


def residual_prior(
    survey: Survey, whole: float, least: float, coefficients: int, law: Dispersion
) -> ResidualPrior:
    """That of a table in which one regression leaves the half mean deviance `whole`.

    ValueError where that is no more than `least`, which is rounding: every mixture would collapse.
    """
    if not whole > max(least, law.rounding):
        raise ValueError(
            "family='regression': one regression explains the response exactly (or it holds one "
            "value only), and there the likelihood has no bound: there is nothing to fit a mixture "
            "to"
        )
    weight = survey.source.weight
    rows = max(1.0, survey.rows / weight)
    strength = 1.0 / (weight * rows * rows)
    return ResidualPrior(strength, np.array([whole]), coefficients, rows, of_mean=law)
