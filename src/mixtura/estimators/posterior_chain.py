"""What hidden Markov models that are known by a posterior answer, whatever their states are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import as_numbers
from mixtura.data.sequences import Ordered, Sequences
from mixtura.estimators.chain import ChainEstimator
from mixtura.estimators.document import Stored
from mixtura.fitting.hidden_markov_fit import ChainFound
from mixtura.models.state_order import reordered
from mixtura.models.variational_chain import VariationalChain, VariationalChainParams
from mixtura.models.weight_priors import HALF
from mixtura.records import AnyArray, Array, Weights
from mixtura.report.view import ChainView
from mixtura.schema import read

# What is asked of a point, and a posterior has not.
_NO_POINT = "a posterior has no {}: compare elbo_, or score on other sequences"


@dataclass(frozen=True)
class ChainNumbers:
    """The fitted attributes that are numbers."""

    elbo_: float


class PosteriorChain(ChainEstimator):
    """A hidden Markov model that is fitted by variational Bayes; it answers at its mean."""

    weights_: AnyArray
    elbo_: float

    @property
    def held_(self) -> AnyArray:
        """The states that hold half a step or more, (n_components_,)."""
        check_is_fitted(self, "fit_result_")
        assert self.fit_result_ is not None
        return np.flatnonzero(self.weights_ * self.fit_result_.weight >= HALF)

    @property
    def n_components_(self) -> int:
        """How many states hold half a step or more."""
        return len(self.held_)

    def view(self) -> ChainView:
        """The states that hold steps, as reports see them."""
        model, params = self._fitted()
        some = reordered(model.family, params, self.held_, self.n_features_in_)
        names = tuple(self._names())
        return ChainView(
            some.weights / some.weights.sum(),
            names,
            model.family.portrait(some.components, some.weights, names),
            self.fit_result_,
            initial=some.initial / some.initial.sum(),
            transitions=some.transitions / some.transitions.sum(axis=1, keepdims=True),
        )

    def _keep_account(self, found: ChainFound) -> tuple[VariationalChain, VariationalChainParams]:
        """Set what a fit says of itself, and the states' shares; the model and its posterior."""
        params, fit, model = found.params, found.fit, found.model
        assert isinstance(params, VariationalChainParams)
        assert isinstance(model, VariationalChain)
        self.weights_, self.elbo_ = params.weights, fit.loglik
        self._keep_fit(fit)
        return model, params

    def _restore_numbers(self, stored: Stored) -> None:
        """Those of a model file; ValueError where they are none."""
        numbers: ChainNumbers = read(ChainNumbers, stored.posterior, "posterior")
        self.elbo_ = numbers.elbo_

    def bic(self, X: Any, lengths: Any = None, *, states: Any = None) -> float:
        """A posterior has none: AttributeError."""
        raise AttributeError(_NO_POINT.format("BIC"))

    def aic(self, X: Any, lengths: Any = None, *, states: Any = None) -> float:
        """A posterior has none: AttributeError."""
        raise AttributeError(_NO_POINT.format("AIC"))

    def standard_errors(
        self, X: Any, lengths: Any = None, *, sample_weight: Weights = None, states: Any = None
    ) -> dict[str, Array]:
        """A posterior has a spread of its own: AttributeError."""
        raise AttributeError(
            "a posterior has a spread of its own: see the attributes that end in _posterior_"
        )


def refuse_apart(rows: Ordered) -> None:
    """ValueError for sequences that are not in memory."""
    if not isinstance(rows, Sequences):
        raise ValueError(
            "X: rows lie in Dask partitions, and states are merged on sequences in memory: give an "
            "array"
        )


def concentrations(name: str, given: Any, shape: tuple[int, ...]) -> Array:
    """Of a Dirichlet prior, in this shape, 1 / K by default; ValueError where they are none."""
    value = np.asarray(1.0 / shape[0]) if given is None else as_numbers(given, name)
    if value.shape not in ((), shape):
        raise ValueError(f"{name} has shape {value.shape}: give one number, or shape {shape}")
    if not (np.isfinite(value) & (value > 0)).all():
        raise ValueError(f"{name} must be finite and above 0, got {given!r}")
    return np.array(np.broadcast_to(value, shape))
