"""What every fitted mixture can do, whatever was fitted and however."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import column_names, like, row_weights
from mixtura.data.opening import is_stream
from mixtura.data.refusal import whole
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.sampling import draw, drawn
from mixtura.estimators.answering import answers, totals
from mixtura.estimators.document import Stored, restore, to_document
from mixtura.estimators.imputing import imputed
from mixtura.estimators.intake import validated
from mixtura.estimators.known import group_names, refuse_beyond, refuse_unweighted, told_notes
from mixtura.estimators.lazily import answered, lies_apart
from mixtura.estimators.lost import information_lost, lost_notes
from mixtura.estimators.opened import asked, may_miss, small
from mixtura.estimators.prior_setting import prior_notes
from mixtura.estimators.robust import notes
from mixtura.estimators.rowwise import RowAnswers
from mixtura.estimators.weighing import COUNTS, doubt_light, scaled, weighed
from mixtura.families.base import Family
from mixtura.families.domain import refuse_asked
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Seed, Weights
from mixtura.report.text import to_text
from mixtura.report.view import MixtureView
from mixtura.result import Fit
from mixtura.store import write_document

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MixtureEstimator(RowAnswers, DensityMixin, BaseEstimator):  # type: ignore[misc]
    """Methods of a fitted mixture p(x) = sum_k P(k) p(x|k); see `docs/what-the-numbers-mean.md`."""

    engine: str
    random_state: Seed
    weights: str
    n_features_in_: int
    fit_result_: Fit | None

    @abstractmethod
    def fit(self, X: Any, y: Any = None, sample_weight: Weights = None) -> Self:
        """Fit to X."""

    @abstractmethod
    def _fitted(self) -> tuple[Mixture, MixtureParams]:
        """The model and its parameters, from the fitted attributes, in float64."""

    def component_log_density(self, X: Any) -> AnyArray:
        """log P(x | k) of each row under each component, (n_samples, n_components)."""
        return self._prepare(X, "component_log_density", wide=True)

    def score_samples(self, X: Any) -> AnyArray:
        """log P(x): the log-density of each row under the whole mixture, (n_samples,).

        The natural logarithm of a density in the inverse units of X.
        """
        return self._prepare(X, "log_density")

    def predict(self, X: Any) -> AnyArray:
        """The component with the largest responsibility for each row, integers (n_samples,)."""
        return self._prepare(X, "labels", dtype=np.dtype(np.int64))

    def impute(
        self, X: Any, draws: int | None = None, random_state: Seed = None, **beyond: Any
    ) -> Array:
        """The rows with their missing cells (NaN) filled in; cells that are there stay.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        draws : int, optional
            How often each missing cell is drawn from its distribution given the row's others: for
            what is made of the table, such draws keep its scatter. By default cells are their mean
            there, E[x | the others] = sum_k P(k | the others) E[x | k, the others].
        random_state : int, RandomState or None
            Of the draws; None uses the estimator's own `random_state`.
        beyond : refused: rows are taken for the numbers themselves, without errors or bounds

        Returns
        -------
        float64 array of shape (n_samples, n_features), or (draws, n_samples, n_features)

        Raises
        ------
        ValueError
            For components whose missing cells are not known given the others.
        """
        check_is_fitted(self)
        refuse_beyond("impute", beyond)
        seed = self.random_state if random_state is None else random_state
        return imputed(self, self._asked(X, filling=True), draws, seed)

    def information_lost(
        self, X: Any, sample_weight: Weights = None, **beyond: Any
    ) -> dict[str, Array]:
        """What the missing cells (NaN) of X cost: the share lost of what rows tell, by parameter.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The rows of the fit.
        sample_weight : array-like of shape (n_samples,), optional
            Those of the fit, which are to be given again.
        beyond : refused, as by `impute`

        Returns
        -------
        dict of arrays
            "weights" and the components' parameters, each in its shape: 1 - v / u, with u the
            variance of the estimate and v what it would be without gaps: 0.2 is as much as a
            fifth of whole rows. By the observed information of X (Louis 1982, J. Royal Statistical
            Society B 44) and what the cells hide, drawn given the others, so that an entry may be
            off by a hundredth. nan is a number that was not estimated, known in advance or at an
            edge of what is possible, as a rate of 0: the others' shares take it as known; the one
            weight of one component is 0. It takes a pass for each free parameter and 2,000 looks
            at few rows. `summary()` then tells of it.

        Raises
        ------
        ValueError
            Where nothing is missing, where the fit had weights and none are given, where the
            log-likelihood is flat, has no free coordinates, or only the penalty against collapse
            holds the fit.
        """
        check_is_fitted(self)
        refuse_beyond("information_lost", beyond)
        refuse_unweighted("information_lost", self, sample_weight)
        rows = self._asked(X, filling=True)
        if sample_weight is not None and isinstance(rows, Rows):
            rows = Rows(rows.X, self._weights_for(sample_weight, rows.X))
        return information_lost(self, rows)

    def score(self, X: Any, y: Any = None, sample_weight: Weights = None) -> float:
        """The mean log-likelihood per row (per unit of weight).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A table that is read in pieces brings its own.
        """
        total, weight = self._total(X, sample_weight)
        return total / weight

    def bic(self, X: Any, sample_weight: Weights = None) -> float:
        """Bayesian information criterion, -2 log-likelihood + p log n; lower is better.

        n is the sum of the weights, so a weight of 2 counts as two rows; with weights="importance"
        it is (sum w)^2 / sum w^2, and the log-likelihood is taken on that scale.
        """
        total, n = self._total(X, sample_weight)
        if sample_weight is not None and self.weights == COUNTS:
            doubt_light(n, int(np.count_nonzero(sample_weight)))
        return -2.0 * total + self._n_parameters() * math.log(n)

    def aic(self, X: Any, sample_weight: Weights = None) -> float:
        """Akaike information criterion, -2 log-likelihood + 2 p; lower is better."""
        total, _ = self._total(X, sample_weight)
        return -2.0 * total + 2.0 * self._n_parameters()

    def sample(self, n_samples: int = 1, random_state: Seed = None) -> tuple[Array, AnyArray]:
        """Draw rows from the mixture, in random order.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : int, RandomState or None
            None uses the estimator's own `random_state`: an int there gives the same rows at
            every call, as in scikit-learn.

        Returns
        -------
        X : float64 array of shape (n_samples, n_features)
        y : integer array of shape (n_samples,), the component of each row
        """
        return draw(*self._asked_to_draw(n_samples, random_state))

    def sample_chunks(
        self, n_samples: int, random_state: Seed = None
    ) -> Iterator[tuple[Array, AnyArray]]:
        """The rows of `sample`, in chunks: for more of them than memory holds.

        Parameters are those of `sample`.

        Yields
        ------
        (X, y) : the next rows and the component of each; together they are what `sample` returns
        """
        return drawn(*self._asked_to_draw(n_samples, random_state))

    def _asked_to_draw(
        self, n_samples: int, random_state: Seed
    ) -> tuple[Mixture, int, MixtureParams, np.random.RandomState]:
        check_is_fitted(self)
        # Begun as scikit-learn begins it.
        n_samples = whole("Invalid value for 'n_samples': it", n_samples)
        model, params = self._fitted()
        rng = check_random_state(self.random_state if random_state is None else random_state)
        return model, n_samples, params, rng

    # The constructor parameter that says what the components are.
    _components: ClassVar[str]
    # And the one that says how many.
    _groups: ClassVar[str] = "n_components"

    @abstractmethod
    def _stored_arrays(self) -> dict[str, AnyArray]:
        """The fitted attributes that are arrays, by name, for a model file."""

    def _stored_beside(self) -> dict[str, Any]:
        """What else a model file is to hold."""
        return {}

    @abstractmethod
    def _check_stored(self, stored: Stored) -> None:
        """ValueError unless the arrays of a model file are those of this mixture."""

    @abstractmethod
    def _check_restored(self) -> None:
        """ValueError unless the restored attributes belong together."""

    def view(self) -> MixtureView:
        """The fitted mixture as reports and figures see it."""
        check_is_fitted(self)
        model, params = self._fitted()
        weights, names = model.shares(params), tuple(self._names())
        portrait = model.family.portrait(params.components, weights, names)
        uniform = getattr(model, "uniform", None)
        noise = None if uniform is None else (float(params.weights[-1]), uniform.log_volume)
        return MixtureView(
            weights,
            names,
            portrait,
            self.fit_result_,
            noise=noise,
            called=group_names(self),
            notes=(*notes(self), *told_notes(self), *prior_notes(self), *lost_notes(self)),
        )

    def summary(self) -> str:
        """What was found and how sure the fit is, as text."""
        return to_text(self.view()).rstrip("\n")

    def landscape_figure(self) -> Figure:
        """The optima that the search met: how high, how often, from which starts (Matplotlib).

        ValueError where no climb from a start of its own has finished.
        """
        from mixtura.report.landscape import draw_landscape

        check_is_fitted(self)
        if self.fit_result_ is None:
            raise ValueError("the parameters were given, not fitted: there is no landscape")
        return draw_landscape(self.fit_result_)

    def save(self, path: str | Path) -> None:
        """Write the fitted mixture to a JSON file, atomically; `mixtura.load` reads it.

        Numbers survive bit for bit. The format is described in `docs/model-file.md`.
        """
        check_is_fitted(self)
        write_document(to_document(self), path)

    @classmethod
    def restored(cls, document: dict[str, Any]) -> Self:
        """The estimator that `save` wrote; StoreError for a document that is damaged."""
        found: Self = restore(document, cls)
        return found

    def fitted_family(self) -> Family:
        """The family of the components, with what it took from the table."""
        check_is_fitted(self)
        return self._fitted()[0].family

    def _n_parameters(self) -> int:
        model, params = self._fitted()
        return model.n_parameters(params)

    def _names(self) -> list[str]:
        return column_names(getattr(self, "feature_names_in_", None), self.n_features_in_)

    def _prepare(
        self, X: Any, what: str, *, wide: bool = False, dtype: np.dtype[Any] | None = None
    ) -> AnyArray:
        """The wanted answer for each row, in the rows' precision; of a tensor a tensor."""
        check_is_fitted(self)
        if lies_apart(X):
            width = len(self._fitted()[1].weights) if wide else 0
            return answered(self, X, what, width, dtype)  # type: ignore[no-any-return]
        found = answers(self, self._asked(X, filling=True), what, wide=wide, dtype=dtype)
        told: AnyArray = like(X, found)
        return told

    def _asked(self, X: Any, *, filling: bool = False) -> Source:
        """The rows of which something is asked."""
        family = self._fitted()[0].family
        X = small(X, [family], getattr(self, "feature_names_in_", None))
        if is_stream(X):
            return asked(self, X, may_miss([family], filling=filling))
        X, _ = validated(self, X, [family], reset=False, filling=filling)
        names = column_names(getattr(self, "feature_names_in_", None), X.shape[1])
        refuse_asked(family, X, names)
        return Rows(X)

    def _weights_for(self, sample_weight: Weights, X: AnyArray) -> Array:
        return scaled(row_weights(sample_weight, X), self.weights)

    def _total(self, X: Any, sample_weight: Weights) -> tuple[float, float]:
        family = self.fitted_family()
        X = small(X, [family], getattr(self, "feature_names_in_", None))
        if is_stream(X):
            own = sample_weight if lies_apart(X) else None
            X = weighed(asked(self, X, may_miss([family]), own), self.weights)
            if X.apart or (X.survey.weighted and sample_weight is None):
                return totals(self, X)
        return self._summed(self.score_samples(X), sample_weight)

    def _summed(self, log_p: AnyArray, sample_weight: Weights) -> tuple[float, float]:
        """The total of rows' log-densities, and of their weights."""
        if sample_weight is None:
            return float(log_p.sum(dtype=np.float64)), float(len(log_p))
        w = self._weights_for(sample_weight, log_p)
        return float(w @ log_p), float(w.sum())
