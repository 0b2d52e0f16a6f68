"""The mixture whose parameters are a distribution: variational Bayes by the same EM loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.weight_priors import WeightPrior
from mixtura.records import AnyArray, Array, Summary


@dataclass(frozen=True)
class VariationalParams(MixtureParams):
    """A posterior q(weights) q(components).

    weights        (K,) their means
    components     the family's posterior, with E[log p(x | k)] in the place of a log-density
    concentration  that of the weights, as their prior has it
    log_weights    (K,) E[log pi_k]; -inf for components that no row may belong to
    divergence     from the prior, in nats
    entropy        of the responsibilities that this is the answer to, in nats; NaN where there
                   were none
    """

    concentration: Array
    expected: Array
    divergence: Array
    entropy: Array

    @property
    def log_weights(self) -> Array:
        return self.expected


@dataclass(frozen=True)
class VariationalMixture(Mixture):
    """log p(x) >= ELBO = E_q[log p(x, z, pi, theta)] - E_q[log q(z, pi, theta)].

    family        one whose parameters are a posterior and whose M-step is Bayes' rule
    prior         that of the components
    weight_prior  that of the weights

    E-step  r_ik ~ exp(E[log pi_k] + E[log p(x_i | k)]): the mixture's, at expected logarithms
    M-step  q(pi) and q(theta) by Bayes' rule from the sums of r
    After an E-step the bound is the sum of the logarithms of the norms of r, which takes the place
    of the log-likelihood, minus the divergence of q from the prior, which is `log_prior`.
    Reference: Attias (2000), Advances in Neural Information Processing Systems 12; Bishop (2006),
    Pattern Recognition and Machine Learning, section 10.2.
    """

    weight_prior: WeightPrior

    @property
    def scored(self) -> bool:
        return False

    def obstacle(self) -> str:
        return "a posterior is climbed by its own steps alone"

    def assembled(
        self, concentration: Array, components: Any, entropy: float = np.nan
    ) -> VariationalParams:
        """The posterior of these parts."""
        law = self.weight_prior
        weights, logs = law.mean(concentration), law.expected_log(concentration)
        apart = law.divergence(concentration) - float(self.prior.log_prior(components))
        return VariationalParams(
            weights, components, concentration, logs, np.asarray(apart), np.asarray(entropy)
        )

    def untold(self, K: int) -> VariationalParams:
        """K components that no row has told of."""
        return self.assembled(self.weight_prior.posterior(np.zeros(K)), self.prior.prior(K))

    def extended(self, params: VariationalParams, K: int) -> VariationalParams:
        """The same among K components: those beyond are the prior, and no row may be theirs.

        That they are of no other law than the prior costs nothing.
        """
        law, active = self.weight_prior, len(params.weights)
        concentration = law.posterior(np.zeros(K))
        concentration[..., :active] = params.concentration
        logs = np.full(K, -np.inf)
        logs[:active] = params.log_weights
        components = self.prior.extended(params.components, K)
        return VariationalParams(
            law.mean(concentration),
            components,
            concentration,
            logs,
            params.divergence,
            params.entropy,
        )

    def first_step(
        self, X: AnyArray, sample_weight: Array | None, resp: Array, params: Any
    ) -> VariationalParams:
        found = super().first_step(X, sample_weight, resp, params)
        assert isinstance(found, VariationalParams)
        return found

    def m_step(self, summary: Summary, params: Any) -> VariationalParams:
        stats = self.own(summary)
        counts = self.family.counts(stats)
        components = self.family.maximize(stats, params.components, self.prior)
        return self.assembled(
            self.weight_prior.posterior(counts), components, self.entropy(summary, params)
        )

    def entropy(self, summary: Summary, params: VariationalParams) -> float:
        """-sum_ik w_i r_ik log r_ik, from the sums alone: log r is what r has the norm of."""
        stats = self.own(summary)
        counts = self.family.counts(stats)
        joint = self.prior.expected(stats, params.components) + counts @ params.log_weights
        return float(summary.loglik - joint)

    def log_prior(self, params: Any) -> float:
        """Minus the divergence of the posterior from the prior."""
        return -float(params.divergence)

    def lower_bound(self, params: VariationalParams) -> float:
        """The bound between M-step and E-step, as scikit-learn counts: without its constants."""
        norms = self.weight_prior.log_norm(params.concentration)
        return float(params.entropy + norms + self.prior.log_norm(params.components))

    def with_arrays(self, params: Any, given: Mapping[str, Array]) -> VariationalParams:
        raise NotImplementedError("the parts of a posterior are not set one by one")
