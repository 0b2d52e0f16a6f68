"""`GaussianMixture`: scikit-learn's estimator of that name, by our fits."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from mixtura.data.rows import Rows
from mixtura.estimators import factored, initial
from mixtura.estimators.after import AfterFit
from mixtura.estimators.answering import ANSWERED_ROWS
from mixtura.estimators.beside import refuse_beside
from mixtura.estimators.document import SCALARS, Stored, check_arrays, check_gaussian, names_of
from mixtura.estimators.factored import CovarianceNames
from mixtura.estimators.fixed import FIXED_SETTINGS, fixed_model
from mixtura.estimators.inherited import equations_of
from mixtura.estimators.measured import MeasuredRows
from mixtura.estimators.noisy import NOISE_SETTINGS, beside_noise
from mixtura.estimators.partial import absorb
from mixtura.estimators.prior_setting import PRIOR_SETTINGS, asked_family
from mixtura.estimators.robust import CONSTRAINT_SETTINGS, TRIM_SETTINGS
from mixtura.estimators.warm_start import continued, given
from mixtura.estimators.weighing import COUNTS
from mixtura.families.base import Family
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian.covariance import STRUCTURES, structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.gaussian.records import gaussian_params_from_whiten
from mixtura.families.ratio import EigenvalueRatio
from mixtura.families.registry import family
from mixtura.fitting.mixture_fit import Found
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Seed, Weights
from mixtura.schema import read
from mixtura.solvers.problem import Solver

if TYPE_CHECKING:
    from mixtura.estimators.stream import Stream


# What a mixture of parameters set by hand lacks.
BY_FIT = ("fit_result_", *SCALARS)


@dataclass(eq=False, repr=False)
class GaussianMixture(MeasuredRows, AfterFit):
    """Gaussian mixture, fitted from many short starts, with what was found in `fit_result_`.

    A drop-in for ``sklearn.mixture.GaussianMixture``: every parameter, method and attribute there
    means the same here. Where a default differs, it says so below and in `docs/migrating.md`.

    Parameters
    ----------
    n_components : int, default 1
    covariance_type : {"full", "tied", "diag", "spherical"}, one of mclust's or FactorAnalytic, \
            default "full"
        mclust's are EII VII EEI VEI EVI VVI EEE VEE EVE VVE EEV VEV EVV VVV, and for one column
        E and V: docs/structures.md. For many columns `FactorAnalytic(q)`, factors and noise, as
        a string "UUU:10": docs/factors.md.
    tol : float, default 1e-6
        A climb stops when the estimated log-likelihood still to be gained, per row, is below `tol`.
        (scikit-learn: when the last step gained less than 1e-3, however far the top.)
    reg_covar : float or None, default None
        None: fits are at maximum likelihood; a climb that runs into a singularity is repeated with
        a penalty relative to the table's own covariance. A number is added to every variance.
    max_iter : int, default 1000
        Steps of one climb, of whatever kind (scikit-learn: 100).
    n_init : int or "auto", default 1
        Initialisations; the best optimum is kept, failed ones are reported, not fatal. Of 1 with
        few rows for the parameters it must be surely so: docs/outliers.md. "auto": at
        least 8, until one more is estimated to end higher in at most 1 of 100 cases, or 100.
    init_params : {"auto", "kmeans", "k-means++", "random", "random_from_data", "hierarchical", \
            "ward", "moments", "exchange", "spheres", "tied"}, default "auto"
        "auto" races short runs from several starts, moves single components of the best and carries
        it on (scikit-learn: "kmeans"), all in standardised columns of at most 20,000 rows.
    weights_init, means_init, precisions_init : array-like, optional
        In the shapes of `weights_`, `means_` and `precisions_`.
    weights : {"counts", "importance"}, default "counts"
        What `sample_weight` means. "counts": a weight of 2 is the row twice, n of BIC the sum.
        "importance": how much a row is to count; weights are scaled to sum to (sum w)^2 / sum w^2,
        as many equally weighted rows as would tell as much.
    random_state : int, RandomState instance or None
    warm_start : bool, default False
        Start from the last fit's parameters.
    verbose : int, default 0
    verbose_interval : int, default 10
    solver : str or callable, default "auto"
        How parameters move: "auto", "em", "squarem", "anderson", "lbfgs", "newton", "annealed",
        "hard", "stochastic", "online", "nce", "truncated", "moments"; `docs/migrating.md` says
        what each guarantees. "auto" is EM, then the fastest safe path: `mixtura.solvers.auto`.
        An object says more: `mixtura.Online(epochs=5)`, or a `mixtura.solvers.problem.Solver` of
        your own.
    engine : {"auto", "local", "threads", "compiled", "dense", "mixed", "torch", "dask"}, \
            default "auto"
        What runs the pass over the rows: "local" NumPy in this thread, "threads" in a pool,
        "compiled" fused kernels, which with many components skip those that cannot matter for a
        row, "dense" without skipping, "mixed" in float32 until steps are small, "torch" PyTorch
        (docs/torch.md), "dask" workers, also over Parquet files (docs/dask.md). "auto": "compiled"
        where there is a kernel, for all types but factors; workers for Dask collections.
    noise : None, bool, "mclust" or float, default None
        Rows of no component: True adds noise, spread evenly over the box that just holds the
        table, with a weight of its own (Banfield & Raftery 1993). "mclust" is the smaller of that
        and the box along the principal axes, a number the volume: docs/outliers.md.
    trim : float, default 0
        The share of the rows, those of least density, that no step looks at: below 0.5.
    prior : {"fraley-raftery"}, NormalInverseWishart, Dirichlet, or a list, default None
        Conjugate, of components and weights, for scikit-learn's types: docs/priors.md.
    constraint : mixtura.EigenvalueRatio or None, default None
        How far apart eigenvalues of covariances may be, of scikit-learn's types: none collapses.
    fixed : dict or None, default None
        What is known in advance, NaN where a number is free: "weights" or "equal", "means" or
        "common", "covariances", as attributes; "least_weight", "bounds", "tied": docs/labels.md.

    Attributes
    ----------
    weights_ : array of shape (n_components,)
        P(k). With noise (n_components + 1,), the last that of noise, and so is the last column
        of `predict_proba`; `predict` calls noise -1.
    uniform_noise_ : mixtura.models.noise.Uniform
        With noise only: its volume, and the box.
    trim_threshold_ : float
        With trim only: `predict` calls rows -1 whose log-density is lower.
    means_ : array of shape (n_components, n_features)
    covariances_, precisions_, precisions_cholesky_ : arrays
        (K, d, d) full, (d, d) tied, (K, d) diag, (K,) spherical.
    loadings_, noise_variance_ : arrays of shape (K or 1, d, q) and (K or 1, d or 1)
        With factors only; covariances_ is then worked out when asked for.
    converged_, n_iter_ : bool and int
        The second: steps of the climb that gave the result.
    lower_bound_, lower_bounds_ : float and list of float, length n_iter_
        Mean log-likelihood per row of the parameters above, never penalised; after each step.
    n_features_in_, feature_names_in_ : int; array of str, when X has column names
    fit_result_ : mixtura.Fit
        Passes, trace, why it stopped, gradient norm, estimated gap, all starts, what was floored.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixture
    >>> X = np.array([[1, 2], [1, 4], [2, 1], [3, 3], [10, 2], [11, 4], [10, 0], [12, 3]])
    >>> gm = GaussianMixture(n_components=2, random_state=0).fit(X)
    >>> gm.means_[gm.predict([[0, 0], [12, 3]])].round(2)
    array([[ 1.75,  2.5 ],
           [10.75,  2.25]])
    """

    _stream: Stream | None = field(default=None, init=False)

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MeasuredRows._parameter_constraints,
        "covariance_type": [CovarianceNames(set(STRUCTURES))],
        "reg_covar": [Interval(Real, 0.0, None, closed="left"), None],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "noise": NOISE_SETTINGS,
        "trim": TRIM_SETTINGS,
        "prior": PRIOR_SETTINGS,
        "constraint": CONSTRAINT_SETTINGS,
        "fixed": FIXED_SETTINGS,
    }

    n_components: int = 1
    _: KW_ONLY
    covariance_type: str | FactorAnalytic = "full"
    tol: float = 1e-6
    reg_covar: float | None = None
    max_iter: int = 1000
    n_init: int | str = 1
    init_params: str = "auto"
    weights_init: Any = None
    means_init: Any = None
    precisions_init: Any = None
    weights: str = COUNTS
    random_state: Seed = None
    warm_start: bool = False
    verbose: int = 0
    verbose_interval: int = 10
    solver: str | Solver = "auto"
    engine: str = "auto"
    noise: Any = None
    trim: float = 0.0
    prior: Any = None
    constraint: EigenvalueRatio | None = None
    fixed: dict[str, Any] | None = None

    @classmethod
    def from_parameters(
        cls,
        weights: Any,
        means: Any,
        covariances: Any = None,
        *,
        precisions: Any = None,
        covariance_type: str | FactorAnalytic = "full",
        feature_names: Any = None,
        **settings: Any,
    ) -> Self:
        """A usable mixture from known parameters, without a fit.

        Parameters
        ----------
        weights : array-like of shape (K,), on the simplex
        means : array-like of shape (K, d)
        covariances, precisions : array-like, exactly one of them
            In the shape of `covariances_` for the covariance type.
        covariance_type : str, default "full"
        feature_names : sequence of d strings, optional
        **settings : further constructor parameters

        Raises
        ------
        ValueError
            For a wrong shape, weights off the simplex, or a matrix that is not positive definite.
        """
        params = initial.given(weights, means, covariances, precisions, structure(covariance_type))
        if feature_names is not None:
            d = params.components.means.shape[1]
            initial.check_shape(np.asarray(feature_names), (d,), "feature_names")
        return cls._from_params(params, covariance_type, feature_names, **settings)

    @classmethod
    def _from_params(
        cls,
        params: MixtureParams,
        covariance_type: str | FactorAnalytic,
        feature_names: Any,
        **settings: Any,
    ) -> Self:
        K, d = params.components.means.shape
        mixture = cls(K, covariance_type=covariance_type, **settings)
        mixture._validate_params()
        mixture.n_features_in_ = d
        if feature_names is not None:
            mixture.feature_names_in_ = np.array(
                [str(name) for name in feature_names], dtype=object
            )
        mixture._set_parameters(params, np.dtype(np.float64))
        mixture.converged_, mixture.n_iter_ = False, 0
        mixture.lower_bound_, mixture.lower_bounds_ = -np.inf, []
        mixture.fit_result_ = None
        return mixture

    def factors(self, X: Any) -> AnyArray:
        """E[z | x, k]: the factor scores of each row, were it of each component.

        (n_samples, n_components, n_factors), for one component what
        `sklearn.decomposition.FactorAnalysis.transform` gives; weighed with `predict_proba` it is
        the mean of the scores whichever the component. ValueError for a mixture without factors.
        """
        check_is_fitted(self)
        if factored.factors_of(self) is None:
            raise ValueError(
                f"factors: covariance_type={self.covariance_type!r} has none: fit with "
                "covariance_type=FactorAnalytic(...)"
            )
        rows, params = self._asked(X, filling=True), self._fitted()[1].components
        pieces = rows.chunks(rows.n if isinstance(rows, Rows) else ANSWERED_ROWS)
        found = [factored.scores(params, piece).astype(rows.dtype) for piece, *_ in pieces]
        return np.concatenate(found)

    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Weights = None, **beyond: Any
    ) -> Self:
        """Learn from one chunk of a stream of rows in random order, by online EM.

        The first call is a `fit` to its chunk, so it has as many rows as that needs; later ones
        any number. After `fit` or `load` the steps go on from the mixture there. What is promised,
        what the attributes mean then and what is kept: `mixtura.estimators.partial`.

        Parameters and errors are those of `fit`, `beyond` is refused; ValueError also where
        n_components or covariance_type were changed in between: the estimator stays as it was.
        """
        refuse_beside("partial_fit", self)
        absorb(self, X, sample_weight, **beyond)
        return self

    _components = "covariance_type"

    @staticmethod
    def _restored_components(stored: Any) -> str:
        return structure(read(str, stored, "settings.covariance_type")).name

    def _stored_arrays(self) -> dict[str, AnyArray]:
        return {name: getattr(self, name) for name in names_of(self.covariance_type)}

    def _check_stored(self, stored: Stored) -> None:
        if stored.family is not None:
            raise ValueError("it has an unknown 'family'")
        check_arrays(stored, structure(self.covariance_type), self.n_components)

    def _check_restored(self) -> None:
        check_gaussian(self)

    def _family(self) -> Family:
        return asked_family(self, family(self.covariance_type, self.reg_covar))

    def _given(self, d: int) -> dict[str, Array]:
        return given(self, d)

    def _continued(self, d: int) -> MixtureParams:
        return continued(self, d)

    def _hold(self, found: Found, dtype: np.dtype[Any]) -> None:
        self._stream = None
        super()._hold(found, dtype)

    def __getattr__(self, name: str) -> Any:
        # Only asked for what is not held: covariances of factors are not.
        if name in factored.DENSE and "loadings_" in self.__dict__:
            return factored.dense(self, name)
        kind = type(self).__name__
        if name in BY_FIT and "means_" in self.__dict__:
            raise AttributeError(
                f"{name} is set by a fit, and the parameters of this {kind} were set by hand: make "
                f"it with {kind}.from_parameters(weights, means, covariances)"
            )
        raise AttributeError(f"{kind!r} object has no attribute {name!r}")

    def _set_parameters(self, params: MixtureParams, dtype: np.dtype[Any]) -> None:
        if factored.factors_of(self) is not None:
            factored.hold(self, params, dtype)
            return
        factored.forget(self)
        initial.hold(self, params, structure(self.covariance_type).form, dtype)

    def _fitted(self) -> tuple[Mixture, MixtureParams]:
        kind, form = factored.factors_of(self), structure(self.covariance_type).form
        if kind is not None:
            found, params = factored.fitted(self, kind)
            return beside_noise(self, fixed_model(self, found.family, found.prior)), params
        factor = np.asarray(self.precisions_cholesky_, dtype=np.float64)
        parts = gaussian_params_from_whiten(
            np.asarray(self.means_, dtype=np.float64),
            initial.precision_cholesky(factor, form),
            form,
        )
        plain = Gaussian(structure(self.covariance_type), equations=equations_of(self))
        model = fixed_model(self, plain, no_prior(form, parts.means.shape[1]))
        weights = np.asarray(self.weights_, dtype=np.float64)
        return beside_noise(self, model), MixtureParams(weights, parts)
