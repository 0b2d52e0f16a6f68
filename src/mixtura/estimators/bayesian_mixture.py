"""`BayesianMixture`: variational Bayes for components of families with a conjugate prior."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from mixtura.data.source import Source
from mixtura.engines.choose import AWAY, PLAIN
from mixtura.estimators.document import Stored
from mixtura.estimators.family_document import family_document, restored_family, restored_spec
from mixtura.estimators.hyperparameters import weight_prior
from mixtura.estimators.mixture import attribute
from mixtura.estimators.posterior_components import PosteriorComponents
from mixtura.estimators.posterior_mixture import PosteriorMixture
from mixtura.families.base import Family
from mixtura.families.bayes.asked import AskedPrior
from mixtura.families.bayes.family import PosteriorOf, PosteriorProduct, posterior_of
from mixtura.families.registry import Spec, family
from mixtura.fitting.checkpoint import digest_of
from mixtura.fitting.fingerprint import described, model_identity
from mixtura.fitting.mixture_fit import Found, surveyed
from mixtura.fitting.variational_fit import VariationalFound, VariationalTask
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.variational import VariationalMixture, VariationalParams
from mixtura.records import AnyArray
from mixtura.schema import Floats, read_arrays
from mixtura.supports import Positive, Simplex

# Fitted arrays of weights.
_WEIGHTS = ("weights_", "weight_concentration_")


@dataclass(eq=False, repr=False)
class BayesianMixture(PosteriorComponents, PosteriorMixture):
    """Mixture of counts, categories or durations by variational Bayes, which finds how many.

    The posterior of weights and parameters instead of one value of each, for every family whose
    parameters have a conjugate prior; Gaussian ones: `BayesianGaussianMixture`. Steps, moves and
    the bound are the same (`docs/bayes.md`).

    Parameters
    ----------
    family : str or Family
        "bernoulli", "categorical", "exponential", "multinomial", "poisson", or a
        `mixtura.Product(...)` of such blocks, in which some may be Gaussian: "full", "diag" or
        "spherical".
    n_components : int, default 1
        At most so many components hold rows.
    prior : GammaPrior, BetaPrior, DirichletPrior or a list, optional
        Of each component's parameters: `GammaPrior` for Poisson rates and 1 / exponential means,
        `BetaPrior` for Bernoulli probabilities, `DirichletPrior` for the others; of a product a
        dict by the blocks' names, or a list of one for each block. None and blocks left out have
        the default, Gaussian blocks always. By
        default Poisson rates and exponential means have the table's column means under the prior
        (shapes 1 and 3/2, so whatever the units), and shares have Jeffreys's prior: each is worth
        half a row.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}, \
            default "dirichlet_process"
    weight_concentration_prior : float, default 1 / n_components
    tol, max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval, \
            moves, weights, engine : as in `BayesianGaussianMixture`
        Starts are made in the family's own units (`Family.frame`).

    Attributes
    ----------
    <parameter>_ : arrays
        The family's parameters at the posterior's mean, by their names in `Mixture`: `rates_`,
        `probabilities_`, ...; an exponential `means_` is 1 / E[1 / mean].
    parameters_ : dict
        All of them, by the family's own names.
    gamma_shapes_, gamma_rates_ : arrays of shape (n_components, n_features)
        Of the posterior of Poisson rates, or 1 / exponential means.
    concentrations_ : array of shape (n_components, number of shares)
        Of the posterior of shares, those of all columns side by side; for Bernoulli columns those
        of 0 and of 1, column by column. Of a product all these have the block's name before:
        `poisson_gamma_shapes_`.
    gaussian_means_, gaussian_covariances_, gaussian_mean_precision_, gaussian_freedom_ : arrays
        Of Gaussian blocks, as in `BayesianGaussianMixture`; `gaussian_freedom_` (n_components,)
        are its degrees of freedom.
    prior_gamma_shapes_, prior_gamma_rates_, prior_concentrations_ : arrays of shape (1, ...)
        The same of the prior.
    weights_, weight_concentration_, weight_concentration_prior_, n_components_, held_, \
            n_components_posterior_, active_, elbo_ : as in `BayesianGaussianMixture`
    lower_bound_, lower_bounds_ : float and list of float
        `elbo_` per row; at the end and after each step.
    family_ : Family
        The family with what it took from the table.
    converged_, n_iter_, n_features_in_, feature_names_in_, fit_result_ : as in `GaussianMixture`
        Where `fit_result_` has log-likelihoods these are the bound.

    Missing cells (NaN) of families whose columns are independent within a component are left out
    of their row, which is exact.

    References
    ----------
    Attias (2000), Advances in Neural Information Processing Systems 12; Diaconis & Ylvisaker
    (1979), Annals of Statistics 7; Hughes & Sudderth (2013), Advances in Neural Information
    Processing Systems 26.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import BayesianMixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.poisson(2, (100, 2)), rng.poisson(15, (100, 2))])
    >>> found = BayesianMixture("poisson", n_components=20, random_state=0).fit(X)
    >>> found.n_components_, found.rates_[found.held_].round().tolist()
    (2, [[15.0, 15.0], [2.0, 2.0]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **PosteriorMixture._parameter_constraints,
        "family": [str, Family],
        "prior": [None, AskedPrior, dict, list, tuple],
        "engine": [StrOptions({"auto", AWAY, *PLAIN})],
    }
    _components = "family"
    _restored_components = staticmethod(restored_spec)

    family: Spec
    n_components: int = 1
    _: KW_ONLY
    prior: Any = None

    def _family(self) -> PosteriorOf | PosteriorProduct:
        return posterior_of(family(self.family), self.prior)

    def _asked_task(self, rows: Source, family: Family) -> VariationalTask:
        # What the default prior takes from a long table hangs on no seed.
        survey = surveyed(rows, self.n_components, np.random.RandomState(0))
        settled = family.settled(survey, self.n_components)
        weights = weight_prior(self, self.n_components)
        model = VariationalMixture(settled.family, settled.prior, weights)
        return self._climbing(model, settled.frames, rows.d)

    def _identity(self, rows: Source, task: Any, seed: int) -> dict[str, Any]:
        plain = ("family", "prior", "random_state", "verbose", "verbose_interval")
        settings = {k: repr(v) for k, v in self.get_params().items() if k not in plain}
        prior = digest_of(task.model.prior.one.arrays())
        settings["family"] = described(task.model.family.law)
        return model_identity(
            rows, task.model, task.begin, seed, self.random_state, prior=prior, **settings
        )

    def _continued(self, d: int) -> VariationalParams:
        self._refuse_other_weights()
        asked, last = self._family(), self._posterior_kind()
        found = {name: getattr(self, attribute(name)).shape for name in last.supports()}
        same = asked.law.continues(last.law, self._names())
        if not same or found != last.shapes(self.n_components, d):
            raise ValueError(
                f"warm_start: the last fit has {len(self.weights_)} components of family "
                f"{last.name!r}, which {self.n_components} of family {asked.name!r} over {d} "
                "columns cannot continue: set warm_start=False"
            )
        some_of = slice(int(self.active_.sum()))
        concentration = np.asarray(self.weight_concentration_, dtype=np.float64)[..., some_of]
        return self._fitted()[0].assembled(concentration, self._components_of(some_of))

    def _hold(self, found: Found, dtype: np.dtype[Any]) -> None:
        assert isinstance(found, VariationalFound)
        self.family_ = found.family.law
        super()._hold(found, dtype)
        self._tell_components_prior(found.model.prior.one)
        self._count(found.active)

    def _set_parameters(self, params: MixtureParams, dtype: np.dtype[Any]) -> None:
        assert isinstance(params, VariationalParams)
        self.weights_ = params.weights
        self.weight_concentration_ = params.concentration
        self._tell_components(params.components)

    def _fitted(self) -> tuple[VariationalMixture, VariationalParams]:
        weights = weight_prior(self, len(self.weights_))
        model = VariationalMixture(self._posterior_kind(), self._components_prior(), weights)
        concentration = np.asarray(self.weight_concentration_, dtype=np.float64)
        params = model.assembled(concentration, self._components_of(slice(None)))
        return model, replace(params, expected=np.where(self.active_, params.expected, -np.inf))

    def _stored_arrays(self) -> dict[str, AnyArray]:
        weights = {name: np.asarray(getattr(self, name)) for name in _WEIGHTS}
        return weights | self._components_arrays()

    def _stored_beside(self) -> dict[str, Any]:
        return {"family": family_document(self.family_), "posterior": self._stored_numbers()}

    def _check_stored(self, stored: Stored) -> None:
        self.family_ = restored_family(stored.family, "family")
        K = self.n_components
        self._restore_numbers(stored)
        kinds = {
            "weights_": Floats((K,), Simplex()),
            "weight_concentration_": Floats((2, K) if self._process else (K,), Positive()),
        }
        kinds |= self._components_floats(K, stored.scalars.n_features_in_)
        read_arrays(kinds, stored.arrays, "arrays")

    def _check_restored(self) -> None:
        self._tell_mean()
        self._count(int(self.active_))
