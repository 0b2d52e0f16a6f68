"""The categorical family: columns of categories, independent within a component."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from scipy.sparse import csr_array

from mixtura.data.survey import Survey
from mixtura.families.base import Family, Settled, at_edge
from mixtura.families.believed import of_shares
from mixtura.families.digits import percent
from mixtura.families.domain import BadRow, refuse_outside
from mixtura.families.gaps import shares, totals
from mixtura.families.levels import hits, largest_codes, met, summed
from mixtura.families.portrait import Column, Portrait, told
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Categories, Params, RandomNumbers, Statistics
from mixtura.supports import TINY, Simplex, Support

# Numbers of more kinds are no codes: each is a parameter of every component.
MOST = 10_000
# Rows whose cells are looked at together.
_NEAR = 1 << 13


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
class CategoricalLook:
    """Which levels some rows have, and how many each has that the table never had."""

    met: csr_array
    new: AnyArray | None
    params: CategoricalParams

    @property
    def log_density(self) -> Array:
        """log p(x_i | k)."""
        found = summed(self.met, np.log(np.maximum(self.params.probabilities, TINY)))
        return found if self.new is None else found + self.new[:, None] * np.log(TINY)

    def statistics(self, resp: Array) -> CategoricalStatistics:
        """The sums at these responsibilities."""
        return CategoricalStatistics(totals(resp), hits(self.met, resp))


@dataclass(frozen=True)
class Categorical(Family):
    """log p(x | k) = sum_j log probability_k[j, x_j], x_j = 0, 1, ..., levels_j - 1

    levels         categories of each column, by default one more than the largest code met
    categories     what the codes of each column stand for, None where for themselves
    probabilities  (K, sum of levels)  a simplex for each column, side by side
    statistics     counts (K,), hits (K, sum of levels)
    M-step         probability = hits / hits in that column
    A category that a component never met has probability 0 there (but for rounding's sake). One
    that the whole table never had has it in all of them, so it tells nothing of the component.
    Reference: Lazarsfeld & Henry (1968), Latent Structure Analysis.
    """

    levels: tuple[int, ...] = ()
    categories: Categories = ()
    record = CategoricalParams
    conjugate = of_shares("hits")
    allows_gaps = True
    column_kind = "levels"
    soft_starts = True

    def __post_init__(self) -> None:
        many = [len(own or ()) for own in self.categories]
        short = len(many) != len(self.levels) or any(map(operator.gt, many, self.levels))
        if self.levels and many and short:
            raise ValueError(f"categories are {many} of each column, levels are {self.levels}")

    def for_table(
        self, names: Sequence[str], categories: Categories, X: AnyArray | None
    ) -> Categorical:
        for name, own in zip(names, categories, strict=False):
            if len(own or ()) > MOST:
                raise ValueError(
                    f"X: column {name!r} has {len(own or ()):,} different categories, and each is "
                    f"a parameter of every group: at most {MOST:,} are fitted, so leave it out"
                )
        levels = self.levels or (() if X is None else _levels(X, categories))
        return replace(self, categories=categories or self.categories, levels=levels)

    def supports(self) -> dict[str, Support]:
        return {"probabilities": Simplex(self.levels)}

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        return {"probabilities": (K, sum(self.levels))}

    def settled(self, survey: Survey, K: int) -> Settled:
        levels = self.levels or _room(largest_codes(survey), self.categories)
        return Family.settled(replace(self, levels=levels), survey, K)

    def _known(self, X: AnyArray) -> tuple[AnyArray, AnyArray | None]:
        """(rows with gaps where a level is new; in which row how many are, None for none)."""
        with np.errstate(invalid="ignore"):
            new = np.array(self.levels, dtype=np.float64) <= X
        if not new.any():
            return X, None
        return np.where(new, np.nan, X), new.sum(axis=1)

    def look(self, X: AnyArray, params: CategoricalParams) -> CategoricalLook:
        known, new = self._known(X)
        return CategoricalLook(met(known, self.levels), new, params)

    def log_density(self, X: AnyArray, params: CategoricalParams) -> Array:
        return self.look(X, params).log_density

    def statistics(self, X: AnyArray, resp: Array, params: Any) -> CategoricalStatistics:
        return self.look(X, params).statistics(resp)

    def maximize(
        self, stats: CategoricalStatistics, params: CategoricalParams | None, prior: Prior
    ) -> CategoricalParams:
        support = Simplex(self.levels)
        total = support.spread(support.sums(stats.hits), stats.hits.shape[1])
        even = support.spread(1.0 / np.array(self.levels), stats.hits.shape[1])
        before = even if params is None else params.probabilities
        return CategoricalParams(shares(stats.hits, total, before))

    def score(self, stats: CategoricalStatistics, params: CategoricalParams) -> dict[str, Array]:
        # A start may have 0 where rows are: the slope there is endless.
        with np.errstate(over="ignore"):
            return {"probabilities": stats.hits / np.maximum(params.probabilities, TINY)}

    def edge(self, params: CategoricalParams) -> str:
        # A category that the whole table never had says nothing of the point.
        had = (params.probabilities > 0).any(axis=0)
        at = int((had & self.supports()["probabilities"].at_edge(params.probabilities)).sum())
        return at_edge(at, "probabilities", "0")

    def portrait(self, params: CategoricalParams, weights: Array, names: Sequence[str]) -> Portrait:
        each = np.split(params.probabilities, np.cumsum(self.levels)[:-1], axis=1)

        def column(j: int) -> Column:
            own = (self.categories[j] or ()) if self.categories else ()
            levels = (*own, *map(str, range(len(own), self.levels[j])))
            most = each[j].argmax(axis=1)
            cells = tuple(
                f"{levels[best]} ({percent(float(of[best]))})"
                for of, best in zip(each[j], most, strict=True)
            )

            def curve(x: Array) -> Array:
                return np.asarray(each[j].T[x.astype(np.int64)])

            return Column(names[j], "levels", cells, caption, curve=curve, levels=levels)

        tells = np.array([told(weights, shares) for shares in each])
        words = "categories, independent within a group"
        caption = "Likeliest category of each group, and its share."
        return Portrait("Categorical", words, tells, column)

    def sample(self, labels: AnyArray, params: CategoricalParams, rng: RandomNumbers) -> Array:
        out = np.empty((len(labels), len(self.levels)))
        starts = np.cumsum((0, *self.levels))[:-1]
        for j, (start, size) in enumerate(zip(starts, self.levels, strict=True)):
            edges = np.cumsum(params.probabilities[:, start : start + size - 1], axis=1)
            out[:, j] = (rng.uniform(size=(len(labels), 1)) >= edges[labels]).sum(axis=1)
        return out

    def frame(self, X: AnyArray) -> Array:
        """One number per level, 1 where it is met; gaps 0 in all levels of their column."""
        return np.asarray(met(self._known(X)[0], self.levels).toarray())

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        most = np.array(self.levels or (MOST,) * X.shape[1])
        # Some rows at a time stay in the cache: of most tables nothing is told.
        parts = (X[i : i + _NEAR] for i in range(0, len(X), _NEAR))
        if all(_inside(part, most).all() for part in parts):
            return
        inside = _inside(X, most)
        if not self.levels:
            told = f"the codes 0, 1, ... of categories, at most {MOST:,} of them"
            refuse_outside(X, names, inside, "categorical", told)
        unmet = np.argwhere(~inside & ~np.isnan(X))
        if len(unmet):
            i, j = unmet[0]
            raise BadRow(
                f"column {names[j]!r} holds {X[i, j]:g}",
                int(i),
                f", and the categories that the fit has met are the codes 0 to {most[j] - 1}: "
                "leave the row out, or make it a missing value",
            )

    def n_parameters(self, params: CategoricalParams) -> int:
        """Categories that the whole table never had are none."""
        had = np.split((params.probabilities > 0).any(axis=0), np.cumsum(self.levels)[:-1])
        return len(params.probabilities) * sum(max(int(column.sum()) - 1, 0) for column in had)


def _inside(X: AnyArray, most: AnyArray) -> AnyArray:
    """Which cells are codes below `most` of their column."""
    with np.errstate(invalid="ignore"):
        return np.asarray((X >= 0) & (np.floor(X) == X) & (most > X))


def _room(largest: AnyArray, categories: Categories) -> tuple[int, ...]:
    """Levels for codes up to these, and for all categories: some had rows without weight only."""
    known = [len(own or ()) for own in categories] or [0] * len(largest)
    return tuple(max(int(most) + 1, many) for most, many in zip(largest, known, strict=True))


def _levels(X: AnyArray, categories: Categories) -> tuple[int, ...]:
    """One more than the largest code of each column; none where there are no codes."""
    with np.errstate(invalid="ignore"):
        codes = np.isnan(X) | ((X >= 0) & (np.floor(X) == X) & (X < MOST))
    if not codes.all():
        return ()
    return _room(np.fmax.reduce(X, axis=0, initial=0.0), categories)
