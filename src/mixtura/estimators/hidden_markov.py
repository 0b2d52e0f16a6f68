"""`HiddenMarkov`: hidden states of sequences, whose steps are of any family."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.data.opening import is_stream
from mixtura.data.refusal import refuse_given
from mixtura.data.sequences import Ordered
from mixtura.engines.choose import PLAIN
from mixtura.estimators.chain_laws import TOPOLOGIES, tied_groups
from mixtura.estimators.chain_task import chain_task
from mixtura.estimators.clocked import timed
from mixtura.estimators.complaints import warn_unconverged
from mixtura.estimators.family_document import restored_spec
from mixtura.estimators.fitted_chain import FittedChain
from mixtura.estimators.sequence_intake import sequences
from mixtura.estimators.sequence_parts_intake import PARTS_HOLD, sequence_parts
from mixtura.estimators.untouched import untouched_on_failure
from mixtura.families.base import Family
from mixtura.families.given import Beside, Given
from mixtura.families.product import Product
from mixtura.families.registry import Spec, family
from mixtura.fitting.checkpoint import Checkpoint
from mixtura.fitting.fingerprint import chain_identity
from mixtura.fitting.hidden_markov_fit import ChainFound, find_chain
from mixtura.fitting.journal_file import removed, resumed_seed
from mixtura.fitting.listeners import FitListener
from mixtura.models.hidden_markov import HiddenMarkov as Chain
from mixtura.models.hidden_markov_params import HiddenMarkovParams
from mixtura.models.stay_laws import LAWS
from mixtura.records import Seed, StrPath, Weights
from mixtura.solvers.problem import Solver
from mixtura.solvers.registry import CLIMBERS


@dataclass(eq=False, repr=False)
class HiddenMarkov(FittedChain):
    """A hidden Markov model of any family, fitted by Baum-Welch from many starts.

    Parameters
    ----------
    family : str or Family, default "gaussian"
        What a step is, given its state: the names and objects of `Mixture`.
    n_states : int, default 2
    tol : float, default 1e-6
        A climb stops when the estimated log-likelihood still to be gained, per step, is below it.
    max_iter : int, default 1000
    n_init : int or "auto", default 1
        Repeats of the whole search, which has about nine starts itself, of regressions
        nineteen; "auto" as in `Mixture`.
    transitions : array-like of shape (n_states, n_states), optional
        Above 0 where a transition is allowed; others are 0 and stay it. Default: all are.
    topology : {"left-right", "linear", "cyclic", "banded"}, optional
        The same by name. From each state on to itself and: any later one; the next one; the next
        one, from the last the first; both neighbours. In the first two a sequence begins in state
        0, unless `first_states` says otherwise.
    tied_rows : array-like of shape (n_states,), optional
        Labels of states: those with one label are left in the same way, their rows of transitions
        are one. With `durations` none of them may go on to another of them. Not with
        initial="stationary". Default: each is its own.
    first_states : array-like of shape (n_states,), optional
        Above 0 where a sequence may begin. Default: anywhere. With initial="fixed" the law itself.
    initial : {"free", "stationary", "fixed"}, default "free"
        The law of a sequence's first state: estimated; the one that the transitions leave as it is,
        estimated with them; or `first_states`, over their sum.
    durations : {"geometric", "poisson", "negativebinomial", "free"}, optional
        The law of how long a state is stayed in; `transitions_` are then moves to other states. A
        stay begins with the sequence, and the last one may go on behind its end. Default: as the
        transitions say, which is geometric.
    max_duration : int, optional
        From a stay of so many steps on, it ends at each with one probability (a geometric tail).
        "free" has a parameter for each length up to it. Default: the longest sequence, at most
        200; of "free" it must be given.
    covariates : column names or positions, optional
        Columns of X that transitions hang on, by a multinomial logit, and that states do not
        describe: those of a step drive the move to the next one; with `durations` where a stay
        ends. Default: none.
    initial_covariates : column names or positions, optional
        Columns of X, described by no state either, that the first state of a sequence hangs on by
        a multinomial logit of its first row. Default: none.
    algorithm : {"viterbi", "map"}, default "viterbi"
        What `predict` gives: the likeliest path, or the likeliest state of each step.
    random_state : int, RandomState instance or None
    solver : {"auto", "em", "squarem", "anderson", "lbfgs", "newton"} or callable, default "auto"
    engine : {"auto", "compiled", "threads", "local"}, default "auto"
        "auto" is "compiled": forward and backward in C. The others go in logarithms, slowly.

    Attributes
    ----------
    initial_ : array of shape (n_states,), the law of a sequence's first state
    transitions_ : array of shape (n_states, n_states), P(next state | state), rows sum to one
    weights_ : array of shape (n_states,), the states' expected shares of the steps
    durations_ : array of shape (n_states, max_duration), with `durations` and two states or more
        P(a stay lasts 1, 2, ... steps), in the last column `max_duration` or more.
    stays_ : array of shape (n_states, p), with `durations` and two states or more
        The law's parameters: P(end) of "geometric"; of the steps after the first the mean, and
        for "negativebinomial" also the size; of "free" P(end) after 1, 2, ... steps.
    transition_intercept_, transition_coef_ : arrays, with `covariates`
        Of shapes (n_states, n_states) and (n_states, n_states, n_covariates):
        log P(j | i) / P(i | i) = intercept[i, j] + coef[i, j] @ c; with `durations` beside the
        first other state that i may go to. `transitions_` are then the moves expected, on average.
    initial_intercept_, initial_coef_ : arrays, with `initial_covariates`
        Of shapes (n_states,) and (n_states, n_covariates):
        log P(k) / P(r) = intercept[k] + coef[k] @ c for the first row's c, beside the first state
        r that sequences begin in: `initial_[r]`, the law expected on average, is above 1e-6.
    <parameter>_ : arrays
        Each parameter of the family by its name, as in `Mixture`: `means_`, `rates_`, ...
    parameters_, family_, converged_, n_iter_, lower_bound_, n_features_in_, fit_result_
        As in `Mixture`.

    States are in the order of their means in the first column (of equal ones in the next), or of
    the family's first parameter where it has no means; with `transitions`, `topology`, `tied_rows`
    or `first_states` given, or known states, they stand where these say.

    Rows of NaN alone are steps that nobody saw, and NaN in others cells that are missing: both are
    summed over, which is exact where cells are missing at random.

    References
    ----------
    Baum, Petrie, Soules & Weiss (1970), Annals of Mathematical Statistics 41; Rabiner (1989),
    Proceedings of the IEEE 77(2).

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import HiddenMarkov
    >>> X = np.array([[2], [3], [1], [2], [9], [8], [11], [9], [10], [2], [1], [3], [9], [12]])
    >>> hmm = HiddenMarkov("poisson", n_states=2, random_state=0).fit(X)
    >>> hmm.predict(X)
    array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "family": [str, Family],
        "n_states": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "transitions": [None, "array-like"],
        "topology": [None, StrOptions(set(TOPOLOGIES))],
        "tied_rows": [None, "array-like"],
        "first_states": [None, "array-like"],
        "initial": [StrOptions({"free", "stationary", "fixed"})],
        "durations": [None, StrOptions(set(LAWS))],
        "max_duration": [None, Interval(Integral, 2, None, closed="left")],
        "covariates": [None, str, Integral, "array-like"],
        "initial_covariates": [None, str, Integral, "array-like"],
        "algorithm": [StrOptions({"viterbi", "map"})],
        "random_state": ["random_state"],
        "solver": [StrOptions(set(CLIMBERS)), callable],
        "engine": [StrOptions({"auto", "compiled", *PLAIN})],
    }
    _components = "family"
    _groups = "n_states"
    _restored_components = staticmethod(restored_spec)

    family: Spec = "gaussian"
    n_states: int = 2
    _: KW_ONLY
    tol: float = 1e-6
    max_iter: int = 1000
    n_init: int | str = 1
    transitions: Any = None
    topology: str | None = None
    tied_rows: Any = None
    first_states: Any = None
    initial: str = "free"
    durations: str | None = None
    max_duration: int | None = None
    covariates: Any = None
    initial_covariates: Any = None
    algorithm: str = "viterbi"
    random_state: Seed = None
    solver: str | Solver = "auto"
    engine: str = "auto"

    def fit(
        self,
        X: Any,
        lengths: Any = None,
        *,
        sample_weight: Weights = None,
        states: Any = None,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
        listener: FitListener | None = None,
    ) -> Self:
        """Fit the model to sequences.

        Parameters
        ----------
        X : array-like of shape (n_steps, n_features), data frame, or a list of sequences
            Sequences one after the other. Of a Dask array or frame each lies within one partition.
            Or a callable that returns a fresh iterator of such tables, or of tuples (table,
            lengths, sample_weight, states), the last of which may be left out, each of whole
            sequences: only one of them is in memory at a time, and the fit is that of all in one
            table. The first table holds every category.
        lengths : array-like of int, optional
            Steps of each sequence, in order; default one sequence.
        sample_weight : array-like of shape (n_sequences,) or (n_steps,), optional
            How often a sequence was seen: equal in all of its rows.
        states : array-like of shape (n_steps,), optional
            The state of each step that somebody knows, 0 to n_states - 1; -1 or NaN of others. The
            log-likelihood is that of steps and known states together.
        checkpoint : path, optional
            The fit writes there how far it is. Killed and called again with the same rows and
            settings, it goes on from there to the identical answer; then the file is removed.
        max_seconds : float, optional
            The search ends by then with what it has met, as in `Mixture.fit`.
        listener : told of progress (see `mixtura.fitting.listeners.FitListener`), optional

        Raises
        ------
        ValueError
            For input that cannot be fitted, naming what was found; the estimator is left as it was.
        """
        self._validate_params()
        with untouched_on_failure(self):
            if callable(X) and is_stream(X):
                told = {"lengths": lengths, "sample_weight": sample_weight, "states": states}
                refuse_given("a callable", told, PARTS_HOLD)
                rows, kind = sequence_parts(self, X, self._family())
            else:
                rows, kind = sequences(
                    self,
                    X,
                    lengths,
                    self._family(),
                    sample_weight=sample_weight,
                    states=states,
                    reset=True,
                )
            found = self._find(rows, kind, checkpoint, max_seconds, listener)
            self._keep(found, rows)
        warn_unconverged(found.fit)
        removed(checkpoint)
        return self

    def _family(self) -> Family:
        """What states are made of, beside what transitions hang on."""
        asked = family(self.family)
        blocks = asked.blocks if isinstance(asked, Product) else ()
        # Of a fitted model the family holds them already.
        told = {name: getattr(self, name) for name in ("covariates", "initial_covariates")}
        given = {name: columns for name, columns in told.items() if columns is not None}
        if not given or any(isinstance(block.family, Given) for block in blocks):
            return asked
        hanging = "transitions" if self.initial_covariates is None else "states"
        return Beside(asked, given, Given("covariate", hanging))

    def _find(
        self,
        rows: Ordered,
        kind: Family,
        checkpoint: StrPath | None,
        max_seconds: float | None,
        listener: FitListener | None,
    ) -> ChainFound:
        task = timed(chain_task(self, kind, rows), max_seconds, checkpoint)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        if checkpoint is None:
            return find_chain(rows, task, np.random.RandomState(seed), listener=listener)
        seed = resumed_seed(checkpoint, self.random_state, seed)
        told = chain_identity(rows, task, seed, self.random_state)
        with Checkpoint(checkpoint, told) as journal:
            return find_chain(rows, task, np.random.RandomState(seed), journal, listener)

    def _fitted(self) -> tuple[Chain, HiddenMarkovParams]:
        model, params = super()._fitted()
        held = ("initial",) if self.initial == "fixed" else ()
        tied = tied_groups(self.tied_rows, self.n_states, None, self.initial)
        stationary = self.initial == "stationary"
        return replace(model, held=held, stationary=stationary, tied=tied), params
