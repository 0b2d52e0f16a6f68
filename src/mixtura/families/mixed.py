"""Mixtures as components: each of K densities is a mixture of some family itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import logsumexp

from mixtura.coordinates import fields_around
from mixtura.data.survey import Survey
from mixtura.families.base import LEAST_SHARE, Family, Settled
from mixtura.families.mixed_parts import (
    MixedChart,
    MixedLook,
    MixedParams,
    MixedPrior,
    MixedStatistics,
    split,
    stacked,
)
from mixtura.families.portrait import Portrait
from mixtura.families.registry import Spec
from mixtura.families.registry import family as family_of
from mixtura.families.returned import maximized, settle
from mixtura.families.tails import Tailed
from mixtura.records import AnyArray, Array, Categories, RandomNumbers
from mixtura.supports import Simplex, Support


@dataclass(frozen=True)
class MixtureOf(Family):
    """p(x | k) = sum_m c_km p_m(x | k), a mixture of `n` densities of `family` for each k

    As states of a hidden Markov model a GMM-HMM; as components of a mixture groups of any shape.

    shares      (K, n), the weights c of each mixture
    others      the family's parameters of n components, one after the other for each k: means are
                (K, n, d); what the family's components share they share within k
    E-step      the responsibility of k is dealt out in proportion to c_km p_m(x | k)
    M-step      c_km = n_km / n_k; the others by the family
    Reference: Rabiner (1989), Proc. IEEE 77(2), section IV.A; Hastie & Tibshirani (1996), J. Royal
    Statistical Society B 58, for groups.
    """

    family: Family
    n: int
    record = MixedParams

    def __init__(self, family: Spec = "gaussian", n: int = 2) -> None:
        if not isinstance(n, Integral) or n < 1:
            raise ValueError(f"MixtureOf: n must be a whole number of parts, 1 or more, got {n!r}")
        part = family_of(family)
        if isinstance(part, MixtureOf):
            raise ValueError(
                f"MixtureOf: family is a {part.name} itself, and a mixture of mixtures is one "
                "mixture: give the innermost family, and as n the product of both"
            )
        object.__setattr__(self, "family", part)
        object.__setattr__(self, "n", int(n))

    @property
    def name(self) -> str:
        return f"mixture of {self.n} {self.family.name}"

    @property
    def measure(self) -> str:
        return self.family.measure

    @property
    def generalised(self) -> bool:  # type: ignore[override]
        return self.family.generalised

    @property
    def least_rows(self) -> int:  # type: ignore[override]
        return self.family.least_rows

    @property
    def curved(self) -> bool:  # type: ignore[override]
        return self.family.curved

    @property
    def allows_gaps(self) -> bool:  # type: ignore[override]
        return self.family.allows_gaps

    @property
    def fills_gaps(self) -> bool:  # type: ignore[override]
        return self.family.fills_gaps

    @property
    def gaps(self) -> bool:  # type: ignore[override]
        return self.family.gaps

    def filling(self, X: AnyArray) -> MixtureOf:
        return self._of(self.family.filling(X))

    def whole(self) -> MixtureOf:
        return self._of(self.family.whole())

    def _of(self, own: Family) -> MixtureOf:
        return self if own is self.family else MixtureOf(own, self.n)

    def filled(self, X: AnyArray, params: MixedParams, k: int) -> Array:
        told, part = self.filling(X).look(X, params).dealt(k), params.parts[k]
        each = [self.family.filled(X, part, m) for m in range(self.n)]
        return np.asarray(np.einsum("nm,mnd->nd", told, each))

    def completed(
        self, X: AnyArray, labels: AnyArray, params: MixedParams, rng: RandomNumbers
    ) -> Array:
        found, look = np.array(X, dtype=np.float64), self.filling(X).look(X, params)
        for k, part in enumerate(params.parts):
            own = np.flatnonzero(labels == k)
            upto = np.cumsum(look.dealt(k)[own], axis=1)
            which = (rng.uniform(size=(len(own), 1)) * upto[:, -1:] >= upto).sum(axis=1)
            found[own] = self.family.completed(X[own], which, part, rng)
        return found

    @property
    def conditional(self) -> bool:  # type: ignore[override]
        return self.family.conditional

    @property
    def column_kind(self) -> Any:  # type: ignore[override]
        return self.family.column_kind

    @property
    def least(self) -> float:  # type: ignore[override]
        return self.family.least

    @property
    def categories(self) -> Categories:  # type: ignore[override]
        return self.family.categories

    def takes_categories(self, names: Sequence[str]) -> tuple[bool, ...]:
        return self.family.takes_categories(names)

    def for_table(
        self, names: Sequence[str], categories: Categories, X: AnyArray | None
    ) -> MixtureOf:
        return MixtureOf(self.family.for_table(names, categories, X), self.n)

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        self.family.refuse(X, names)

    def settled(self, survey: Survey, K: int) -> Settled:
        own = settle(self.family, survey, self.n)
        base = MixedParams(np.full((K, self.n), 1.0 / self.n), (own.base,) * K)
        return Settled(MixtureOf(own.family, self.n), MixedPrior(own.prior), base, own.frames)

    def supports(self) -> dict[str, Support]:
        return {"shares": Simplex(), **self.family.supports()}

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        own = self.family.shapes(self.n, d)
        return {"shares": (K, self.n), **{name: (K, *shape) for name, shape in own.items()}}

    def params(self, arrays: Mapping[str, Array]) -> MixedParams:
        shares = arrays["shares"]
        Simplex().check(shares, "shares")
        names = self.family.supports()
        parts = [
            self.family.params({name: np.ascontiguousarray(arrays[name][k]) for name in names})
            for k in range(len(shares))
        ]
        return MixedParams(shares, tuple(parts))

    def look(self, X: AnyArray, params: MixedParams) -> MixedLook:
        return MixedLook(params.shares, tuple(self.family.look(X, part) for part in params.parts))

    def log_density(self, X: AnyArray, params: MixedParams) -> Array:
        return self.look(X, params).log_density

    def statistics(self, X: AnyArray, resp: Array, params: MixedParams | None) -> MixedStatistics:
        if params is not None:
            return self.look(X, params).statistics(resp)
        each = (np.repeat(r[:, None] / self.n, self.n, axis=1) for r in resp.T)
        return MixedStatistics(tuple(self.family.statistics(X, r, None) for r in each))

    def counts(self, stats: MixedStatistics) -> Array:
        return np.asarray(self._dealt(stats).sum(axis=1))

    def _dealt(self, stats: MixedStatistics) -> Array:
        """Rows of each part, (K, n)."""
        return np.stack([self.family.counts(own) for own in stats.parts])

    def start(self, X: AnyArray, resp: Array, params: MixedParams, prior: Any) -> MixedParams:
        """Each component's rows in clusters, which have the responsibilities of its parts."""
        parts, shares = [], np.empty((resp.shape[1], self.n))
        frame = np.ascontiguousarray(self.family.frame(X))
        for k, (r, part) in enumerate(zip(resp.T, params.parts, strict=True)):
            own = split(frame, r, self.n)
            shares[k] = own.sum(axis=0) / max(own.sum(), np.finfo(float).tiny)
            begun = self.family.start(X, own, part, prior.own)
            if begun is None:
                stats = self.family.statistics(X, own, part)
                begun = self.family.maximize(stats, part, prior.own)
            parts.append(begun)
        shares[shares.sum(axis=1) == 0] = 1.0 / self.n
        return MixedParams(shares, tuple(parts))

    def maximize(self, stats: MixedStatistics, params: MixedParams, prior: Any) -> MixedParams:
        counts = self._dealt(stats) + prior.share_rows
        total = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, total, out=np.array(params.shares), where=total > 0)
        each = zip(stats.parts, params.parts, strict=True)
        return MixedParams(
            shares, tuple(maximized(self.family, own, part, prior.own) for own, part in each)
        )

    @property
    def scored(self) -> bool:
        return self.family.scored

    def score(self, stats: MixedStatistics, params: MixedParams) -> dict[str, Array]:
        counts, shares = self._dealt(stats), params.shares
        slope = np.divide(counts, shares, out=np.zeros_like(counts), where=shares > 0)
        each = zip(stats.parts, params.parts, strict=True)
        return {"shares": slope, **stacked([self.family.score(own, part) for own, part in each])}

    def obstacle(self, prior: Any) -> str:
        return self.family.obstacle(prior.own)

    def chart(self, params: MixedParams, weights: Array) -> MixedChart:
        told = np.maximum(weights, LEAST_SHARE)[:, None]
        arrays = {"shares": params.shares}
        fields = fields_around({"shares": Simplex()}, arrays, {"shares": told})
        rows = told * params.shares
        each = zip(params.parts, rows, strict=True)
        parts = tuple(self.family.chart(part, own) for part, own in each)
        return MixedChart(fields, parts, self._dealt)

    def n_parameters(self, params: MixedParams) -> int:
        return Simplex().size(params.shares.shape) + sum(
            self.family.n_parameters(part) for part in params.parts
        )

    def refuse_inadmissible(self, params: MixedParams) -> None:
        for part in params.parts:
            self.family.refuse_inadmissible(part)

    def rounding(self, params: MixedParams) -> float:
        return max(self.family.rounding(part) for part in params.parts)

    def coarseness(self, params: MixedParams) -> float:
        return max(self.family.coarseness(part) for part in params.parts)

    def transported(
        self, stats: MixedStatistics, before: MixedParams, after: MixedParams
    ) -> MixedStatistics:
        each = zip(stats.parts, before.parts, after.parts, strict=True)
        return MixedStatistics(tuple(self.family.transported(s, b, a) for s, b, a in each))

    def ordered(self, params: MixedParams) -> MixedParams:
        """Parts by their mean in the first column, equal ones by the next; else as they are."""
        try:
            keys = [self.family.means(part) for part in params.parts]
        except NotImplementedError:
            return params
        two, three = (self.family.shapes(n, keys[0].shape[1]) for n in (2, 3))
        shares, parts = [], []
        for key, c, part in zip(keys, params.shares, params.parts, strict=True):
            order = np.lexsort(key.T[::-1])
            # What parts share has one shape however many there are.
            own = part.arrays().items()
            moved = {name: a[order] if two[name] != three[name] else a for name, a in own}
            shares.append(c[order])
            parts.append(self.family.params(moved))
        return MixedParams(np.stack(shares), tuple(parts))

    def means(self, params: MixedParams) -> Array:
        own = np.stack([self.family.means(part) for part in params.parts])
        return np.asarray(np.einsum("km,kmd->kd", params.shares, own))

    def variances(self, params: MixedParams) -> Array:
        """Within parts and between their means."""
        within = np.stack([self.family.variances(part) for part in params.parts])
        apart = np.stack([self.family.means(part) for part in params.parts])
        apart = apart - self.means(params)[:, None]
        return np.asarray(np.einsum("km,kmd->kd", params.shares, within + apart**2))

    def log_sides(self, X: AnyArray, params: MixedParams) -> tuple[Array, Array]:
        if not isinstance(self.family, Tailed):
            raise ValueError(
                f"family {self.family.name!r} does not tell its distribution function: use another"
            )
        with np.errstate(divide="ignore"):
            logs = np.log(params.shares)
        each = [self.family.log_sides(X, part) for part in params.parts]
        below, above = (
            np.stack([logsumexp(own[i] + c, axis=1) for own, c in zip(each, logs, strict=True)], 1)
            for i in (0, 1)
        )
        return below, above

    def portrait(self, params: MixedParams, weights: Array, names: Sequence[str]) -> Portrait:
        found = super().portrait(params, weights, names)
        words = f"each group is a mixture itself, of {self.n} parts of family {self.family.name}"
        return replace(found, name=self.name, words=words)

    def sample(self, labels: AnyArray, params: MixedParams, rng: RandomNumbers) -> Array:
        return self._drawn(labels, params, rng, None)

    def sample_given(
        self, X: AnyArray, labels: AnyArray, params: MixedParams, rng: RandomNumbers
    ) -> Array:
        return self._drawn(labels, params, rng, X)

    def _drawn(
        self, labels: AnyArray, params: MixedParams, rng: RandomNumbers, given: AnyArray | None
    ) -> Array:
        found: Array | None = None
        for k, part in enumerate(params.parts):
            own = np.flatnonzero(labels == k)
            upto = np.cumsum(params.shares[k])
            which = np.searchsorted(upto, rng.uniform(size=len(own)) * upto[-1], side="right")
            if given is None:
                rows = self.family.sample(which, part, rng)
            else:
                rows = self.family.sample_given(given[own], which, part, rng)
            found = np.empty((len(labels), rows.shape[1])) if found is None else found
            found[own] = rows
        assert found is not None
        return found
