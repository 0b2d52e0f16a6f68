"""`GaussianMixtureSearch`: how many components, of what structure, with what prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.families.base import Family
from mixtura.families.gaussian.family import PLAIN
from mixtura.families.ratio import EigenvalueRatio
from mixtura.families.registry import family
from mixtura.selection.component_search import ComponentSearch
from mixtura.selection.effort import effort_of
from mixtura.selection.grid import gridded
from mixtura.selection.points import AnyPoint, Point
from mixtura.selection.quick import Quick
from mixtura.selection.rounds import Fitter
from mixtura.selection.trial import Fold


@dataclass(eq=False, repr=False)
class GaussianMixtureSearch(ComponentSearch):
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
        quick, but for criterion="heldout", noise, trim, constraint, prior, a solver, engine or
        init_params of one's own, missing cells, and tables of more than 32 columns or 4 million
        numbers.
    refit : bool, default True
        Keep the best mixture as `best_estimator_`. It was fitted to all rows in any case.
    prune : bool, default True
        Without effect for "slope", which needs the largest models.
    n_jobs : int or None, default None
        Cells fitted at the same time by a thorough search, by joblib; None is 1, -1 all cores.
        A quick one always uses threads.
    tol, max_iter, n_init, init_params, weights, solver, engine, noise, trim, constraint
        Of every fit, as in `GaussianMixture`.
    prior : as in `GaussianMixture`, default None
        Of every fit. Cells are compared by log-likelihoods, and by those alone: of each cell that
        at the posterior's mode (docs/choosing.md). Structures that have no such prior are not
        tried.
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
    untried_ : tuple of str
        The covariance types that were not tried, for they know no such prior, bounds or errors.
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

    best_estimator_: GaussianMixture = field(init=False)

    n_components: Any = (1, 2, 3, 4, 5, 6, 7, 8, 9)
    _: KW_ONLY
    covariance_type: Any = "all"
    reg_covar: Any = None
    effort: str = "auto"
    trim: float = 0.0
    constraint: EigenvalueRatio | None = None

    def _grid(self, rows: Source, kinds: Sequence[Family]) -> tuple[list[int], list[AnyPoint]]:
        components, lanes = gridded(self, rows.d)
        return components, [Point(name, components[0], reg) for name, reg in lanes]

    def _settings(self, kinds: Sequence[Family]) -> dict[str, Any]:
        own = {"trim": self.trim, "constraint": self.constraint}
        return super()._settings(kinds) | own

    def _identity(self, settings: dict[str, Any]) -> dict[str, Any]:
        return settings | {"constraint": str(settings["constraint"])}

    def _kinds(self) -> Sequence[Family]:
        return [family(PLAIN)]

    def _effort(self, rows: Source, lanes: Sequence[AnyPoint]) -> str:
        return effort_of(self, rows, [lane.label for lane in lanes])

    def _fitter(
        self, rows: Source, settings: dict[str, Any], folds: Sequence[Fold], grid: list[Any]
    ) -> Fitter:
        if self.effort_ == "quick":
            assert isinstance(rows, Rows)
            return Quick(rows, settings, grid)
        return super()._fitter(rows, settings, folds, grid)
