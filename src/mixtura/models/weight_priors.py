"""What is known of a mixture's weights before the rows are seen, and after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import betaln, digamma, gammaln

from mixtura.records import AnyArray, Array

# Components with fewer rows do not count.
HALF = 0.5


class WeightPrior(ABC):
    """A distribution of the weights that counts of labels update in closed form.

    concentration is what says which member it is: (K,) or (2, K). Components beyond those K that
    hold rows stay as they were, and cost nothing.
    """

    # Whether the first components are expected to be larger.
    ordered: ClassVar[bool] = False

    @abstractmethod
    def posterior(self, counts: Array) -> Array:
        """The concentration after so many rows of each component, counts (K,)."""

    @abstractmethod
    def rows(self, concentration: Array) -> Array:
        """The counts (K,) that `posterior` answered with this concentration."""

    @abstractmethod
    def expected_log(self, concentration: Array) -> Array:
        """E[log pi_k], (K,)."""

    @abstractmethod
    def mean(self, concentration: Array) -> Array:
        """The mean weights (K,), made to sum to one."""

    @abstractmethod
    def drawn(self, concentration: Array, draws: int, rng: np.random.RandomState) -> Array:
        """Weights (draws, K); what is left to one belongs to components beyond those K."""

    @abstractmethod
    def divergence(self, concentration: Array) -> float:
        """The Kullback-Leibler divergence from the prior, every constant in."""

    @abstractmethod
    def log_norm(self, concentration: Array) -> float:
        """The logarithm of the integral that norms the density."""

    @abstractmethod
    def log_copies(self, counts: Array) -> float:
        """The logarithm of how often the same groups of rows are met under other names.

        counts (k,) are the rows of those components that hold some, in their order. Each other way
        to name them counts as much as it is more probable than this one.
        """


@dataclass(frozen=True)
class Dirichlet(WeightPrior):
    """pi ~ Dirichlet(alpha, ..., alpha) over `total` components.

    Source: Bishop (2006), Pattern Recognition and Machine Learning, equations 10.58, 10.66, B.23.
    """

    alpha: float
    total: int

    def posterior(self, counts: Array) -> Array:
        return self.alpha + counts

    def rows(self, concentration: Array) -> Array:
        return concentration - self.alpha

    def _sum(self, concentration: Array) -> float:
        return float(concentration.sum() + self.alpha * (self.total - len(concentration)))

    def expected_log(self, concentration: Array) -> Array:
        return np.asarray(digamma(concentration) - digamma(self._sum(concentration)))

    def mean(self, concentration: Array) -> Array:
        return np.asarray(concentration / concentration.sum())

    def drawn(self, concentration: Array, draws: int, rng: np.random.RandomState) -> Array:
        beyond = self._sum(concentration) - concentration.sum()
        each = rng.standard_gamma(concentration, size=(draws, len(concentration)))
        total = each.sum(axis=1) + rng.standard_gamma(max(beyond, 0.0), size=draws)
        return np.asarray(each / total[:, None])

    def divergence(self, concentration: Array) -> float:
        prior = self.total * self.alpha
        whole = gammaln(self._sum(concentration)) - gammaln(prior)
        each = gammaln(self.alpha) - gammaln(concentration)
        each += (concentration - self.alpha) * self.expected_log(concentration)
        return float(whole + each.sum())

    def log_norm(self, concentration: Array) -> float:
        return float(gammaln(concentration).sum() - gammaln(self._sum(concentration)))

    def log_copies(self, counts: Array) -> float:
        """ln(n! / (n - k)!): all names are as probable."""
        return float(gammaln(self.total + 1) - gammaln(self.total - len(counts) + 1))


@dataclass(frozen=True)
class StickBreaking(WeightPrior):
    """pi_k = u_k prod_{j < k} (1 - u_j), u_k ~ Beta(1, alpha): a Dirichlet process.

    concentration  (2, K): those of each u_k; of the sticks beyond the last they are the prior's
    The K-th stick is one like the others: it leaves a rest, which belongs to no row. So by counts
    n_k, of which b_k = n_k + ... + n_K, the bound has sum_k ln[B(1 + n_k, alpha + b_k - n_k) /
    B(1, alpha)], in which the order of the components moves -sum_k ln(alpha + b_k) alone: it is
    highest with the largest first, where each b_k is least.
    Source: Blei & Jordan (2006), Bayesian Analysis 1; no row beyond the last one: Kurihara, Welling
    & Vlassis (2007), Advances in Neural Information Processing Systems 19.
    """

    alpha: float
    ordered = True

    def posterior(self, counts: Array) -> Array:
        beyond = np.append(np.cumsum(counts[::-1])[-2::-1], 0.0)
        return np.stack([1.0 + counts, self.alpha + beyond])

    def rows(self, concentration: Array) -> Array:
        return np.asarray(concentration[0] - 1.0)

    def expected_log(self, concentration: Array) -> Array:
        whole = digamma(concentration.sum(axis=0))
        taken, left = digamma(concentration) - whole
        return np.asarray(taken + np.append(0.0, np.cumsum(left)[:-1]))

    def mean(self, concentration: Array) -> Array:
        taken, left = concentration / concentration.sum(axis=0)
        weights = taken * np.append(1.0, np.cumprod(left)[:-1])
        return np.asarray(weights / weights.sum())

    def drawn(self, concentration: Array, draws: int, rng: np.random.RandomState) -> Array:
        a, b = concentration
        taken = rng.beta(a, b, size=(draws, len(a)))
        left = np.cumprod(1.0 - taken, axis=1)[:, :-1]
        return np.asarray(taken * np.hstack([np.ones((draws, 1)), left]))

    def divergence(self, concentration: Array) -> float:
        a, b = concentration
        whole = digamma(a + b)
        each = betaln(1.0, self.alpha) - betaln(a, b)
        each += (a - 1.0) * (digamma(a) - whole) + (b - self.alpha) * (digamma(b) - whole)
        return float(each.sum())

    def log_norm(self, concentration: Array) -> float:
        return float(betaln(*concentration).sum())

    def log_copies(self, counts: Array) -> float:
        """sum_j ln((alpha + n_j + n_{j + 1} + ... + n_k) / n_j): names are orders, with gaps.

        Under any names together groups of n_1, ..., n_k rows have the probability
        alpha^k Gamma(alpha) / Gamma(alpha + n) prod_j Gamma(n_j) (Antoniak 1974, Annals of
        Statistics 2); as the first k sticks in this order, with b_j = n_j + ... + n_k, that is
        prod_j B(1 + n_j, alpha + b_j - n_j) / B(1, alpha). The ratio is what stands here.
        """
        beyond = np.cumsum(counts[::-1])[::-1]
        return float(np.log((self.alpha + beyond) / counts).sum())


def held(prior: WeightPrior, concentration: Array) -> AnyArray:
    """The components that hold half a row or more."""
    return np.flatnonzero(prior.rows(concentration) >= HALF)
