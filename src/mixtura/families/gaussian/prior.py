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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixtura.data.column_moments import Moments
from mixtura.errors import Collapse, IllDefined
from mixtura.families.collapse import (
    ONE_ROW,
    PENALTY_SHARE,
    SPURIOUS_SPREAD,
    THIN_SPREAD,
    few_rows,
    rows_per_weight,
    spikes,
)
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.grain import Grain
from mixtura.families.gaussian.held import held_in
from mixtura.families.gaussian.narrowest import only_rounding
from mixtura.families.gaussian.ratio import Bounded
from mixtura.families.gaussian.records import (
    GaussianParams,
    GaussianStatistics,
)
from mixtura.families.gaussian.scatter import (
    left_over,
    own_scatter,
    own_spectrum,
    own_spread,
    table_scatter,
    wider,
    within_components,
)
from mixtura.families.gaussian.triangular import times
from mixtura.families.gaussian.upheld import (
    at_the_floor,
    constant_inside,
    fallen,
    sobered,
    upheld,
)
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Equation, Spike

# A scale is worth another search where the penalty makes up a tenth of a component's narrowest
# variance, for then it hides what is narrower inside, and where that falls by this factor.
COARSE, FINER = 0.1, 10.0
# One component may ask for it; of more than MANY every ASKINGth beyond, for some are always narrow
# by chance: of 100 in one scale up to 11, of 7 to 22 rows each.
MANY, ASKING = 32, 4


