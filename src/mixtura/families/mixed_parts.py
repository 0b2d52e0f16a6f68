"""What mixtures as components are made of: their records, looks, priors and charts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from mixtura.coordinates import Fields
from mixtura.families.base import Look
from mixtura.families.priors import Prior
from mixtura.records import Array, Equation, Params, Spike, Statistics
from mixtura.supports import TINY

# The part of each row that the clusters of a start share out evenly: none of them is certain.
_SOFT = 0.1
# How far the free numbers of shares may go from the centre.
_RADIUS = 30.0


def stacked(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Arrays by name, those of all components one after the other on a new first axis."""
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


def split(frame: Array, weight: Array, n: int) -> Array:
    """Responsibilities (rows, n) of the parts of one component, whose rows have these weights."""
    held = np.flatnonzero(weight > 0)
    found = np.full((len(weight), n), 1.0 / n)
    if n > 1 and len(held) >= n:
        with warnings.catch_warnings():
            # Of fewer distinct rows than parts: those without any keep their even share.
            warnings.simplefilter("ignore", ConvergenceWarning)
            clusters = KMeans(n, n_init=1, random_state=0)
            labels = clusters.fit_predict(frame[held], sample_weight=weight[held])
        found *= _SOFT
        found[held, labels] += 1.0 - _SOFT
    return found * weight[:, None]


@dataclass(frozen=True)
class MixedParams(Params):
    """shares (K, n) of the parts of each component; parts, the family's parameters for each."""

    shares: Array
    parts: tuple[Any, ...]

    def arrays(self) -> dict[str, Array]:
        return {"shares": self.shares, **stacked([part.arrays() for part in self.parts])}


@dataclass(frozen=True)
class MixedStatistics(Statistics):
    """The family's statistics of each component's parts."""

    parts: tuple[Any, ...]


@dataclass(frozen=True)
class MixedLook:
    """Each component's look at some rows, (n, parts)."""

    shares: Array
    looks: tuple[Look, ...]

    @cached_property
    def _joint(self) -> list[Array]:
        with np.errstate(divide="ignore"):
            logs = np.log(self.shares)
        return [look.log_density + own for look, own in zip(self.looks, logs, strict=True)]

    @cached_property
    def log_density(self) -> Array:
        """log p(x_i | k), (n, K)."""
        return np.stack([np.logaddexp.reduce(joint, axis=1) for joint in self._joint], axis=1)

    def statistics(self, resp: Array) -> MixedStatistics:
        """The sums at responsibilities (n, K), each dealt out to its component's parts."""
        found = []
        for k, look in enumerate(self.looks):
            found.append(look.statistics(resp[:, k : k + 1] * self.dealt(k)))
        return MixedStatistics(tuple(found))

    def dealt(self, k: int) -> Array:
        """P(part | row, component k), (n, parts)."""
        # A row that no part has a density for tells nothing of its part.
        top = self.log_density[:, k : k + 1]
        shared = np.exp(self._joint[k] - np.nan_to_num(top))
        return np.where(np.isfinite(top), shared, self.shares[k])


