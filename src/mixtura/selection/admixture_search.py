"""`AdmixtureSearch`: numbers of populations side by side, cross-validated and aligned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from mixtura.data.genotypes import Genotypes
from mixtura.estimators.admixture import Admixture
from mixtura.estimators.clocked import clock_of
from mixtura.estimators.complaints import warn_caller
from mixtura.fitting.admixture_folds import CrossValidation, refuse_folds
from mixtura.fitting.admixture_snapshot import digest
from mixtura.fitting.journal_file import resumed_seed
from mixtura.records import Seed, StrPath
from mixtura.result import Optimum
from mixtura.selection.admixture_journal import AdmixtureJournal
from mixtura.solvers.clock import Clock
from mixtura.solvers.settings import check_integer
from mixtura.version import __version__


@dataclass(frozen=True)
class AdmixtureTrial:
    """One number of populations: its best fit, the ends of its climbs, and its error."""

    n_populations: int
    loglik: float
    n_parameters: int
    modes: tuple[Optimum, ...]
    bic: float
    cv: CrossValidation | None


@dataclass(eq=False, repr=False)
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
    left_out_ : list of the numbers that `max_seconds` left no time for
    best_n_populations_ : int
        The least error; with folds=0, or where there was no time for any, the least BIC.
    best_estimator_ : Admixture
    """

    n_populations: Any = (2, 3, 4, 5)
    _: KW_ONLY
    n_init: int = 5
    folds: int = 5
    solver: str = "auto"
    tol: float = 1e-6
    max_iter: int = 1000
    ploidy: int = 2
    random_state: Seed = None

    def fit(
        self,
        X: Any,
        y: Any = None,
        progress: Callable[[int], None] | None = None,
        *,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
    ) -> Self:
        """Fit each number, cross-validate, and choose.

        Parameters
        ----------
        X, y : as in `Admixture.fit`
        progress : is told which number comes, optional
        checkpoint : path, optional
            Finished fits and errors are written there; beside it, with the number after its name,
            where the climbs of the one that comes are. Killed or interrupted and called again, also
            with other numbers, with the same genotypes and settings, the search goes on to the same
            answer, with random_state=None by the seed that stands there. The file stays: delete it
            when it is not needed.
        max_seconds : float, optional
            No number is begun after so long, but the first; the one that is being fitted is kept if
            it is the first, and what has no error by then goes without. Not together with
            `checkpoint`.

        Raises
        ------
        ValueError
            As `Admixture.fit`, and for numbers and folds that are none.
        """
        numbers = _numbers(self.n_populations)
        if self.folds != 0:
            check_integer("folds", self.folds, 2)
        clock = clock_of(max_seconds, checkpoint)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if checkpoint is not None:
            seed = resumed_seed(checkpoint, self.random_state, seed)
        settings = self.get_params() | {"random_state": seed}
        folds = settings.pop("folds")
        first = Admixture(**settings | {"n_populations": numbers[0]})
        first._check()
        genotypes = first._genotypes(X)
        refuse_folds(genotypes, self.folds)
        self.admixtures_: dict[int, Admixture] = {}
        self.trials_: list[AdmixtureTrial] = []
        told = {} if checkpoint is None else _identity(genotypes, y, settings | {"folds": folds})
        with AdmixtureJournal(checkpoint, told) as journal:
            for K in numbers:
                if self.trials_ and clock.passed:
                    break
                if progress is not None:
                    progress(K)
                one = Admixture(**settings | {"n_populations": K})
                self._try(one, genotypes, y, journal, clock)
        self.left_out_ = [K for K in numbers if K not in self.admixtures_]
        self._warn_late(clock)
        self.best_n_populations_ = self._best()
        self.best_estimator_ = self.admixtures_[self.best_n_populations_]
        return self

    def _warn_late(self, clock: Clock) -> None:
        """What the clock left no time for, by its numbers."""
        without = [trial.n_populations for trial in self.trials_ if trial.cv is None]
        said = [
            f"{what} {', '.join(map(str, numbers))}"
            for what, numbers in (
                ("no error of n_populations", without if self.folds else []),
                ("no fit of n_populations", self.left_out_),
            )
            if numbers
        ]
        if clock.passed and said:
            warn_caller(f"{clock.why}: {'; '.join(said)}: raise max_seconds", ConvergenceWarning)

    def _try(
        self, one: Admixture, genotypes: Genotypes, y: Any, journal: AdmixtureJournal, clock: Clock
    ) -> None:
        """A trial of one number, from the journal where it is known there."""
        K, seed = one.n_populations, one.random_state
        if K in journal.fits:
            one = journal.fits[K]
        else:
            one._fit_by(clock, genotypes, y, journal.climbing(K))
            if one.fit_result_.reason == clock.why and self.trials_:
                return
            journal.add_fit(K, one)
        if self.trials_ and y is None:
            one.align(next(reversed(self.admixtures_.values())).Q_)
        cv = journal.errors.get(K)
        if self.folds and cv is None and not clock.passed:
            cv = one._validated(genotypes, self.folds, seed, clock)
            if clock.passed:
                cv = None
            else:
                journal.add_error(K, cv)
        self.admixtures_[K], fit = one, one.fit_result_
        self.trials_.append(
            AdmixtureTrial(K, fit.loglik, fit.n_parameters, fit.landscape, one.bic(), cv)
        )

    def _best(self) -> int:
        validated = any(trial.cv is not None for trial in self.trials_)
        measures = {
            trial.n_populations: trial.cv.error if trial.cv is not None else trial.bic
            for trial in self.trials_
            if trial.cv is not None or not validated
        }
        return min(measures, key=lambda K: measures[K])


def _identity(genotypes: Genotypes, y: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Which search a checkpoint is of, whatever its numbers."""
    labels = None if y is None else [*map(str, np.asarray(y, dtype=object).ravel())]
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in settings.items()}
    asked = {k: v for k, v in plain.items() if k != "n_populations"}
    return asked | {"genotypes": digest(genotypes), "y": labels, "mixtura": __version__}


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