@dataclass(frozen=True)
class CovariancePrior(Prior):
    """All arrays are in the form's shape for one component.

    form       how covariances are stored
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
    count_scale  rows per unit of weight, 1 where weights may be counts
    ranked     whether components share volumes or shapes
    common     whether all components have one covariance
    equations  of the table, whether or not anything is added to its variances there
    held_columns  columns with a direction that has no variance of its own
    grain      of rounded columns, for starts and ends are judged without what rounding lends them
    bounds     of eigenvalues, which take the place of a penalty
    steps      what is no rounding in each column; None: a share of the table's variance
    """

    form: Form
    strength: float
    target: Array
    held: Array
    absolute: Array
    scale: Array
    pivots: Array | None = None
    reference: Array | None = None
    count_scale: float = 1.0
    ranked: bool = False
    common: bool = False
    equations: tuple[Equation, ...] = ()
    held_columns: tuple[int, ...] = ()
    grain: Grain | None = None
    bounds: Bounded | None = None
    steps: Array | None = None

    @property
    def monotone(self) -> bool:
        """Whether the M-step maximises what `log_prior` penalises: not with an absolute floor."""
        return self.floor == 0

    @property
    def penalised(self) -> bool:
        return self.strength > 0

    @property
    def judges(self) -> bool:
        return self.bounds is None

    @cached_property
    def floorless(self) -> bool:
        """Whether nothing is added to a variance: no direction is held, and no `reg_covar`."""
        return not (np.any(self.held) or self.floor)

    @cached_property
    def floor(self) -> float:
        """The largest of `absolute`."""
        return float(np.max(self.absolute))

    @cached_property
    def units(self) -> Array:
        """The matrix (d, d) that makes `scale` the identity, where a form has correlations."""
        return np.asarray(np.linalg.inv(np.linalg.cholesky(self.scale)))

    def whitened(self, whiten: Array) -> CovariancePrior:
        """The same with target, held and absolute in each component's whitened units."""
        form = self.form

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

    def with_rows(self, whiten: Array, counts: Array, second: Array, d: int) -> tuple[Array, Array]:
        """(rows, second moments) of each distinct matrix: the penalty is 2a rows with covariance S.

        `counts` (K,) and `second` are sums in the units of `whiten`.
        """
        rows = self._rows(counts)
        if self.strength == 0:
            return rows, second
        target = self.form.as_second(self.form.whitened(whiten, self.target), d)
        return rows + 2 * self.strength, second + 2 * self.strength * target

    def without_penalty(self) -> CovariancePrior:
        return replace(self, strength=0.0)

    def admitted(self, params: GaussianParams) -> GaussianParams:
        return params if self.bounds is None else self.bounds.admitted(params)

    def obstacle(self) -> str:
        if self.bounds is not None:
            return "an eigenvalue ratio is kept by EM's steps alone"
        if np.any(self.absolute):
            return "with a reg_covar above 0 EM does not maximise the likelihood"
        if np.any(self.held):
            return "a column has no variance of its own, which only EM's steps can hold"
        return ""

    def log_prior(self, params: GaussianParams) -> float:
        if self.strength == 0:
            return 0.0
        d = params.means.shape[1]
        half_log_det = self.form.half_log_det(params.whiten, d).sum()
        trace = self.form.trace_within(params.whiten, self.target, d)
        return float(-self.strength * (trace - 2 * half_log_det))

    def score(self, params: GaussianParams) -> dict[str, Array]:
        """a (Sigma^-1 S Sigma^-1 - Sigma^-1): the excess of 2a rows with covariance S."""
        if self.strength == 0:
            return {}
        K, d = params.means.shape
        rows, second = self.with_rows(params.whiten, np.zeros(K), np.zeros(()), d)
        return {"covariances": self.form.excess(params.whiten, rows, second, d)}

    def refuse_collapse(self, params: GaussianParams, counts: Array) -> None:
        """At maximum likelihood, stop before a component reaches a singularity.

        Cholesky pivots bound the smallest eigenvalue of S^-1 Sigma_k from above and cost nothing.
        """
        if self.pivots is None or self.strength > 0:
            return
        spread = np.min((self.form.pivots(params.root) / self.pivots) ** 2, axis=1)
        rows = self._rows(counts)
        if self.reference is None:
            if only_rounding(self, params, spread).any():
                raise IllDefined(int(spread.argmin()))
            return
        few = self.holds_few(rows * self.count_scale, params.means.shape[1])
        bad = only_rounding(self, params, spread) | (spread < SPURIOUS_SPREAD) & few
        if bad.any():
            k = int(np.argmax(bad))
            raise Collapse(k, float(rows[k]), float(spread[k]))

    def drawn(
        self, params: GaussianParams, counts: Array, shift: Array, scatter: Array
    ) -> tuple[Array, Array]:
        """How far means move (K, d), and the scatter about them: as the rows alone have it."""
        return shift, scatter

    def spread(self, params: GaussianParams) -> Array:
        """The smallest eigenvalue of S^-1 Sigma_k, S the table's covariance; (K,)."""
        K = len(params.means)
        if not np.any(self.scale):
            return np.full(K, np.nan)
        if self.form.correlates:
            values = np.linalg.svd(times(self.units, params.root), compute_uv=False) ** 2
        else:
            values = params.covariances / self.scale
        return self._least(values, K)

    def _least(self, values: AnyArray, K: int) -> Array:
        """The smallest of each component's values, (K,)."""
        if self.form.shared:
            return np.full(K, values.min())
        return np.asarray(values.reshape(K, -1).min(axis=1))

    def upheld(self, params: GaussianParams, counts: Array) -> AnyArray:
        return upheld(self, params, counts)

    def fallen(self, params: GaussianParams, counts: Array) -> AnyArray:
        return fallen(self, params, counts)

    def left_over(self, params: Any, stats: Any, at: Any) -> AnyArray:
        return left_over(self, params, stats, at)

    def width(self, params: GaussianParams) -> int:
        return self.form.columns(params.means.shape[1])

    def narrow(
        self, params: GaussianParams, counts: Array, stats: GaussianStatistics | None = None
    ) -> list[Spike]:
        """Where volumes or shapes are shared also those that only the others keep from collapse:
        their rows lie on a plane. `stats` tell."""
        if self.floor > 0:
            return at_the_floor(self, params, counts)
        if self.reference is None:
            return []
        a, rows = self.strength, self._rows(counts)
        # Most looks find nothing: wide as all are, the penalty's share is small in each.
        least = 2 * a / ((float(rows.min()) + 2 * a) * PENALTY_SHARE) if a > 0 else 0.0
        if not self.ranked and wider(self, params, max(SPURIOUS_SPREAD, least)):
            return []
        d, rows = params.means.shape[1], np.broadcast_to(rows, counts.shape)
        spread = self.spread(params)
        # Far below NUMERIC_SPREAD eigenvalues are rounding, and may be no more than 0.
        spread = np.maximum(spread, 1e-300)
        share = 2 * a / ((rows + 2 * a) * spread) if a > 0 else np.zeros(len(counts))
        held = rows * self.count_scale
        # Without what the penalty added: many rows on a thin line are no spike, on one value are.
        own = (spread * (rows + 2 * a) - 2 * a) / np.maximum(rows, 1e-100)
        few = self.holds_few(held, d)
        bad = only_rounding(self, params, spread) | (spread < SPURIOUS_SPREAD) & few
        few &= held >= ONE_ROW
        bad = bad | (share > PENALTY_SHARE) & (few | (held >= ONE_ROW) & (own < THIN_SPREAD))
        if stats is not None and self.ranked:
            own = own_scatter(self.form, stats, params)
            flat = np.maximum(self._least(own_spectrum(self, own), len(rows)), 0.0)
            # So few rows as span a plane always lie on one.
            bad = bad | (flat < THIN_SPREAD) & (held > d)
            spread = np.minimum(spread, flat)
        return spikes(bad, counts, spread)

    def holds_few(self, rows: Array, d: int) -> NDArray[np.bool_]:
        """Which components hold so few rows that they may be spikes; never one for all of them."""
        return (
            np.zeros(len(rows), dtype=bool)
            if self.form.shared
            else rows < few_rows(self.form.columns(d))
        )

    def constant(
        self, params: GaussianParams, counts: Array
    ) -> dict[int, tuple[tuple[int, float], ...]]:
        return constant_inside(self, params, counts)

    def _rows(self, counts: Array) -> Array:
        """The rows behind each covariance."""
        return counts.sum(keepdims=True) if self.form.shared else counts

    def sobered(self, params: GaussianParams, counts: Array, narrow: list[int]) -> GaussianParams:
        return sobered(self, params, counts, narrow)

    def finer(
        self, params: GaussianParams, counts: Array, stats: GaussianStatistics
    ) -> CovariancePrior | None:
        """S is that within components, where the table's would make sound ones mostly penalty."""
        form, (K, d) = self.form, params.means.shape
        if self.strength == 0 or self.reference is None or not self.floorless:
            return None
        own = own_scatter(form, stats, params)
        spread = np.broadcast_to(own_spread(self, own, params.means), K)
        # Rows on one value, or on a plane, say nothing of a scale: what they have is rounding.
        sound = (counts >= few_rows(form.columns(d))) & (spread > 0)
        w = np.broadcast_to(self._rows(counts), counts.shape)[sound]
        asking = 2 * self.strength > COARSE * w * spread[sound]
        if asking.sum() < max(1, (K - MANY) / ASKING):
            return None
        S, pivots = within_components(form, own, counts, sound, d)
        target = form.restrict(S)
        found = replace(self, target=target, scale=target, pivots=pivots, reference=S)
        wider = np.broadcast_to(own_spread(found, own, params.means), K)[sound]
        return found if (w * wider).min() > FINER * (w * spread[sound]).min() else None

    def smoothed(self, params: GaussianParams) -> GaussianParams:
        return params if self.grain is None else self.grain.smoothed(params)


