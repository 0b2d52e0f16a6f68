"""Components of any law that has a conjugate prior, known by a posterior, not by a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.bayes.asked import AskedPrior, named, refuse_unknown
from mixtura.families.bayes.posteriors import Posterior, Told
from mixtura.families.bayes.prior import ConjugatePrior, JointPrior, PosteriorStatistics
from mixtura.families.bayes.rules import Rule, rule_of
from mixtura.families.portrait import Kind, Portrait
from mixtura.families.priors import Prior
from mixtura.families.product import Block, Product
from mixtura.families.product_parts import ProductParams
from mixtura.homes import POSTERIORS
from mixtura.records import AnyArray, Array, Categories, RandomNumbers
from mixtura.supports import Support


@dataclass(frozen=True)
class PosteriorLook:
    """What some rows tell, and of how they fit."""

    family: PosteriorOf
    X: AnyArray
    params: Posterior

    @cached_property
    def _rows(self) -> tuple[Told, Array]:
        return self.family.rule.rows(self.X)

    @cached_property
    def log_density(self) -> Array:
        """E[log p(x_i | k)]."""
        told, base = self._rows
        each = zip(told, self.params.expectations(), strict=True)
        return np.asarray(sum(rows @ mean.T for rows, mean in each) + base[:, None])

    def statistics(self, resp: Array) -> PosteriorStatistics:
        """The sums at these responsibilities."""
        told, base = self._rows
        own = self.family.rule.statistics(self.X, told, resp)
        return PosteriorStatistics(own, np.asarray(base @ resp.sum(axis=1)))


@dataclass(frozen=True)
class PosteriorOf(Family):
    """E[log p(x | k)] under a posterior, whose M-step is Bayes' rule.

    law    the family of the rows
    asked  the prior; None: the default
    """

    law: Family
    asked: AskedPrior | None = None

    @cached_property
    def rule(self) -> Rule:
        """How rows update the law of their parameters."""
        return rule_of(self.law)

    @property
    def name(self) -> str:
        return self.law.name

    @property
    def measure(self) -> str:
        return self.law.measure

    @property
    def allows_gaps(self) -> bool:  # type: ignore[override]
        return self.law.allows_gaps

    @property
    def column_kind(self) -> Kind:  # type: ignore[override]
        return self.law.column_kind

    @property
    def categories(self) -> Categories:  # type: ignore[override]
        return self.law.categories

    def log_density(self, X: AnyArray, params: Posterior) -> Array:
        return self.look(X, params).log_density

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> PosteriorStatistics:
        return self.look(X, params).statistics(resp)

    def look(self, X: AnyArray, params: Posterior) -> PosteriorLook:
        return PosteriorLook(self, X, params)

    def maximize(self, stats: PosteriorStatistics, params: Any, prior: ConjugatePrior) -> Posterior:
        """The posterior given the sums; of a component without rows the prior."""
        return prior.posterior(stats)

    def settled(self, survey: Survey, K: int) -> Settled:
        found = self.law.settled(survey, K)
        family = replace(self, law=found.family)
        rule = family.rule
        asked = rule.asks() if self.asked is None else self.asked
        if not isinstance(asked, rule.asks):
            raise ValueError(
                f"prior: that of family {self.name!r} is a {rule.asks.__name__}, got {asked!r}"
            )
        one = rule.prior(asked, found.base)
        with np.errstate(all="ignore"):
            numbers = *one.expectations(), one.log_norms()
        if not all(np.isfinite(each).all() for each in numbers):
            raise ValueError(
                f"prior: {asked!r} has an infinite mean or norm in float64: give numbers nearer 1"
            )
        prior = family.prior_at(one)
        return Settled(family, prior, prior.prior(K), found.frames)

    def prior_at(self, one: Posterior) -> ConjugatePrior:
        """The prior of which `one` is one component's."""
        return ConjugatePrior(self.rule, one)

    def predictive(self, X: AnyArray, params: Posterior) -> Array:
        """log p(x | k, the rows of the fit), (n, K)."""
        return self.rule.predictive(X, params)

    def predicted(self, labels: AnyArray, params: Posterior, rng: RandomNumbers) -> Array:
        """Rows of that law of the labels' components."""
        return self.rule.predicted(labels, params, rng)

    def point(self, params: Posterior) -> Any:
        """The law's parameters at the posterior's mean."""
        return self.rule.point(params)

    def takes_categories(self, names: Sequence[str]) -> tuple[bool, ...]:
        return self.law.takes_categories(names)

    def for_table(
        self, names: Sequence[str], categories: Categories, X: AnyArray | None
    ) -> PosteriorOf:
        return replace(self, law=self.law.for_table(names, categories, X))

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        self.law.refuse(X, names)
        self.rule.refuse(X, names)

    def rounding(self, params: Posterior) -> float:
        return self.rule.rounding(params)

    def sample(self, labels: AnyArray, params: Posterior, rng: RandomNumbers) -> Array:
        """Rows of the law at the posterior's mean."""
        return self.law.sample(labels, self.point(params), rng)

    def means(self, params: Posterior) -> Array:
        return self.law.means(self.point(params))

    def variances(self, params: Posterior) -> Array:
        return self.law.variances(self.point(params))

    def portrait(self, params: Posterior, weights: Array, names: Sequence[str]) -> Portrait:
        return self.law.portrait(self.point(params), weights, names)

    def n_parameters(self, params: Posterior) -> int:
        return self.law.n_parameters(self.point(params))

    def supports(self) -> dict[str, Support]:
        return self.rule.kind.supports()

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(self.supports(), (K, self.rule.width(d)))

    def params(self, arrays: Mapping[str, Array]) -> Posterior:
        self.refuse_inadmissible(found := self.rule.made(arrays))
        return found


