"""Many components: each row looks only at those that can matter for it.

The likeliest component of every row is remembered from one pass to the next. A pass then works
out that component and its neighbours, and skips what a bound shows to be negligible: for each
component, over the whole table, at most 2^-53 of its weight (the proof is in
`native/near.h`). The counts that come out are compared with the weights, and a pass in which a
component holds far fewer rows than its weight says is done again in full. So the remembered
components decide only how much is skipped, never what the answer is beyond rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.base import chunk_slices
from mixtura.engines.gaussian import pruned
from mixtura.engines.gaussian.pruned import Neighbours
from mixtura.engines.threads import ordered_map
from mixtura.families.gaussian.forms import Name
from mixtura.families.gaussian.records import GaussianStatistics
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Summary

# Fewer components do not pay.
LEAST_COMPONENTS = 32
# Of so many components the lists of one are made to see whether those of all should be.
_ONE_OF = 16
# Kernels for matrices prune up to this many columns; wider ones have a screening of their own.
_MOST_COLUMNS = 16
# Numbers in the lists of neighbours, all components together: at most 50 MB.
_LIST_ROOM = 1 << 22
# Standard deviations, about, that a row is expected to lie within: the others look everywhere.
_CAP = 3.0
# What handling a row costs beside its densities, and a density beside itself, in multiply-adds;
# measured.
_ROW_COST = 600.0
_LOOK_COST = 12.0
# What a pair of components costs in the lists of neighbours, in the same units.
_PAIR_COST = 800.0
# The expected share of the plain pass's cost above which pruning is not tried, and the share of
# its densities above which it is given up for some passes.
_WORTH_TRYING = 0.75
_WORTH_KEEPING = 0.8
# A component with a smaller share of the rows that its weight promises makes the bound loose.
_STARVED = 1e-3
# Where components may be out of sight: so many at least, columns at most, and rows, which are put
# in order first.
_SIGHT_COMPONENTS, _SIGHT_COLUMNS, _SIGHT_ROWS = 32, 3, (1024, 1 << 20)
# The longer a chunk, the more rows of it share a component, and the fewer sums are added up; the
# more chunks, the more evenly threads share them.
_ROWS_PER_COMPONENT = 256
_CHUNK_ROWS = (16384, 65536)
_LEAST_CHUNKS = 8


def chunk_size(rows: int, K: int) -> int:
    """Rows in a chunk of a pruned pass."""
    size = int(np.clip(_ROWS_PER_COMPONENT * K, *_CHUNK_ROWS))
    return min(size, max(size // 4, _CHUNK_ROWS[0] // 2, -(-rows // _LEAST_CHUNKS)))


def starved(counts: Array, expected: Array) -> bool:
    """Whether a component holds far fewer rows than its weight says, so that bounds are loose."""
    return bool(np.any(counts < _STARVED * expected))


def may_hide(form: str, rows: int, d: int, K: int) -> bool:
    """Whether components may be out of sight of blocks of rows; see `native/sight.h`."""
    small = K < _SIGHT_COMPONENTS or rows < _SIGHT_ROWS[0]
    return form == "full" and d <= _SIGHT_COLUMNS and not small and rows <= _SIGHT_ROWS[1]


def has_kernel(form: str, d: int) -> bool:
    """Whether rows can be looked at in few of the components."""
    return d <= _MOST_COLUMNS or form in ("diag", "spherical")


def may_prune(form: str, rows: int, d: int, K: int) -> bool:
    """Whether the table and the mixture are large enough, and there is a kernel."""
    large = K >= LEAST_COMPONENTS and _least_share(rows, d, K) < _WORTH_TRYING
    return large and has_kernel(form, d)


def _density_cost(d: int) -> float:
    """Of one row and one component in the plain pass, in multiply-adds."""
    return 0.5 * d * (d + 3) + 16


def _least_share(rows: int, d: int, K: int) -> float:
    """What a pruned pass that looks at one component a row costs, as a share of the plain one."""
    return (_ROW_COST / K + _PAIR_COST * K / rows) / _density_cost(d)


def find_neighbours(
    params: MixtureParams, form: Name, nearest: int | None = None, one_of: int = 1
) -> Neighbours:
    """The lists of all components: those that may not be skipped, or so many of the nearest.

    With `one_of` the lists of every so manieth alone; those of the others are not filled.
    """
    c = params.components
    K, d = c.means.shape
    limit = max(1, min(K - 1, _LIST_ROOM // K if nearest is None else nearest))
    cap, typical = math.sqrt(d) + _CAP, math.sqrt(d) + 0.5
    near = Neighbours.empty(K, limit, cap, typical, nearest is not None)

    def fill(components: slice) -> None:
        pruned.neighbours(
            params.log_weights, c.means, c.root, c.whiten, c.log_norm, form, components, near
        )

    if one_of > 1:
        for k in range(0, K, one_of):
            fill(slice(k, k + 1))
        return near
    for _ in ordered_map(fill, chunk_slices(K, 64)):
        pass
    return near


def expected_share(near: Neighbours, params: MixtureParams, rows: int, one_of: int = 1) -> float:
    """What a pruned pass should cost, as a share of the plain one.

    With `one_of` judged by every so manieth component.
    """
    K, d = params.components.means.shape
    weights = params.weights[::one_of]
    looked_at = weights @ (near.usual[::one_of] + 1.0) / max(float(weights.sum()), 1e-300)
    looks = looked_at * (1.0 + _LOOK_COST / _density_cost(d)) / K
    return float(looks + _least_share(rows, d, K))


class Pruning:
    """The pruned passes of one table: what is known of its rows, and whether it pays."""

    def __init__(self, rows: Rows, form: Name) -> None:
        self.rows, self.form = rows, form
        # The likeliest component of each row, as last seen, of a mixture with so many.
        self.labels: pruned.Labels | None = None
        self.components = 0
        # Passes to go before pruning is tried again, and for how many it was given up last.
        self.resting, self.rest = 0, 0
        # Densities worked out in the last pass, of all that there are; 1 where none was skipped.
        self.share = 1.0

    def summary(self, params: MixtureParams, plain: Callable[[], Summary]) -> Summary:
        """The summary at `params`; `plain` gives it without pruning."""
        self.share = 1.0
        if self.resting > 0:
            self.resting -= 1
            return plain()
        # Where lists are long, making them all could take as long as the pass.
        near = find_neighbours(params, self.form, one_of=_ONE_OF)
        if expected_share(near, params, self.rows.n, _ONE_OF) <= _WORTH_TRYING:
            near = find_neighbours(params, self.form)
            pays = expected_share(near, params, self.rows.n) <= _WORTH_TRYING
        else:
            pays = False
        if not pays:
            self._give_up()
            return plain()
        if self.labels is None or self.components != len(params.weights):
            labels = np.zeros(len(self.rows.X), np.int32)
            total, _ = self._swept(params, labels, None)
            self.labels, self.components = labels, len(params.weights)
            return total
        total, evaluated = self._swept(params, self.labels, near)
        self.share = evaluated / (len(self.rows.X) * len(params.weights))
        assert isinstance(total.statistics, GaussianStatistics)
        if starved(total.statistics.counts, params.weights * self.rows.weight):
            self._give_up()
            return plain()
        if self.share > _WORTH_KEEPING:
            self._give_up()
        else:
            self.rest = 0
        return total

    def _give_up(self) -> None:
        self.rest = min(2 * self.rest + 1, 15)
        self.resting = self.rest
        self.labels = None

    def _swept(
        self, params: MixtureParams, labels: pruned.Labels, near: Neighbours | None
    ) -> tuple[Summary, int]:
        rows, K = self.rows, len(params.weights)
        w, c, evaluated = rows.sample_weight, params.components, 0

        def part(where: slice) -> tuple[Summary, int]:
            loglik, counts, first, second, worked = pruned.gaussian_pruned(
                rows.X[where],
                None if w is None else w[where],
                params.log_weights,
                c.means,
                c.whiten,
                c.log_norm,
                self.form,
                labels[where],
                near,
            )
            return Summary(loglik, 0.0, GaussianStatistics(counts, first, second)), worked

        size = chunk_size(len(rows.X), K)
        total: Summary | None = None
        for summary, worked in ordered_map(part, chunk_slices(len(rows.X), size)):
            total = summary if total is None else total + summary
            evaluated += worked
        assert total is not None
        return total, evaluated
