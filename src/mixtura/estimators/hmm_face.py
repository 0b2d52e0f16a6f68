"""What hmmlearn's names stand for: parameters set by hand, plain Baum-Welch, the monitor."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import as_numbers
from mixtura.data.refusal import whole
from mixtura.data.sequences import Sequences
from mixtura.estimators.clocked import cut_short, timed
from mixtura.estimators.fitted_chain import FittedChain
from mixtura.estimators.hmm_priors import Setting
from mixtura.estimators.listening import Verbose
from mixtura.estimators.mixture import attribute
from mixtura.estimators.sequence_intake import sequences
from mixtura.estimators.untouched import untouched_on_failure
from mixtura.families.base import Family
from mixtura.families.priors import Flat
from mixtura.fitting.hidden_markov_fit import ChainFound, find_chain
from mixtura.fitting.hidden_markov_plain import plain_chain
from mixtura.fitting.hidden_markov_task import ChainTask
from mixtura.models.hidden_markov import HiddenMarkov as Chain
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.stationary import stationary_law
from mixtura.records import AnyArray, Array, Seed, Weights
from mixtura.solvers.registry import CLIMBERS
from mixtura.supports import Simplex

# hmmlearn's letters of the chain.
_CHAIN = {"s": "initial", "t": "transitions"}
_THEIRS = {"initial": "startprob_", "transitions": "transmat_"}


@dataclass(frozen=True)
class Monitor:
    """How a fit went: hmmlearn's `monitor_`. history are log-likelihoods, one for each step."""

    tol: float
    n_iter: int
    history: tuple[float, ...]
    converged: bool

    @property
    def iter(self) -> int:
        """Steps taken."""
        return len(self.history)