def no_prior(form: Form, d: int) -> CovariancePrior:
    """Maximum likelihood, come what may."""
    zero = np.zeros_like(form.identity(d))
    return CovariancePrior(form, 0.0, zero, zero, zero, zero)


def absolute_prior(
    form: Form, moments: Moments, reg_covar: float, *, common: bool = False
) -> CovariancePrior:
    """scikit-learn's regularisation: `reg_covar` added to every variance at each M-step."""
    d = len(moments.mean)
    zero = np.zeros_like(form.identity(d))
    # With a floor under every variance none can be nothing but rounding.
    table = table_prior(form, moments)
    pivots = table.pivots if reg_covar == 0 else None
    floor = reg_covar * form.identity(d)
    return CovariancePrior(
        form,
        0.0,
        zero,
        zero,
        floor,
        table.scale + floor,
        pivots,
        common=common,
        equations=table.equations,
        held_columns=table.held_columns,
    )


def table_prior(
    form: Form, moments: Moments, *, ranked: bool = False, common: bool = False
) -> CovariancePrior:
    """The scale-aware default: S from the table, a = 1/n, directions without variance held.

    A table with no more rows than columns spans fewer directions than it has columns, and in its
    own whitened units all its rows are equally far apart: there S is the diagonal alone. A form
    without correlations asks for no more anywhere, and takes moments of the columns alone.
    """
    S = table_scatter(form, moments)
    held = held_in(S, moments.mean, form)
    reference = S + held.added
    if form.correlates:
        pivots = np.diagonal(np.linalg.cholesky(reference))
    else:
        pivots = np.sqrt(np.atleast_1d(form.restrict(reference)))
    scale = rows_per_weight(moments.rows, moments.weight)
    return CovariancePrior(
        form=form,
        strength=1.0 / (moments.weight * scale) / scale,
        target=form.restrict(S),
        held=form.restrict(held.added),
        absolute=np.zeros_like(form.identity(len(S))),
        scale=form.restrict(reference),
        pivots=pivots,
        reference=reference,
        count_scale=scale,
        ranked=ranked,
        common=common,
        equations=held.equations,
        held_columns=held.columns,
    )
