"""What every mixture estimator does to be fitted: rows in, a search, attributes out."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from mixtura.data.door import like
from mixtura.data.source import Source
from mixtura.data.streamed import Streamed
from mixtura.engines.choose import NAMES
from mixtura.estimators.answering import answers
from mixtura.estimators.base import MixtureEstimator
from mixtura.estimators.clocked import timed
from mixtura.estimators.complaints import complaints, warn_caller
from mixtura.estimators.fixed import fixed_weights, with_fixed
from mixtura.estimators.intake import admitted
from mixtura.estimators.known import hold_told, labelled
from mixtura.estimators.listening import Verbose
from mixtura.estimators.noisy import asked_noise, hold_noise, refuse_other_noise
from mixtura.estimators.opened import may_miss
from mixtura.estimators.prior_setting import asked_beliefs
from mixtura.estimators.robust import hold_trim, trim_of, warn_of_none
from mixtura.estimators.untouched import untouched_on_failure
from mixtura.estimators.weighing import MEANINGS
from mixtura.families.base import Family
from mixtura.fitting.checkpoint import Checkpoint
from mixtura.fitting.fingerprint import identity
from mixtura.fitting.journal_file import removed, resumed_seed
from mixtura.fitting.listeners import FitListener
from mixtura.fitting.mixture_fit import Found, Task, find
from mixtura.fitting.starts import STARTS
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Categories, StrPath, Weights
from mixtura.solvers.problem import Solver
from mixtura.solvers.registry import SOLVERS

if TYPE_CHECKING:
    from mixtura.data.tables import Table


class ClimbedMixture(MixtureEstimator):
    """A mixture that is fitted by a search over many starts; subclasses say of which family."""

    n_components: int
    tol: float
    max_iter: int
    n_init: int | str
    init_params: str
    solver: str | Solver
    warm_start: bool
    verbose: int
    verbose_interval: int
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "init_params": [StrOptions({"auto", *STARTS})],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "weights": [StrOptions(set(MEANINGS))],
        "solver": [StrOptions(set(SOLVERS)), callable],
        "engine": [StrOptions({"auto", *NAMES})],
    }
    # Whether one initialisation takes the highest end where rows are few, be it surely so or not.
    _highest = False
    # Whether the components of some rows may be known.
    _knows_labels = True

    @abstractmethod
    def _family(self) -> Family:
        """The family that is asked for."""

    @abstractmethod
    def _continued(self, d: int) -> MixtureParams:
        """The last fit's mixture; ValueError where one of d columns cannot begin there."""

    def _given(self, d: int) -> dict[str, Array]:
        """The parameters of d columns that are fixed at the start, by name."""
        return {}

    @abstractmethod
    def _set_parameters(self, params: MixtureParams, dtype: np.dtype[Any]) -> None:
        """Set the fitted attributes that are the mixture."""

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Weights = None,
        *,
        labels: Any = None,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
    ) -> Self:
        """Fit the mixture to the rows of X.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            float32 stays float32 in the fitted attributes; sums are always in float64. Also a
            table larger than memory (see `mixtura.stream`): the path of a .csv, .parquet or .npy
            file or a folder of .parquet files, a np.memmap, a Polars lazy frame, an Arrow dataset,
            or a callable that returns a fresh iterator of chunks. Of a Dask array or data frame
            sums alone leave the workers, and answers about it (`predict`, ...) are Dask arrays.
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Non-negative; a weight of 2 is the row twice, 0 the row absent.
        labels : array-like of shape (n_samples,) or (n_samples, n_components), optional
            The component of each row whose component is known, from 0 on, -1 or NaN for the
            others; or names, None for the others, which `classes_` then holds in order; or
            memberships s, at least 0 and adding up to 1, a row of NaN for the others. Such a row
            adds log sum_k s_k pi_k p(x | k) to the log-likelihood: log pi_k + log p(x | k) where
            it is known to be of k. Component k is label k. For rows in memory.
        checkpoint : path, optional
            The fit writes there how far it is. Killed and called again with the same rows and
            settings, it goes on from there to the identical answer; then the file is removed.
        max_seconds : float, optional
            When these have passed the search ends with the best it has met, converged or not (it
            warns): by the clock, so not the same on every machine. The step that is being taken and
            the look at the end are not cut short. Ctrl-C does the same, without a checkpoint.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For input that cannot be fitted, naming what was found; the estimator is left as it was.
        """
        self._fit(X, sample_weight, None, checkpoint, labels, max_seconds)
        removed(checkpoint)
        return self

    def fit_predict(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Weights = None,
        *,
        labels: Any = None,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
        **beyond: Any,
    ) -> AnyArray:
        """`fit`, then the most probable component of each row; parameters are those of `fit`.

        Also of rows of which `labels` know another. `beyond`: what else `fit` and `predict` take.
        """
        if beyond:
            beyond_fit = beyond | {"labels": labels, "checkpoint": checkpoint}
            self.fit(X, y, sample_weight, max_seconds=max_seconds, **beyond_fit)
            return self.predict(X, **beyond)
        rows = self._fit(X, sample_weight, None, checkpoint, labels, max_seconds)
        found: AnyArray = (
            self.predict(rows)
            if rows.apart
            else like(X, answers(self, rows, "labels", dtype=np.dtype(np.int64)))
        )
        removed(checkpoint)
        return found

    def fit_table(
        self,
        table: Table | Streamed,
        listener: FitListener | None = None,
        checkpoint: StrPath | None = None,
        labels: Any = None,
        max_seconds: float | None = None,
        **beside: Any,
    ) -> Self:
        """`fit` to a table from `mixtura.data.tables` or `stream`, with its names and weights.

        `listener` is told of progress, a `mixtura.fitting.listeners.FitListener`. A `checkpoint`
        is left where it is: the caller removes it when the result is safe. `beside` is what `fit`
        takes beside the cells.
        """
        weights = None if isinstance(table, Streamed) else table.sample_weight
        with self._told_of(weights, **beside):
            self._fit(table, weights, listener, checkpoint, labels, max_seconds)
        return self

    def _told_of(self, sample_weight: Weights) -> AbstractContextManager[None]:
        """Holds what is known beside the cells while a fit lasts: here nothing is."""
        return nullcontext()

    def _fit(
        self,
        X: Any,
        sample_weight: Weights,
        listener: FitListener | None = None,
        checkpoint: StrPath | None = None,
        labels: Any = None,
        max_seconds: float | None = None,
    ) -> Source:
        """Fit and return the validated rows. Nothing is set unless all went well."""
        self._validate_params()
        with untouched_on_failure(self):
            rows, family = admitted(self, X, sample_weight, self._begun_family())
            rows, names = labelled(self, rows, sample_weight, labels)
            found = self._find(rows, family, listener, checkpoint, max_seconds)
            self._keep(found, rows.dtype)
            hold_told(self, names, rows)
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            tags.input_tags.allow_nan = may_miss([self._family()])
        except ValueError:
            # No such family: that is for `fit` to say.
            tags.input_tags.allow_nan = False
        return tags

    def _begun_family(self) -> Family:
        """The family that is asked for; with warm_start as the last fit left it."""
        return self._family()

    def _task(self, family: Family, d: int) -> Task:
        """What a fit to d columns is asked for; ValueError where the settings do not fit them."""
        if self._goes_on():
            refuse_other_noise(self)
        if asked_noise(self) is not None and self._concomitants():
            raise ValueError(
                "noise: with concomitants the weights hang on columns, and those of noise do not: "
                "leave out one of them"
            )
        if asked_noise(self) is not None and trim_of(self):
            raise ValueError(
                "noise and trim are two ways to leave rows out of the components: use one of them"
            )
        return Task(
            family=with_fixed(self, family, d),
            n_components=self.n_components,
            tol=self.tol,
            max_iter=self.max_iter,
            n_init=self.n_init,
            init_params=self.init_params,
            engine=self.engine,
            solver=self.solver,
            given=self._given(d),
            begin=self._continued(d) if self._goes_on() else None,
            last=getattr(self, "fit_result_", None),
            concomitants=self._concomitants(),
            noise=asked_noise(self),
            trim=trim_of(self),
            fixed=fixed_weights(self),
            prior=asked_beliefs(self, family),
            highest=self._highest,
        )

    def _stood_in(self, X: AnyArray, kind: Family, found: Categories) -> AnyArray:
        """The rows of a fit, numbers in cells of which only an interval is known."""
        return X

    def _concomitants(self) -> tuple[int, ...]:
        """The positions of the columns that the weights hang on."""
        return ()

    def _goes_on(self) -> bool:
        """Whether a fit begins where the last one ended."""
        return self.warm_start and hasattr(self, "converged_")

    def _find(
        self,
        rows: Source,
        family: Family,
        listener: FitListener | None = None,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
    ) -> Found:
        if listener is None and self.verbose:
            listener = Verbose(int(self.verbose), self.verbose_interval)
        # One draw, however many the starts need: a generator shared with other code is left in a
        # state that does not depend on how the search goes about its work.
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        task = timed(self._asked_task(rows, family), max_seconds, checkpoint)
        warn_of_none(self, rows)
        if checkpoint is None:
            return self._search(rows, task, np.random.RandomState(seed), listener)
        seed = resumed_seed(checkpoint, self.random_state, seed)
        with Checkpoint(checkpoint, self._identity(rows, task, seed)) as journal:
            return self._search(rows, task, np.random.RandomState(seed), listener, journal)

    def _asked_task(self, rows: Source, family: Family) -> Any:
        """What a fit to these rows is asked for."""
        return self._task(family, rows.d)

    def _search(
        self,
        rows: Source,
        task: Any,
        rng: np.random.RandomState,
        listener: FitListener | None,
        journal: Checkpoint | None = None,
    ) -> Found:
        return find(rows, task, rng, listener, journal)

    def _identity(self, rows: Source, task: Any, seed: int) -> dict[str, Any]:
        """What a checkpoint must be of to go on with this fit."""
        return identity(rows, task, seed, self.random_state)

    def _keep(self, found: Found, dtype: np.dtype[Any]) -> None:
        self._hold(found, dtype)
        for message, category in complaints(found.fit, self, found.model):
            warn_caller(message, category)

    def _hold(self, found: Found, dtype: np.dtype[Any]) -> None:
        """Set what was found, without a word."""
        self._set_parameters(found.params, dtype)
        hold_noise(self, found)
        hold_trim(self, found)
        fit = found.fit
        self.converged_, self.n_iter_ = fit.converged, fit.iterations
        self.lower_bound_ = fit.mean_loglik
        self.lower_bounds_ = [
            value / fit.weight for value in fit.trace[len(fit.trace) - fit.iterations :]
        ]
        self.fit_result_ = fit
