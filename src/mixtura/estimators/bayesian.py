"""`BayesianGaussianMixture`: scikit-learn's estimator of that name, by our fits."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.data.source import Source
from mixtura.engines.choose import AWAY, PLAIN
from mixtura.estimators.fitted_posterior import FittedPosterior
from mixtura.estimators.hyperparameters import component_prior, weight_prior
from mixtura.families.base import Family
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.posterior import PosteriorGaussian
from mixtura.fitting.checkpoint import digest_of
from mixtura.fitting.fingerprint import model_identity
from mixtura.fitting.variational_fit import VariationalTask
from mixtura.models.variational import VariationalMixture, VariationalParams

# Structures whose scale matrices are a linear space.
CONJUGATE = ("full", "tied", "diag", "spherical", "EII", "VII", "EEI", "VVI", "EEE", "VVV")


@dataclass(eq=False, repr=False)
class BayesianGaussianMixture(FittedPosterior):
    """Gaussian mixture by variational Bayes, whose number of components is found.

    A drop-in for ``sklearn.mixture.BayesianGaussianMixture``: every parameter, method and attribute
    there means the same here, and with ``moves=False`` and the same start and steps all numbers are
    its numbers. Defaults that differ are in `docs/bayes.md`, with what the bound is.

    Parameters
    ----------
    n_components : int, default 1
        At most so many components hold rows.
    covariance_type : {"full", "tied", "diag", "spherical", "EII", "VII", "EEI", "VVI", "EEE", \
            "VVV"}, default "full"
        Of mclust's those whose scale matrices are a linear space; only they have a posterior in
        closed form.
    tol : float, default 1e-6
        A climb stops when the estimated bound still to be gained, per row, is below `tol`.
        (scikit-learn: when a step changed it by less than 1e-3 in all.)
    reg_covar : float, default 0
        Added to the covariance of the rows of each component (scikit-learn: 1e-6). The prior makes
        it needless, and with it the bound may fall.
    max_iter : int, default 1000
        Steps of one climb (scikit-learn: 100).
    n_init : int, default 1
        Starts; the end with the highest bound is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data", "one", ...}, \
            default "kmeans"
        How rows are first shared out, in standardised columns; "one": all to one component, from
        which moves make others.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}, \
            default "dirichlet_process"
    weight_concentration_prior : float, default 1 / n_components
    mean_precision_prior : float, default 1
    mean_prior : array-like of shape (n_features,), default the table's mean
    degrees_of_freedom_prior : float, default n_features
    covariance_prior : float or array-like, default the table's covariance
        In the shape of one component's covariance. Where the table's has no inverse the default is
        its diagonal.
    random_state : int, RandomState instance or None
    warm_start : bool, default False
        Go on from the last fit's posterior.
    verbose : int, default 0
    verbose_interval : int, default 10
    moves : bool, default True
        Whether components are born, merged and deleted where that raises the bound, after the first
        steps (never with max_iter below 10). Steps alone hardly change how many hold rows:
        `mixtura.fitting.variational_moves`.
    weights : {"counts", "importance"}, default "counts"
        As in `GaussianMixture`.
    engine : {"auto", "local", "threads", "compiled", "dense", "dask"}, default "auto"
        As in `GaussianMixture`.

    Attributes
    ----------
    weights_ : array of shape (n_components,)
        E[pi_k].
    means_ : array of shape (n_components, n_features)
    covariances_, precisions_, precisions_cholesky_ : arrays
        The mean precision and its inverse, in the shapes of `GaussianMixture`.
    weight_concentration_ : array of shape (n_components,), or a tuple of two
        Of the Dirichlet posterior, or those of the sticks' Beta posteriors.
    mean_precision_, degrees_of_freedom_ : arrays of shape (n_components,)
        In rows; degrees_of_freedom_ is one number where covariance_type is "tied".
    weight_concentration_prior_, mean_precision_prior_, mean_prior_, degrees_of_freedom_prior_, \
            covariance_prior_ : the prior
    n_components_ : int
        Components that hold half a row or more; `held_` are their indices.
    n_components_posterior_ : array of shape (n_components + 1,), or None
        P(k components hold rows | the rows) at index k, approximately: by the bounds of the
        posteriors that moves met; see `docs/bayes.md`. None where no moves were made.
    active_ : bool array of shape (n_components,)
        False for those that moves have deleted: they are as the prior has them, no row is theirs.
    elbo_ : float
        The bound of the log evidence, in nats and with every constant; see `docs/bayes.md`.
    lower_bound_, lower_bounds_ : float and list of float
        The bound as scikit-learn counts, between M-step and E-step and without constants, of all
        rows of the arrays; at the end and after each step.
    converged_, n_iter_, n_features_in_, feature_names_in_, fit_result_ : as in `GaussianMixture`
        Where `fit_result_` has log-likelihoods these are the bound.

    References
    ----------
    Attias (2000), Advances in Neural Information Processing Systems 12; Blei & Jordan (2006),
    Bayesian Analysis 1; Hughes & Sudderth (2013), Advances in Neural Information Processing
    Systems 26.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import BayesianGaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 2)), rng.normal(8, 1, (100, 2))])
    >>> BayesianGaussianMixture(n_components=20, random_state=0).fit(X).n_components_
    2
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **FittedPosterior._parameter_constraints,
        "covariance_type": [StrOptions(set(CONJUGATE))],
        "reg_covar": [Interval(Real, 0.0, None, closed="left")],
        "mean_precision_prior": [None, Interval(Real, 0.0, None, closed="neither")],
        "mean_prior": [None, "array-like"],
        "degrees_of_freedom_prior": [None, Interval(Real, 0.0, None, closed="neither")],
        "covariance_prior": [None, "array-like", Interval(Real, 0.0, None, closed="neither")],
        "engine": [StrOptions({"auto", "compiled", "dense", AWAY, *PLAIN})],
    }
    _components = "covariance_type"

    _: KW_ONLY
    n_components: int = 1
    covariance_type: str = "full"
    reg_covar: float = 0.0
    mean_precision_prior: float | None = None
    mean_prior: Any = None
    degrees_of_freedom_prior: float | None = None
    covariance_prior: Any = None

    def _continued(self, d: int) -> VariationalParams:
        K, found = self.n_components, self.means_.shape
        if found != (K, d) or self.covariances_.shape != self._form.shape(K, d):
            raise ValueError(
                f"warm_start: the last fit has means of shape {found} and covariances of shape "
                f"{self.covariances_.shape}, which {K} components with covariance_type="
                f"{self.covariance_type!r} over {d} columns cannot continue: set warm_start=False"
            )
        self._refuse_other_weights()
        return self._posterior(int(self.active_.sum()))

    def _asked_task(self, rows: Source, family: Family) -> VariationalTask:
        """What a fit to these rows is asked for; ValueError where the settings do not fit them."""
        prior, frames = component_prior(self, structure(self.covariance_type), rows)
        model = VariationalMixture(
            PosteriorGaussian(structure(self.covariance_type)),
            prior,
            weight_prior(self, self.n_components),
        )
        return self._climbing(model, frames, rows.d)

    def _identity(self, rows: Source, task: Any, seed: int) -> dict[str, Any]:
        plain = ("random_state", "verbose", "verbose_interval", "mean_prior", "covariance_prior")
        settings = {k: repr(v) for k, v in self.get_params().items() if k not in plain}
        prior = digest_of({"mean": task.model.prior.mean, "scale": task.model.prior.scale})
        return model_identity(
            rows, task.model, task.begin, seed, self.random_state, prior=prior, **settings
        )
