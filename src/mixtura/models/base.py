"""What every latent-variable model offers to the fitting algorithms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from mixtura.records import AnyArray, Array, Chart, Params, Summary

# log pi_k + log p(x_i | k), (n, K) -> (log p(x_i), (n,); responsibilities, (n, K)).
Respond = Callable[[Array], tuple[Array, Array]]


class Model(ABC):
    """A model turns rows and parameters into a summary, and a summary into parameters.

    A user's own latent-variable model is a class with these methods; every algorithm, engine and
    report then works on it. The M-step never sees data.
    """

    @abstractmethod
    def e_step(self, X: AnyArray, sample_weight: Array | None, params: Any) -> Summary:
        """The summary of these rows at these parameters."""

    def e_step_with(
        self, X: AnyArray, sample_weight: Array | None, params: Any, respond: Respond
    ) -> Summary:
        """The same with the responsibilities that `respond` makes of the joint log-densities.

        It is given those of the rows with a positive weight, in their order, and answers with new
        arrays, without the row weights. Where the table is cut matters to it unless its answer
        for a row depends on that row alone. NotImplementedError where there are none to replace.
        """
        raise NotImplementedError(f"{type(self).__name__} has no responsibilities to replace")

    @abstractmethod
    def m_step(self, summary: Summary, params: Any) -> Params:
        """The parameters that maximise the expected complete log-likelihood plus log-prior."""

    @abstractmethod
    def score(self, summary: Summary, params: Any) -> dict[str, Array]:
        """The gradient of the objective at `params`, by parameter name (Fisher's identity)."""

    @abstractmethod
    def log_prior(self, params: Any) -> float:
        """What the prior adds to the log-likelihood to make the objective; 0 without a prior."""

    @property
    def least_rows(self) -> int:
        """Rows that a chunk should have at least; more where a summary is large."""
        return 1

    @property
    @abstractmethod
    def penalised(self) -> bool:
        """Whether the prior is a penalty against collapse, which `unpenalised` takes away."""

    @abstractmethod
    def unpenalised(self) -> Model:
        """The same model at maximum likelihood."""

    @abstractmethod
    def narrow(self, summary: Summary, params: Any) -> list[tuple[int, float, float]]:
        """(component, rows, spread) of those that only the penalty keeps from collapsing."""

    def vanishing(
        self, summary: Summary, params: Any, *, slowly: bool = False
    ) -> dict[int, tuple[int, ...]]:
        """The columns whose noise alone runs to zero, by component; none in most models.

        With `slowly` also those that may be on the way.
        """
        return {}

    @abstractmethod
    def sobered(self, summary: Summary, params: Any) -> Params:
        """`params` without the gain of narrow components: each gets the width of the others.

        The likelihood of a spike is what its floor makes it. With an ordinary width a component
        that holds a far row keeps its merit, and one that sits inside a cloud loses it.
        """

    @property
    @abstractmethod
    def monotone(self) -> bool:
        """Whether an M-step is guaranteed never to lower the objective."""

    def obstacle(self) -> str:
        """Why there is no chart for this model; empty where there is one."""
        return f"{type(self).__name__} has no free coordinates"

    def chart(self, params: Any) -> Chart:
        """Free coordinates around `params`; ask `obstacle` first."""
        raise NotImplementedError(self.obstacle())

    @abstractmethod
    def refuse_collapse(self, summary: Summary, params: Any) -> None:
        """Raise Collapse where `params`, with this summary, are on the way to a singularity."""

    def rounding(self, params: Any) -> float:
        """What rounding in an M-step from or to `params` may cost a row's log-likelihood (nats).

        Beyond that of a sum, which is known: matrices that are nearly singular lose more.
        """
        return 0.0

    def coarseness(self, params: Any) -> float:
        """How coarsely float64 holds the places of `params`, in standard deviations."""
        return 0.0

    def at_edge(self, summary: Summary, params: Any) -> bool:
        """Whether `params` lie at the edge of what is admissible: a group without rows, say."""
        return False

    def transported(self, summary: Summary, before: Any, after: Any) -> Summary:
        """A summary taken at `before` as if taken at `after`, so that summaries can be averaged."""
        raise NotImplementedError(f"{type(self).__name__} cannot re-centre its statistics")
