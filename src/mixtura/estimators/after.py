"""What a fitted mixture answers beyond its rows: parts of it, its shape, its distances.

Everything here is about the density that was found, whatever was fitted and however. The
arithmetic is in `mixtura.inference`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.column_positions import positions
from mixtura.data.door import as_numbers
from mixtura.data.refusal import whole
from mixtura.engines.threads import single_blas
from mixtura.estimators.conditional import ConditionalMixture
from mixtura.estimators.exports import Exports
from mixtura.estimators.inherited import equations_of, inherit
from mixtura.families.equations import among
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.records import gaussian_params_from_root
from mixtura.inference import line
from mixtura.inference.conditioning import conditional, marginal
from mixtura.inference.distances import BETWEEN_COMPONENTS, BETWEEN_MIXTURES, Kind, lookup
from mixtura.inference.divergence import entropy
from mixtura.inference.gaussians import Estimate, Gaussians
from mixtura.inference.modes import Modes, modes
from mixtura.inference.regions import intervals, level
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Seed

# Rows drawn where there is no closed form: averages of terms between 0 and 1 are then known to
# 0.0016 or better.
DRAWS = 100_000


@dataclass(frozen=True)
class HighestDensityRegion:
    """The smallest set that holds a share `coverage` of a mixture: where its density is highest.

    coverage         the share
    log_level        the region is where log P(x) is at least this
    standard_error   of log_level; 0.0 where it is exact (one column, or one component)
    intervals        with one column the pieces of the region, (m, 2), in order; None with more
    mixture          the fitted mixture
    """

    coverage: float
    log_level: float
    standard_error: float
    intervals: Array | None
    mixture: Any

    def contains(self, X: Any) -> AnyArray:
        """Whether each row of X (n_samples, n_features) lies in the region; bool (n_samples,)."""
        return np.asarray(self.mixture.score_samples(X) >= self.log_level)


class AfterFit(Exports, ABC):
    """Questions to a fitted mixture, for estimators that have its parameters."""

    random_state: Seed
    engine: str
    covariance_type: str | FactorAnalytic
    n_features_in_: int

    @abstractmethod
    def _fitted(self) -> tuple[Mixture, MixtureParams]:
        """The model and its parameters, from the fitted attributes, in float64."""

    @abstractmethod
    def _names(self) -> list[str]:
        """The columns' names."""

    @classmethod
    @abstractmethod
    def _from_params(
        cls,
        params: MixtureParams,
        covariance_type: str | FactorAnalytic,
        feature_names: Any,
        **settings: Any,
    ) -> Self:
        """A usable mixture with these parameters."""

    def marginal(self, columns: Any) -> Self:
        """The mixture of some columns alone, the others ignored.

        Parameters
        ----------
        columns : column name, position, or a sequence of them
            The result has them in this order. Positions count from 0, from the end if negative;
            columns without names are called x1, x2, ... as in reports.

        Returns
        -------
        a fitted mixture of the same components; its covariance type is the one of full, tied, diag
            and spherical in which the covariances are stored. Columns without names are numbered
            anew.

        Raises
        ------
        ValueError
            For unknown or repeated columns, or none.
        """
        chosen = positions(columns, self._column_names(), "columns")
        return self._of(marginal(self._gaussians(), chosen), chosen)

    def condition(self, on: Any) -> Self | ConditionalMixture:
        """The other columns, given values of some: a mixture again, with other weights and means.

        Parameters
        ----------
        on : mapping of columns to values, or a sequence of columns
            ``{"x2": 3.0}`` asks at one point, ``["x2", "x3"]`` at points still to be given:
            Gaussian mixture regression. Columns are named as in `marginal`.

        Returns
        -------
        a fitted mixture of the other columns, for a mapping: the same components in the same order,
            also those whose weight has become 0; `ConditionalMixture` for a sequence: its `predict`
            gives conditional means, standard deviations and covariances

        Raises
        ------
        ValueError
            For unknown or repeated columns, for all of them or none, for values that are missing,
            not finite, or absurdly far from every component.
        """
        names = self._column_names()
        given = positions(on, names, "on")
        asked = [j for j in range(len(names)) if j not in given]
        if not asked:
            raise ValueError(
                f"on gives all {len(names)} columns, so that nothing is left to ask: leave out at "
                "least one, or use score_samples for the density there"
            )
        both = conditional(self._gaussians(), given, asked)
        if isinstance(on, Mapping):
            return self._of(both.at(_values(on)), asked)
        return ConditionalMixture(
            tuple(names[j] for j in given),
            tuple(names[j] for j in asked),
            both,
            self.random_state,
            among(equations_of(self), [*given, *asked]),
        )

    def cdf(self, x: Any, *, upper: bool = False) -> Array:
        """P(X <= x) of a mixture with one column.

        Parameters
        ----------
        x : array-like of any shape, in the column's units; infinities are allowed
        upper : bool, default False
            P(X > x) instead, which keeps its digits where P(X <= x) rounds to 1.

        Returns
        -------
        array of the shape of x

        Raises
        ------
        ValueError
            For NaN, and for a mixture with more columns: take a `marginal` first.
        """
        values = as_numbers(x, "x")
        if np.isnan(values).any():
            raise ValueError("cdf: x has NaN: leave such values out")
        return line.cdf(self._on_a_line("cdf"), values, upper)

    def quantile(self, p: Any, *, upper: bool = False) -> Array:
        """The x with P(X <= x) = p, for a mixture with one column.

        Parameters
        ----------
        p : array-like of any shape, between 0 and 1; 0 and 1 give the infinities
        upper : bool, default False
            The x with P(X > x) = p instead, for tails where 1 - p would round to 1.

        Returns
        -------
        array of the shape of p, in the column's units

        Raises
        ------
        ValueError
            For levels outside [0, 1], and for a mixture with more columns: take a `marginal` first.
        """
        values = as_numbers(p, "p")
        if not np.all((values >= 0) & (values <= 1)):
            raise ValueError("quantile: p has values outside 0 to 1: levels are probabilities")
        return line.quantile(self._on_a_line("quantile"), values, upper)

    def modes(self) -> Modes:
        """The peaks of the density, highest first.

        There may be fewer than components, where some overlap, and with two columns or more also
        more. Climbs start from every mean and between them; each end is checked to be a peak.

        Returns
        -------
        Modes : points (m, n_features), log_density (m,), and of_component (n_components,), the
            peak to which the climb from each component's mean leads
        """
        # Many small matrices: threads of BLAS would wait for each other.
        with single_blas:
            return modes(self._gaussians())

    def highest_density_region(
        self, coverage: float = 0.95, *, n_samples: int = DRAWS, random_state: Seed = None
    ) -> HighestDensityRegion:
        """The smallest set of rows that holds a share of the mixture.

        Parameters
        ----------
        coverage : float, default 0.95, between 0 and 1
        n_samples : int, default 100000
            Rows drawn to find the level; none are where it is exact: with one column, or one
            component.
        random_state : int, RandomState or None for the estimator's own

        Raises
        ------
        ValueError
            For a coverage that is not between 0 and 1 or fewer than 2 rows.
        """
        if not (isinstance(coverage, Real) and 0 < coverage < 1):
            raise ValueError(f"coverage must lie between 0 and 1, got {coverage!r}")
        mixture = self._gaussians()
        found = level(mixture, float(coverage), *self._draws(n_samples, random_state))
        log_level, error = float(found.value), float(found.standard_error)
        pieces = intervals(mixture, log_level) if self.n_features_in_ == 1 else None
        return HighestDensityRegion(float(coverage), log_level, error, pieces, self)

    def entropy(self, *, n_samples: int = DRAWS, random_state: Seed = None) -> Estimate:
        """-E log P(X), in nats: what a row drawn from the mixture tells on average.

        Closed for one component; else all but the expected entropy of the responsibilities is, and
        that is averaged over `n_samples` rows drawn.

        Returns
        -------
        Estimate : value and standard_error, 0.0 where the value is exact
        """
        return entropy(self._gaussians(), *self._draws(n_samples, random_state))

    def divergence(
        self,
        other: AfterFit,
        kind: Literal["kl", "hellinger", "overlap"] = "kl",
        *,
        n_samples: int = DRAWS,
        random_state: Seed = None,
    ) -> Estimate:
        """How far this mixture's density p is from another's, q.

        Parameters
        ----------
        other : a fitted mixture of the same columns
        kind : {"kl", "hellinger", "overlap"}, default "kl"
            "kl" is E_p log(p / q) in nats, which is not symmetric; "hellinger" the square root of
            1 - int sqrt(p q), between 0 and 1; "overlap" int min(p, q), between 0 and 1, where 1
            means that they are equal.
        n_samples, random_state : as in `entropy`
            Rows are drawn where there is no closed form, half from each mixture.

        Returns
        -------
        Estimate : value and standard_error, 0.0 where the value is exact
        """
        measure = lookup(BETWEEN_MIXTURES, kind)
        if not isinstance(other, AfterFit):
            raise ValueError(f"other must be a fitted mixture, got {type(other).__name__}")
        mine, theirs = self._gaussians(), other._gaussians()
        if self._column_names() != other._column_names():
            raise ValueError(
                f"the mixtures have different columns: {', '.join(self._column_names())} and "
                f"{', '.join(other._column_names())}"
            )
        return measure(mine, theirs, *self._draws(n_samples, random_state))

    def component_divergence(
        self, kind: Kind = "kl", *, n_samples: int = DRAWS, random_state: Seed = None
    ) -> Estimate:
        """How far the components are from one another, for every pair.

        Parameters
        ----------
        kind : {"kl", "hellinger", "overlap", "misclassification"}, default "kl"
            The first three as in `divergence`, without the weights. "misclassification" is how
            often the more probable of two components is the wrong one, for rows of these two in
            the proportion of their weights.
        n_samples, random_state : as in `entropy`
            Rows are drawn, for each pair, only for "overlap" and "misclassification", and not
            where there is one column or the two covariances are equal.

        Returns
        -------
        Estimate : value and standard_error, arrays of shape (n_components, n_components); entry
            (j, k) of "kl" is that of k from j
        """
        measure = lookup(BETWEEN_COMPONENTS, kind)
        return measure(self._gaussians(), *self._draws(n_samples, random_state))

    def _gaussians(self) -> Gaussians:
        """The fitted mixture as plain arrays: its components alone, where there is noise."""
        check_is_fitted(self)
        model, params = self._fitted()
        K, d = params.components.means.shape
        form = structure(self.covariance_type).form
        # A factor is stored in the form of its covariance, and made dense as that is.
        roots = np.broadcast_to(form.dense(params.components.root, K, d), (K, d, d))
        shares = model.shares(params)
        return Gaussians(shares / shares.sum(), params.components.means, roots)

    def _of(self, mixture: Gaussians, columns: list[int]) -> Self:
        """An estimator of this kind that holds a mixture over some of its columns."""
        form = structure(self.covariance_type).form
        if form.shared:
            root = form.restrict(mixture.roots[0])
        else:
            root = np.stack([form.restrict(root) for root in mixture.roots])
        weights = mixture.weights / mixture.weights.sum()
        # Engines read rows of numbers without gaps.
        means, root = np.ascontiguousarray(mixture.means), np.ascontiguousarray(root)
        params = MixtureParams(weights, gaussian_params_from_root(means, root, form))
        names = getattr(self, "feature_names_in_", None)
        part = self._from_params(
            params,
            # The four plain names are those of the forms in which covariances are stored.
            form.name,
            None if names is None else [names[j] for j in columns],
            random_state=self.random_state,
            engine=self.engine,
        )
        inherit(part, self, columns)
        return part

    def _on_a_line(self, what: str) -> Gaussians:
        mixture = self._gaussians()
        if mixture.means.shape[1] != 1:
            raise ValueError(
                f"{what} is for a mixture with one column, and this one has "
                f"{mixture.means.shape[1]}: take marginal(...) of one of them"
            )
        return mixture

    def _draws(self, n_samples: int, random_state: Seed) -> tuple[int, np.random.RandomState]:
        seed = self.random_state if random_state is None else random_state
        return whole("n_samples", n_samples, 2), check_random_state(seed)

    def _column_names(self) -> list[str]:
        check_is_fitted(self)
        return self._names()


def _values(on: Mapping[Any, Any]) -> Array:
    """The values of a mapping; ValueError names the column whose value is no finite number."""
    for column, value in on.items():
        if np.ndim(value) != 0 or not np.issubdtype(np.asarray(value).dtype, np.number):
            raise ValueError(f"on: the value of {column!r} is {value!r}, not a number")
        if not np.isfinite(value):
            raise ValueError(f"on: the value of {column!r} is {value!r}: give a finite number")
    return np.array([float(value) for value in on.values()])