class PosteriorProduct(Product):
    """A product of such: parameters of its blocks are independent of each other."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.law.names

    @property
    def law(self) -> Product:
        """The families of the rows."""
        return Product(Block(_law(block.family), block.columns) for block in self.blocks)

    def settled(self, survey: Survey, K: int) -> Settled:
        found = super().settled(survey, K)
        return replace(found, prior=JointPrior(found.prior.names, found.prior.blocks))

    def prior_at(self, one: ProductParams) -> JointPrior:
        """The prior of which `one` is one component's."""
        each: Any = zip(self.blocks, one.blocks, strict=True)
        return JointPrior(self.names, tuple(b.family.prior_at(part) for b, part in each))

    def start(  # type: ignore[override]
        self, X: AnyArray, resp: Array, params: Any, prior: Prior
    ) -> None:
        """None: Bayes' rule is as good, and tells of the weights."""

    def predictive(self, X: AnyArray, params: ProductParams) -> Array:
        """log p(x | k, the rows of the fit), (n, K)."""
        each: Any = zip(self.blocks, params.blocks, strict=True)
        return np.asarray(sum(b.family.predictive(X[:, b.columns], part) for b, part in each))

    def predicted(self, labels: AnyArray, params: ProductParams, rng: RandomNumbers) -> Array:
        """Rows of that law of the labels' components."""
        out = np.empty((len(labels), sum(len(block.columns) for block in self.blocks)))
        each: Any = zip(self.blocks, params.blocks, strict=True)
        for block, part in each:
            out[:, block.columns] = block.family.predicted(labels, part, rng)
        return out

    def point(self, params: ProductParams) -> ProductParams:
        """The laws' parameters at the posteriors' means."""
        each: Any = zip(self.blocks, params.blocks, strict=True)
        return ProductParams(self.names, tuple(b.family.point(part) for b, part in each))


def _law(family: Any) -> Family:
    found: Family = family.law
    return found


def posterior_of(law: Family, asked: Any = None) -> PosteriorOf | PosteriorProduct:
    """A law's components under the prior asked for, one for each block of a product.

    ValueError where there is no conjugate prior, or priors are not as many as blocks.
    """
    if not (isinstance(law, Product) and law.blocks):
        if not (asked is None or isinstance(asked, AskedPrior)):
            raise ValueError(
                f"prior: {asked!r} is no prior of family {law.name!r}: use a mixtura."
                f"{rule_of(law).asks.__name__}(...), or None for the default"
            )
        rule_of(law)
        return PosteriorOf(law, asked)
    each = [None] * len(law.blocks) if asked is None else asked
    if isinstance(asked, Mapping):
        told = named(asked)
        refuse_unknown(asked, law.names)
        each = [told.get(name) for name in law.names]
    if not isinstance(each, list | tuple) or len(each) != len(law.blocks):
        raise ValueError(
            f"prior: {asked!r} is not one for each of the {len(law.blocks)} blocks of the product: "
            "give a dict by their names, or a list of so many, None for the default of a block"
        )
    return PosteriorProduct(
        Block(_block_of(block.family, one), block.columns)
        for block, one in zip(law.blocks, each, strict=True)
    )


def _block_of(law: Family, asked: Any) -> Family:
    """A block's posterior: of a family with one of its own that, else by its rule."""
    home = POSTERIORS.get(type(law).__name__.lower())
    if home is None:
        return posterior_of(law, asked)
    module, _, name = home.partition(":")
    found: Family = getattr(import_module(module), name)(law, asked)
    return found
