"""What mixtures that are known by a posterior answer, whatever their components."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import logsumexp
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from mixtura.data.refusal import truth
from mixtura.data.source import Source
from mixtura.estimators.answering import ANSWERED_ROWS
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.document import Stored
from mixtura.estimators.hyperparameters import PROCESS, WEIGHT_PRIORS, weight_prior
from mixtura.estimators.rowwise import Drawing, LogDensity
from mixtura.estimators.weighing import COUNTS
from mixtura.families.digits import percent
from mixtura.families.frames import Frame
from mixtura.fitting.mixture_fit import Found
from mixtura.fitting.starts import STARTS
from mixtura.fitting.variational_fit import ONE, VariationalFound, VariationalTask, find_posterior
from mixtura.models.variational import VariationalMixture, VariationalParams
from mixtura.models.weight_priors import held
from mixtura.ranges import Count, Positive
from mixtura.records import AnyArray, Array, Seed, Weights
from mixtura.report.view import MixtureView
from mixtura.schema import Floats, check_floats, read
from mixtura.supports import Simplex

# Numbers of groups that are less probable are not told, nor more than so many.
WORTH, MOST = 0.005, 5


@dataclass(frozen=True)
class PosteriorNumbers:
    """The fitted attributes of a posterior that are numbers; of `active_` how many there are."""

    elbo_: float
    active_: Count
    weight_concentration_prior_: Positive
    n_components_posterior_: tuple[float, ...] | None


@dataclass(eq=False, repr=False)
class PosteriorMixture(ClimbedMixture):
    """A mixture that is fitted by variational Bayes; subclasses say of which components."""

    weights_: AnyArray = field(init=False)
    weight_concentration_: Any = field(init=False)
    n_components_: int = field(init=False)
    n_components_posterior_: Array | None = field(init=False)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{
            name: allowed
            for name, allowed in ClimbedMixture._parameter_constraints.items()
            if name != "solver"
        },
        "weight_concentration_prior_type": [StrOptions(set(WEIGHT_PRIORS))],
        "weight_concentration_prior": [None, Interval(Real, 0.0, None, closed="neither")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions({ONE, *STARTS})],
        "moves": ["boolean"],
    }
    _: KW_ONLY
    weight_concentration_prior_type: str = PROCESS
    weight_concentration_prior: float | None = None
    tol: float = 1e-6
    max_iter: int = 1000
    n_init: int = 1
    init_params: str = "kmeans"
    random_state: Seed = None
    warm_start: bool = False
    verbose: int = 0
    verbose_interval: int = 10
    moves: bool = True
    weights: str = COUNTS
    engine: str = "auto"
    solver = "em"
    _numbers: ClassVar[type[PosteriorNumbers]] = PosteriorNumbers
    _knows_labels = False

    @abstractmethod
    def _components_of(self, which: slice | AnyArray) -> Any:
        """The posterior of some of the components."""

    @abstractmethod
    def _fitted(self) -> tuple[VariationalMixture, VariationalParams]:
        """The model and its posterior, from the fitted attributes, in float64."""

    @property
    def _process(self) -> bool:
        return self.weight_concentration_prior_type == PROCESS

    def score_samples(self, X: Any, *, predictive: bool = False) -> AnyArray:
        """log of sum_k exp(E[log pi_k] + E[log p(x | k)]), as in scikit-learn: below a density's.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        predictive : bool, default False
            The posterior predictive log-density instead, which integrates to one: of Gaussian
            components a mixture of t densities.

        Returns
        -------
        array of shape (n_samples,), natural logarithm in the inverse units of X
        """
        if not truth("predictive", predictive):
            return super().score_samples(X)
        check_is_fitted(self)
        rows, (_, log_density) = self._asked(X), self._law()
        found = [log_density(x) for x, *_ in rows.chunks(ANSWERED_ROWS)]
        return np.concatenate(found).astype(rows.dtype)

    def _law(self) -> tuple[Drawing, LogDensity]:
        """The posterior predictive one."""
        model, params = self._fitted()
        family: Any = model.family
        logs, shares = np.log(params.weights), params.weights / params.weights.sum()

        def drawing(n: int, rng: np.random.RandomState) -> Array:
            drawn: Array = family.predicted(
                rng.choice(len(shares), size=n, p=shares), params.components, rng
            )
            return drawn

        def log_density(x: AnyArray) -> Array:
            found = family.filling(x).predictive(x, params.components) + logs
            return np.asarray(logsumexp(found, axis=1))

        return drawing, log_density

    def score(
        self, X: Any, y: Any = None, sample_weight: Weights = None, *, predictive: bool = False
    ) -> float:
        """The mean of `score_samples` per row (per unit of weight)."""
        if not truth("predictive", predictive):
            return super().score(X, y, sample_weight)
        total, weight = self._summed(self.score_samples(X, predictive=True), sample_weight)
        return total / weight

    @property
    def bic(self) -> Any:
        """A posterior has none: AttributeError, as in scikit-learn."""
        raise AttributeError("a posterior has no BIC: compare elbo_, or score(X, predictive=True)")

    @property
    def aic(self) -> Any:
        """A posterior has none: AttributeError, as in scikit-learn."""
        raise AttributeError("a posterior has no AIC: compare elbo_, or score(X, predictive=True)")

    def view(self) -> MixtureView:
        """The components that hold rows, as reports and figures see them."""
        check_is_fitted(self)
        which = self.held_
        weights, names = np.asarray(self.weights_, np.float64)[which], tuple(self._names())
        weights = weights / weights.sum()
        portrait = self.fitted_family().portrait(self._components_of(which), weights, names)
        notes = _number_notes(self.n_components_posterior_)
        return MixtureView(weights, names, portrait, self.fit_result_, notes=notes)

    @property
    def held_(self) -> AnyArray:
        """The components that hold half a row or more, (n_components_,)."""
        concentration = np.asarray(self.weight_concentration_, np.float64)
        return held(weight_prior(self, len(self.weights_)), concentration)

    def _hold(self, found: Found, dtype: np.dtype[Any]) -> None:
        super()._hold(found, dtype)
        assert isinstance(found, VariationalFound)
        self.elbo_ = found.fit.loglik
        self.n_components_posterior_ = found.numbers
        self.weight_concentration_prior_ = found.model.weight_prior.alpha

    def _count(self, active: int) -> None:
        """Say which components there are, the first ones."""
        if self._process:
            self.weight_concentration_ = tuple(self.weight_concentration_)
        self.n_components_ = len(self.held_)
        self.active_ = np.arange(len(self.weights_)) < active

    def _stored_numbers(self) -> dict[str, Any]:
        """What a model file holds of them."""
        found = {each.name: getattr(self, each.name) for each in fields(self._numbers)}
        posterior = self.n_components_posterior_
        told = None if posterior is None else posterior.tolist()
        return found | {"active_": int(self.active_.sum()), "n_components_posterior_": told}

    def _restore_numbers(self, stored: Stored) -> None:
        """Those of a model file; ValueError where they are none of this mixture's."""
        numbers: PosteriorNumbers = read(self._numbers, stored.posterior, "posterior")
        K, told = self.n_components, numbers.n_components_posterior_
        if not 0 < numbers.active_ <= K:
            raise ValueError(f"posterior: active_ is {numbers.active_}, not of {K} components")
        for name, value in vars(numbers).items():
            setattr(self, name, value)
        if told is not None:
            array = self.n_components_posterior_ = np.array(told, dtype=np.float64)
            check_floats(Floats((K + 1,), Simplex()), array, "n_components_posterior_")

    def _climbing(
        self, model: VariationalMixture, frames: tuple[Frame, ...], d: int
    ) -> VariationalTask:
        """What a fit of this model to d columns is asked for."""
        begin: Any = self._continued(d) if self._goes_on() else None
        return VariationalTask(
            model=model,
            n_components=self.n_components,
            frames=frames,
            tol=self.tol,
            max_iter=self.max_iter,
            n_init=int(self.n_init),
            init_params=self.init_params,
            engine=self.engine,
            moves=self.moves,
            begin=begin,
            history=self.fit_result_.trace if self._goes_on() and self.fit_result_ else (),
        )

    def _search(self, rows: Source, task: Any, *others: Any) -> Found:
        return find_posterior(rows, task, *others)

    def _refuse_other_weights(self) -> None:
        """ValueError where the last fit's prior of the weights was of another type."""
        if isinstance(self.weight_concentration_, tuple) != self._process:
            raise ValueError(
                "warm_start: the last fit had another weight_concentration_prior_type: set "
                "warm_start=False"
            )


def _number_notes(posterior: Array | None) -> tuple[tuple[str, str], ...]:
    """How probable each number of groups is, for the report."""
    if posterior is None:
        return ()
    likely = [k for k in np.argsort(-posterior, kind="stable") if posterior[k] >= WORTH][:MOST]
    told = ", ".join(f"{k} with {percent(float(posterior[k]))}" for k in likely)
    return (("groups", f"{told}, by the bounds of the posteriors met"),)
