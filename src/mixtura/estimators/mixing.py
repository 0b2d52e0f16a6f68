"""`mixing_bound`: what more components of the same shape could add, at most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from scipy.stats import poisson
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import row_weights
from mixtura.data.rows import Rows
from mixtura.estimators.beside import fitted_beside, refuse_beside
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.inference.gaussians import LOG_2PI
from mixtura.inference.mixing import Highest, highest, highest_rate, joined
from mixtura.records import Array, Weights

# Nats below which nothing is left to gain.
NOTHING = 1e-3


@dataclass(frozen=True)
class MixingBound:
    """What mixtures of one kind, of any number of components, gain on this one at most.

    bound    nats over all rows, proved for one column; NaN for more, where nothing is
    place    the mean of the component that raises the likelihood fastest, (d,)
    weight   the weight it should join with, the others scaled down; 0.0 where none gains
    gain     nats that it brings as it joins, before any further step
    kind     which mixtures: those "with this covariance", or all "of this family"
    """

    bound: float
    place: Array
    weight: float
    gain: float
    kind: str = "with this covariance"

    @property
    def proved(self) -> bool:
        """Whether no mixture of the kind is more than a thousandth of a nat higher."""
        return self.bound <= NOTHING

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists; None where nothing is proved."""
        return {
            "bound": None if math.isnan(self.bound) else self.bound,
            "place": self.place.tolist(),
            "weight": self.weight,
            "gain": self.gain,
        }

    def summary(self) -> str:
        """The finding in one sentence."""
        kind = f"no mixture {self.kind}, of however many components,"
        where = ", ".join(f"{value:.5g}" for value in self.place)
        more = (
            f"one more component at ({where}) with weight {self.weight:.2g} gains {self.gain:.4f}"
        )
        if self.proved:
            return f"proved: {kind} is higher by more than {NOTHING:g} nats"
        if self.gain <= NOTHING:
            more = f"no direction found in which a component more gains {NOTHING:g} nats"
        if math.isnan(self.bound):
            return more
        return f"{kind} is higher by more than {self.bound:.4f} nats; {more}"


def mixing_bound(mixture: Any, X: Any, sample_weight: Weights = None) -> MixingBound:
    """Bound what any other mixing distribution could add to a fitted mixture (Lindsay 1983).

    Parameters
    ----------
    mixture : fitted GaussianMixture or PoissonMixture
        Gaussians of one covariance in common ("tied", or one component): what is bounded are
        mixtures with just that covariance. Or a `PoissonMixture` of one column: all of them are.
    X : array-like or data frame of shape (n_samples, n_features)
        The rows it was fitted to.
    sample_weight : array-like of shape (n_samples,), optional

    Returns
    -------
    MixingBound

    Raises
    ------
    ValueError
        For another mixture, rows it cannot be asked about, or weights that are negative or all 0.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixture, mixing_bound
    >>> X = np.array([[0.0], [0.3], [0.6], [9.0], [9.2], [9.7]])
    >>> one = GaussianMixture.from_parameters([1.0], [[4.8]], [[1.0]], covariance_type="tied")
    >>> mixing_bound(one, X).proved
    False
    >>> two = GaussianMixture.from_parameters(
    ...     [0.5, 0.5], [[0.3], [9.3]], [[1.0]], covariance_type="tied"
    ... )
    >>> mixing_bound(two, X).proved
    True
    """
    if not isinstance(mixture, ClimbedMixture):
        raise ValueError(f"mixture must be a fitted mixture, got {type(mixture).__name__}")
    check_is_fitted(mixture)
    # Known parameters, a prior or a constraint say how a mixture was found, not what it is.
    refuse_beside("mixing_bound", mixture, fitted=True, flat=True)
    if not boundable(mixture):
        raise ValueError(
            "mixture: a bound is known for Gaussians of one covariance (covariance_type='tied'), "
            "not with covariances of their own, and for a PoissonMixture of one column"
        )
    rows = mixture._asked(X)
    if not isinstance(rows, Rows) or np.isnan(rows.X).any():
        raise ValueError("X: rows in memory are needed here, without missing cells")
    X, w = np.asarray(rows.X, dtype=np.float64), np.ones(rows.n)
    if sample_weight is not None:
        w = row_weights(sample_weight, X)
    X, w = X[w > 0], w[w > 0]
    found, ratio = (_of_counts if _counts(mixture) else _of_kernel)(mixture, X, w)
    bound = math.nan if math.isnan(found.most) else max(0.0, float(w.sum()) * found.most)
    kind = "of this family" if _counts(mixture) else "with this covariance"
    return MixingBound(float(bound), found.place, *joined(ratio, w), kind)


def boundable(mixture: Any) -> bool:
    """Whether `mixing_bound` knows a fitted mixture, of which nothing lies beside."""
    if not isinstance(mixture, ClimbedMixture) or fitted_beside(mixture, flat=True):
        return False
    if not isinstance(mixture, GaussianMixture):
        return _counts(mixture)
    roots = mixture._gaussians().roots
    return not (roots != roots[0]).any()


def _counts(mixture: ClimbedMixture) -> bool:
    plain = mixture.fitted_family().name == "poisson" and not mixture._concomitants()
    return plain and mixture.n_features_in_ == 1


def _of_kernel(mixture: Any, X: Array, w: Array) -> tuple[Highest, Array]:
    """(the highest point of D, log of that component's density over the mixture's)."""
    parts, total = mixture._gaussians(), float(w.sum())
    root = parts.roots[0]
    Z = solve_triangular(root, (X - parts.means[0]).T, lower=True).T
    begin = solve_triangular(root, (parts.means - parts.means[0]).T, lower=True).T
    log_norm = -np.log(np.diagonal(root)).sum() - 0.5 * X.shape[1] * LOG_2PI
    log_c = log_norm - parts.log_density(X)
    found = highest(Z, np.log(w / total) + log_c, total, begin)
    ratio = log_c - 0.5 * ((Z - found.place) ** 2).sum(axis=1)
    return found._replace(place=parts.means[0] + root @ found.place), ratio


def _of_counts(mixture: Any, X: Array, w: Array) -> tuple[Highest, Array]:
    """The same for counts."""
    model, params = mixture._fitted()
    log_f = logsumexp(model.log_joint(X, params), axis=1)
    total = float(w.sum())
    found = highest_rate(X[:, 0], np.log(w / total) - log_f, total)
    return found, poisson.logpmf(X[:, 0], found.place[0]) - log_f
