"""What is known of the parameters before the rows are seen; nothing, by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from mixtura.records import AnyArray, Array, Equation, Spike
from mixtura.supports import TINY


class Prior:
    """A log-prior on a family's parameters, and what it knows of the likelihood's singularities.

    A family whose likelihood is bounded needs none of this; one whose likelihood is not has a
    prior of its own, which finds the components that are about to collapse.
    """

    # Rows per unit of weight, at least 1 where weights are not counts.
    count_scale: float = 1.0
    # Rows that each weight counts more.
    weight_rows: float = 0.0
    # Whether it is what was asked for, so that ends are ranked by the posterior.
    asked: bool = False
    # Whether all components have one width.
    common: bool = False
    # Columns without variance of their own.
    held_columns: tuple[int, ...] = ()
    # What the table's rows have in common there.
    equations: tuple[Equation, ...] = ()

    @property
    def monotone(self) -> bool:
        """Whether the M-step maximises the log-likelihood plus `log_prior`."""
        return True

    @property
    def judges(self) -> bool:
        """Whether a few rows that lie close together may be a spike: not between bounds."""
        return True

    @property
    def penalised(self) -> bool:
        """Whether this is a penalty against collapse, which `without_penalty` takes away."""
        return False

    def without_penalty(self) -> Self:
        """The same, at maximum likelihood."""
        return self

    def log_prior(self, params: Any) -> float:
        """What it adds to the log-likelihood, up to a constant."""
        return 0.0

    def beside(self, stats: Any) -> Any:
        """A family's sums over rows, with what it has counted itself."""
        return stats

    def score(self, params: Any) -> dict[str, Array]:
        """The gradient of `log_prior`, by parameter name; those without one are left out."""
        return {}

    def obstacle(self) -> str:
        """Why there are no free coordinates under this prior; empty where there are."""
        return ""

    def admitted(self, params: Any) -> Any:
        """The parameters, or the nearest ones that M-steps under it could give."""
        return params

    def refuse_collapse(self, params: Any, counts: Array) -> None:
        """Raise Collapse where a component is about to reach a singularity of the likelihood."""

    def spread(self, params: Any) -> Array | None:
        """Each component's smallest variance as a share of the table's, (K,); None: has none."""
        return None

    def upheld(self, params: Any, counts: Array) -> AnyArray:
        """Which components a floor, a bound, or mostly a penalty keeps from being narrower (K,)."""
        return np.zeros(len(counts), dtype=bool)

    def fallen(self, params: Any, counts: Array) -> AnyArray:
        """Which components lie on a floor that was asked for, with no width of their own (K,)."""
        return np.zeros(len(counts), dtype=bool)

    def parts(self, params: Any) -> Sequence[tuple[Prior, Any]]:
        """What has a width of its own, and the parameters there: the whole, of a product blocks."""
        return [(self, params)]

    def width(self, params: Any) -> int:
        """The columns in which components have a width."""
        return 1

    def narrow(self, params: Any, counts: Array, stats: Any = None) -> list[Spike]:
        """Components that sit on a singularity, or that only the penalty keeps from one.

        `stats`, where they are known, show what a component would be by its own rows alone.
        """
        return []

    def vanishing(
        self, params: Any, counts: Array, *, slowly: bool = False
    ) -> dict[int, tuple[int, ...]]:
        """The columns whose noise alone runs to zero, by component.

        With `slowly` also those that may be on the way.
        """
        return {}

    def constant(self, params: Any, counts: Array) -> dict[int, tuple[tuple[int, float], ...]]:
        """(column, value) of those that do not vary at all inside a component, by component."""
        return {}

    def sobered(self, params: Any, counts: Array, narrow: list[int]) -> Any:
        """The same with each of these components as wide as the others are on average.

        Where all are narrow, as wide as the table where they have no width of their own.
        """
        return params

    def finer(self, params: Any, counts: Array, stats: Any) -> Self | None:
        """The same in the scale of these components, where the table's is far too coarse for them.

        None where it is not.
        """
        return None

    def smoothed(self, params: Any) -> Any:
        """The parameters without what they gain by being narrower than numbers are written."""
        return params


@dataclass(frozen=True)
class Flat(Prior):
    """No prior of components, whose likelihood is bounded; weights may have one."""

    weight_rows: float = 0.0
    asked: bool = False


class Law(NamedTuple):
    """An exponential family in its mean: log p(x | v) = x natural(v) - partition(v) + ...

    With them the two derivatives in v, and the largest v that has them.
    """

    natural: Callable[[Array], Array]
    partition: Callable[[Array], Array]
    slopes: Callable[[Array], tuple[Array, Array]]
    most: float = np.inf


# Of counts, and of shares, where nothing is divided by how often.
RATES = Law(np.log, np.asarray, lambda v: (1.0 / v, np.ones_like(v)))
# Of exponential means.
MEANS = Law(lambda v: -1.0 / v, np.log, lambda v: (1.0 / v**2, 1.0 / v))
# Of ones among zeros.
CHANCES = Law(
    lambda v: np.log(v / (1.0 - v)),
    lambda v: -np.log1p(-v),
    lambda v: (1.0 / (v * (1.0 - v)), 1.0 / (1.0 - v)),
    float(np.nextafter(1.0, 0.0)),
)


@dataclass(frozen=True)
class Counted(Prior):
    """log p = sum more natural(v) - times partition(v): as if so much had been counted before.

    The law that is conjugate to that of the rows: of rates gamma of shape more + 1 and rate
    `times`, of shares Dirichlet with more + 1 for each and times = 0. The M-step adds both to the
    sums of the rows, which is the posterior's mode: Gelman et al. (2013), Bayesian Data Analysis,
    sections 2.4 to 2.6 and 3.4.

    name         the parameter
    sums, cells  what the family's statistics call what is counted, and how often; no cells: ""
    more, times  (columns) of the parameter, 0 or more
    """

    name: str
    sums: str
    more: Array
    cells: str = ""
    times: Array | float = 0.0
    law: Law = RATES
    weight_rows: float = 0.0
    asked: bool = True

    def beside(self, stats: Any) -> Any:
        told = {self.sums: getattr(stats, self.sums) + self.more}
        if self.cells:
            told[self.cells] = getattr(stats, self.cells) + self.times
        return replace(stats, **told)

    def _value(self, params: Any) -> Array:
        # A start may have shares of 0, and a step from there has none.
        return np.asarray(np.clip(params.arrays()[self.name], TINY, self.law.most))

    def log_prior(self, params: Any) -> float:
        v = self._value(params)
        # What was not counted has no part, wherever v is.
        whole = self.more * self.law.natural(v) - self.times * self.law.partition(v)
        return float(np.sum(whole))

    def score(self, params: Any) -> dict[str, Array]:
        natural, partition = self.law.slopes(self._value(params))
        return {self.name: np.asarray(self.more * natural - self.times * partition)}
