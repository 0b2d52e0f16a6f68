"""What every latent-variable model offers to the fitting algorithms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.families.endless import Endless
from mixtura.models.fields import model_chart
from mixtura.records import (
    AnyArray,
    Array,
    Chart,
    Chunk,
    Equation,
    Params,
    RandomNumbers,
    Spike,
    Standing,
    Summary,
)
from mixtura.returned import is_own
from mixtura.supports import Support

# log pi_k + log p(x_i | k), (n, K) -> (log p(x_i), (n,); responsibilities, (n, K)).
Respond = Callable[[Array], tuple[Array, Array]]


class Model(ABC):
    """A model turns rows and parameters into a summary, and a summary into parameters.

    A user's own latent-variable model is a class with the two abstract methods and a `Params`
    record. `mixtura.fit(model, data, start=...)` then climbs by EM, SQUAREM and Anderson, on every
    engine and from every source, and checks while it runs that the objective never falls. Each
    further method says what writing it brings. The M-step never sees data.
    """

    @abstractmethod
    def e_step(self, chunk: Chunk, params: Any) -> Summary:
        """The summary of these rows at these parameters."""

    @abstractmethod
    def m_step(self, summary: Summary, params: Any) -> Params:
        """The parameters that maximise the expected complete log-likelihood plus log-prior."""

    def score(self, summary: Summary, params: Any) -> dict[str, Array]:
        """The gradient of the objective at `params`, by parameter name (Fisher's identity).

        Brings the gradient norm; with supports on the fields of `Params` also L-BFGS, Newton and
        the certificate.
        """
        raise NotImplementedError(f"{type(self).__name__} has no score")

    @property
    def scored(self) -> bool:
        """Whether there is a `score`."""
        return type(self).score is not Model.score

    @property
    def curved(self) -> bool:
        """Whether parameters may lie on a curved part only of the space that they are written in.

        Then EM's step is measured in free coordinates: straight differences leave the curve, by as
        much as the slope itself.
        """
        return False

    def log_prior(self, params: Any) -> float:
        """What the prior adds to the log-likelihood to make the objective; 0 without a prior."""
        return 0.0

    def belief(self, params: Any) -> float:
        """What of it ends are ranked with: nothing where it only keeps components apart."""
        return 0.0

    @property
    def monotone(self) -> bool:
        """Whether an M-step is guaranteed never to lower the objective; it is then checked."""
        return True

    @property
    def generalised(self) -> bool:
        """Whether the M-step is one step of Newton's method, say, and may overshoot.

        EM then halves a step that would lower the objective (generalised EM); a whole step must
        end within the supports.
        """
        return False

    @property
    def numberless(self) -> str:
        """What to do where the log-likelihood is no finite number."""
        if is_own(type(self)):
            return (
                f"what e_step and log_prior of {type(self).__name__} return must be finite "
                "wherever the supports of the parameters hold: look for the rows where it is not, "
                "or begin elsewhere"
            )
        return "rescale the columns of X"

    @property
    def least_rows(self) -> int:
        """Rows that a chunk should have at least; more where a summary is large."""
        return 1

    def n_parameters(self, params: Any) -> int:
        """Free parameters, for BIC and AIC: what the supports of the fields leave free."""
        supports = type(params).supports()
        return sum(
            supports[name].size(array.shape) if name in supports else array.size
            for name, array in params.arrays().items()
        )

    def guard(self, summary: Summary, params: Any) -> list[Spike]:
        """Components that sit on a singularity of the likelihood, or that only the penalty keeps
        from one. None by default, which is right where the likelihood is bounded."""
        return []

    @property
    def penalised(self) -> bool:
        """Whether the prior is a penalty against collapse, which `unpenalised` takes away."""
        return False

    def unpenalised(self) -> Self:
        """The same model at maximum likelihood."""
        return self

    def vanishing(
        self, summary: Summary, params: Any, *, slowly: bool = False
    ) -> dict[int, tuple[int, ...]]:
        """The columns whose noise alone runs to zero, by component; none in most models.

        With `slowly` also those that may be on the way.
        """
        return {}

    def constant(self, weight: float, params: Any) -> dict[int, tuple[tuple[int, float], ...]]:
        """(column, value) of those that do not vary at all inside a component, by component.

        `weight` is that of all rows.
        """
        return {}

    def finer(self, summary: Summary, params: Any) -> Self | None:
        """The same model with a penalty in the scale of these components, where the table's is far
        too coarse for them; None where it is not."""
        return None

    def standings(
        self, summary: Summary, params: Any, collapsed: Sequence[int] = ()
    ) -> tuple[Standing, ...]:
        """How sound each component is, those known to have `collapsed` among them; none in most
        models."""
        return ()

    def doubtful(self, summary: Summary, params: Any) -> list[Spike]:
        """The components whose standing is "spurious"; none in most models."""
        return []

    def sobered(self, summary: Summary, params: Any, also: Sequence[int] = ()) -> Any:
        """`params` without the gain of narrow components: each gets the width of the others.

        Narrow are those that `guard` finds, and those that are known to be, `also`.

        The likelihood of a spike is what its floor makes it. With an ordinary width a component
        that holds a far row keeps its merit, and one that sits inside a cloud loses it.
        """
        return params

    def widened(self, summary: Summary, params: Any, narrow: Sequence[int]) -> Any:
        """The same where somebody knows which components are narrow."""
        return params

    def refuse_collapse(self, summary: Summary, params: Any) -> None:
        """Raise Collapse where `params`, with this summary, are on the way to a singularity."""
        return None

    def at_edge(self, summary: Summary, params: Any) -> bool:
        """Whether `params` lie at the edge of what is admissible: a group without rows, say."""
        return False

    def refuse_inadmissible(self, params: Any) -> None:
        """ValueError where a step led to parameters that their supports do not hold."""
        try:
            arrays = params.arrays()
            for name, support in type(params).supports().items():
                support.check(arrays[name], name)
        except ValueError as error:
            told = f"the M-step of {type(self).__name__} left what is admissible: {error}"
            raise ValueError(told) from None

    def edge(self, params: Any) -> str:
        """Which parameters lie on the edge of their supports; empty where none does."""
        return ""

    def edged(self, params: Any, near: float) -> Any | None:
        """The same with what is `near` an edge of its support on it; None where nothing is."""
        return None

    def edges(self, params: Any) -> Mapping[str, Support]:
        """The supports of arrays whose numbers EM moves each by itself, by name.

        Brings a look at those on an edge: no maximum is where the objective rises from there.
        """
        return {}

    def endless(self, summary: Summary, params: Any) -> tuple[Endless, ...]:
        """Coefficients that run to infinity, or that the rows do not determine; none in most."""
        return ()

    def obstacle(self) -> str:
        """Why no gradient can be followed in free coordinates; empty where one can."""
        if not self.scored:
            return f"{type(self).__name__} has no score: write score(summary, params)"
        return ""

    @property
    def extrapolates(self) -> bool:
        """Whether EM's steps can be extrapolated in the chart: SQUAREM and Anderson do."""
        return True

    def chart(self, params: Any) -> Chart:
        """Free coordinates around `params`, from the supports on its fields."""
        return model_chart(self.score, params, self.information(params))

    def information(self, params: Any) -> dict[str, Array] | None:
        """What a row, with what is hidden in it, tells of each free number, in expectation.

        By name, in the shape of the free numbers (`Support.free_shape`). It makes the units in
        which the certificate says whether a point is a maximum; None, the default: not known.
        """
        return None

    def begun_at(self, params: Any) -> Any:
        """Where a climb begins that is given `params`, which starts may have of a simpler model."""
        return params

    @property
    def examinable(self) -> str:
        """Why the curvature at an end cannot be judged; empty where it can."""
        if type(self).information is Model.information:
            return f"{type(self).__name__} has no information(params), the units of curvature"
        return ""

    def start(self, source: Source, rng: np.random.RandomState) -> Any:
        """First parameters for a table, drawn with `rng`. Brings many starts."""
        raise NotImplementedError(f"{type(self).__name__} has no start(source, rng)")

    def by_moments(self, rows: Rows, params: Any) -> Any:
        """The parameters whose moments are those of these rows; `params` lends their number.

        Brings `solver="moments"`.
        """
        raise ValueError(
            f"solver='moments' has no answer for {type(self).__name__}, only for plain mixtures of "
            "Gaussian components: use solver='auto'"
        )

    def foreign(self, X: AnyArray) -> str:
        """Why rows cannot come from this model; empty where they may."""
        return ""

    def empty(self, summary: Summary, params: Any) -> tuple[int, ...]:
        """Components with less than half a row."""
        return ()

    @property
    def held_columns(self) -> tuple[int, ...]:
        """Columns without variance of their own, which no component may use."""
        return ()

    @property
    def equations(self) -> tuple[Equation, ...]:
        """What all rows have in common there."""
        return ()

    def rounding(self, params: Any) -> float:
        """What rounding in an M-step from or to `params` may cost a row's log-likelihood (nats).

        Beyond that of a sum, which is known: matrices that are nearly singular lose more.
        """
        return 0.0

    def coarseness(self, params: Any) -> float:
        """How coarsely float64 holds the places of `params`, in standard deviations."""
        return 0.0

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> Any:
        """`params` with the named arrays replaced."""
        return params.with_arrays(given)

    def transported(self, summary: Summary, before: Any, after: Any) -> Summary:
        """A summary taken at `before` as if taken at `after`, so that summaries can be averaged.

        The same, where it holds sums over rows alone.
        """
        return summary

    def e_step_with(self, chunk: Chunk, params: Any, respond: Respond) -> Summary:
        """The same with the responsibilities that `respond` makes of the joint log-densities.

        It is given those of the rows with a positive weight, in their order, and answers with new
        arrays, without the row weights. Where the table is cut matters to it unless its answer
        for a row depends on that row alone. NotImplementedError where there are none to replace.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no responsibilities to replace, as 'hard', 'stochastic' "
            "and 'truncated' do: use solver='em'"
        )

    def sample(self, n: int, params: Any, rng: RandomNumbers) -> tuple[Array, AnyArray]:
        """n rows and what was hidden behind them. Brings simulation and the bootstrap."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot be drawn from: write sample(n, params, rng)"
        )


class Labelled(Model):
    """A model whose rows have hidden labels 0, ..., K - 1: what starts, moves and `predict` ask."""

    @abstractmethod
    def log_joint(self, X: AnyArray, params: Any) -> Array:
        """log P(k, x_i), shape (n, K)."""

    @abstractmethod
    def first_step(self, X: AnyArray, sample_weight: Array | None, resp: Array, params: Any) -> Any:
        """The M-step from given responsibilities (n, K); `params` lends its units and shapes."""

    def as_fine_as(self, other: Any) -> Self:
        """The same with the scale of a model that is `finer`."""
        return self

    @abstractmethod
    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> Any:
        """The same; what hangs on the arrays follows."""
