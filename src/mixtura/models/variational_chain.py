"""The hidden Markov model whose parameters are a distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.families.bayes.posteriors import DirichletPosterior
from mixtura.families.bayes.prior import some
from mixtura.models.hidden_markov import HiddenMarkov
from mixtura.models.hidden_markov_params import ChainStatistics, HiddenMarkovParams
from mixtura.records import AnyArray, Array, Summary


@dataclass(frozen=True)
class VariationalChainParams(HiddenMarkovParams):
    """A posterior q(initial law) q(transitions) q(components).

    weights      (K,) the states' shares of the steps
    components   the family's posterior, with E[log p(x | k)] in the place of a log-density
    initial      (K,) exp E[log d_k], transitions (K, K) exp E[log G_jk]: they sum to less than 1
    starts       (K,), moves (K, K) the concentrations of the Dirichlet laws of these
    divergence   from the prior, in nats
    """

    starts: Array
    moves: Array
    divergence: Array

    def states(self, order: AnyArray) -> VariationalChainParams:
        """The same with state i the former `order[i]`, components and all."""
        found = super().states(order)
        assert isinstance(found, VariationalChainParams)
        return replace(
            found,
            components=some(self.components, order),
            starts=self.starts[order],
            moves=self.moves[np.ix_(order, order)],
        )


@dataclass(frozen=True)
class VariationalChain(HiddenMarkov):
    """log p(x) >= ELBO = E_q[log p(x, z, d, G, theta)] - E_q[log q(z, d, G, theta)].

    family           one whose parameters are a posterior and whose M-step is Bayes' rule
    prior            that of the components
    initial_rows     (K,), transition_rows (K, K): concentrations of the Dirichlet priors, less 1

    E-step  forward-backward with exp E[log] in the place of every probability and density
    M-step  q(d), q(G) and q(theta) by Bayes' rule from the expected first states, moves and sums
    What forward-backward has for a log-likelihood is the bound plus the divergence of q from the
    prior, which is minus `log_prior`.
    Reference: MacKay (1997), Ensemble learning for hidden Markov models; Beal (2003), Variational
    algorithms for approximate Bayesian inference, sections 3.4.2 to 3.4.4.
    """

    @property
    def scored(self) -> bool:
        return False

    def obstacle(self) -> str:
        return "a posterior is climbed by its own steps alone"

    def concentrations(self, K: int) -> tuple[Array, Array]:
        """Those of the priors, (K,) and (K, K)."""
        first = np.broadcast_to(1.0 + np.asarray(self.initial_rows), K)
        return first, np.broadcast_to(1.0 + np.asarray(self.transition_rows), (K, K))

    def assembled(
        self, starts: Array, moves: Array, components: Any, weights: Array
    ) -> VariationalChainParams:
        """The posterior of these parts."""
        K = len(starts)
        apart, logs = -float(self.prior.log_prior(components)), []
        for own, before in zip((starts, moves), self.concentrations(K), strict=True):
            law, prior = (DirichletPosterior(np.atleast_2d(each), (K,)) for each in (own, before))
            apart += law.divergence(prior)
            logs.append(law.expectations()[0].reshape(own.shape))
        laws = np.exp(logs[0]), np.exp(logs[1])
        return VariationalChainParams(weights, components, *laws, starts, moves, np.asarray(apart))

    def begun(
        self,
        X: AnyArray,
        sample_weight: Array | None,
        resp: Array,
        counted: tuple[Array, Array],
    ) -> VariationalChainParams:
        """The posterior given P(state) of the rows that were seen, expected first states, moves."""
        K = resp.shape[1]
        starts, moves = self.concentrations(K)
        untold = self.assembled(starts, moves, self.prior.prior(K), np.full(K, 1.0 / K))
        found: Any = self.first_step(X, sample_weight, resp, untold)
        counts = starts + counted[0], moves + counted[1]
        return self.assembled(*counts, found.components, found.weights)

    def m_step(self, summary: Summary, params: Any) -> VariationalChainParams:
        own, counts = self.own(summary), self.counts(summary)
        starts, moves = self.concentrations(len(counts))
        # A start, of responsibilities alone, tells of no moves.
        if isinstance(stats := summary.statistics, ChainStatistics):
            starts, moves = starts + stats.starts, moves + stats.moves
        components = self.family.maximize(own, params.components, self.prior)
        return self.assembled(starts, moves, components, counts / counts.sum())

    def log_prior(self, params: Any) -> float:
        """Minus the divergence of the posterior from the prior."""
        return -float(params.divergence)

    def belief(self, params: Any) -> float:
        """The same: posteriors are compared by their bounds."""
        return self.log_prior(params)

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> HiddenMarkovParams:
        raise NotImplementedError("the parts of a posterior are not set one by one")
