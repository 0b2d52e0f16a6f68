"""`GaussianMixtureSearch`: how many components, of what structure, with what prior."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.rows import Rows
from mixtura.errors import FitError
from mixtura.estimators.cell_journal import CellJournal
from mixtura.estimators.complaints import complaints
from mixtura.estimators.effort import effort_of
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.grid import gridded
from mixtura.estimators.intake import held
from mixtura.estimators.quick import Quick
from mixtura.estimators.ranking import Ranking, ranked
from mixtura.estimators.rounds import CellLines, Fitter, Rounds
from mixtura.estimators.thorough import Thorough
from mixtura.estimators.trial import Point
from mixtura.estimators.weighing import COUNTS, light
from mixtura.fitting.checkpoint import digest, digest_of
from mixtura.fitting.fingerprint import described
from mixtura.fitting.listeners import GridListener
from mixtura.records import AnyArray, Array
from mixtura.solvers.problem import Solver
from mixtura.version import __version__

if TYPE_CHECKING:
    from mixtura.data.tables import Table


class StillRisingWarning(UserWarning):
    """The best number of components is the largest one tried."""


class GaussianMixtureSearch(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """The best Gaussian mixture over numbers of components, structures and priors.

    Names are those of scikit-learn's ``GridSearchCV``. After `fit` the search predicts, scores and
    samples as its `best_estimator_`.

    The criteria, with log L the log-likelihood of the rows, p the free parameters and n the sum of
    the weights. `cv_results_` has each in its own sign and, as ``mean_test_score``, the chosen one
    with the sign in which larger is better; `best_score_` is the best of those.

    ========= ======================================================= ============= ==============
    name      formula                                                 own sign      source
    ========= ======================================================= ============= ==============
    "bic"     -2 log L + p ln n                                       smaller       Schwarz 1978
    "icl"     BIC - 2 sum_i w_i ln max_k P(k | x_i)                   smaller       Biernacki,
              (the groups must be told apart too)                                   Celeux &
                                                                                    Govaert 2000
    "aic"     -2 log L + 2 p                                          smaller       Akaike 1974
    "aicc"    AIC + 2 p (p + 1) / (n - p - 1)                         smaller       Hurvich & Tsai
                                                                                    1989
    "heldout" log-likelihood per unit of weight of rows left out of   larger        Smyth 2000
              the fit: `cv` folds, drawn by `random_state`
    "slope"   -2 log L + 4 kappa p, kappa the slope of log L in p     smaller       Baudry, Maugis
              among the largest models (`mixtura.inference.slope`);                 & Michel 2012
              refused with fewer than 10 different p
    ========= ======================================================= ============= ==============

    Rounds: all structures and priors are fitted with the smallest number of components, then with
    the next, from starts they share and from the best split of the same with one component less
    (`effort`; see docs/choosing.md). With `prune` a structure leaves when its score has been below
    its own best for two rounds running. A mixture with an empty component, or one collapsed onto a
    few rows, is never chosen. The answer depends neither on `n_jobs` nor on threads.

    Parameters
    ----------
    n_components : int or iterable of int, default 1 to 9
    covariance_type : str, FactorAnalytic or iterable of them, default "all"
        "all": mclust's fourteen, for a table of one column "E" and "V". How many factors:
        ``[FactorAnalytic(q) for q in (1, 2, 3)]``.
    reg_covar : float, None or iterable of them, default None
        The priors: see `GaussianMixture`.
    criterion : {"bic", "icl", "aic", "aicc", "heldout", "slope"}, default "bic"
    cv : int, splitter or iterable of (rows to fit, rows left out), default 5
        Folds of "heldout"; a number is of folds drawn by `random_state`.
    effort : {"auto", "quick", "thorough"}, default "auto"
        "quick": all structures share their starts, are climbed by EM alone, and only the chosen
        mixture is examined. "thorough": every cell is fitted as `GaussianMixture` is. "auto":
        quick, but for criterion="heldout", a solver, engine or init_params of one's own, and
        tables of more than 32 columns or 4 million numbers.
    refit : bool, default True
        Keep the best mixture as `best_estimator_`. It was fitted to all rows in any case.
    prune : bool, default True
        Without effect for "slope", which needs the largest models.
    n_jobs : int or None, default None
        Cells fitted at the same time by a thorough search, by joblib; None is 1, -1 all cores.
        A quick one always uses threads.
    tol, max_iter, n_init, init_params, weights, solver, engine
        Of every fit, as in `GaussianMixture`.
    random_state : int, RandomState instance or None
    verbose : int, default 0
        1: a line for every cell.

    Attributes
    ----------
    best_estimator_ : GaussianMixture
    best_params_ : dict
        Its n_components, covariance_type and reg_covar.
    best_score_ : float
        Larger is better.
    best_index_ : int
        Its place in `cv_results_`.
    cv_results_ : dict of arrays, one entry for each cell
        ``params``, ``param_n_components``, ``param_covariance_type``, ``param_reg_covar``,
        ``mean_test_score``, ``std_test_score`` (over the folds; 0 without), ``rank_test_score``,
        ``mean_fit_time`` (seconds), ``loglik``, ``n_parameters``, ``bic``, ``icl``, ``aic``,
        ``aicc``, ``heldout`` or ``slope`` where asked for, ``status``: "fitted", "pruned", or why
        the mixture may not be chosen. Unknown numbers are nan.
    effort_ : str
        "quick" or "thorough": which of them ran.
    slope_ : float
        kappa, with criterion="slope".
    n_features_in_ : int
    feature_names_in_ : array of str, when X has column names

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixtureSearch
    >>> X = np.loadtxt("examples/faithful.csv", delimiter=",", skiprows=1)
    >>> search = GaussianMixtureSearch([1, 2, 3, 4], covariance_type=["EEE", "VVV"], random_state=0)
    >>> search.fit(X).best_params_
    {'covariance_type': 'EEE', 'n_components': 3, 'reg_covar': None}
    >>> round(search.best_score_, 1)
    -2314.3
    """

    best_estimator_: GaussianMixture
    n_features_in_: int

    def __init__(
        self,
        n_components: Any = (1, 2, 3, 4, 5, 6, 7, 8, 9),
        *,
        covariance_type: Any = "all",
        reg_covar: Any = None,
        criterion: str = "bic",
        cv: Any = 5,
        effort: str = "auto",
        refit: bool = True,
        prune: bool = True,
        n_jobs: int | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        n_init: int = 1,
        init_params: str = "auto",
        weights: str = COUNTS,
        solver: str | Solver = "auto",
        engine: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.criterion = criterion
        self.cv = cv
        self.effort = effort
        self.refit = refit
        self.prune = prune
        self.n_jobs = n_jobs
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights = weights
        self.solver = solver
        self.engine = engine
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        checkpoint: Any = None,
        listener: GridListener | None = None,
    ) -> Self:
        """Fit every cell of the grid that is not pruned, and choose.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Also what `mixtura.stream` takes: a path, a memory map, a callable. A search goes over
            its rows thousands of times, so they are read into memory, once.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Non-negative; a weight of 2 is the row twice, but for the folds of "heldout".
        checkpoint : path, optional
            Finished cells are written there. Killed and called again, also with a larger grid, the
            search does not fit them again. The file stays: delete it when it is not needed.
        listener : told of every cell (see `mixtura.fitting.listeners.GridListener`), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For input or settings that cannot be used, and for "slope" with too few cells.
        FitError
            If no mixture of the grid may be chosen; with the reason of the first.
        """
        rows = held(self, X, sample_weight)
        components, lanes = gridded(self, rows.d)
        self.effort_ = effort_of(self, rows, [name for name, _ in lanes])
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        settings: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("tol", "max_iter", "n_init", "init_params", "weights", "solver", "engine")
        }
        GaussianMixture(**settings)._validate_params()
        folds = self._folds(rows, seed)
        identity = {
            **settings,
            "effort": self.effort_,
            "solver": described(self.solver),
            "rows": digest(rows),
            "random_state": seed,
            "folds": digest_of({str(i): np.asarray(out) for i, (_, out) in enumerate(folds)}),
            "mixtura": __version__,
        }
        drawn = {**settings, "random_state": seed}
        grid = [Point(name, K, reg) for name, reg in lanes for K in components]
        fitter: Fitter = Thorough(rows, drawn, folds, self.n_jobs)
        if self.effort_ == "quick":
            fitter = Quick(rows, drawn, grid)
        journal = CellJournal(checkpoint, identity)
        rounds = Rounds(
            rows,
            drawn,
            fitter,
            components,
            lanes,
            self.criterion,
            self.prune and self.criterion != "slope",
            journal,
            CellLines() if listener is None and self.verbose else listener,
        )
        with journal:
            found = rounds.run()
        ranking = ranked(grid, found, self.criterion)
        # A cell that is refitted may turn out not to be regular: then it is the next one's turn.
        refitted = set()
        while ranking.best is not None and grid[ranking.best] not in refitted:
            best = grid[ranking.best]
            refitted.add(best)
            found[best] = fitter.refitted(found[best])
            ranking = ranked(grid, found, self.criterion)
        self._choose(ranking, rows, drawn, max(components), len(components))
        return self

    def fit_table(
        self, table: Table, listener: GridListener | None = None, checkpoint: Any = None
    ) -> Self:
        """`fit` to a table from `mixtura.data.tables`, with its names and weights."""
        self.fit(table.X, None, table.sample_weight, checkpoint=checkpoint, listener=listener)
        self.feature_names_in_ = np.array(table.names, dtype=object)
        if self.refit:
            self.best_estimator_.feature_names_in_ = self.feature_names_in_
        return self

    def predict(self, X: Any) -> AnyArray:
        """The most probable component of each row under the best mixture, (n,)."""
        return self._best().predict(X)

    def predict_proba(self, X: Any) -> AnyArray:
        """P(k | x) under the best mixture, (n, K)."""
        return self._best().predict_proba(X)

    def score_samples(self, X: Any) -> AnyArray:
        """log P(x) under the best mixture, (n,)."""
        return self._best().score_samples(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The best mixture's mean log-likelihood per row (per unit of weight)."""
        return self._best().score(X, y, sample_weight)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[Array, AnyArray]:
        """Rows drawn from the best mixture, and their components."""
        return self._best().sample(n_samples, random_state)

    def _best(self) -> GaussianMixture:
        check_is_fitted(self, "cv_results_")
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                "this search was fitted with refit=False and has no best_estimator_: set "
                "refit=True, or fit a GaussianMixture with best_params_"
            )
        return self.best_estimator_

    def _choose(
        self,
        ranking: Ranking,
        rows: Rows,
        settings: dict[str, Any],
        largest: int,
        numbers: int,
    ) -> None:
        results, best = ranking.results, ranking.best
        if best is None:
            raise FitError(f"no mixture of the grid may be chosen: {ranking.why}")
        trial = ranking.trials[best]
        assert trial is not None
        fit = trial.found.fit
        self.cv_results_, self.best_index_ = results, best
        self.best_score_ = float(results["mean_test_score"][best])
        self.best_params_ = dict(results["params"][best])
        if ranking.kappa is not None:
            self.slope_ = ranking.kappa
        if hasattr(self, "best_estimator_"):
            del self.best_estimator_
        if self.refit:
            self.best_estimator_ = trial.mixture(settings, rows)
            if hasattr(self, "feature_names_in_"):
                self.best_estimator_.feature_names_in_ = self.feature_names_in_
            for message, category in complaints(fit, self.best_estimator_):
                warnings.warn(message, category, stacklevel=3)
        # With n near 1 a criterion has no price for components: that is said of the weights.
        rising = self.weights != COUNTS or not light(fit.weight, fit.rows)
        if rising and numbers > 1 and trial.point.n_components == largest:
            warnings.warn(
                f"the best number of components, {largest}, is the largest one tried, so "
                f"{self.criterion} is still rising there: try more components",
                StillRisingWarning,
                stacklevel=3,
            )

    def _folds(self, rows: Rows, seed: int) -> list[tuple[AnyArray, AnyArray]]:
        """(rows to fit, rows left out) of each fold; rows without weight are in none."""
        if self.criterion != "heldout":
            return []
        if not isinstance(self.cv, Integral):
            return list(check_cv(self.cv).split(rows.X))
        w = rows.sample_weight
        present = np.arange(rows.n) if w is None else np.flatnonzero(w)
        if len(present) < int(self.cv):
            raise ValueError(f"cv={self.cv}: more folds than the {len(present)} rows: use fewer")
        folds = KFold(self.cv, shuffle=True, random_state=seed).split(present)
        return [(present[fit], present[out]) for fit, out in folds]
