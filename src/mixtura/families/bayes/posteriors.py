"""Laws of parameters that are known by a few numbers for each: gamma and Dirichlet."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Self

import numpy as np
from scipy.special import digamma, gammaln

from mixtura.records import AnyArray, Array, Params, RandomNumbers
from mixtura.supports import TINY, Positive, Simplex

# What a row, or many, add to each array of a posterior; lines of ones may stand for all rows.
Told = tuple[Array, ...]


@dataclass(frozen=True)
class Posterior(Params):
    """An exponential family: log q(theta) = sum_i told_i . statistic_i(theta) - log_norm.

    The arrays `told`, of one line per component, count what rows told, the prior's own before.
    """

    @property
    @abstractmethod
    def told(self) -> Told:
        """The arrays, each (K, q)."""

    @abstractmethod
    def expectations(self) -> Told:
        """E[statistic_i], in the shapes of `told`."""

    @abstractmethod
    def log_norms(self) -> Array:
        """The logarithm of the integral that norms each parameter's law, (K, number of them)."""

    @abstractmethod
    def drawn(self, labels: AnyArray, rng: RandomNumbers) -> Self:
        """For each label a law whose mean is one draw of that component's parameters."""

    def with_told(self, told: Told) -> Self:
        """The same law with other arrays."""
        names = list(self.arrays())
        return replace(self, **dict(zip(names, told, strict=True)))

    def plus(self, told: Told) -> Self:
        """Bayes' rule."""
        return self.with_told(tuple(a + b for a, b in zip(self.told, told, strict=True)))

    def some(self, which: AnyArray | slice) -> Self:
        """Some of the components."""
        return self.with_told(tuple(each[which] for each in self.told))

    def followed(self, more: Self) -> Self:
        """These components and then those."""
        pairs = zip(self.told, more.told, strict=True)
        return self.with_told(tuple(np.concatenate(pair) for pair in pairs))

    def repeated(self, K: int) -> Self:
        """K components like the only one."""
        return self.with_told(tuple(np.repeat(each, K, axis=0) for each in self.told))

    def divergence(self, prior: Self) -> float:
        """The Kullback-Leibler divergence from the prior (one component), summed, in nats.

        Of two laws of one exponential family it is the difference of their arrays times
        `expectations`, less that of their norms: Wainwright & Jordan (2008), Graphical models,
        exponential families, and variational inference, section 5.2.2.
        """
        each = zip(self.told, prior.told, self.expectations(), strict=True)
        apart = sum(float(((q - p) * mean).sum()) for q, p, mean in each)
        return apart - float((self.log_norms() - prior.log_norms()).sum())


@dataclass(frozen=True)
class GammaPosterior(Posterior):
    """theta_kj ~ Gamma(shape, rate), of density theta^(shape - 1) exp(-rate theta) / norm.

    gamma_shapes, gamma_rates  (K, d)  positive; rates in units of 1 / theta
    Source: Gelman et al. (2013), Bayesian Data Analysis, section 2.6.
    """

    gamma_shapes: Annotated[Array, Positive()]
    gamma_rates: Annotated[Array, Positive()]

    @property
    def told(self) -> Told:
        return self.gamma_shapes, self.gamma_rates

    def expectations(self) -> Told:
        return digamma(self.gamma_shapes) - np.log(self.gamma_rates), -self.mean

    def drawn(self, labels: AnyArray, rng: RandomNumbers) -> GammaPosterior:
        drawn = rng.standard_gamma(self.gamma_shapes[labels]) / self.gamma_rates[labels]
        return GammaPosterior(np.maximum(drawn, TINY), np.ones_like(drawn))

    def log_norms(self) -> Array:
        return np.asarray(gammaln(self.gamma_shapes) - self.gamma_shapes * np.log(self.gamma_rates))

    @property
    def mean(self) -> Array:
        """E[theta], (K, d)."""
        return np.asarray(self.gamma_shapes / self.gamma_rates)


@dataclass(frozen=True)
class DirichletPosterior(Posterior):
    """Shares of several wholes side by side, each ~ Dirichlet; of two shares it is a Beta law.

    concentrations  (K, sum of levels)  positive; as if each share had been met so often
    levels          the shares of each whole
    Source: Bishop (2006), Pattern Recognition and Machine Learning, section 2.2.1, appendix B.
    """

    concentrations: Annotated[Array, Positive()]
    levels: tuple[int, ...] = ()

    def arrays(self) -> dict[str, Array]:
        return {"concentrations": self.concentrations}

    @property
    def told(self) -> Told:
        return (self.concentrations,)

    def _sums(self, values: Array) -> Array:
        """Over each whole, (..., number of wholes)."""
        return Simplex(self.levels).sums(values)

    def _spread(self, sums: Array) -> Array:
        return Simplex(self.levels).spread(sums, sum(self.levels))

    def expectations(self) -> Told:
        whole = digamma(self._sums(self.concentrations))
        return (digamma(self.concentrations) - self._spread(whole),)

    def drawn(self, labels: AnyArray, rng: RandomNumbers) -> DirichletPosterior:
        """Gamma numbers over their sums, in logarithms: G(a) is G(a + 1) U^(1/a) (Marsaglia & Tsang
        2000, A simple method for generating gamma variables, ACM TOMS 26), which may be below any
        float64."""
        alpha = self.concentrations[labels]
        logs = (
            np.log(rng.standard_gamma(alpha + 1.0)) + np.log(rng.uniform(size=alpha.shape)) / alpha
        )
        tops = np.maximum.reduceat(logs, np.cumsum((0, *self.levels))[:-1], axis=1)
        return replace(self, concentrations=np.exp(logs - self._spread(tops)))

    def log_norms(self) -> Array:
        each = self._sums(gammaln(self.concentrations))
        return np.asarray(each - gammaln(self._sums(self.concentrations)))

    @property
    def mean(self) -> Array:
        """E[shares], (K, sum of levels)."""
        return self.concentrations / self._spread(self._sums(self.concentrations))
