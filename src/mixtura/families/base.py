"""What every family of component densities offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from mixtura.coordinates import fields_around
from mixtura.data.source import Source
from mixtura.data.survey import Survey
from mixtura.families.alike import all_alike
from mixtura.families.by_column import by_column
from mixtura.families.condensed import Condensed
from mixtura.families.domain import BadRow, refuse_no_counts, refuse_not_above
from mixtura.families.endless import Endless
from mixtura.families.fields import FieldChart
from mixtura.families.frames import Frame, standardised
from mixtura.families.left_out import LeavesOut
from mixtura.families.outlying import Outlying
from mixtura.families.pins import Pins
from mixtura.families.portrait import DENSITIES, Kind, Portrait
from mixtura.families.priors import Flat
from mixtura.families.two_looks import TwoLooks
from mixtura.records import AnyArray, Array, Categories, Params, RandomNumbers, Statistics
from mixtura.supports import Support

# A component with less than this share of the rows is scaled as if it had it.
LEAST_SHARE = 1e-8
# The part of each row that soft starts share out evenly.
# (Measured on latent classes: 0.02 to 0.7 find the best of several maxima, 0.3 most often.)
SOFT = 0.3
# Rows that are looked at together where a whole table passes by.
_PIECE = 1 << 14


class Look(Protocol):
    """What a family makes of some rows: their densities first, then sums, from the same work."""

    @property
    def log_density(self) -> Array:
        """log p(x_i | k), shape (n, K)."""

    def statistics(self, resp: Array) -> Statistics:
        """The sums at responsibilities (n, K) that include the row weights."""


@dataclass(frozen=True)
class Settled:
    """A family that has seen its table.

    family  the same with what it took from the table (the levels of categories, say)
    prior   its default prior there
    base    K components that all are the whole table
    frames  where starts are made
    alike   `base` of another table and number of components, where that is less work
    """

    family: Family
    prior: Any
    base: Any
    frames: tuple[Frame, ...]
    alike: Callable[[Survey, int], Any] | None = None


class Family(Outlying, LeavesOut, ABC):
    """K densities of one kind. Only `log_density` and `statistics` touch rows.

    A new family is a file with a `Params` record, a `Statistics` record that has a field `counts`
    (sum_i r_ik, (K,)), and the three abstract methods. What follows them has defaults that are
    right for most; each says what writing it brings. List it in `mixtura.homes` and it
    inherits the contract tests, files, reports and the command line.
    """

    # The record of its parameters, whose fields carry their supports.
    record: ClassVar[type[Params]]
    # Rows that a chunk should have at least, for a family whose sums are large.
    least_rows: ClassVar[int] = 1
    # Whether `maximize` may overshoot, as Newton's step does: EM then halves it; `Model.curved`.
    generalised: ClassVar[bool] = False
    curved: ClassVar[bool] = False
    # Whether columns are independent within a component, so that missing cells are left out.
    allows_gaps: ClassVar[bool] = False
    # Whether it expects missing cells from others, in rows in memory; whether these are such rows.
    fills_gaps: ClassVar[bool] = False
    gaps: bool = False
    # Whether all components share one width, and whether columns vary together.
    one_covariance: ClassVar[bool] = False
    correlates: ClassVar[bool] = False
    # Whether it is the density of some columns given others: then rows are drawn `sample_given`.
    conditional: ClassVar[bool] = False
    # The covariance types that its field `covariance_type` may have, where it has one.
    structures: ClassVar[frozenset[str]] = frozenset()
    # What would be a simpler family, where there is one: "a simpler covariance".
    simpler: ClassVar[str] = ""
    # Starts: whether some leave out far rows; softened, as what a group lacks is impossible later.
    heavy_tailed: ClassVar[bool] = False
    soft_starts: ClassVar[bool] = False
    # What a column's cells are, and above what they lie: what is refused, and how figures draw it.
    column_kind: ClassVar[Kind] = "density"
    least: ClassVar[float] = -np.inf
    # Whether it says itself which columns of a table it is for, and leaves others alone.
    names_columns: ClassVar[bool] = False
    # Starts are found on at most so many numbers, for a family whose passes are long.
    start_numbers: ClassVar[int | None] = None
    # What the codes of its columns stand for, where they do.
    categories: Categories = ()
    pinned: Pins | None = None

    @property
    def name(self) -> str:
        """What messages, files and reports call it."""
        return type(self).__name__.lower()

    @property
    def measure(self) -> str:
        """Of what `log_density` is the logarithm: only where that is alike are likelihoods."""
        return "a density" if self.column_kind in DENSITIES else "a probability"

    def condensed(self, survey: Survey) -> tuple[Family, Family, Condensed] | None:
        """(the family there, itself with what it took from the table, the table as fewer numbers).

        None where there is no such way. EM must take the same steps there. Brings speed if d >> n.
        """
        return None

    @abstractmethod
    def log_density(self, X: AnyArray, params: Any) -> Array:
        """log p(x_i | k), shape (n, K)."""

    def within_reach(self, X: AnyArray, params: Any) -> bool:
        """Whether all rows surely have a density in logarithms; False where that is not known."""
        return False

    @abstractmethod
    def statistics(self, X: AnyArray, resp: Array, params: Any) -> Statistics:
        """The sums over rows that `maximize` needs; `resp` (n, K) includes the row weights.

        `params` are those at which `resp` was computed, None where there are none yet.
        """

    @abstractmethod
    def maximize(self, stats: Any, params: Any, prior: Any) -> Params:
        """The M-step: the parameters that maximise the expected complete log-likelihood.

        `params` are those of the statistics (None where there are none yet), which a component
        without rows keeps.
        """

    def score(self, stats: Any, params: Any) -> dict[str, Array]:
        """The gradient of the observed log-likelihood, by parameter name.

        Fisher's identity: at the parameters where the responsibilities were computed it equals
        the gradient of the expected complete log-likelihood. Brings L-BFGS, Newton, the gradient
        norm and the certificate.
        """
        raise NotImplementedError(f"{type(self).__name__} has no score")

    def sample(self, labels: AnyArray, params: Any, rng: RandomNumbers) -> Array:
        """One row drawn from each labelled component, (len(labels), d). Brings simulation."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot be drawn from: write sample(labels, params, rng)"
        )

    def continues(self, last: Family, names: Sequence[str]) -> bool:
        """Whether a fit that is asked for this one may begin where one of `last` ended.

        `names` are the table's columns.
        """
        return self.name == last.name

    def takes_categories(self, names: Sequence[str]) -> tuple[bool, ...]:
        """Which of these columns may hold categories, such as text; it is given their codes."""
        return (self.column_kind == "levels",) * len(names)

    def for_table(self, names: Sequence[str], categories: Categories, X: AnyArray | None) -> Family:
        """The same for a table with these columns, whose codes stand for these categories.

        X are its rows, None where they are not in memory. Most families need none of this.
        """
        return self

    def filling(self, X: AnyArray) -> Family:
        """The same for such rows as these, of which cells may be missing where it `fills_gaps`."""
        return self

    def meeting(self, X: AnyArray) -> Family:
        """The same for other rows than it has settled on, such as it might draw."""
        return self

    def filled(self, X: AnyArray, params: Any, k: int) -> Array:
        """The rows, missing cells at their mean under component k given the others, (n, d)."""
        return np.where(np.isnan(X), self.means(params)[k], X)

    def completed(self, X: AnyArray, labels: AnyArray, params: Any, rng: RandomNumbers) -> Array:
        """The rows, missing cells drawn from their labelled component given the others, (n, d)."""
        return np.where(np.isnan(X), self.sample(labels, params, rng), X)

    def whole(self) -> Family:
        """The same for rows without gaps, nothing known in advance: what is kept of a fit."""
        return self

    def sample_given(self, X: AnyArray, labels: AnyArray, params: Any, rng: RandomNumbers) -> Array:
        """Rows drawn as `sample` does, where they hang on columns of X (n, d) that are to stay."""
        return self.sample(labels, params, rng)

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        """ValueError, naming the column, where rows cannot come from this family."""
        if self.column_kind == "counts":
            refuse_no_counts(X, names, self.name)
        if self.least > -np.inf:
            refuse_not_above(X, names, self.name, self.least)

    def refuse_source(self, source: Source) -> None:
        """`refuse` all rows of a table."""
        names = source.names
        source.reduced(lambda part: self._refuse_part(part, names), lambda *_: None)

    def _refuse_part(self, part: Source, names: list[str]) -> None:
        for X, weight, where, *_ in part.chunks(_PIECE):
            there = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
            try:
                self.refuse(X if len(there) == len(X) else X[there], names)
            except BadRow as bad:
                raise bad.at(where.start + int(there[bad.row])) from None

    def frame(self, X: AnyArray) -> Array:
        """Rows as numbers (n, q) without units, where starts are made: columns should count alike.
        By default they are standardised, gaps at their means."""
        return standardised(X)

    def information(self, params: Any, shares: Array) -> dict[str, Array]:
        """What a row with its label tells of each free number, in expectation, by name.

        The free number of a positive parameter is its logarithm, of a real one and of an angle it
        is itself, of a direction an arc. Shares of a whole, and a probability, which is one of two,
        are counted in draws: 1 is what one multinomial (Bernoulli) draw tells, so that for the p of
        a geometric distribution it is shares / p. In the shape of the parameter, for matrices of
        their free numbers (`Support.free_shape`), or one that broadcasts to it; `shares` (K,) are
        the components' parts of the rows. It makes the units of the free coordinates: exact, EM's
        step is the gradient there, and curvatures are shares of the complete information.
        By default 1 for each row of the component.
        """
        found = {}
        for name, support in self.supports().items():
            shape = support.free_shape(params.arrays()[name].shape)
            found[name] = shares.reshape(-1, *(1,) * (len(shape) - 1))
        return found

    def start(self, X: AnyArray, resp: Array, params: Any, prior: Any) -> Params | None:
        """Parameters from responsibilities (n, K) that include the row weights.

        None, the default without `soft_starts`, where a single M-step of them is as good; then
        that is taken.
        """
        if not self.soft_starts:
            return None
        even = resp.sum(axis=1, keepdims=True) / resp.shape[1]
        soft = (1.0 - SOFT) * resp + SOFT * even
        x = np.asarray(X, dtype=np.float64)
        return self.maximize(self.statistics(x, soft, params), params, prior)

    def by_moments(self, X: AnyArray, w: Array, K: int) -> tuple[Array, Params]:
        """(weights (K,), K components) whose moments are those of X (n, d), weighed by w (n,).
        Brings `solver="moments"`."""
        raise ValueError(
            f"solver='moments': family {self.name!r} has no such answer: use solver='auto'"
        )

    def settled(self, survey: Survey, K: int) -> Settled:
        """The family with its prior, its first parameters and its frames for this table.

        ValueError where the table is none for it.
        """
        self.refuse_source(survey.source)
        return Settled(self, Flat(), all_alike(self, survey.sample, K), (self.frame,))

    def supports(self) -> dict[str, Support]:
        """Where each parameter may live, by name."""
        return self.record.supports()

    def params(self, arrays: Mapping[str, Array]) -> Params:
        """The parameters from their named arrays; ValueError if they are not admissible."""
        for name, support in self.supports().items():
            support.check(arrays[name], name)
        return self.record(**{name: arrays[name] for name in self.supports()})

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        """The shapes of the parameters of K components over d columns, by name; (K, d) mostly."""
        return dict.fromkeys(self.supports(), (K, d))

    def described(self) -> dict[str, Any]:
        """What else than its name makes this family, as plain values: its fields but defaults."""
        if not is_dataclass(self):
            return {}
        own = {each.name: (getattr(self, each.name), each.default) for each in fields(self)}
        said = {name: value for name, (value, default) in own.items() if value != default}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in said.items()}

    def ordered(self, params: Any) -> Any:
        """The same, what has labels of its own within a component in the order of a stated rule."""
        return params

    def means(self, params: Any) -> Array:
        """Each component's mean in each column, (K, d)."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its means")

    def variances(self, params: Any) -> Array:
        """Each component's variance in each column, (K, d)."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its variances")

    def covariances(self, params: Any, columns: AnyArray) -> Array:
        """Each component's covariances of these columns, dense, (K, m, m)."""
        return self.variances(params)[:, columns, None] * np.eye(len(columns))

    def portrait(self, params: Any, weights: Array, names: Sequence[str]) -> Portrait:
        """What reports and figures show of the components; weights (K,), d names.

        By default means and deviations, where `means` and `variances` tell them, else the
        parameters; and the densities of single columns, where these are independent.
        """
        return by_column(self, params, weights, names)

    def refuse_inadmissible(self, params: Any) -> None:
        """ValueError, naming the parameter, where one has left its support."""
        arrays = params.arrays()
        for name, support in self.supports().items():
            support.check(arrays[name], name)

    def n_parameters(self, params: Any) -> int:
        """The number of free parameters of the K densities."""
        arrays = params.arrays()
        return sum(support.size(arrays[name].shape) for name, support in self.supports().items())

    def counts(self, stats: Any) -> Array:
        """sum_i r_ik, shape (K,)."""
        return np.asarray(stats.counts)

    def look(self, X: AnyArray, params: Any) -> Look:
        """`log_density`, then `statistics`, of the same rows; families may share work in it."""
        return TwoLooks(self, X, params)

    @property
    def scored(self) -> bool:
        """Whether `score` is written."""
        return type(self).score is not Family.score

    def obstacle(self, prior: Any) -> str:
        """Why there are no free coordinates under this prior; empty where there are."""
        unscored = f"{type(self).__name__} has no score: write score(stats, params)"
        return str(prior.obstacle()) if self.scored else unscored

    def chart(self, params: Any, weights: Array) -> Any:
        """Free coordinates around `params` for components with these shares of the rows.

        An object with `size`, `radius`, `params`, `coordinates` and `gradient(stats, params,
        prior)` as in `records.Chart`.
        """
        told = self.information(params, np.maximum(weights, LEAST_SHARE))
        fields = fields_around(self.supports(), params.arrays(), told)
        return FieldChart(fields, self.params, self.score)

    def edge(self, params: Any) -> str:
        """Which parameters lie on the edge of what is admissible; empty where none does."""
        arrays = params.arrays()
        at = [
            at_edge(int(support.at_edge(arrays[name]).sum()), name, support.edge)
            for name, support in self.supports().items()
        ]
        return "; ".join(said for said in at if said)

    def endless(self, stats: Any, params: Any) -> tuple[Endless, ...]:
        """Coefficients that run to infinity, or that the rows do not determine; none in most."""
        return ()

    def rounding(self, params: Any) -> float:
        """What rounding in an M-step from or to `params` may cost a row's log-likelihood (nats)."""
        return 0.0

    def coarseness(self, params: Any) -> float:
        """The largest gap between numbers that float64 has near a mean, in standard deviations."""
        return 0.0

    def transported(self, stats: Any, before: Any, after: Any) -> Any:
        """Statistics taken at the parameters `before` as if taken at `after`.

        The same, where statistics are sums over rows alone.
        """
        return stats


def at_edge(count: int, name: str, edge: str) -> str:
    """ "3 of the probabilities are 0"; empty for none."""
    return f"{count} of the {name} {'is' if count == 1 else 'are'} {edge}" if count else ""
