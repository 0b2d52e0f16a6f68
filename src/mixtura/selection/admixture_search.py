"""`AdmixtureSearch`: numbers of populations side by side, cross-validated and aligned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from mixtura.estimators.admixture import Admixture
from mixtura.fitting.admixture_folds import CrossValidation
from mixtura.result import Optimum
from mixtura.solvers.settings import check_integer


@dataclass(frozen=True)
class AdmixtureTrial:
    """One number of populations: its best fit, the ends of its climbs, and its error."""

    n_populations: int
    loglik: float
    n_parameters: int
    modes: tuple[Optimum, ...]
    bic: float
    cv: CrossValidation | None


class AdmixtureSearch(BaseEstimator):  # type: ignore[misc]
    """Admixtures with several numbers of populations, from several races each.

    Parameters
    ----------
    n_populations : int or sequence of int, default (2, 3, 4, 5)
    n_init : int, default 5
        Races of starts of each; the ends they meet are its modes.
    folds : int, default 5
        Of the cross-validation, `Admixture.cross_validate`; 0 for none.
    solver, tol, max_iter, ploidy, random_state : as in `Admixture`

    Attributes
    ----------
    admixtures_ : dict of Admixture by number
        Populations in the order of the number before, new ones last, so that they go by the same
        places (and colours) in all.
    trials_ : list of AdmixtureTrial
    best_n_populations_ : int
        The least error; with folds=0 the least BIC.
    best_estimator_ : Admixture
    """

    def __init__(
        self,
        n_populations: Any = (2, 3, 4, 5),
        *,
        n_init: int = 5,
        folds: int = 5,
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        ploidy: int = 2,
        random_state: Any = None,
    ) -> None:
        self.n_populations, self.n_init, self.folds = n_populations, n_init, folds
        self.solver, self.tol, self.max_iter = solver, tol, max_iter
        self.ploidy, self.random_state = ploidy, random_state

    def fit(self, X: Any, y: Any = None, progress: Callable[[int], None] | None = None) -> Self:
        """Fit each; X and y as in `Admixture.fit`, `progress` is told which number comes."""
        numbers = _numbers(self.n_populations)
        if self.folds != 0:
            check_integer("folds", self.folds, 2)
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self.admixtures_, self.trials_ = {}, []
        last: Admixture | None = None
        for K in numbers:
            if progress is not None:
                progress(K)
            one = Admixture(
                K, n_init=self.n_init, solver=self.solver, tol=self.tol, max_iter=self.max_iter,
                ploidy=self.ploidy, random_state=seed,
            ).fit(X, y)  # fmt: skip
            if last is not None and y is None:
                one.align(last.Q_)
            last = self.admixtures_[K] = one
            cv = one.cross_validate(X, self.folds, random_state=seed) if self.folds else None
            fit = one.fit_result_
            self.trials_.append(
                AdmixtureTrial(K, fit.loglik, fit.n_parameters, fit.landscape, one.bic(), cv)
            )
        measures = [trial.bic if trial.cv is None else trial.cv.error for trial in self.trials_]
        self.best_n_populations_ = numbers[int(np.argmin(measures))]
        self.best_estimator_ = self.admixtures_[self.best_n_populations_]
        return self


def _numbers(given: Any) -> list[int]:
    """The numbers to try, rising; ValueError where they are none."""
    if isinstance(given, (int, np.integer)):
        given = (given,)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueError(
            f"n_populations must be an integer or several, got {given!r}: name the numbers to try, "
            "as (2, 3, 4)"
        )
    found = list(given)
    if not found:
        raise ValueError("n_populations is empty: name the numbers to try, as (2, 3, 4)")
    for number in found:
        check_integer("n_populations", number, 1)
    return sorted({*found})
