"""The negative binomial family: columns of counts, independent within a component."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.frames import standardised
from mixtura.families.gaps import shares
from mixtura.families.intervals import Cells
from mixtura.families.levels import hits, largest_codes, met, summed
from mixtura.families.log_tails import log_betainc
from mixtura.families.sizes import FAR, information, sizes, slope
from mixtura.families.truncated_negativebinomial import CountsBetween, log_density, written_out
from mixtura.records import AnyArray, Array, Params, RandomNumbers, Statistics
from mixtura.supports import TINY, Positive, Rate

# Histograms up to larger counts hold only those that the table has.
LARGEST = 1 << 12
# Rows that are looked at together where the counts of a table are listed.
_PIECE = 1 << 14
# Where a row tells less of the logarithm of a size the counts are as good as Poisson, and nothing
# is gained by units in which that little is one.
LEAST_TOLD = 1e-8
# Intervals of counts are known up to here: their histograms are whole.
FURTHEST = 1 << 16


@dataclass(frozen=True)
class NegativeBinomialParams(Params):
    means: Annotated[Array, Rate()]
    sizes: Annotated[Array, Positive()]


@dataclass(frozen=True)
class NegativeBinomialStatistics(Statistics):
    """counts (K,) of rows; hits (K, counts of all columns side by side)."""

    counts: Array
    hits: Array


@dataclass(frozen=True)
class BoundedStatistics(NegativeBinomialStatistics):
    """beyond (K, counts of all columns): rows of which only is known that they are above each."""

    beyond: Array


@dataclass(frozen=True)
class NegativeBinomial(Family):
    """log p(x | k) = sum_j log Gamma(x_j + s) / (Gamma(s) x_j!) + s log s / (s + m)
                                                               + x_j log m / (s + m)

    largest     the largest count of each column, by default that of the table
    means       (K, d)  m_kj, positive
    sizes       (K, d)  s_kj, positive; the variance is m + m^2 / s
    met         where the largest count is above 4096, all counts that the table has
    statistics  counts and, of each column, a histogram: hits (K, counts of all columns)
    M-step      m = sum r x / sum r;  s by Newton on the histogram
    Where a component varies no more than a Poisson would, s has no finite maximum: it is
    `sizes.POISSON` times max(1, m), where the two are the same to rounding.
    Reference: Lawless (1987), Canadian J. Statistics 15.
    """

    largest: tuple[int, ...] = ()
    met: tuple[tuple[int, ...], ...] = ()
    record = NegativeBinomialParams
    allows_gaps = True
    soft_starts = True
    column_kind = "counts"

    @property
    def levels(self) -> tuple[int, ...]:
        """How many counts each column's histogram has."""
        return tuple(len(self._values(j)) for j in range(len(self.largest)))

    def _values(self, j: int) -> Array:
        """The counts of column j's histogram."""
        if self.met and self.met[j]:
            return np.array(self.met[j], dtype=np.float64)
        return np.arange(self.largest[j] + 1, dtype=np.float64)

    @property
    def least_rows(self) -> int:  # type: ignore[override]
        return 1 + sum(self.levels) // max(1, len(self.levels))

    def described(self) -> dict[str, Any]:
        # Which counts there were is the table's, and of no use to another.
        return Family.described(replace(self, met=()))

    def settled(self, survey: Survey, K: int) -> Settled:
        largest = self.largest or tuple(map(int, largest_codes(survey)))
        found = replace(self, largest=largest, met=_listed(survey.source, largest))
        return Family.settled(found, survey, K)

    def meeting(self, X: AnyArray) -> NegativeBinomial:
        largest = tuple(map(int, np.fmax.reduce(X, axis=0, initial=0.0)))
        return replace(self, largest=largest, met=_listed(Rows(X), largest))

    def log_density(self, X: AnyArray, params: NegativeBinomialParams) -> Array:
        # A row may be beyond the histograms; one far beyond would make the tables longer than X.
        most = np.fmax.reduce(X, axis=0, initial=0.0)
        if most.max() > len(X) + 1024:
            return self._by_row(X, params)
        levels = tuple(int(top) + 1 for top in most)
        each = [
            log_density(np.arange(L, dtype=np.float64), params.means[:, [j]], params.sizes[:, [j]])
            for j, L in enumerate(levels)
        ]
        return summed(met(X, levels), np.concatenate(each, axis=1))

    def _by_row(self, X: AnyArray, params: NegativeBinomialParams) -> Array:
        each = zip(params.means, params.sizes, strict=True)
        return np.stack([np.nansum(log_density(X, m, s), axis=1) for m, s in each], axis=1)

    def statistics(
        self, X: AnyArray, resp: Array, params: NegativeBinomialParams | None
    ) -> NegativeBinomialStatistics:
        most = np.fmax.reduce(X, axis=0, initial=0.0)
        beyond = np.flatnonzero(most > np.array(self.largest))
        if len(beyond):
            j = beyond[0]
            raise ValueError(
                f"NegativeBinomial: column {j} (counted from 0) holds {most[j]:g}, and largest="
                f"{self.largest} ends before it: leave largest out, or raise it"
            )
        return NegativeBinomialStatistics(
            resp.sum(axis=0), hits(met(self._places(X), self.levels), resp)
        )

    def _places(self, X: AnyArray) -> AnyArray:
        """Where each count stands in its column's histogram; gaps stay gaps."""
        if not any(self.met):
            return X
        out = np.array(X, dtype=np.float64)
        for j in (j for j, own in enumerate(self.met) if own):
            values, seen = self._values(j), ~np.isnan(X[:, j])
            place = np.minimum(np.searchsorted(values, X[seen, j]), len(values) - 1)
            if np.any(values[place] != X[seen, j]):
                raise ValueError(
                    f"NegativeBinomial: column {j} (counted from 0) holds counts that the table "
                    f"it has seen had not, and that has counts above {LARGEST}: let it see this one"
                )
            out[seen, j] = place
        return out

    def knows_intervals(self, d: int) -> bool:
        return True

    def between(self, cells: Cells, params: NegativeBinomialParams) -> CountsBetween:
        """What `families.intervals` asks of rows with bounds."""
        return CountsBetween(self, cells, params)

    def reaching(self, survey: Survey) -> NegativeBinomial:
        """The same for a table in which these cells and bounds are met."""
        ends = survey.source.reduced(_furthest, np.fmax)
        most = ends.reshape(3, -1).max(axis=0)
        if most.max() > FURTHEST:
            j = int(np.argmax(most))
            raise ValueError(
                f"lower, upper: column {j} (counted from 0) has {most[j]:g}, and intervals of "
                f"negative binomial counts are known up to {FURTHEST}: use another family"
            )
        return replace(self, largest=tuple(int(each) for each in most))

    def with_beyond(
        self, stats: NegativeBinomialStatistics, hits: Array, beyond: Array
    ) -> BoundedStatistics:
        """The sums of rows with bounds, of exact rows and those."""
        return BoundedStatistics(stats.counts, hits, beyond)

    def _columns(
        self, stats: NegativeBinomialStatistics, params: NegativeBinomialParams
    ) -> list[tuple[Array, Array]]:
        """Each column's histogram (K, its counts), and these counts."""
        ends = np.cumsum(self.levels)[:-1]
        each = np.split(stats.hits, ends, axis=1)
        if not isinstance(stats, BoundedStatistics):
            return [(h, self._values(j)) for j, h in enumerate(each)]
        above = np.split(stats.beyond, ends, axis=1)
        found = [
            written_out(h, above[j], params.means[:, j], params.sizes[:, j])
            for j, h in enumerate(each)
        ]
        return [(h, np.arange(h.shape[1], dtype=np.float64)) for h in found]

    def maximize(
        self, stats: NegativeBinomialStatistics, params: Any, prior: Any
    ) -> NegativeBinomialParams:
        columns = self._columns(stats, params)
        cells, sums = _moments(columns)
        one = np.ones_like(cells)
        before = NegativeBinomialParams(one, one) if params is None else params
        means = shares(sums, cells, before.means)
        each = [
            sizes(h, values, means[:, j], before.sizes[:, j])
            for j, (h, values) in enumerate(columns)
        ]
        return NegativeBinomialParams(np.maximum(means, TINY), np.stack(each, axis=1))

    def score(
        self, stats: NegativeBinomialStatistics, params: NegativeBinomialParams
    ) -> dict[str, Array]:
        columns, m, s = self._columns(stats, params), params.means, params.sizes
        cells, sums = _moments(columns)
        over = sums - cells * m
        each = [slope(h, x, m[:, j], s[:, j])[0] for j, (h, x) in enumerate(columns)]
        of_sizes = np.stack(each, axis=1) / s + over / s * (m / (s + m))
        return {"means": over / m * (s / (s + m)), "sizes": of_sizes}

    def information(self, params: NegativeBinomialParams, shares: Array) -> dict[str, Array]:
        m, s, part = params.means, params.sizes, shares[:, None]
        told = np.maximum(information(m, s), LEAST_TOLD)
        return {"means": part * m * (s / (s + m)), "sizes": part * told}

    def edge(self, params: NegativeBinomialParams) -> str:
        ends = [Family.edge(self, params)]
        poisson = int((information(params.means, params.sizes) < LEAST_TOLD).sum())
        if poisson:
            ends.append(f"{poisson} of the sizes have no bound: there the counts are Poisson")
        return "; ".join(end for end in ends if end)

    def means(self, params: NegativeBinomialParams) -> Array:
        return params.means

    def variances(self, params: NegativeBinomialParams) -> Array:
        return params.means * (1.0 + params.means / params.sizes)

    def log_sides(self, X: AnyArray, params: NegativeBinomialParams) -> tuple[Array, Array]:
        # Of x + 1 and s failures and successes: Abramowitz & Stegun (1964), 26.5.26.
        means, s = params.means[:, 0], params.sizes[:, 0]
        success = s / (s + means)
        return log_betainc(s, X + 1, success), log_betainc(X + 1, s, means / (s + means))

    def sample(self, labels: AnyArray, params: NegativeBinomialParams, rng: RandomNumbers) -> Array:
        means, s = params.means[labels], params.sizes[labels]
        return np.asarray(rng.poisson(rng.gamma(s, means / s)), dtype=np.float64)

    def frame(self, X: AnyArray) -> Array:
        """Logarithms of the counts and one more, standardised."""
        return standardised(np.log1p(X))


def _moments(columns: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    """(rows in which a cell is there, sums of x), each (K, d)."""
    cells, sums = [h.sum(axis=1) for h, _ in columns], [h @ x for h, x in columns]
    return np.stack(cells, axis=1), np.stack(sums, axis=1)


def _furthest(part: Source) -> Array:
    """The largest number of each column, bounds without end left out."""
    most = np.zeros(part.d)
    for chunk in part.chunks(_PIECE):
        most = np.fmax(most, np.where(np.isfinite(chunk.X), np.floor(chunk.X), 0.0).max(axis=0))
    return most


def _listed(source: Source, largest: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """All counts of the columns whose largest is too large for a whole histogram; one pass."""
    long = [j for j, most in enumerate(largest) if most > LARGEST]
    if not long:
        return ()

    def counts(part: Source) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {j: set(range(FAR)) for j in long}
        for chunk in part.chunks(_PIECE):
            for j in long:
                x = chunk.X[:, j]
                found[j] |= set(np.unique(x[~np.isnan(x)]).astype(np.int64).tolist())
        return found

    found = source.reduced(counts, lambda one, two: {j: one[j] | two[j] for j in long})
    return tuple(tuple(sorted(found.get(j, ()))) for j in range(len(largest)))
