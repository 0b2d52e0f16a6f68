"""Where a law of rows and the prior of its parameters meet: Bayes' rule, law by law."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mixtura.families.base import Family
from mixtura.families.bayes.asked import AskedPrior, BetaPrior, DirichletPrior, GammaPrior, along
from mixtura.families.bayes.posteriors import DirichletPosterior, GammaPosterior, Posterior, Told
from mixtura.families.categorical import CategoricalStatistics
from mixtura.families.domain import refuse_cells
from mixtura.families.factorials import log_factorials
from mixtura.families.gaps import observed, totals
from mixtura.families.levels import hits
from mixtura.records import AnyArray, Array, RandomNumbers
from mixtura.supports import TINY

# Counts of which a bound on the evidence keeps digits after the point, and its terms' rounding.
_MOST = 1e12
_TERMS = 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Rule(ABC):
    """log p(x | theta) = sum_i rows(x)_i . statistic_i(theta) + base(x), for one law of rows.

    Then the posterior has the prior's form, with what rows told added to its arrays: Diaconis &
    Ylvisaker (1979), Conjugate priors for exponential families, Annals of Statistics 7.
    """

    law: Any
    asks: ClassVar[type[AskedPrior]]
    kind: ClassVar[type[Posterior]]

    def width(self, d: int) -> int:
        """How many numbers an array of the posterior has for d columns."""
        return d

    def made(self, arrays: Mapping[str, Array]) -> Posterior:
        """A posterior from its arrays."""
        return self.kind(**arrays)

    @abstractmethod
    def prior(self, asked: Any, base: Any) -> Posterior:
        """That of one component; `base` are the law's parameters for the whole table."""

    @abstractmethod
    def rows(self, X: AnyArray) -> tuple[Told, Array]:
        """(what each row tells, (n, q), or what all do, (1, q); base(x), (n,))."""

    def statistics(self, X: AnyArray, told: Told, resp: Array) -> Any:
        """The law's own sums of these rows, which told so."""
        return self.law.statistics(X, resp, None)

    @abstractmethod
    def sums(self, stats: Any) -> Told:
        """The same added up, from the law's own statistics, (K, q)."""

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:  # noqa: B027
        """ValueError for rows that the law takes, and its posterior does not."""

    def rounding(self, posterior: Any) -> float:
        """As `Family.rounding`."""
        return 0.0

    @abstractmethod
    def point(self, posterior: Any) -> Any:
        """The law's parameters at the mean of the posterior."""

    def predictive(self, X: AnyArray, posterior: Posterior) -> Array:
        """log p(x | k, the rows before), (n, K): by how much a row changes the norm."""
        (told, base), norms = self.rows(X), posterior.log_norms()
        out = np.empty((len(X), len(norms)))
        for k in range(len(norms)):
            after = posterior.some([k]).plus(told).log_norms()  # type: ignore[arg-type]
            out[:, k] = (after - norms[k]).sum(axis=1)
        return out + base[:, None]

    def predicted(self, labels: AnyArray, posterior: Posterior, rng: RandomNumbers) -> Array:
        """Rows of that law of the labels' components, each of parameters drawn for it alone."""
        own = self.point(posterior.drawn(labels, rng))
        found: Array = self.law.sample(np.arange(len(labels)), own, rng)
        return found


class PoissonRule(Rule):
    """Rates ~ Gamma; the predictive law is negative binomial."""

    asks, kind = GammaPrior, GammaPosterior

    def prior(self, asked: GammaPrior, base: Any) -> GammaPosterior:
        mean = base.rates[:1]
        # A column of zeros tells that its counts are rare, not how rare.
        mean = np.where(mean > TINY, mean, 1.0)
        shape = along(1.0 if asked.shape is None else asked.shape, mean.size, "shape")
        rate = shape / mean if asked.rate is None else along(asked.rate, mean.size, "rate")
        return GammaPosterior(shape, rate)

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        # x log x of so much is known to 0.01.
        rule = (
            f"a posterior of Poisson rates takes counts below {_MOST:,.0f}, of whose "
            "terms enough digits are left"
        )
        refuse_cells(X, np.asarray(X) >= _MOST, names, rule)

    def rounding(self, posterior: GammaPosterior) -> float:
        mean = np.maximum(posterior.mean, 1.0)
        return float(_TERMS * np.max((mean * (1.0 + np.log(mean))).sum(axis=1)))

    def rows(self, X: AnyArray) -> tuple[Told, Array]:
        x, seen = observed(X)
        return (x, seen), -log_factorials(x).sum(axis=1)

    def sums(self, stats: Any) -> Told:
        return stats.sums, stats.cells

    def point(self, posterior: GammaPosterior) -> Any:
        return self.law.record(posterior.mean)


