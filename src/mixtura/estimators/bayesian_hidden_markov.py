"""`BayesianHiddenMarkov`: variational Bayes for states of families with a conjugate prior."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.data.sequences import Ordered
from mixtura.engines.choose import PLAIN
from mixtura.estimators.clocked import timed
from mixtura.estimators.complaints import warn_unconverged
from mixtura.estimators.document import Stored
from mixtura.estimators.family_document import family_document, restored_family, restored_spec
from mixtura.estimators.fitted_chain import FittedChain
from mixtura.estimators.posterior_chain import PosteriorChain, concentrations, refuse_apart
from mixtura.estimators.posterior_components import PosteriorComponents
from mixtura.estimators.sequence_intake import sequences
from mixtura.estimators.untouched import untouched_on_failure
from mixtura.families.base import Family
from mixtura.families.bayes.asked import AskedPrior
from mixtura.families.bayes.family import posterior_of
from mixtura.families.registry import Spec, family
from mixtura.fitting.hidden_markov_fit import ChainFound, find_chain
from mixtura.fitting.hidden_markov_task import AskedPosterior, ChainTask
from mixtura.fitting.mixture_fit import surveyed
from mixtura.records import AnyArray, Seed, Weights
from mixtura.schema import Floats, read_arrays
from mixtura.supports import Positive, Simplex

# The laws of the chain, whose attributes are `<law>_concentration_` and `..._prior_`.
LAWS = ("initial", "transitions")


@dataclass(eq=False, repr=False)
class BayesianHiddenMarkov(PosteriorComponents, PosteriorChain, FittedChain):
    """Hidden states of sequences by variational Bayes, which finds how many there are.

    The posterior of the chain's laws and of the states' parameters instead of one value of each,
    for every family whose parameters have a conjugate prior; Gaussian ones:
    `VariationalGaussianHMM`. Steps, merges and the bound are the same (`docs/bayes.md`).

    Parameters
    ----------
    family : str or Family
    prior : GammaPrior, BetaPrior, DirichletPrior or a list, optional
        What a step is, given its state, and the prior of that: as in `BayesianMixture`.
    n_states : int, default 2
        At most so many states hold steps.
    initial_concentration_prior : float or array of shape (n_states,), default 1 / n_states
    transitions_concentration_prior : float or array of shape (n_states, n_states), \
            default 1 / n_states
        Concentrations of Dirichlet laws, above 0; of each row of transitions one.
    tol, max_iter, n_init, algorithm, random_state, engine : as in `HiddenMarkov`
        Of a log-likelihood read the bound. A search makes one of two states where that raises it.

    Attributes
    ----------
    initial_concentration_ (n_states,), transitions_concentration_ (n_states, n_states)
        Of the Dirichlet posteriors; those of the prior end in `_prior_`.
    gamma_shapes_, gamma_rates_, concentrations_, ..., prior_gamma_shapes_, ... : arrays
        Posterior and prior of the states' parameters, as in `BayesianMixture`.
    initial_, transitions_, <parameter>_, parameters_
        The posterior's means, at which `score`, `predict`, `decode` and `sample` answer.
    weights_ : array of shape (n_states,), the states' expected shares of the steps
    n_components_ : int
        States that hold half a step or more; `held_` are their indices, the first ones. The others
        are as the prior has them.
    elbo_ : float
        The bound of the log evidence in nats, with every constant.
    family_, converged_, n_iter_, lower_bound_, lower_bounds_, n_features_in_, fit_result_
        As in `HiddenMarkov`, with the bound for a log-likelihood.

    States are in the order of their means, those that hold nothing last; with concentrations that
    tell states apart they stand where these say. Rows of NaN alone are steps that nobody saw, and
    missing cells of columns that are independent within a state are left out, which is exact.

    References
    ----------
    MacKay (1997), Ensemble learning for hidden Markov models; Beal (2003), Variational algorithms
    for approximate Bayesian inference, chapter 3; Diaconis & Ylvisaker (1979), Annals of
    Statistics 7.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import BayesianHiddenMarkov
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(np.repeat([2.0, 15.0, 2.0, 15.0], 50))[:, None]
    >>> hmm = BayesianHiddenMarkov("poisson", n_states=6, random_state=0).fit(X)
    >>> hmm.n_components_, hmm.rates_[hmm.held_, 0].round().tolist()
    (2, [2.0, 16.0])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "family": [str, Family],
        "n_states": [Interval(Integral, 1, None, closed="left")],
        "prior": [None, AskedPrior, dict, list, tuple],
        "initial_concentration_prior": [None, Real, "array-like"],
        "transitions_concentration_prior": [None, Real, "array-like"],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "algorithm": [StrOptions({"viterbi", "map"})],
        "random_state": ["random_state"],
        "engine": [StrOptions({"auto", "compiled", *PLAIN})],
    }
    _components = "family"
    _groups = "n_states"
    _restored_components = staticmethod(restored_spec)

    family: Spec
    n_states: int = 2
    _: KW_ONLY
    prior: Any = None
    initial_concentration_prior: Any = None
    transitions_concentration_prior: Any = None
    tol: float = 1e-6
    max_iter: int = 1000
    n_init: int = 1
    algorithm: str = "viterbi"
    random_state: Seed = None
    engine: str = "auto"

    def fit(
        self,
        X: Any,
        lengths: Any = None,
        *,
        sample_weight: Weights = None,
        max_seconds: float | None = None,
    ) -> Self:
        """Fit the posterior to sequences.

        Parameters
        ----------
        X : array-like of shape (n_steps, n_features), data frame, or a list of sequences
        lengths, sample_weight, max_seconds : as in `HiddenMarkov.fit`

        Raises
        ------
        ValueError
            For input that cannot be fitted, and families without a conjugate prior; the estimator
            is left as it was.
        """
        self._validate_params()
        with untouched_on_failure(self):
            kind: Any = posterior_of(family(self.family), self.prior)
            rows, kind = sequences(self, X, lengths, kind, sample_weight=sample_weight, reset=True)
            found = self._find(rows, kind, max_seconds)
            self._keep(found, rows)
        warn_unconverged(found.fit)
        return self

    def _find(self, rows: Any, kind: Any, max_seconds: float | None) -> ChainFound:
        refuse_apart(rows)
        K = self.n_states
        # What the default prior takes from a long table hangs on no seed.
        settled = kind.settled(surveyed(rows.rows(), K, np.random.RandomState(0)), K)
        first, moves = (
            concentrations(
                f"{law}_concentration_prior", getattr(self, f"{law}_concentration_prior"), s
            )
            for law, s in zip(LAWS, ((K,), (K, K)), strict=True)
        )
        task = ChainTask(
            settled.family.law,
            K,
            self.tol,
            self.max_iter,
            self.n_init,
            self.engine,
            "em",
            initial_rows=first - 1.0,
            transition_rows=moves - 1.0,
            posterior=AskedPosterior(settled.family, settled.prior),
        )
        rng = np.random.RandomState(check_random_state(self.random_state).randint(2**31 - 1))
        return find_chain(rows, timed(task, max_seconds), rng)

    def _keep(self, found: ChainFound, rows: Ordered) -> None:
        model, params = self._keep_account(found)
        kind: Any = model.family
        self.family_ = kind.law
        told = (params.starts, params.moves), model.concentrations(len(params.weights))
        for end, laws in zip(("", "_prior"), told, strict=True):
            for name, law in zip(LAWS, laws, strict=True):
                setattr(self, f"{name}_concentration{end}_", np.array(law))
        self._tell_components_prior(model.prior.one)
        self._tell_components(params.components)
        self._tell_laws()

    def _tell_laws(self) -> None:
        for name in LAWS:
            own = getattr(self, f"{name}_concentration_")
            setattr(self, f"{name}_", own / own.sum(axis=-1, keepdims=True))

    def _stored_arrays(self) -> dict[str, AnyArray]:
        return {name: getattr(self, name) for name in self._laws()} | self._components_arrays()

    def _laws(self) -> dict[str, Floats]:
        """The chain's arrays, their shapes and supports."""
        K = self.n_states
        found = {"weights_": Floats((K,), Simplex())}
        for end in ("_", "_prior_"):
            found[f"initial_concentration{end}"] = Floats((K,), Positive())
            found[f"transitions_concentration{end}"] = Floats((K, K), Positive())
        return found

    def _stored_beside(self) -> dict[str, Any]:
        return {"family": family_document(self.family_), "posterior": {"elbo_": self.elbo_}}

    def _check_stored(self, stored: Stored) -> None:
        self.family_ = restored_family(stored.family, "family")
        self._restore_numbers(stored)
        kinds = self._components_floats(self.n_states, stored.scalars.n_features_in_)
        read_arrays(self._laws() | kinds, stored.arrays, "arrays")

    def _check_restored(self) -> None:
        self._tell_mean()
        self._tell_laws()
        self._fitted()
