"""`GaussianMixture`: scikit-learn's estimator of that name, by our fits."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.data.source import Source
from mixtura.data.streamed import Streamed
from mixtura.engines.choose import ENGINES
from mixtura.estimators import factored, initial
from mixtura.estimators.asking import asked_of
from mixtura.estimators.base import MixtureEstimator
from mixtura.estimators.checkpoint import Checkpoint
from mixtura.estimators.factored import CovarianceNames
from mixtura.estimators.finding import Found, complaints, find
from mixtura.estimators.identity import identity, resumed_seed
from mixtura.estimators.intake import admitted
from mixtura.estimators.journal_file import removed
from mixtura.estimators.listening import Verbose
from mixtura.estimators.partial import absorb
from mixtura.families.covariance import STRUCTURES, structure
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian import Gaussian
from mixtura.families.gaussian_records import gaussian_params, gaussian_params_from_whiten
from mixtura.families.prior import no_prior
from mixtura.fit.listeners import FitListener
from mixtura.fit.problem import Solver
from mixtura.fit.solvers import SOLVERS
from mixtura.fit.starts import STARTS
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray

if TYPE_CHECKING:
    from mixtura.data.tables import Table
    from mixtura.estimators.stream import Stream


class GaussianMixture(MixtureEstimator):
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
        None: no absolute constant; fits are at maximum likelihood, and a climb that runs into a
        singularity is repeated with a penalty relative to the table's own covariance (see
        `mixtura.families.prior`). A number is added to every variance, as in scikit-learn (1e-6).
    max_iter : int, default 1000
        Steps of one climb, of whatever kind (scikit-learn: 100).
    n_init : int, default 1
        Initialisations; the best optimum is kept, failed ones are reported, not fatal.
    init_params : {"auto", "kmeans", "k-means++", "random", "random_from_data", "hierarchical", \
            "ward"}, default "auto"
        "auto" races short runs from eight starts and carries the best on (scikit-learn: "kmeans").
        All starts are made in standardised columns, on a sample of at most 20,000 rows.
    weights_init : array-like of shape (n_components,), optional
    means_init : array-like of shape (n_components, n_features), optional
    precisions_init : array-like, optional
        Inverse covariances, in the shape of `precisions_`.
    random_state : int, RandomState instance or None
    warm_start : bool, default False
        Start from the last fit's parameters.
    verbose : int, default 0
    verbose_interval : int, default 10
    solver : str or callable, default "auto"
        How parameters move: "auto", "em", "squarem", "anderson", "lbfgs", "newton", "annealed",
        "hard", "stochastic", "online", "nce", "truncated"; `docs/migrating.md` says what each
        guarantees. "auto" is EM, then the fastest safe path; its rule is in `mixtura.fit.auto`. An
        object says more: `mixtura.Online(epochs=5)`, or a `fit.problem.Solver` of your own.
    engine : {"auto", "local", "threads", "compiled", "dense", "mixed"}, default "auto"
        What runs the pass over the rows: "local" NumPy in this thread, "threads" NumPy in a pool,
        "compiled" fused kernels, which with many components skip those that cannot matter for a
        row (to rounding; `mixtura.engines.pruning`), "dense" the same without skipping,
        "mixed" the same in float32 until steps are small (`mixtura.engines.mixed`). "auto" is
        "compiled" wherever there is a kernel: for all covariance types but factors.

    Attributes
    ----------
    weights_ : array of shape (n_components,)
        P(k).
    means_ : array of shape (n_components, n_features)
    covariances_, precisions_, precisions_cholesky_ : arrays
        (K, d, d) full, (d, d) tied, (K, d) diag, (K,) spherical.
    loadings_, noise_variance_ : arrays of shape (K or 1, d, q) and (K or 1, d or 1)
        With factors only; covariances_ is then worked out when asked for.
    converged_ : bool
    n_iter_ : int
        Steps of the climb that gave the result.
    lower_bound_ : float
        Mean log-likelihood per row of the parameters above, never penalised.
    lower_bounds_ : list of float, length n_iter_
        The same after each step.
    n_features_in_ : int
    feature_names_in_ : array of str, when X has column names
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

    _stream: Stream | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [CovarianceNames(set(STRUCTURES))],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "reg_covar": [Interval(Real, 0.0, None, closed="left"), None],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "init_params": [StrOptions({"auto", *STARTS})],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions(set(SOLVERS)), callable],
        "engine": [StrOptions({"auto", *ENGINES})],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str | FactorAnalytic = "full",
        tol: float = 1e-6,
        reg_covar: float | None = None,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str = "auto",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        solver: str | Solver = "auto",
        engine: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.solver = solver
        self.engine = engine

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
        form = structure(covariance_type).form
        means = np.atleast_2d(np.asarray(means))
        K, d = means.shape
        means = initial.check_means(means, K, d).astype(np.float64)
        weights = initial.check_weights(weights, K).astype(np.float64)
        if (covariances is None) == (precisions is None):
            raise ValueError("from_parameters: give exactly one of covariances and precisions")
        if covariances is None:
            value = initial.check_matrices(precisions, form, K, d, "precision")
            cov = initial.invert(value, form)
        else:
            value = initial.check_matrices(covariances, form, K, d, "covariance")
            cov = value.astype(np.float64)
        initial.check_structure(cov, structure(covariance_type), means, "covariances")
        if feature_names is not None:
            initial.check_shape(np.asarray(feature_names), (d,), "feature_names")
        params = MixtureParams(weights, gaussian_params(means, cov, form))
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

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, checkpoint: Any = None
    ) -> Self:
        """Fit the mixture to the rows of X.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            float32 stays float32 in the fitted attributes; sums are always in float64. Also a
            table larger than memory (see `mixtura.stream`): the path of a .csv, .parquet or .npy
            file or a folder of .parquet files, a np.memmap, or a callable that returns a fresh
            iterator of chunks.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Non-negative; a weight of 2 is the row twice, 0 the row absent.
        checkpoint : path, optional
            The fit writes there how far it is. Killed and called again with the same rows and
            settings, it goes on from there to the identical answer; then the file is removed.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For input that cannot be fitted, naming what was found; the estimator is left as it was.
        """
        self._fit(X, sample_weight, None, checkpoint)
        removed(checkpoint)
        return self

    def fit_predict(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, checkpoint: Any = None
    ) -> AnyArray:
        """`fit`, then the most probable component of each row; parameters are those of `fit`."""
        rows = self._fit(X, sample_weight, None, checkpoint)
        labels = self._answer(rows, "labels", dtype=np.dtype(np.int64))
        removed(checkpoint)
        return labels

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from one chunk of a stream of rows in random order, by online EM.

        The first call is a `fit` to its chunk, so it has as many rows as that needs; later ones
        any number. After `fit` or `load` the steps go on from the mixture there. What is promised,
        what the attributes mean then and what is kept: `mixtura.estimators.partial`.

        Parameters and errors are those of `fit`; ValueError also where n_components or
        covariance_type were changed in between. The estimator is then left as it was.
        """
        absorb(self, X, sample_weight)
        return self

    def fit_table(
        self, table: Table | Streamed, listener: FitListener | None = None, checkpoint: Any = None
    ) -> Self:
        """`fit` to a table from `mixtura.data.tables` or `stream`, with its names and weights.

        `listener` is told of progress. A `checkpoint` is left where it is: the caller
        removes it when the result is safe.
        """
        if isinstance(table, Streamed):
            self._fit(table, None, listener, checkpoint)
            return self
        self._fit(table.X, table.sample_weight, listener, checkpoint)
        self.feature_names_in_ = np.array(table.names, dtype=object)
        return self

    def _fit(
        self, X: Any, sample_weight: Any, listener: FitListener | None, checkpoint: Any
    ) -> Source:
        """Fit and return the validated rows. Nothing is set unless all went well."""
        self._validate_params()
        before = dict(self.__dict__)
        try:
            rows = admitted(self, X, sample_weight)
            self._keep(self._find(rows, listener, checkpoint), rows.dtype)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return rows

    def _find(self, rows: Source, listener: FitListener | None, checkpoint: Any = None) -> Found:
        if listener is None and self.verbose:
            listener = Verbose(int(self.verbose), self.verbose_interval)
        # One draw, however many the starts need: a generator shared with other code is left in a
        # state that does not depend on how the search goes about its work.
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        task = asked_of(self, rows.d)
        if checkpoint is None:
            return find(rows, task, np.random.RandomState(seed), listener)
        seed = resumed_seed(checkpoint, self.random_state, seed)
        with Checkpoint(checkpoint, identity(rows, task, seed, self.random_state)) as journal:
            return find(rows, task, np.random.RandomState(seed), listener, journal)

    def _keep(self, found: Found, dtype: np.dtype[Any]) -> None:
        self._hold(found, dtype)
        for message, category in complaints(found.fit):
            warnings.warn(message, category, stacklevel=4)

    def _hold(self, found: Found, dtype: np.dtype[Any]) -> None:
        """Set what was found, without a word."""
        self._stream = None
        self._set_parameters(found.params, dtype)
        fit = found.fit
        self.converged_, self.n_iter_ = fit.converged, fit.iterations
        self.lower_bound_ = fit.mean_loglik
        self.lower_bounds_ = [
            value / fit.weight for value in fit.trace[len(fit.trace) - fit.iterations :]
        ]
        self.fit_result_ = fit

    def _set_parameters(self, params: MixtureParams, dtype: np.dtype[Any]) -> None:
        if factored.factors_of(self) is not None:
            factored.hold(self, params, dtype)
            return
        factored.forget(self)
        form, parts = structure(self.covariance_type).form, params.components
        self.weights_ = params.weights.astype(dtype)
        self.means_ = parts.means.astype(dtype)
        self.covariances_ = parts.covariances.astype(dtype)
        factor = initial.precision_cholesky(parts.whiten, form)
        self.precisions_cholesky_ = factor.astype(dtype)
        self.precisions_ = initial.precisions(factor, form).astype(dtype)

    def _fitted(self) -> tuple[Mixture, MixtureParams]:
        kind, form = factored.factors_of(self), structure(self.covariance_type).form
        if kind is not None:
            return factored.fitted(self, kind)
        factor = np.asarray(self.precisions_cholesky_, dtype=np.float64)
        parts = gaussian_params_from_whiten(
            np.asarray(self.means_, dtype=np.float64),
            initial.precision_cholesky(factor, form),
            form,
        )
        model = Mixture(
            Gaussian(structure(self.covariance_type)),
            no_prior(form, parts.means.shape[1]),
        )
        return model, MixtureParams(np.asarray(self.weights_, dtype=np.float64), parts)