class ExponentialRule(Rule):
    """1 / mean ~ Gamma; the predictive law is a Lomax (Pareto) one."""

    asks, kind = GammaPrior, GammaPosterior

    def prior(self, asked: GammaPrior, base: Any) -> GammaPosterior:
        mean = base.means[:1]
        shape = along(1.5 if asked.shape is None else asked.shape, mean.size, "shape")
        if asked.rate is not None:
            return GammaPosterior(shape, along(asked.rate, mean.size, "rate"))
        # The mean of a cell is rate / (shape - 1), where there is one.
        return GammaPosterior(shape, np.where(shape > 1, shape - 1.0, shape) * mean)

    def rows(self, X: AnyArray) -> tuple[Told, Array]:
        x, seen = observed(X)
        return (seen, x), np.zeros(len(x))

    def sums(self, stats: Any) -> Told:
        return stats.cells, stats.sums

    def point(self, posterior: GammaPosterior) -> Any:
        return self.law.record(1.0 / posterior.mean)


class SharesRule(Rule):
    """Shares ~ Dirichlet, of rows of which each is one draw from every whole."""

    asks: ClassVar[type[AskedPrior]] = DirichletPrior
    kind = DirichletPosterior

    def prior(self, asked: Any, base: Any) -> DirichletPosterior:
        size = base.probabilities.shape[1]
        return DirichletPosterior(along(asked.alpha, size, "alpha"), self.levels(size))

    @abstractmethod
    def levels(self, size: int) -> tuple[int, ...]:
        """The shares of each whole, `size` in all."""

    def made(self, arrays: Mapping[str, Array]) -> DirichletPosterior:
        levels = self.levels(arrays["concentrations"].shape[-1])
        return DirichletPosterior(arrays["concentrations"], levels)

    def point(self, posterior: DirichletPosterior) -> Any:
        return self.law.record(posterior.mean)

    def predictive(self, X: AnyArray, posterior: Any) -> Array:
        (hits,), base = self.rows(X)
        return np.asarray(hits @ np.log(posterior.mean).T + base[:, None])


class BernoulliRule(SharesRule):
    """Shares of zeros and of ones, column by column: a Beta law for each."""

    asks = BetaPrior

    def prior(self, asked: BetaPrior, base: Any) -> DirichletPosterior:
        d = base.probabilities.shape[1]
        both = along(asked.b, d, "b"), along(asked.a, d, "a")
        return DirichletPosterior(_in_pairs(*both), self.levels(2 * d))

    def width(self, d: int) -> int:
        return 2 * d

    def levels(self, size: int) -> tuple[int, ...]:
        return (2,) * (size // 2)

    def rows(self, X: AnyArray) -> tuple[Told, Array]:
        x, seen = observed(X)
        return (_in_pairs(seen - x, x),), np.zeros(len(x))

    def sums(self, stats: Any) -> Told:
        # Two sums over the same rows differ by their rounding.
        return (_in_pairs(np.maximum(stats.cells - stats.sums, 0.0), stats.sums),)

    def point(self, posterior: DirichletPosterior) -> Any:
        return self.law.record(posterior.mean[:, 1::2])


class CategoricalRule(SharesRule):
    """Shares of the categories of each column; the predictive law is their mean."""

    def width(self, d: int) -> int:
        return sum(self.law.levels)

    def levels(self, size: int) -> tuple[int, ...]:
        return tuple(self.law.levels)

    def rows(self, X: AnyArray) -> tuple[Told, Array]:
        look = self.law.look(X, None)
        base = np.zeros(len(X)) if look.new is None else look.new * np.log(TINY)
        return (look.met,), base

    def statistics(self, X: AnyArray, told: Told, resp: Array) -> CategoricalStatistics:
        # Which levels rows have is most of the work.
        return CategoricalStatistics(totals(resp), hits(told[0], resp))

    def sums(self, stats: Any) -> Told:
        return (stats.hits,)


class MultinomialRule(SharesRule):
    """Shares of a row's total; the predictive law is a Dirichlet-multinomial one."""

    predictive = Rule.predictive

    def levels(self, size: int) -> tuple[int, ...]:
        return (size,)

    def rows(self, X: AnyArray) -> tuple[Told, Array]:
        x = np.asarray(X, dtype=np.float64)
        return (x,), log_factorials(x.sum(axis=1)) - log_factorials(x).sum(axis=1)

    def sums(self, stats: Any) -> Told:
        return (stats.sums,)


def _in_pairs(first: Array, second: Array) -> Array:
    """Columns of both by turns, (n, 2 d)."""
    both = np.stack(np.broadcast_arrays(first, second), axis=-1)
    return both.reshape(len(both), 2 * both.shape[1])


# By the law's name.
RULES: dict[str, type[Rule]] = {
    "bernoulli": BernoulliRule,
    "categorical": CategoricalRule,
    "exponential": ExponentialRule,
    "multinomial": MultinomialRule,
    "poisson": PoissonRule,
}


def rule_of(law: Family) -> Rule:
    """That of a law; ValueError where its parameters have no conjugate prior here."""
    kind = RULES.get(law.name)
    if kind is None:
        raise ValueError(
            f"family {law.name!r} has no conjugate prior here: use one of "
            f"{', '.join(sorted(RULES))}, a Product of such, or BayesianGaussianMixture (states: "
            "VariationalGaussianHMM)"
        )
    return kind(law)
