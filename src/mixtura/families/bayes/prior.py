"""Conjugate priors of components, as a variational mixture asks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mixtura.families.bayes.posteriors import Posterior
from mixtura.families.bayes.rules import Rule
from mixtura.families.priors import Prior
from mixtura.families.product_parts import ProductParams, ProductPrior, ProductStatistics
from mixtura.records import AnyArray, Array, Statistics


@dataclass(frozen=True)
class PosteriorStatistics(Statistics):
    """own are the law's sums; base () is what of sum r log p(x) hangs on no parameter."""

    own: Any
    base: Array

    @property
    def counts(self) -> Array:
        """sum_i r_ik."""
        return self.own.counts  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ConjugatePrior(Prior):
    """Each component's parameters ~ `one`, which rows update by `rule`."""

    rule: Rule
    one: Posterior

    def prior(self, K: int) -> Posterior:
        """K components that no row has told of."""
        return self.one.repeated(K)

    def extended(self, params: Posterior, K: int) -> Posterior:
        """The same among K components, of which the others are the prior."""
        return params.followed(self.prior(K - len(params.told[0])))

    def posterior(self, stats: PosteriorStatistics, now: Any = None) -> Posterior:
        """Bayes' rule."""
        return self.one.plus(self.rule.sums(stats.own))

    def log_prior(self, params: Posterior) -> float:
        """Minus the divergence of the posterior from the prior, every constant in."""
        return -params.divergence(self.one)

    def log_norm(self, params: Posterior) -> float:
        """Of the densities q(theta_k), added."""
        return float(params.log_norms().sum())

    def expected(self, stats: PosteriorStatistics, params: Posterior) -> float:
        """sum_ik r_ik E[log p(x_i | k)]."""
        each = zip(self.rule.sums(stats.own), params.expectations(), strict=True)
        return sum(float((told * mean).sum()) for told, mean in each) + float(stats.base)


@dataclass(frozen=True)
class JointPrior(ProductPrior):
    """Those of the blocks of a product, each for its own parameters."""

    def _of(self, parts: tuple[Any, ...]) -> ProductParams:
        return ProductParams(self.names, parts)

    @property
    def one(self) -> ProductParams:
        """That of one component."""
        return self._of(tuple(each.one for each in self.blocks))

    def prior(self, K: int) -> ProductParams:
        """K components that no row has told of."""
        return self._of(tuple(each.prior(K) for each in self.blocks))

    def extended(self, params: ProductParams, K: int) -> ProductParams:
        """The same among K components, of which the others are the prior."""
        each = zip(self.blocks, params.blocks, strict=True)
        return self._of(tuple(prior.extended(part, K) for prior, part in each))

    def log_norm(self, params: ProductParams) -> float:
        """Of the densities q(theta_k), added."""
        each = zip(self.blocks, params.blocks, strict=True)
        return sum(float(prior.log_norm(part)) for prior, part in each)

    def expected(self, stats: ProductStatistics, params: ProductParams) -> float:
        """sum_ik r_ik E[log p(x_i | k)]."""
        each = zip(self.blocks, stats.blocks, params.blocks, strict=True)
        return sum(float(prior.expected(own, part)) for prior, own, part in each)


def some(params: Any, which: AnyArray | slice) -> Any:
    """The posterior of some of the components."""
    if isinstance(params, ProductParams):
        return ProductParams(params.names, tuple(some(part, which) for part in params.blocks))
    return params.some(which)
