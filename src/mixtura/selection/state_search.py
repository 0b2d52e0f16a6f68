"""`HiddenMarkovSearch`: how many states a hidden Markov model needs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import refuse_dask
from mixtura.data.sequences import Sequences
from mixtura.data.tables import NamedRows
from mixtura.errors import FAILURES, FitError
from mixtura.estimators.complaints import DegenerateWarning
from mixtura.estimators.hidden_markov import HiddenMarkov
from mixtura.estimators.sequence_intake import sequences
from mixtura.inference import criteria
from mixtura.records import AnyArray, Seed, Weights
from mixtura.selection.component_search import StillRisingWarning
from mixtura.selection.grid import several
from mixtura.selection.trial import flaw_of
from mixtura.solvers.clock import at_once

CRITERIA = ("bic", "icl", "heldout")


@dataclass(frozen=True)
class StateTrial:
    """A number of states, fitted and judged; flaw says why it may not be chosen."""

    n_states: int
    found: HiddenMarkov | None
    flaw: str = ""
    icl: float = np.nan
    heldout: float = np.nan

    def measures(self) -> dict[str, float]:
        """Log-likelihood, number of parameters, and the criteria, each in its own sign."""
        fit: Any = None if self.found is None else self.found.fit_result_
        if fit is None:
            return dict.fromkeys(("loglik", "n_parameters", *CRITERIA), np.nan)
        return {
            "loglik": fit.loglik,
            "n_parameters": fit.n_parameters,
            "bic": criteria.bic(fit.loglik, fit.n_parameters, fit.weight),
            "icl": self.icl,
            "heldout": self.heldout,
        }


@dataclass(eq=False, repr=False)
class HiddenMarkovSearch(BaseEstimator):  # type: ignore[misc]
    """The best hidden Markov model over numbers of states.

    Parameters
    ----------
    estimator : HiddenMarkov
        The model, its family and settings; its number of states is not used.
    n_states : int or iterable of int, default 1 to 5
    criterion : {"bic", "icl", "heldout"}, default "bic"
        "bic": -2 log-likelihood + p log n, n the number of steps. "icl": the same with the joint
        log-density of the likeliest paths in its place, so that states must also be told apart:
        Biernacki, Celeux & Govaert (2000), IEEE PAMI 22. "heldout": the log-likelihood per step of
        sequences left out: Celeux & Durand (2008), Computational Statistics 23. BIC tends to ask
        for many states where a family does not hold.
    cv : int, default 5
        Folds of sequences for "heldout", which needs at least as many sequences.
    random_state : int, RandomState instance or None
        Of the folds, and of every fit.

    Attributes
    ----------
    best_estimator_ : HiddenMarkov
    best_params_ : dict, its n_states
    best_score_ : float, its criterion
    cv_results_ : dict of arrays, one entry for each number of states in order
        n_states, loglik, n_parameters, bic, icl, heldout (nan unless asked for), and flaw, why a
        model may not be chosen: a state that is empty or has collapsed, or a fit that failed.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import HiddenMarkov, HiddenMarkovSearch
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(np.repeat([2, 9, 2, 9, 2], 30))[:, None]
    >>> HiddenMarkovSearch(HiddenMarkov("poisson"), [1, 2, 3], random_state=0).fit(X).best_params_
    {'n_states': 2}
    """

    best_estimator_: HiddenMarkov = field(init=False)

    estimator: HiddenMarkov
    n_states: Any = (1, 2, 3, 4, 5)
    _: KW_ONLY
    criterion: str = "bic"
    cv: int = 5
    random_state: Seed = None

    @at_once()
    def fit(self, X: Any, lengths: Any = None, *, sample_weight: Weights = None) -> Self:
        """Fit every number of states, and choose; parameters as in `HiddenMarkov.fit`.

        Raises
        ------
        ValueError
            For input or settings that cannot be used.
        FitError
            Where no model may be chosen; with the reason of the first.
        """
        numbers = self._numbers()
        refuse_dask(X)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        trials = [self._tried(K, seed, X, lengths, sample_weight) for K in numbers]
        self.trials_ = trials
        measured = [trial.measures() for trial in trials]
        self.cv_results_: dict[str, AnyArray] = {
            "n_states": np.array(numbers),
            **{name: np.array([each[name] for each in measured]) for name in measured[0]},
            "flaw": np.array([trial.flaw for trial in trials]),
        }
        self._choose()
        return self

    def predict(self, X: Any, lengths: Any = None) -> AnyArray:
        """The states of each step under the best model, (n_steps,)."""
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.predict(X, lengths)

    def score(self, X: Any, lengths: Any = None, *, sample_weight: Weights = None) -> float:
        """`HiddenMarkov.score` of the best model."""
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.score(X, lengths, sample_weight=sample_weight)

    def _numbers(self) -> list[int]:
        if not isinstance(self.estimator, HiddenMarkov):
            raise ValueError(
                f"estimator must be a HiddenMarkov, got {type(self.estimator).__name__}: "
                "HiddenMarkov('diag') is the model of GaussianHMM()"
            )
        if self.criterion not in CRITERIA:
            raise ValueError(f"criterion={self.criterion!r}: choose from {', '.join(CRITERIA)}")
        if not isinstance(self.cv, Integral) or self.cv < 2:
            raise ValueError(f"cv={self.cv!r}: folds are a number from 2")
        numbers = sorted({int(K) for K in several("n_states", self.n_states, Integral)})
        if numbers[0] < 1:
            raise ValueError(f"n_states: {numbers[0]} is no number of states: from 1")
        return numbers

    def _tried(self, K: int, seed: int, X: Any, lengths: Any, sample_weight: Weights) -> StateTrial:
        model = clone(self.estimator).set_params(n_states=K, random_state=seed)
        with warnings.catch_warnings():
            # What they say is the flaw of the trial.
            for said in (ConvergenceWarning, DegenerateWarning):
                warnings.simplefilter("ignore", said)
            try:
                model.fit(X, lengths, sample_weight=sample_weight)
            except FAILURES as error:
                if not isinstance(error, FitError):
                    raise
                return StateTrial(K, None, str(error))

            def read() -> Iterator[Sequences]:
                """The sequences as the model takes them: of one table, or part by part."""
                for part in X() if callable(X) else [(X, lengths, sample_weight)]:
                    told = part if isinstance(part, tuple) else (part,)
                    table, ends, weight, states = (*told, None, None, None)[:4]
                    beside = {"sample_weight": weight, "states": states}
                    yield sequences(model, table, ends, model.family_, whole=False, **beside)[0]

            # A table in memory is looked at once, parts anew for every use.
            held = None if callable(X) else list(read())
            again = read if held is None else partial(iter, held)
            heldout, failed, joint = np.nan, "", 0.0
            for rows in again():
                joint += float(model._paths(rows)[0] @ _weights(rows))
            if self.criterion == "heldout":
                heldout, failed = self._held_out(model, again, seed, apart=held is None)
        fit: Any = model.fit_result_
        icl = criteria.bic(joint, fit.n_parameters, fit.weight)
        flaw = flaw_of(fit, fit.floored).replace("component", "state") or failed
        return StateTrial(K, model, flaw, icl, heldout)

    def _held_out(
        self,
        model: HiddenMarkov,
        read: Callable[[], Iterator[Sequences]],
        seed: int,
        *,
        apart: bool,
    ) -> tuple[float, str]:
        """Log-likelihood per step of sequences that a fit to the others did not see, and why none.

        Where parts are read `apart` so are those of each fold. -inf where a sequence left out is
        impossible under the fit to the others.
        """
        total, weight = 0.0, 0.0
        folds = self._folds(sum(len(rows.stops) for rows in read()), seed)
        for number, (others, out) in enumerate(folds, 1):
            fold = clone(model).set_params(family=model.family_)
            kept = partial(_chosen, model, read, others)
            try:
                if apart:
                    fold.fit(kept)
                else:
                    X, lengths, w, states = next(kept(), (None,) * 4)
                    if X is None:
                        raise ValueError("no sequence that is left has a weight above 0")
                    fold.fit(X, lengths, sample_weight=w, states=states)
            except ValueError as error:
                # The whole table could be fitted: what cannot is what this fold leaves.
                return np.nan, f"fold {number} of {self.cv} cannot be fitted: {error}"
            for X, lengths, w, _ in _chosen(model, read, out):
                total += fold.score(X, lengths, sample_weight=w)
                weight += float((w * lengths).sum())
        if not weight:
            return np.nan, "no sequence that is left out has a weight above 0"
        return total / weight, ""

    def _folds(self, S: int, seed: int) -> Iterator[tuple[AnyArray, AnyArray]]:
        """Of S sequences those that are fitted, and those left out."""
        if self.cv > S:
            raise ValueError(
                f"cv={self.cv}: more folds than the {S} sequence{'s' * (S > 1)}, which are left "
                "out as wholes: use fewer folds, or criterion='bic' or 'icl'"
            )
        yield from KFold(self.cv, shuffle=True, random_state=seed).split(np.arange(S))

    def _choose(self) -> None:
        results = self.cv_results_
        value = results[self.criterion] * (1.0 if self.criterion == "heldout" else -1.0)
        value = np.where((results["flaw"] == "") & ~np.isnan(value), value, -np.inf)
        best = int(np.argmax(value))
        if np.isneginf(value[best]):
            raise FitError(f"no number of states may be chosen: {results['flaw'][0]}")
        found = self.trials_[best].found
        assert found is not None
        self.best_index_, self.best_estimator_ = best, found
        self.best_score_ = float(results[self.criterion][best])
        self.best_params_ = {"n_states": int(results["n_states"][best])}
        if best == len(value) - 1 > 0:
            warnings.warn(
                f"the best number of states, {results['n_states'][best]}, is the largest one "
                f"tried, so {self.criterion} is still improving there: try more states",
                StillRisingWarning,
                stacklevel=3,
            )


def _weights(rows: Sequences) -> AnyArray:
    """Those of sequences, (S,)."""
    w = rows.sample_weight
    return np.ones(len(rows.stops)) if w is None else w[rows.starts]


def _chosen(
    model: HiddenMarkov, read: Callable[[], Iterator[Sequences]], which: AnyArray
) -> Iterator[tuple[NamedRows, AnyArray, AnyArray, AnyArray | None]]:
    """(rows, lengths, weights, known states) of some sequences, counted through all parts; a part
    that has none of them, or none that counts, is left out."""
    names, first = tuple(model._names()), 0
    for rows in read():
        lengths = np.diff(rows.stops, prepend=0)
        own = which[(which >= first) & (which < first + len(lengths))] - first
        first += len(lengths)
        w = _weights(rows)[own]
        if w.any():
            steps = np.isin(np.repeat(np.arange(len(lengths)), lengths), own)
            kinds = model.family_.categories
            table = NamedRows(rows.X[steps], names, None, categories=kinds)
            yield table, lengths[own], w, None if rows.known is None else rows.known[steps]
