"""What keeps columns that are independent of each other from collapsing within a component.

A likelihood has no bound where all rows of a component are equal in a column. Here each component
of n rows gets 2a rows more, a = 1/n of the table, which are as dispersed in each column as the
table is and lie wherever the component does: the log-prior is what these rows add. For variances
that is the penalty of Chen & Tan (2009) in `families.gaussian.prior`, and dispersions are narrow by
the same rules; they are relative to the table, so units do not matter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mixtura.data.survey import Survey
from mixtura.errors import Collapse
from mixtura.families.collapse import (
    NUMERIC_SPREAD,
    ONE_ROW,
    ORDINARY_SHARE,
    PENALTY_SHARE,
    SPURIOUS_SPREAD,
    THIN_SPREAD,
    few_rows,
    spikes,
)
from mixtura.families.domain import BadColumn
from mixtura.families.gaps import shares
from mixtura.families.priors import Prior
from mixtura.records import Array, Spike


@dataclass(frozen=True)
class DispersionPrior(Prior, ABC):
    """Of a dispersion (K, d) that is 0 at a collapse, and of which a component's is a mean.

    strength     a, half the rows added; 0 is maximum likelihood
    target       (d,) the table's dispersions
    columns      the table's; more rows than these are needed not to be few
    count_scale  rows per unit of weight, at least 1 when weights are not counts
    weight_rows  alpha - 1 of the weights' Dirichlet law
    asked        whether such a law was asked for
    """

    # Dispersions that are differences of numbers near 1 are nothing but rounding below this.
    rounding: ClassVar[float] = 1e-13

    strength: float
    target: Array
    columns: int
    count_scale: float = 1.0
    weight_rows: float = 0.0
    asked: bool = False

    @classmethod
    def of(cls, survey: Survey, target: Array, family: str) -> Self:
        """That for a table with these dispersions.

        ValueError where a column has one value only: beside nothing, nothing is narrow.
        """
        constant = np.flatnonzero(~(target > cls.rounding))
        if len(constant):
            raise BadColumn(
                f"family={family!r}: column",
                int(constant[0]),
                " holds one value only, and there the likelihood has no bound: leave the column "
                "out",
            )
        weight = survey.source.weight
        scale = max(1.0, survey.rows / weight)
        return cls(1.0 / (weight * scale * scale), target, survey.source.d, scale)

    @abstractmethod
    def dispersion(self, params: Any) -> Array:
        """That of each component and column, (K, d)."""

    @abstractmethod
    def dispersed(self, params: Any, dispersion: Array) -> Any:
        """`params` with this dispersion (K, d), at the same places."""

    @abstractmethod
    def row(self, params: Any) -> Array:
        """What one row more of the target's dispersion adds to the log-likelihood, (K, d)."""

    @abstractmethod
    def row_score(self, params: Any) -> dict[str, Array]:
        """The gradient of `row`."""

    @property
    def penalised(self) -> bool:
        return self.strength > 0

    def without_penalty(self) -> Self:
        return replace(self, strength=0.0)

    def log_prior(self, params: Any) -> float:
        return float(2.0 * self.strength * self.row(params).sum()) if self.strength else 0.0

    def score(self, params: Any) -> dict[str, Array]:
        if self.strength == 0:
            return {}
        return {name: 2.0 * self.strength * g for name, g in self.row_score(params).items()}

    def spread(self, params: Any) -> Array:
        """The smallest dispersion of each component as a share of the table's, (K,)."""
        return np.asarray((self.dispersion(params) / self.target).min(axis=1))

    def upheld(self, params: Any, counts: Array) -> NDArray[np.bool_]:
        more = 2.0 * self.strength
        held = more / np.maximum((counts + more) * self.spread(params), 1e-300)
        return np.asarray(held > PENALTY_SHARE)

    def width(self, params: Any) -> int:
        return self.columns

    def _too_narrow(self, params: Any, counts: Array) -> NDArray[np.bool_]:
        spread, few = self.spread(params), counts * self.count_scale < few_rows(self.columns)
        nothing = (self.dispersion(params) < self.rounding).any(axis=1)
        return np.asarray(nothing | (spread < NUMERIC_SPREAD) | (spread < SPURIOUS_SPREAD) & few)

    def refuse_collapse(self, params: Any, counts: Array) -> None:
        if self.strength > 0:
            return
        bad = self._too_narrow(params, counts)
        if bad.any():
            k = int(np.argmax(bad))
            raise Collapse(k, float(counts[k]), float(self.spread(params)[k]))

    def narrow(self, params: Any, counts: Array, stats: Any = None) -> list[Spike]:
        spread, more = self.spread(params), 2.0 * self.strength
        held = counts * self.count_scale
        few = held < few_rows(self.columns)
        # Without what the rows added: many rows in little room are no spike, on one value are.
        own = (spread * (counts + more) - more) / np.maximum(counts, 1e-300)
        added = more / np.maximum((counts + more) * spread, 1e-300) > PENALTY_SHARE
        bad = added & (held >= ONE_ROW) & (few | (own < THIN_SPREAD))
        return spikes(self._too_narrow(params, counts) | bad, counts, spread)

    def sobered(self, params: Any, counts: Array, narrow: list[int]) -> Any:
        found = self.dispersion(params).copy()
        lenders = np.setdiff1d(np.flatnonzero(counts > 0), narrow)
        if len(lenders):
            found[narrow] = np.average(found[lenders], axis=0, weights=counts[lenders])
        else:
            more = 2.0 * self.strength
            least = np.maximum(more / ((counts + more) * PENALTY_SHARE), SPURIOUS_SPREAD)
            low = found < least[:, None] * self.target
            found = np.where(low, ORDINARY_SHARE * self.target, found)
        return self.dispersed(params, found)


def pooled(prior: Prior, sums: Array, cells: Array, otherwise: Array) -> Array:
    """The M-step: dispersions (K, d) from their sums over rows, with those that a prior adds.

    Without either a column keeps what it had `otherwise`.
    """
    if not isinstance(prior, DispersionPrior):
        return shares(sums, cells, otherwise)
    more = 2.0 * prior.strength
    return shares(sums + more * prior.target, cells + more, otherwise)