@dataclass(eq=False, repr=False)
class HmmFace(FittedChain):
    """A hidden Markov model under hmmlearn's names.

    Parameters
    ----------
    n_components : int, default 1
        States.
    startprob_prior, transmat_prior : float or array-like, default 1.0
        Dirichlet priors, of 1 or more; the fit then maximises the posterior.
    algorithm : {"viterbi", "map"}, default "viterbi"
    random_state : int, RandomState instance or None
    n_iter : int, default 1000
    tol : float, default 1e-4
        A fit ends where the estimated log-likelihood still to be gained, in all, is below it. With
        init_params="" it ends as hmmlearn's, after a step that gained less.
    verbose : bool, default False
    params : str
        The letters of what a fit moves; emissions are moved all or not at all.
    init_params : str
        The letters of what a fit looks for, from many starts; the others begin where they were set.
        With none: EM from what was set, `n_iter` steps at most, states in the order given.
    implementation : {"scaling", "log"}, default "scaling"
        Scaled recursions in C, or logarithms, slowly.
    n_init : int, default 1
    solver : as in `HiddenMarkov`; not used with init_params=""

    Attributes
    ----------
    startprob_ (n_components,), transmat_ (n_components, n_components), monitor_, fit_result_, ...
    """

    # Of emissions: hmmlearn's letters for the family's names, and its attributes for these.
    _letters: ClassVar[dict[str, str]]
    _theirs: ClassVar[dict[str, str]]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "startprob_prior": [Real, "array-like"],
        "transmat_prior": [Real, "array-like"],
        "algorithm": [StrOptions({"viterbi", "map"})],
        "random_state": ["random_state"],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "tol": [Real],
        "verbose": ["verbose"],
        "params": [str],
        "init_params": [str],
        "implementation": [StrOptions({"scaling", "log"})],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions(set(CLIMBERS)), callable],
    }
    _components = _groups = "n_components"

    n_components: int = 1
    _: KW_ONLY
    startprob_prior: Any = 1.0
    transmat_prior: Any = 1.0
    algorithm: str = "viterbi"
    random_state: Seed = None
    n_iter: int = 1000
    tol: float = 1e-4
    verbose: bool = False
    params: str = "st"
    init_params: str = "st"
    implementation: str = "scaling"
    n_init: int = 1
    solver: Any = "auto"

    @staticmethod
    def _restored_components(stored: Any) -> Any:
        return stored

    @abstractmethod
    def _plain_family(self) -> Family:
        """The family of what was set by hand, or is asked for."""

    @abstractmethod
    def _prior(self, kind: Family, d: int) -> Setting | None:
        """The prior of emissions that is asked for, over d columns; None for none."""

    def fit(
        self,
        X: Any,
        lengths: Any = None,
        *,
        sample_weight: Weights = None,
        max_seconds: float | None = None,
    ) -> Self:
        """Fit the model to sequences.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or a list of sequences
        lengths, sample_weight, max_seconds : as in `HiddenMarkov.fit`

        Raises
        ------
        ValueError
            For input that cannot be fitted, and for parameters that were to be set and are not.
        """
        self._validate_params()
        with untouched_on_failure(self):
            rows, kind = sequences(
                self, X, lengths, self._plain_family(), sample_weight=sample_weight, reset=True
            )
            found = self._find(rows, kind, max_seconds)
            self._keep(found, rows)
        if cut_short(found.fit):
            warnings.warn(cut_short(found.fit), ConvergenceWarning, stacklevel=2)
        return self

    def _find(self, rows: Sequences, kind: Family, max_seconds: float | None) -> ChainFound:
        plain = not set(self.init_params) & {*_CHAIN, *self._letters}
        K = self.n_components
        given = self._begun(kind, rows.d)
        prior = self._prior(kind, rows.d)
        held, kind = self._held(kind, given)
        task = ChainTask(
            kind,
            K,
            self.tol if plain else max(self.tol, 0.0) / rows.weight,
            self.n_iter,
            self.n_init,
            "threads" if self.implementation == "log" else "auto",
            self.solver,
            given,
            initial_rows=_rows("startprob_prior", self.startprob_prior, (K,)),
            transition_rows=_rows("transmat_prior", self.transmat_prior, (K, K)),
            held=held,
            prior=prior,
        )
        return self._found(rows, task, plain, max_seconds)

    def _found(
        self, rows: Sequences, task: ChainTask, plain: bool, max_seconds: float | None
    ) -> ChainFound:
        """The end of plain steps from what was set, or of a search."""
        rng = np.random.RandomState(check_random_state(self.random_state).randint(2**31 - 1))
        listener = Verbose(int(self.verbose), 1) if self.verbose else None
        find = plain_chain if plain else find_chain
        return find(rows, timed(task, max_seconds), rng, listener=listener)

    def _held(self, kind: Family, given: dict[str, Array]) -> tuple[tuple[str, ...], Family]:
        """(what no step moves, the family with what it holds of its own)."""
        own = [name for letter, name in self._letters.items() if letter not in self.params]
        chain = tuple(name for letter, name in _CHAIN.items() if letter not in self.params)
        if len(own) == len(self._letters):
            return (*chain, "components"), kind
        return chain, self._holding(kind, own, given) if own else kind

    def _holding(self, kind: Family, names: list[str], given: dict[str, Array]) -> Family:
        """The family, some of whose parameters are held; ValueError where it can hold none."""
        raise ValueError(
            f"params={self.params!r} moves some parameters of the emissions and holds others: "
            f"give all of {''.join(self._letters)!r}, or none of them"
        )

    def _begun(self, kind: Family, d: int) -> dict[str, Array]:
        """What was set by hand and is not looked for, by the model's names."""
        K, found = self.n_components, {}
        shapes = {"initial": (K,), "transitions": (K, K), **kind.shapes(K, d)}
        for letter, name in {**_CHAIN, **self._letters}.items():
            if letter in self.init_params:
                continue
            theirs = {**_THEIRS, **self._theirs}[name]
            value = getattr(self, attribute(name), None)
            if value is None:
                raise ValueError(
                    f"init_params={self.init_params!r} leaves out {letter!r}, and {theirs} is not "
                    f"set: set it before the fit, or put {letter!r} in"
                )
            value = np.ascontiguousarray(value, dtype=np.float64)
            if value.shape != shapes[name]:
                raise ValueError(
                    f"{theirs} must be of shape {shapes[name]}, got {value.shape}: set it for "
                    f"{K} states and {d} columns"
                )
            (Simplex() if letter in _CHAIN else kind.supports()[name]).check(value, theirs)
            found[name] = value
        return found

    def _kind(self) -> Family:
        names = ("initial_", "transitions_", *map(attribute, self._letters.values()))
        check_is_fitted(self, list(names))
        return getattr(self, "family_", None) or self._plain_family()

    def _fitted(self) -> tuple[Chain, HiddenMarkovParams]:
        kind = self._kind()
        for name, theirs in _THEIRS.items():
            value, K = np.asarray(getattr(self, attribute(name))), self.n_components
            if value.shape != ((K,) if name == "initial" else (K, K)):
                raise ValueError(f"{theirs} is of shape {value.shape}, for n_components={K} states")
            Simplex().check(value, theirs)
        given = {name: getattr(self, attribute(name)) for name in kind.supports()}
        own = {n: np.ascontiguousarray(each, dtype=np.float64) for n, each in given.items()}
        for name, support in kind.supports().items():
            support.check(own[name], self._theirs[name])
        parts = kind.params(own)
        weights = getattr(self, self._shares, self.initial_)
        chain = (np.ascontiguousarray(each) for each in (self.initial_, self.transitions_))
        return Chain(kind, Flat()), HiddenMarkovParams(weights, parts, *chain)

    @property
    def startprob_(self) -> AnyArray:
        """The law of the first state, (n_components,)."""
        return self.initial_

    @startprob_.setter
    def startprob_(self, given: Any) -> None:
        self.initial_ = np.asarray(given, dtype=np.float64)

    @property
    def transmat_(self) -> AnyArray:
        """P(next state | state), (n_components, n_components)."""
        return self.transitions_

    @transmat_.setter
    def transmat_(self, given: Any) -> None:
        self.transitions_ = np.asarray(given, dtype=np.float64)

    @property
    def n_features(self) -> int | None:
        """Columns, as hmmlearn calls their number."""
        return self.n_features_in_

    def get_stationary_distribution(self) -> Array:
        """The law of a state after very many steps, (n_components,): that which a step leaves."""
        return stationary_law(self._fitted()[1].transitions)

    def sample(
        self, n_samples: int = 1, random_state: Seed = None, currstate: int | None = None
    ) -> tuple[Array, AnyArray]:
        """One sequence of so many steps, (n_samples, n_features), and its states (n_samples,).

        The first state is `currstate`, where it is given. Counts and symbols are integers.
        """
        model, params = self._fitted()
        n_samples = whole("n_samples", n_samples)
        if currstate is not None:
            if not 0 <= (currstate := whole("currstate", currstate, 0)) < self.n_components:
                raise ValueError(
                    f"currstate must be a state from 0 to {self.n_components - 1}, got {currstate}"
                )
            params = replace(params, initial=np.eye(self.n_components)[currstate])
        rng = check_random_state(self.random_state if random_state is None else random_state)
        X, states = model.sample(n_samples, params, rng)
        counts = model.family.measure != "a density"
        return (X.astype(np.int64) if counts else X), states

    @property
    def monitor_(self) -> Monitor:
        """How the fit went."""
        check_is_fitted(self, "fit_result_")
        fit: Any = self.fit_result_
        return Monitor(self.tol, self.n_iter, fit.trace[: fit.iterations], fit.converged)


def _rows(name: str, prior: Any, shape: tuple[int, ...]) -> Array | float:
    """A Dirichlet prior as rows beside those of the table; ValueError where one is below 1."""
    rows = as_numbers(prior, name) - 1.0
    if not (rows >= 0).all():
        raise ValueError(
            f"{name} must be 1 or more, got {prior!r}: below 1 its density has no bound"
        )
    if rows.shape not in ((), shape[1:], shape):
        raise ValueError(f"{name} has shape {rows.shape}: give one number, or shape {shape}")
    return rows if rows.ndim else float(rows)
