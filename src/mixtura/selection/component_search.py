"""What every search over numbers of components does: cells in rounds, a ranking, the best kept."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from numbers import Integral
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.errors import FitError
from mixtura.estimators.complaints import complaints
from mixtura.estimators.intake import held
from mixtura.estimators.intervals import IntervalRows
from mixtura.estimators.known import groups_in, hold_told, labelled, labelled_groups
from mixtura.estimators.weighing import COUNTS, light
from mixtura.families.base import Family
from mixtura.fitting.checkpoint import digest, digest_of
from mixtura.fitting.fingerprint import described
from mixtura.fitting.listeners import GridListener
from mixtura.records import AnyArray, Array, Seed, StrPath, Weights
from mixtura.selection.beside import beside_x, knowing, refuse_source
from mixtura.selection.cell_journal import CellJournal
from mixtura.selection.grid import enough_for
from mixtura.selection.points import AnyPoint
from mixtura.selection.ranking import Ranking, ranked
from mixtura.selection.rounds import CellLines, Fitter, Rounds
from mixtura.selection.thorough import Thorough
from mixtura.selection.trial import Fold, Trial
from mixtura.solvers.problem import Solver
from mixtura.version import __version__

if TYPE_CHECKING:
    from mixtura.data.tables import Table

# What a search hands on to every fit.
SETTINGS = (
    "tol",
    "max_iter",
    "n_init",
    "init_params",
    "weights",
    "solver",
    "engine",
    "noise",
    "prior",
)


class StillRisingWarning(UserWarning):
    """The best number of components is the largest one tried."""


class _OfNumbers:
    # Where it stands among the arguments of a search is for subclasses to say.
    n_components: Any


@dataclass(eq=False, repr=False)
class ComponentSearch(_OfNumbers, DensityMixin, BaseEstimator):  # type: ignore[misc]
    """A search that subclasses give a grid, and settings beside those that all have."""

    best_estimator_: IntervalRows = field(init=False)
    n_features_in_: int = field(init=False)
    untried_: tuple[str, ...] = field(init=False)
    _: KW_ONLY
    criterion: str = "bic"
    cv: Any = 5
    refit: bool = True
    prune: bool = True
    n_jobs: int | None = None
    tol: float = 1e-6
    max_iter: int = 1000
    n_init: int = 1
    init_params: str = "auto"
    weights: str = COUNTS
    solver: str | Solver = "auto"
    engine: str = "auto"
    noise: Any = None
    prior: Any = None
    random_state: Seed = None
    verbose: int = 0

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Weights = None,
        *,
        labels: Any = None,
        checkpoint: StrPath | None = None,
        listener: GridListener | None = None,
        lower: Any = None,
        upper: Any = None,
        error: Any = None,
    ) -> Self:
        """Fit every cell of the grid that is not pruned, and choose.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Also what `mixtura.stream` takes: a path, a memory map, a callable. A search goes over
            its rows thousands of times, so they are read into memory, once; those of a Dask array
            or data frame stay on its workers.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Non-negative; a weight of 2 is the row twice, but for the folds of "heldout".
        labels : array-like of shape (n_samples,) or (n_samples, G), optional
            As in `GaussianMixture.fit`; cells with fewer components than the labels speak of are
            left out. "heldout" is of the rows left out without their labels.
        checkpoint : path, optional
            Finished cells are written there. Killed and called again, also with a larger grid, the
            search does not fit them again. The file stays: delete it when it is not needed.
        listener : told of every cell (see `mixtura.fitting.listeners.GridListener`), optional
        lower, upper, error : array-like, optional
            As in `Mixture.fit` and `GaussianMixture.fit`, of every fit and of rows left out.
            Families and covariance types that know none are not tried.

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
        beside = {"lower": lower, "upper": upper, "error": error}
        self._fit(X, sample_weight, listener, checkpoint, labels, beside)
        return self

    def fit_table(
        self,
        table: Table,
        listener: GridListener | None = None,
        checkpoint: StrPath | None = None,
        labels: Any = None,
        **beside: Any,
    ) -> Self:
        """`fit` to a table from `mixtura.data.tables`, with its names and weights."""
        self._fit(table, table.sample_weight, listener, checkpoint, labels, beside)
        return self

    def _fit(
        self,
        X: Any,
        sample_weight: Weights,
        listener: GridListener | None,
        checkpoint: StrPath | None,
        labels: Any = None,
        given: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        beside = beside_x(self, given, sample_weight)
        rows, kinds = held(self, X, sample_weight, self._kinds(), beside)
        refuse_source(self, rows, beside)
        if rows.apart and self.n_jobs not in (None, 1):
            raise ValueError(
                f"n_jobs={self.n_jobs!r} is for rows in memory; of a Dask collection cells follow "
                "each other, and its workers share the passes of each: leave n_jobs out"
            )
        components, lanes = self._grid(rows, kinds)
        wide = groups_in(labels, max(components))
        rows, names = labelled(self, rows, sample_weight, labels, wide)
        components = enough_for(labelled_groups(rows, names), components)
        lanes = [lane._replace(n_components=components[0]) for lane in lanes]
        self.effort_ = self._effort(rows, lanes)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        settings = self._settings(kinds) | {"random_state": seed}
        lanes[0].unfitted(settings)._validate_params()
        asked = lanes
        lanes = knowing(lanes, settings, rows)
        self.untried_ = tuple(dict.fromkeys(one.label for one in asked if one not in lanes))
        folds = self._folds(rows, seed)
        grid = [lane._replace(n_components=K) for lane in lanes for K in components]
        fitter = self._fitter(rows, settings, folds, grid)
        journal = CellJournal(checkpoint, self._told(rows, settings, folds), type(lanes[0]))
        rounds = Rounds(
            rows,
            settings,
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
        ranking = self._refitted(grid, found, fitter)
        self._choose(ranking, rows, settings, max(components), len(components))
        if self.refit:
            hold_told(self.best_estimator_, names, rows)

    def _told(
        self, rows: Source, settings: dict[str, Any], folds: Sequence[Fold]
    ) -> dict[str, Any]:
        """What a checkpoint must have in common with a search that takes it up."""
        known, beside = getattr(rows, "known", None), getattr(rows, "measured", None)
        return {
            **self._identity(settings),
            "effort": self.effort_,
            "solver": described(self.solver),
            "prior": repr(self.prior),
            "rows": digest(rows),
            **({"labels": digest_of({"labels": known})} if known is not None else {}),
            **({"beside": digest_of(beside)} if beside else {}),
            "folds": digest_of({str(i): np.asarray(out) for i, (_, out) in enumerate(folds)}),
            "mixtura": __version__,
        }

    def _refitted(self, grid: list[Any], found: dict[Any, Trial], fitter: Fitter) -> Ranking:
        """The ranking when the best is one that was fitted for good.

        A cell that is refitted may turn out not to be regular: then it is the next one's turn.
        """
        ranking, done = ranked(grid, found, self.criterion), set()
        while ranking.best is not None and grid[ranking.best] not in done:
            best = grid[ranking.best]
            done.add(best)
            found[best] = fitter.refitted(found[best])
            ranking = ranked(grid, found, self.criterion)
        return ranking

    def predict(
        self, X: Any, *, lower: Any = None, upper: Any = None, error: Any = None
    ) -> AnyArray:
        """The most probable component of each row under the best mixture, (n,).

        `lower`, `upper` and `error` as in `fit`, here and below: of these rows.
        """
        return self._best().predict(X, lower=lower, upper=upper, error=error)

    def predict_proba(
        self,
        X: Any,
        top: int | None = None,
        *,
        lower: Any = None,
        upper: Any = None,
        error: Any = None,
    ) -> Any:
        """P(k | x) under the best mixture, (n, K); with `top` sparse, the largest of each row."""
        return self._best().predict_proba(X, top, lower=lower, upper=upper, error=error)

    def score_samples(
        self, X: Any, *, lower: Any = None, upper: Any = None, error: Any = None
    ) -> AnyArray:
        """log P(x) under the best mixture, (n,)."""
        return self._best().score_samples(X, lower=lower, upper=upper, error=error)

    def score(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Weights = None,
        *,
        lower: Any = None,
        upper: Any = None,
        error: Any = None,
    ) -> float:
        """The best mixture's mean log-likelihood per row (per unit of weight)."""
        best = self._best()
        return best.score(X, y, sample_weight, lower=lower, upper=upper, error=error)

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> tuple[Array, AnyArray]:
        """Rows drawn from the best mixture, and their components."""
        return self._best().sample(n_samples, random_state)

    @abstractmethod
    def _grid(self, rows: Source, kinds: Sequence[Family]) -> tuple[list[int], list[AnyPoint]]:
        """Numbers of components, and a point of each lane; ValueError where they are none."""

    def _effort(self, rows: Source, lanes: Sequence[AnyPoint]) -> str:
        """How much work each cell is given."""
        return "thorough"

    @abstractmethod
    def _kinds(self) -> Sequence[Family]:
        """The families among which is searched."""

    def _settings(self, kinds: Sequence[Family]) -> dict[str, Any]:
        """Those of every cell's estimator; `kinds` are `_kinds` for the table."""
        return {name: getattr(self, name) for name in SETTINGS}

    def _identity(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The same as plain values, which a checkpoint tells apart."""
        return settings

    def _fitter(
        self, rows: Source, settings: dict[str, Any], folds: Sequence[Fold], grid: list[Any]
    ) -> Fitter:
        return Thorough(rows, settings, folds, self.n_jobs)

    def _best(self) -> IntervalRows:
        check_is_fitted(self, "cv_results_")
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                "this search was fitted with refit=False and has no best_estimator_: set "
                "refit=True, or fit a mixture with best_params_"
            )
        return self.best_estimator_

    def _choose(
        self, ranking: Ranking, rows: Source, settings: dict[str, Any], largest: int, numbers: int
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
                warnings.warn(message, category, stacklevel=4)
        # With n near 1 a criterion has no price for components: that is said of the weights.
        rising = self.weights != COUNTS or not light(fit.weight, fit.rows)
        if rising and numbers > 1 and trial.point.n_components == largest:
            warnings.warn(
                f"the best number of components, {largest}, is the largest one tried, so "
                f"{self.criterion} is still improving there: try more components",
                StillRisingWarning,
                stacklevel=4,
            )

    def _folds(self, rows: Source, seed: int) -> list[tuple[AnyArray, AnyArray]]:
        """(rows to fit, rows left out) of each fold; rows without weight are in none."""
        if self.criterion != "heldout":
            return []
        if not isinstance(rows, Rows):
            raise ValueError(
                "criterion='heldout' fits parts of the rows, and these lie in Dask partitions: use "
                "criterion='bic', or give a sample of them"
            )
        if not isinstance(self.cv, Integral):
            return list(check_cv(self.cv).split(rows.X))
        w = rows.sample_weight
        present = np.arange(rows.n) if w is None else np.flatnonzero(w)
        if len(present) < int(self.cv):
            raise ValueError(f"cv={self.cv}: more folds than the {len(present)} rows: use fewer")
        folds = KFold(self.cv, shuffle=True, random_state=seed).split(present)
        return [(present[fit], present[out]) for fit, out in folds]
