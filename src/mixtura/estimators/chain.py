"""What hidden Markov models are asked once they are fitted."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import column_names
from mixtura.data.lazy import is_dask
from mixtura.data.refusal import whole
from mixtura.data.sequences import Sequences
from mixtura.engines.choose import chain_sweep
from mixtura.estimators.chain_errors import standard_errors
from mixtura.estimators.chain_laws import refuse_impossible
from mixtura.estimators.document import restore, to_document
from mixtura.estimators.pseudo_residuals import pseudo_residuals
from mixtura.estimators.sequence_intake import sequences, summed_apart
from mixtura.families.base import Family
from mixtura.models.best_paths import best_paths
from mixtura.models.driven import Driven, DrivenParams
from mixtura.models.driven_first import DrivenFirst, DrivenFirstParams, begun_in
from mixtura.models.hidden_markov import HiddenMarkov as Chain
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.semi_markov import SemiMarkov
from mixtura.records import AnyArray, Array, Seed, Weights
from mixtura.report.text import to_text
from mixtura.report.view import ChainView
from mixtura.result import Fit
from mixtura.store import write_document


class ChainEstimator(BaseEstimator):  # type: ignore[misc]
    """States of sequences: decoded, smoothed, filtered, forecast, drawn."""

    random_state: Seed
    algorithm: str
    fit_result_: Fit | None
    n_features_in_: int
    # The constructor parameter that says how many states there are.
    _groups: ClassVar[str]

    @abstractmethod
    def _fitted(self) -> tuple[Chain, HiddenMarkovParams]:
        """The model and its parameters."""

    @abstractmethod
    def _kind(self) -> Family:
        """The family of the emissions; NotFittedError where there is none."""

    def _keep_fit(self, fit: Fit) -> None:
        """Set what a fit says of itself."""
        self.converged_, self.n_iter_ = fit.converged, fit.iterations
        self.lower_bound_ = fit.mean_loglik
        self.lower_bounds_ = [value / fit.weight for value in fit.trace]
        self.fit_result_ = fit

    def decode(
        self, X: Any, lengths: Any = None, algorithm: str | None = None, *, states: Any = None
    ) -> tuple[float, AnyArray]:
        """States of each step, and how likely they are.

        Parameters
        ----------
        X : array-like of shape (n_steps, n_features), or a list of sequences
        lengths : array-like of int, optional
            Steps of each sequence, in order; default one sequence.
        algorithm : {"viterbi", "map"}, default the estimator's
            "viterbi": the likeliest path as a whole, with its log joint density (Viterbi 1967).
            "map": at each step the likeliest state, with the log-likelihood of the sequences;
            such a path may hold moves that are impossible.
        states : array-like of shape (n_steps,), optional
            States that somebody knows, as in `fit`; here and in what follows.

        Returns
        -------
        (float, integer array of shape (n_steps,))
        """
        rows = self._asked(X, lengths, states=states)
        algorithm = self.algorithm if algorithm is None else algorithm
        if not isinstance(algorithm, str) or algorithm not in ("viterbi", "map"):
            raise ValueError(f"algorithm must be 'viterbi' or 'map', got {algorithm!r}")
        if algorithm == "map":
            loglik, posterior = self._smoothed(rows)
            return float(loglik.sum()), posterior.argmax(axis=1)
        loglik, found = self._paths(rows)
        return float(loglik.sum()), found

    def predict(self, X: Any, lengths: Any = None, *, states: Any = None) -> AnyArray:
        """The states of `decode`, integers of shape (n_steps,)."""
        return self.decode(X, lengths, states=states)[1]

    def best_paths(
        self, X: Any, k: int, lengths: Any = None, *, states: Any = None
    ) -> tuple[Array, AnyArray]:
        """The k likeliest paths of each sequence, the first of which is that of `decode`.

        Returns
        -------
        (array of shape (n_sequences, k), integer array of shape (k, n_steps))
            Their log joint densities, and their states. Where a sequence has fewer paths the rest
            are -inf, and their states -1.
        """
        k = whole("k", k)
        if isinstance(self._fitted()[0], SemiMarkov):
            raise ValueError(
                "best_paths: not there where states last by a law of their own: use decode, or "
                "leave durations out"
            )
        rows = self._asked(X, lengths, states=states)
        model, params = self._for(rows)
        moves = params.transitions
        if isinstance(model, Driven):
            moves = model.moves(rows.X, rows.stops, params)
        emitted, initial = chain_sweep(model, rows).emitted(params), params.initial
        if isinstance(model, DrivenFirst):
            initial, emitted = model.told_first(rows.X, rows.stops, params, emitted)
        parts = [slice(a, b) for a, b in zip(rows.starts, rows.stops, strict=True)]
        found = [
            best_paths(emitted[part], initial, moves[part] if moves.ndim == 3 else moves, k)
            for part in parts
        ]
        refuse_impossible(np.array([worth[0] for worth, _ in found]), rows)
        return np.stack([worth for worth, _ in found]), np.hstack([path for _, path in found])

    def predict_proba(self, X: Any, lengths: Any = None, *, states: Any = None) -> Array:
        """P(state | its whole sequence), (n_steps, n_states): it looks ahead, `filter` does not."""
        return self._smoothed(self._asked(X, lengths, states=states))[1]

    def filter(self, X: Any, lengths: Any = None, *, states: Any = None) -> Array:
        """P(state | its sequence up to that step), (n_steps, n_states): nothing looks ahead."""
        return self._filtered(self._asked(X, lengths, states=states))

    def forecast(self, X: Any, k: int = 1, lengths: Any = None, *, states: Any = None) -> Array:
        """P(state in 1, ..., k steps | the whole sequence), (n_sequences, k, n_states)."""
        k = whole("k", k)
        rows = self._asked(X, lengths, states=states)
        model = self._fitted()[0]
        if k > 1 and isinstance(model, Driven) and model.columns:
            raise ValueError(
                f"k={k}: transitions hang on the covariates of each step, and those of the last "
                "one say where the next is: use k=1"
            )
        # Steps that nobody sees tell nothing: what is known of them is what was known before.
        ahead = rows.continued(k)
        law = self._filtered(ahead)
        return np.stack([law[ahead.stops - k + i] for i in range(k)], axis=1)

    def pseudo_residuals(self, X: Any, lengths: Any = None, *, states: Any = None) -> Array:
        """How far each step lies from what those before it foretell, (n_steps,), in deviations.

        Phi^-1 of P(X_t <= x_t | x_1, ..., x_t-1), of the one column that states describe, or of a
        regression's response: independent and standard normal where the model holds. Covariates
        are given: those of step t of a regression, those of t - 1 of transitions. Of counts the
        middle between the steps of that law is taken, which is so near enough where counts are not
        small. By logarithms of tails, so finite and in order however far out a step has a density:
        where it has none (beyond 1e154 deviations) `predict` knows no path either, and ValueError
        names the step. A step that nobody saw has none (nan). Of known `states` those of the steps
        before are taken.

        Zucchini, MacDonald & Langrock (2016), section 6.2.3: forecast pseudo-residuals.
        """
        rows = self._asked(X, lengths, states=states)
        return pseudo_residuals(*self._fitted(), rows)

    def standard_errors(
        self, X: Any, lengths: Any = None, *, sample_weight: Weights = None, states: Any = None
    ) -> dict[str, Array]:
        """Of "initial", "transitions" and the family's parameters by name, each in its shape.

        From the observed information at the sequences that were fitted. What is 0, held, or 1 for
        certain has none (nan); near the edge of a probability they say little.
        """
        rows = self._asked(X, lengths, sample_weight, states)
        return standard_errors(*self._for(rows), rows)

    def score(
        self, X: Any, lengths: Any = None, *, sample_weight: Weights = None, states: Any = None
    ) -> float:
        """The log-likelihood of all sequences together (nats), each as often as its weight.

        With known `states` that of steps and these states together. A Dask collection whose
        partitions hold whole sequences, as in `fit`, is scored where it lies.
        """
        return self._total(X, lengths, sample_weight, states)[0]

    def score_samples(
        self, X: Any, lengths: Any = None, *, states: Any = None
    ) -> tuple[float, Array]:
        """(`score`, `predict_proba`), from one pass."""
        loglik, posterior = self._smoothed(self._asked(X, lengths, states=states))
        return float(loglik.sum()), posterior

    def bic(self, X: Any, lengths: Any = None, *, states: Any = None) -> float:
        """-2 log-likelihood + p log n, n the number of steps; lower is better."""
        loglik, n = self._total(X, lengths, None, states)
        return -2.0 * loglik + self._size() * math.log(n)

    def aic(self, X: Any, lengths: Any = None, *, states: Any = None) -> float:
        """-2 log-likelihood + 2 p; lower is better."""
        return -2.0 * self.score(X, lengths, states=states) + 2.0 * self._size()

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> tuple[Array, AnyArray]:
        """One sequence of so many steps, (n_samples, n_features), and its states (n_samples,).

        `random_state` None uses the estimator's own.
        """
        n_samples = whole("n_samples", n_samples)
        model, params = self._fitted()
        rng = check_random_state(self.random_state if random_state is None else random_state)
        return model.sample(n_samples, params, rng)

    def view(self) -> ChainView:
        """The states as reports see them; weights are their shares of the steps."""
        model, params = self._fitted()
        names = tuple(self._names())
        portrait = model.family.portrait(params.components, params.weights, names)
        driven: dict[str, Any] = {}
        if isinstance(model, Driven) and isinstance(params, DrivenParams):
            told = tuple(names[j] for j in model.columns)
            driven = {"covariates": told, "logits": params.logits}
        if isinstance(model, DrivenFirst) and isinstance(params, DrivenFirstParams):
            told = tuple(names[j] for j in model.first_columns)
            driven |= {"first_covariates": told, "first_logits": params.first_logits}
            driven["begun"] = tuple(begun_in(params.initial).tolist())
        return ChainView(
            params.weights,
            names,
            portrait,
            getattr(self, "fit_result_", None),
            initial=params.initial,
            transitions=params.transitions,
            durations=None if not isinstance(model, SemiMarkov) else model.rule(params)[2],
            **driven,
        )

    def summary(self) -> str:
        """The states, how they follow each other, and how sure the fit is, as text."""
        return to_text(self.view())

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a JSON file, atomically; `mixtura.load` reads it."""
        check_is_fitted(self, "fit_result_")
        write_document(to_document(self), path)

    @classmethod
    def restored(cls, document: dict[str, Any]) -> Self:
        """The estimator that `save` wrote; StoreError for a document that is damaged."""
        found: Self = restore(document, cls)
        return found

    def fitted_family(self) -> Family:
        """The family of the emissions, with what it took from the table."""
        return self._fitted()[0].family

    def _size(self) -> int:
        fit: Fit | None = getattr(self, "fit_result_", None)
        if fit is not None:
            return fit.n_parameters
        model, params = self._fitted()
        return model.n_parameters(params)

    def _names(self) -> list[str]:
        return column_names(getattr(self, "feature_names_in_", None), self.n_features_in_)

    def _asked(
        self, X: Any, lengths: Any, sample_weight: Weights = None, states: Any = None
    ) -> Sequences:
        if isinstance(X, Sequences):
            return X
        rows: Sequences = sequences(
            self, X, lengths, self._kind(), sample_weight=sample_weight, states=states
        )[0]
        return rows

    def _total(self, X: Any, lengths: Any, sample_weight: Any, states: Any) -> tuple[float, int]:
        """(log-likelihood, steps); of sequences in partitions a sum over these."""
        if is_dask(X):
            told = {"sample_weight": sample_weight, "states": states}
            return summed_apart(self, X, lengths, self._kind(), told)
        rows = self._asked(X, lengths, sample_weight, states)
        loglik, w = self._logliks(rows), rows.sample_weight
        return float(loglik.sum() if w is None else w[rows.starts] @ loglik), rows.n

    def _for(self, rows: Sequences) -> tuple[Chain, HiddenMarkovParams]:
        """The model of such rows as these, of which cells may be missing, and its parameters."""
        model, params = self._fitted()
        if rows.complete:
            return model, params
        return replace(model, family=model.family.filling(rows.rows().X)), params

    def _paths(self, rows: Sequences) -> tuple[Array, AnyArray]:
        """(log joint density of each sequence's likeliest path (S,), the states (n,))."""
        model, params = self._for(rows)
        loglik, states = chain_sweep(model, rows).likeliest(params)
        refuse_impossible(loglik, rows)
        return loglik, states

    def _filtered(self, rows: Sequences) -> Array:
        model, params = self._for(rows)
        loglik, found = chain_sweep(model, rows).filtered(params)
        refuse_impossible(loglik, rows)
        return found

    def _smoothed(self, rows: Sequences) -> tuple[Array, Array]:
        model, params = self._for(rows)
        loglik, posterior = chain_sweep(model, rows).smoothed(params)
        refuse_impossible(loglik, rows)
        return loglik, posterior

    def _logliks(self, rows: Sequences) -> Array:
        model, params = self._for(rows)
        loglik = chain_sweep(model, rows).logliks(params)
        refuse_impossible(loglik, rows)
        return loglik
