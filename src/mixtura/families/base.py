"""What every family of component densities offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

from mixtura.records import AnyArray, Array, Params, RandomNumbers, Statistics


class Look(Protocol):
    """What a family makes of some rows: their densities first, then sums, from the same work."""

    @property
    def log_density(self) -> Array:
        """log p(x_i | k), shape (n, K)."""
        ...

    def statistics(self, resp: Array) -> Statistics:
        """The sums at responsibilities (n, K) that include the row weights."""
        ...


class Family(ABC):
    """K densities of one kind. Only `log_density` and `statistics` touch rows.

    A new family is a file with a `Params` record, a `Statistics` record and these methods; list
    it in `tests/contract` and it inherits the whole suite.
    """

    # Rows that a chunk should have at least, for a family whose sums are large.
    least_rows: ClassVar[int] = 1

    @abstractmethod
    def params(self, arrays: Mapping[str, Array]) -> Params:
        """The parameters from their named arrays; raises if they are not admissible."""

    @abstractmethod
    def log_density(self, X: AnyArray, params: Any) -> Array:
        """log p(x_i | k), shape (n, K)."""

    @abstractmethod
    def statistics(self, X: AnyArray, resp: Array, params: Any) -> Statistics:
        """The sums over rows that `maximize` needs; `resp` (n, K) includes the row weights."""

    def look(self, X: AnyArray, params: Any) -> Look:
        """`log_density`, then `statistics`, of the same rows; families may share work in it."""
        return _TwoLooks(self, X, params)

    def start(self, X: AnyArray, resp: Array, params: Any, prior: Any) -> Params | None:
        """Parameters from responsibilities (n, K) that include the row weights.

        None, the default, where a single M-step of them is as good; then that is taken.
        """
        return None

    @abstractmethod
    def maximize(self, stats: Any, params: Any, prior: Any) -> Params:
        """The M-step: the parameters that maximise the expected complete log-likelihood."""

    @abstractmethod
    def score(self, stats: Any, params: Any, prior: Any) -> dict[str, Array]:
        """The gradient of the observed log-likelihood plus log-prior, by parameter name.

        Fisher's identity: at the parameters where the responsibilities were computed it equals
        the gradient of the expected complete log-likelihood.
        """

    @abstractmethod
    def log_prior(self, params: Any, prior: Any) -> float:
        """What the prior adds to the log-likelihood, up to a constant; 0 without a prior."""

    @abstractmethod
    def counts(self, stats: Any) -> Array:
        """sum_i r_ik, shape (K,)."""

    @abstractmethod
    def narrow(self, params: Any, counts: Array, prior: Any) -> list[tuple[int, float]]:
        """(component, spread) of those that only the prior keeps from collapsing."""

    def vanishing(
        self, params: Any, counts: Array, *, slowly: bool = False
    ) -> dict[int, tuple[int, ...]]:
        """The columns whose noise alone runs to zero, by component; none in most families.

        With `slowly` also those that may be on the way.
        """
        return {}

    @abstractmethod
    def sobered(self, params: Any, weights: Array, narrow: list[int], prior: Any) -> Params:
        """The same with each narrow component as wide as the others are on average."""

    @abstractmethod
    def variances(self, params: Any) -> Array:
        """Each component's variance in each column, (K, d)."""

    @abstractmethod
    def covariances(self, params: Any, columns: AnyArray) -> Array:
        """Each component's covariances of these columns, dense, (K, m, m)."""

    @abstractmethod
    def n_parameters(self, params: Any) -> int:
        """The number of free parameters of the K densities."""

    def obstacle(self, prior: Any) -> str:
        """Why there are no free coordinates under this prior; empty where there are."""
        return f"{type(self).__name__} has no free coordinates"

    def chart(self, params: Any, weights: Array) -> Any:
        """Free coordinates around `params` for components with these shares of the rows.

        An object with `size`, `radius`, `params`, `coordinates` and `gradient(stats, params,
        prior)` as in `records.Chart`.
        """
        raise NotImplementedError(self.obstacle(None))

    @abstractmethod
    def refuse_collapse(self, params: Any, counts: Array, prior: Any) -> None:
        """Raise Collapse where a component is about to reach a singularity of the likelihood."""

    def rounding(self, params: Any) -> float:
        """What rounding in an M-step from or to `params` may cost a row's log-likelihood (nats)."""
        return 0.0

    @abstractmethod
    def transported(self, stats: Any, before: Any, after: Any) -> Any:
        """Statistics taken at the parameters `before` as if taken at `after` (re-centred)."""

    @abstractmethod
    def sample(self, labels: AnyArray, params: Any, rng: RandomNumbers) -> Array:
        """One row drawn from each labelled component, shape (len(labels), d)."""


@dataclass(frozen=True)
class _TwoLooks:
    """The plain look: one for the densities, one for the sums."""

    family: Family
    X: AnyArray
    params: Any

    @cached_property
    def log_density(self) -> Array:
        return self.family.log_density(self.X, self.params)

    def statistics(self, resp: Array) -> Statistics:
        return self.family.statistics(self.X, resp, self.params)