@dataclass(frozen=True)
class MixedPrior(Prior):
    """`own`, the prior of a mixture of the family, for each component's mixture.

    share_rows  (n,) of a Dirichlet law of each mixture's shares, less 1: rows of each part more
    """

    own: Any
    share_rows: Array | float = 0.0

    @property
    def count_scale(self) -> float:  # type: ignore[override]
        return float(self.own.count_scale)

    @property
    def held_columns(self) -> tuple[int, ...]:  # type: ignore[override]
        return tuple(self.own.held_columns)

    @property
    def equations(self) -> tuple[Equation, ...]:  # type: ignore[override]
        return tuple(self.own.equations)

    @property
    def asked(self) -> bool:  # type: ignore[override]
        return bool(self.own.asked) or bool(np.any(self.share_rows))

    @property
    def monotone(self) -> bool:
        return bool(self.own.monotone)

    @property
    def penalised(self) -> bool:
        return bool(self.own.penalised)

    def without_penalty(self) -> MixedPrior:
        return replace(self, own=self.own.without_penalty())

    def log_prior(self, params: MixedParams) -> float:
        of_parts = sum(float(self.own.log_prior(part)) for part in params.parts)
        # A start may have parts of no share, and a step from there has none.
        logs = np.log(np.maximum(params.shares, TINY))
        return of_parts + float((self.share_rows * logs).sum())

    def score(self, params: MixedParams) -> dict[str, Array]:
        of_parts = stacked([self.own.score(part) for part in params.parts])
        rows = np.broadcast_to(self.share_rows, params.shares.shape)
        more = np.divide(rows, params.shares, out=np.zeros(rows.shape), where=params.shares > 0)
        return {"shares": more, **of_parts}

    def obstacle(self) -> str:
        return str(self.own.obstacle())

    def refuse_collapse(self, params: MixedParams, counts: Array) -> None:
        for part, rows in zip(params.parts, counts[:, None] * params.shares, strict=True):
            self.own.refuse_collapse(part, rows)

    def narrow(self, params: MixedParams, counts: Array, stats: Any = None) -> list[Spike]:
        known = [None] * len(params.parts) if stats is None else stats.parts
        found = []
        for k, (part, own) in enumerate(zip(params.parts, known, strict=True)):
            spikes = self.own.narrow(part, counts[k] * params.shares[k], own)
            if spikes:
                # A component is named once, by its narrowest part.
                worst = min(spikes, key=lambda spike: spike.spread)
                found.append(replace(worst, component=k))
        return found

    def sobered(self, params: MixedParams, counts: Array, narrow: list[int]) -> MixedParams:
        parts = list(params.parts)
        for k in narrow:
            rows = counts[k] * params.shares[k]
            own = [spike.component for spike in self.own.narrow(parts[k], rows)]
            parts[k] = self.own.sobered(parts[k], rows, own)
        return replace(params, parts=tuple(parts))

    def smoothed(self, params: MixedParams) -> MixedParams:
        parts = tuple(self.own.smoothed(part) for part in params.parts)
        if all(one is other for one, other in zip(parts, params.parts, strict=True)):
            return params
        return replace(params, parts=parts)


@dataclass(frozen=True)
class MixedChart:
    """Free numbers of the shares, then those of each component's parts."""

    shares: Fields
    parts: tuple[Any, ...]
    dealt: Callable[[Any], Array]

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        return self.shares.size + sum(int(chart.size) for chart in self.parts)

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        wide = np.full(self.shares.size, _RADIUS)
        return np.concatenate([wide, *(chart.radius for chart in self.parts)])

    def params(self, free: Array) -> MixedParams:
        """The parameters at these coordinates."""
        shares = self.shares.arrays(free[: self.shares.size])["shares"]
        cuts = np.cumsum([self.shares.size, *(chart.size for chart in self.parts)])
        each = zip(self.parts, np.split(free, cuts[:-1])[1:], strict=True)
        return MixedParams(shares, tuple(chart.params(own) for chart, own in each))

    def coordinates(self, params: MixedParams) -> Array:
        """Where `params` lie."""
        each = zip(self.parts, params.parts, strict=True)
        own = self.shares.free({"shares": params.shares})
        return np.concatenate([own, *(chart.coordinates(part) for chart, part in each)])

    def gradient(self, stats: MixedStatistics, params: MixedParams, prior: Any) -> Array:
        """The gradient at `params` of the expected log-likelihood plus log-prior."""
        counts, shares = self.dealt(stats) + prior.share_rows, params.shares
        told = np.divide(counts, shares, out=np.zeros_like(counts), where=shares > 0)
        slope = self.shares.slope({"shares": shares}, {"shares": told})
        each = zip(self.parts, stats.parts, params.parts, strict=True)
        return np.concatenate(
            [slope, *(chart.gradient(own, part, prior.own) for chart, own, part in each)]
        )
