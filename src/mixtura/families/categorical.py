"""The categorical family: columns of categories, independent within a component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled
from mixtura.families.domain import refuse_outside
from mixtura.families.gaps import shares
from mixtura.records import AnyArray, Array, Params, RandomNumbers, Statistics
from mixtura.supports import TINY, Simplex, Support

# Rows that are looked at together when levels are counted.
_PIECE = 1 << 14


@dataclass(frozen=True)
class CategoricalParams(Params):
    """probabilities (K, levels of all columns side by side)."""

    probabilities: Annotated[Array, Simplex()]


@dataclass(frozen=True)
class CategoricalStatistics(Statistics):
    """counts (K,) of rows; hits (K, levels of all columns side by side) of each level."""

    counts: Array
    hits: Array


@dataclass(frozen=True)
class Categorical(Family):
    """log p(x | k) = sum_j log probability_k[j, x_j], x_j = 0, 1, ..., levels_j - 1

    levels         categories of each column, by default one more than the largest code met
    probabilities  (K, sum of levels)  a simplex for each column, side by side
    statistics     counts (K,), hits (K, sum of levels)
    M-step         probability = hits / hits in that column
    A category that a component never met has probability 0 there (but for rounding's sake).
    Reference: Lazarsfeld & Henry (1968), Latent Structure Analysis.
    """

    levels: tuple[int, ...] = ()
    record: ClassVar[type[Params]] = CategoricalParams
    allows_gaps: ClassVar[bool] = True

    def supports(self) -> dict[str, Support]:
        return {"probabilities": Simplex(self.levels)}

    @property
    def starts(self) -> AnyArray:
        """Where each column's levels begin."""
        return np.cumsum((0, *self.levels))[:-1]

    def settled(self, survey: Survey, K: int) -> Settled:
        levels = self.levels
        if not levels:
            most = np.zeros(survey.source.d)
            for chunk in survey.source.chunks(_PIECE):
                most = np.fmax(most, np.fmax.reduce(chunk.X, axis=0))
            levels = tuple(int(top) + 1 for top in most)
        return Family.settled(replace(self, levels=levels), survey, K)

    def _codes(self, X: AnyArray) -> tuple[AnyArray, AnyArray]:
        """(where each cell's level stands (n, d), whether the cell is there (n, d))."""
        seen = ~np.isnan(X)
        return np.where(seen, X, 0.0).astype(np.intp) + self.starts, seen

    def log_density(self, X: AnyArray, params: CategoricalParams) -> Array:
        codes, seen = self._codes(X)
        logs = np.log(np.maximum(params.probabilities, TINY)).T
        out = np.zeros((len(X), logs.shape[1]))
        for j in range(codes.shape[1]):
            part = logs[codes[:, j]]
            out += part if seen[:, j].all() else np.where(seen[:, j, None], part, 0.0)
        return out

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> CategoricalStatistics:
        codes, seen = self._codes(X)
        total, K = sum(self.levels), resp.shape[1]
        hits = np.zeros((K, total))
        for k in range(K):
            weights = np.where(seen, resp[:, k, None], 0.0)
            hits[k] = np.bincount(codes.ravel(), weights.ravel(), minlength=total)
        return CategoricalStatistics(resp.sum(axis=0), hits)

    def maximize(self, stats: CategoricalStatistics, params: Any, prior: Any) -> CategoricalParams:
        support = Simplex(self.levels)
        total = support.spread(support.sums(stats.hits), stats.hits.shape[1])
        even = support.spread(1.0 / np.array(self.levels), stats.hits.shape[1])
        before = even if params is None else params.probabilities
        return CategoricalParams(shares(stats.hits, total, before))

    def score(self, stats: CategoricalStatistics, params: CategoricalParams) -> dict[str, Array]:
        return {"probabilities": stats.hits / np.maximum(params.probabilities, TINY)}

    def sample(self, labels: AnyArray, params: CategoricalParams, rng: RandomNumbers) -> Array:
        out = np.empty((len(labels), len(self.levels)))
        for j, (start, size) in enumerate(zip(self.starts, self.levels, strict=True)):
            edges = np.cumsum(params.probabilities[:, start : start + size - 1], axis=1)
            out[:, j] = (rng.uniform(size=(len(labels), 1)) >= edges[labels]).sum(axis=1)
        return out

    def frame(self, X: AnyArray) -> Array:
        """One number per level, 1 where it is met; gaps 0 in all levels of their column."""
        codes, seen = self._codes(X)
        out = np.zeros((len(X), sum(self.levels)))
        rows, columns = np.nonzero(seen)
        out[rows, codes[rows, columns]] = 1.0
        return out

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        with np.errstate(invalid="ignore"):
            most = np.array(self.levels or (np.inf,) * X.shape[1])
            inside = (X >= 0) & (np.floor(X) == X) & (most > X)
        refuse_outside(X, names, inside, "categorical", "the codes 0, 1, ... of categories")
