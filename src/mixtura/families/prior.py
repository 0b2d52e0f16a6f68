"""What keeps a covariance away from zero, relative to the table itself.

The likelihood of a Gaussian mixture is unbounded where a component collapses onto a point. The
penalty of Chen & Tan (2009), Inference for multivariate normal mixtures, J. Multivariate Anal.
100, subtracts a sum_k {tr(S Sigma_k^-1) + log det Sigma_k} from the log-likelihood, S being the
table's own covariance; its M-step is Sigma_k = (W_k + 2aS) / (n_k + 2a). With S in the table's
units it is equivariant under every affine map: no absolute constant. a = 1/n keeps the loss of
log-likelihood at regular optima to hundredths of a nat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mixtura.data.column_moments import Moments
from mixtura.data.moments import NO_VARIANCE, TableMoments
from mixtura.families.forms import Form, diagonal
from mixtura.records import Array

# The variance given to a direction without any, as a share of its columns' variances. Every
# component gets the same, so it says nothing about the groups and cancels from their
# responsibilities.
HELD_SHARE = 1e-6
# Below this share of the table's variance only rounding is left, however many rows a component has.
NUMERIC_SPREAD = 1e-14
# A component of few rows this narrow is one of the likelihood's spikes (methods: regular optima of
# the reference tables stay above 0.0076, spurious ones below 1e-4).
SPURIOUS_SPREAD = 1e-3


@dataclass(frozen=True)
class CovariancePrior:
    """All arrays are in the form's shape for one component.

    strength   a, the weight of the penalty; 0 is maximum likelihood
    target     S
    held       variance added in directions where the table has none
    absolute   reg_covar of scikit-learn, added to every variance (in squared units); 0 by default
    scale      S with the held directions, whatever the strength; judges, never penalises
    pivots     Cholesky pivots, in the form, of the table's covariance with the held directions;
               None when no variance is refused but what is not positive
    reference  that covariance, dense (d, d), or its diagonal (d,) where the form has no more; None
               when only a variance of nothing but rounding is refused and narrow components are
               the caller's business
    count_scale  rows per unit of weight, at least 1 when weights are not counts
    """

    strength: float
    target: Array
    held: Array
    absolute: Array
    scale: Array
    pivots: Array | None = None
    reference: Array | None = None
    count_scale: float = 1.0

    @property
    def monotone(self) -> bool:
        """Whether the M-step maximises what `log_prior` penalises: not with an absolute floor."""
        return not np.any(self.absolute)

    @cached_property
    def floorless(self) -> bool:
        """Whether nothing is added to a variance: no direction is held, and no `reg_covar`."""
        return not (np.any(self.held) or np.any(self.absolute))

    @cached_property
    def floor(self) -> float:
        """The largest of `absolute`."""
        return float(np.max(self.absolute))

    @cached_property
    def units(self) -> Array:
        """The matrix (d, d) that makes `reference` the identity."""
        assert self.reference is not None
        return np.asarray(np.linalg.inv(np.linalg.cholesky(self.reference)))

    @property
    def held_columns(self) -> tuple[int, ...]:
        """Columns with a direction that has no variance of its own."""
        if self.reference is None:
            return ()
        held = diagonal(np.atleast_1d(self.held))
        # A column outside the dependence has only a rounding's share in its direction.
        return tuple(int(j) for j in np.flatnonzero(held > 1e-10 * diagonal(self.reference)))

    def whitened(self, form: Form, whiten: Array) -> CovariancePrior:
        """The same with target, held and absolute in each component's whitened units."""

        if self.floorless:
            if self.strength == 0:
                return self
            return replace(self, target=form.whitened(whiten, self.target))

        def move(matrix: Array) -> Array:
            return form.whitened(whiten, matrix) if np.any(matrix) else matrix

        return replace(
            self,
            target=move(self.target) if self.strength > 0 else self.target,
            held=move(self.held),
            absolute=move(self.absolute),
        )

    def with_rows(
        self, form: Form, whiten: Array, counts: Array, second: Array, d: int
    ) -> tuple[Array, Array]:
        """(rows, second moments) of each distinct matrix: the penalty is 2a rows with covariance S.

        `counts` (K,) and `second` are sums in the units of `whiten`.
        """
        rows = counts.sum(keepdims=True) if form.shared else counts
        if self.strength == 0:
            return rows, second
        target = form.as_second(form.whitened(whiten, self.target), d)
        return rows + 2 * self.strength, second + 2 * self.strength * target

    def without_penalty(self) -> CovariancePrior:
        """The same, at maximum likelihood."""
        return replace(self, strength=0.0)


def no_prior(form: Form, d: int) -> CovariancePrior:
    """Maximum likelihood, come what may."""
    zero = np.zeros_like(form.identity(d))
    return CovariancePrior(0.0, zero, zero, zero, zero)


def absolute_prior(form: Form, moments: Moments, reg_covar: float) -> CovariancePrior:
    """scikit-learn's regularisation: `reg_covar` added to every variance at each M-step."""
    d = len(moments.mean)
    zero = np.zeros_like(form.identity(d))
    # With a floor under every variance none can be nothing but rounding.
    table = table_prior(form, moments)
    pivots = table.pivots if reg_covar == 0 else None
    floor = reg_covar * form.identity(d)
    return CovariancePrior(0.0, zero, zero, floor, table.scale + floor, pivots)


def table_prior(form: Form, moments: Moments) -> CovariancePrior:
    """The scale-aware default: S from the table, a = 1/n, directions without variance held.

    A table with no more rows than columns spans fewer directions than it has columns, and in its
    own whitened units all its rows are equally far apart: there S is the diagonal alone. A form
    without correlations asks for no more anywhere, and takes moments of the columns alone.
    """
    S = _scatter(form, moments)
    held = held_directions(S, form)
    reference = S + held
    if form.correlates:
        pivots = np.diagonal(np.linalg.cholesky(reference))
    else:
        pivots = np.sqrt(np.atleast_1d(form.restrict(reference)))
    scale = max(1.0, moments.rows / moments.weight)
    return CovariancePrior(
        strength=1.0 / (moments.weight * scale * scale),
        target=form.restrict(S),
        held=form.restrict(held),
        absolute=np.zeros_like(form.identity(len(S))),
        scale=form.restrict(reference),
        pivots=pivots,
        reference=reference,
        count_scale=scale,
    )


def _scatter(form: Form, moments: Moments) -> Array:
    """(d, d), or (d,) for a form without correlations."""
    if not form.correlates:
        return moments.variance
    assert isinstance(moments, TableMoments), "a form with correlations asks for covariances"
    return np.diag(moments.variance) if moments.flat else moments.covariance


def held_directions(S: Array, form: Form) -> Array:
    """What to add where S has no variance, in its shape; all zeros for an ordinary table.

    A constant column has no scale of its own: it is held at HELD_SHARE squared units. A linear
    dependence between columns is held at HELD_SHARE of their variances. A form with one variance
    for all columns needs no help while any of them varies.
    """
    variance = diagonal(S)
    constant = variance <= 0
    if not form.correlates:
        one_for_all = np.ndim(form.restrict(S)) == 0 and not constant.all()
        return np.where(constant & (not one_for_all), HELD_SHARE, 0.0)
    unit = np.where(constant, 1.0, np.sqrt(variance))
    values, vectors = np.linalg.eigh(S / np.outer(unit, unit))
    null = vectors[:, values < NO_VARIANCE * len(S)] * unit[:, None]
    return np.asarray(HELD_SHARE * null @ null.T)
