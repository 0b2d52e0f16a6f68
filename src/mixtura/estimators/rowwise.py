"""What is said of each row beside its component: how far out it lies, and how much in doubt."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack
from scipy.special import entr, logsumexp
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.refusal import whole
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.engines.base import RowOutputs
from mixtura.engines.choose import fill, resolve
from mixtura.engines.sampling import draw
from mixtura.estimators.answering import ANSWERED_ROWS, answers, outlying
from mixtura.families.patterns import patterns
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Seed

Drawing = Callable[[int, np.random.RandomState], Array]
LogDensity = Callable[[AnyArray], Array]
# Rows drawn for p-values: they are known to 0.0016 or better.
DRAWS = 100_000
# Their densities are kept of so many patterns of missing cells.
_KEPT = 64


class RowAnswers:
    """Answers row by row of a fitted mixture, whatever the rows come from."""

    engine: str
    random_state: Seed
    n_features_in_: int

    @abstractmethod
    def _fitted(self) -> tuple[Mixture, MixtureParams]:
        """The model and its parameters."""

    @abstractmethod
    def _asked(self, X: Any, *, filling: bool = False) -> Source:
        """The rows of which something is asked."""

    @abstractmethod
    def _prepare(self, X: Any, what: str, *, wide: bool = False) -> AnyArray:
        """The wanted answer for each row."""

    def predict_proba(self, X: Any, top: int | None = None) -> Any:
        """P(k | x): the responsibility of each component for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        top : int, optional
            Keep only so many of each row, the largest: for many components, of which an array
            with all would not fit into memory.

        Returns
        -------
        array of shape (n_samples, n_components), rows summing to one; with noise one column more.
            With `top` a scipy.sparse.csr_matrix of that shape, its values as they are in the
            array, so that its rows sum to less.

        Raises
        ------
        ValueError
            As `predict`: a row has no density under any component, even in logarithms. For a top
            below 1.
        """
        if top is None:
            return self._prepare(X, "responsibilities", wide=True)
        top = whole("top", top)
        check_is_fitted(self)
        return vstack(
            [
                _top(answers(self, Rows(x), "responsibilities", wide=True), top)
                for x in self._pieces(X)
            ],
            format="csr",
        )

    def responsibility_entropy(self, X: Any) -> AnyArray:
        """-sum_k P(k | x) log P(k | x): how much in doubt the component of each row is, in nats.

        (n_samples,), from 0 (no doubt) to log n_components.
        """
        check_is_fitted(self)
        parts = (answers(self, Rows(x), "responsibilities", wide=True) for x in self._pieces(X))
        return np.concatenate([entr(np.asarray(p, np.float64)).sum(axis=1) for p in parts])

    def outlier_probabilities(self, X: Any) -> Array:
        """P(outlier | x): sum_k P(k | x) P(outlier | x, k), of components that tell.

        Float64 (n_samples,); where it is above 1/2 `predict` gives -1. Punzo & McNicholas (2016),
        section 5. ValueError for components that tell no outliers: those of `ContaminatedMixture`
        do.
        """
        check_is_fitted(self)
        model, params = self._fitted()
        if not model.family.tells_outliers:
            raise ValueError(
                f"outlier_probabilities: components of family {model.family.name!r} tell no "
                "outliers: fit a ContaminatedMixture, or use predictive_p_values"
            )
        parts = ((x, replace(model, family=model.family.filling(x))) for x in self._pieces(X))
        return np.concatenate([outlying(own, params, x) for x, own in parts])

    def outlier_scores(self, X: Any) -> Array:
        """-log10 of the chance that a row of its component lies as far out: 3 is one of 1000.

        The tail of the squared Mahalanobis distance, averaged over the components a row may be of:
        sum_k P(k | x) P(delta >= delta_k(x) | k). By a component's own law: of a Gaussian
        chi-squared in d columns (Hotelling 1931), of t d times F of d and nu degrees of freedom, of
        a contaminated one good_share P(chi2_d >= delta) + (1 - good_share) P(chi2_d >= delta /
        inflation), of a Gaussian posterior that of the t that it predicts. Exact, without draws,
        and free of units. Beside noise that of the components alone. Of a row with missing cells
        (NaN) by the columns that it has. Float64 (n_samples,), at least 0; no upper limit.

        ValueError for components without such a distance: use `predictive_p_values`; for missing
        cells beside columns that the others tell.
        """
        check_is_fitted(self)
        model, params = self._of_components()
        if not model.family.tells_distance:
            raise ValueError(
                f"outlier_scores: components of family {model.family.name!r} have no Mahalanobis "
                "distance: use predictive_p_values"
            )
        K = len(params.weights)

        def scores(x: AnyArray, seen: AnyArray) -> Array:
            # Refuses what has no distance before anything else is asked of the rows.
            tails = model.family.filling(x).log_beyond(x, params.components)
            joint = self._filled(model, params, x, "component_log_density", K) + params.log_weights
            # Too far out for a density in logarithms, a row is of the heaviest component.
            joint = np.where(np.isneginf(joint.max(axis=1))[:, None], params.log_weights, joint)
            shares = joint - logsumexp(joint, axis=1, keepdims=True)
            return np.asarray(logsumexp(shares + tails, axis=1) / -np.log(10))

        return np.asarray(np.maximum(self._by_pattern(X, scores), 0.0))

    def _by_pattern(self, X: Any, answer: Callable[[AnyArray, AnyArray], Array]) -> Array:
        """answer(rows, which columns they have) of all rows; 0 of those that have none."""
        found = []
        for x in self._pieces(X):
            kinds, out = patterns(x), np.zeros(len(x))
            for seen, where in zip(kinds.seen, kinds.slices, strict=True):
                if seen.any():
                    at = kinds.order[where]
                    out[at] = answer(x[at], seen)
            found.append(out)
        return np.concatenate(found)

    def predictive_p_values(
        self, X: Any, *, n_samples: int = DRAWS, random_state: Seed = None
    ) -> Array:
        """How often a row drawn from the mixture has a density no higher: small ones are outliers.

        (1 + m) / (1 + n_samples), m of n_samples draws (Davison & Hinkley 1997, 4.2). It is 1 minus
        the share of the mixture within the smallest region that reaches the row. Beside noise that
        of the components alone; of a trimmed fit that of the mixture of the rows that were kept; of
        a posterior that of its predictive law (Gelman et al. 2013, 6.3), parameters drawn too. A
        row with missing cells (NaN) is held beside draws that lack the same ones, as densities of
        different cells have different units; for each such pattern all draws are looked at.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        n_samples : int, default 100000
        random_state : int, RandomState or None for the estimator's own

        Returns
        -------
        float64 array of shape (n_samples,), above 0 and at most 1

        Raises
        ------
        ValueError
            For components that cannot be drawn from, or fewer than 1 draws.
        """
        return self.predictive_reference(n_samples=n_samples, random_state=random_state)(X)

    def predictive_reference(
        self, *, n_samples: int = DRAWS, random_state: Seed = None
    ) -> Callable[[Any], Array]:
        """What gives the p-values of any rows from the same draws, for tables in pieces.

        Parameters and errors are those of `predictive_p_values`.
        """
        check_is_fitted(self)
        n_samples = whole("n_samples", n_samples)
        drawing, log_density = self._law()
        seed = self.random_state if random_state is None else random_state
        try:
            rows = drawing(n_samples, check_random_state(seed))
        except NotImplementedError as error:
            raise ValueError(f"predictive_p_values: {error}") from None

        @lru_cache(maxsize=_KEPT)
        def drawn(packed: bytes) -> Array:
            seen = np.frombuffer(packed, dtype=bool)
            x = rows if seen.all() else np.where(seen, rows, np.nan)
            return np.sort(log_density(x))

        def above(x: AnyArray, seen: AnyArray) -> Array:
            below = np.searchsorted(drawn(seen.tobytes()), log_density(x), side="right")
            # Of rows that have no cell 0 is left.
            return np.asarray(below - float(n_samples))

        def p_values(X: Any) -> Array:
            return np.asarray((1.0 + n_samples + self._by_pattern(X, above)) / (1.0 + n_samples))

        return p_values

    def _law(self) -> tuple[Drawing, LogDensity]:
        """What draws rows of the mixture, and the log-density that they are of."""
        model, params = self._of_components()
        return (
            lambda n, rng: draw(model, n, params, rng)[0],
            lambda x: self._filled(model, params, x, "log_density"),
        )

    def _of_components(self) -> tuple[Mixture, MixtureParams]:
        """The fitted mixture without what is beside its components."""
        model, params = self._fitted()
        shares = model.shares(params)
        if len(shares) == len(params.weights):
            return model, params
        plain = MixtureParams(shares / shares.sum(), params.components)
        return Mixture(model.family, model.prior), plain

    def _pieces(self, X: Any) -> Iterator[AnyArray]:
        """The rows asked about, some at a time."""
        rows = self._asked(X, filling=True)
        size = rows.n if isinstance(rows, Rows) and rows.n <= ANSWERED_ROWS else ANSWERED_ROWS
        return (x for x, *_ in rows.chunks(size))

    def _filled(
        self, model: Mixture, params: MixtureParams, x: AnyArray, what: str, width: int = 0
    ) -> Array:
        """One of `RowOutputs` of a model, float64."""
        out = np.empty((len(x), width) if width else len(x))
        model = replace(model, family=model.family.filling(x))
        # That of the fit may know no gaps.
        engine = resolve("auto" if model.family.gaps else self.engine, model)
        fill(engine, model, x, params, RowOutputs(**{what: out}))
        return out


def _top(p: AnyArray, top: int) -> csr_matrix:
    """The `top` largest of each row of p (n, K); of equals the first."""
    n, K = p.shape
    few = min(top, K)
    places = np.sort(np.argsort(-p, axis=1, kind="stable")[:, :few], axis=1)
    values = np.take_along_axis(p, places, axis=1)
    starts = np.arange(0, n * few + 1, few)
    return csr_matrix((values.ravel(), places.ravel(), starts), shape=(n, K))
