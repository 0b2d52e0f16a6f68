"""Structures by numbers of components, a fit in every cell, and no larger model below a smaller.

Every cell is searched from its own starts, and from its neighbours' optima: from the models nested
in it exactly (see `inference.nesting`), from those it is nested in by the M-step of their groups.
Three walks over the table: up from the smallest model, down from the largest, and up again, where
a cell that is below one nested in it takes that one over and climbs on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.threads import single_blas
from mixtura.errors import FAILURES
from mixtura.estimators.finding import prepare
from mixtura.estimators.ground import Ground
from mixtura.estimators.splitting import best_split
from mixtura.families.covariance import Structure, structure
from mixtura.families.prior import SPURIOUS_SPREAD
from mixtura.fit.search import Outcome, Search
from mixtura.fit.solvers import resolve_solver
from mixtura.inference.nesting import (
    doubled,
    embedded,
    freedom,
    neighbours,
    nested,
    responsibilities,
    without,
)
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array

# What counts as higher, in units of log-likelihood.
HIGHER = 1e-6


@dataclass(frozen=True)
class Cell:
    """The best mixture met of one structure and number of components.

    It is regular: no component is held up by the penalty. origin says where it came from; smallest
    is the least variance of a component in any direction, as a share of the table's, and rows the
    expected rows of the lightest one.
    """

    covariance_type: str
    n_components: int
    params: MixtureParams
    loglik: float
    n_parameters: int
    origin: str
    smallest: float
    rows: float

    def bic(self, weight: float) -> float:
        """2 log-likelihood - parameters ln(rows): larger is better, as in mclust."""
        return 2 * self.loglik - self.n_parameters * float(np.log(weight))


Key = tuple[str, int]


@dataclass
class CellTable:
    """The walks over the table; `cells` holds what was found.

    No mixture is taken with a component narrower than `least` in some direction, as a share of the
    table's variance there: with many components such ones are often on a few nearly equal rows.
    """

    rows: Rows
    names: Sequence[str]
    components: Sequence[int]
    seed: int = 0
    n_init: int = 1
    tol: float = 1e-7
    max_iter: int = 2000
    least: float = SPURIOUS_SPREAD
    told: Callable[[str], None] | None = None
    cells: dict[Key, Cell] = field(default_factory=dict)
    grounds: dict[Key, Ground] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.structures = sorted((structure(name) for name in self.names), key=freedom)
        self.pairs = neighbours(self.structures)

    def run(self) -> dict[Key, Cell]:
        """Three walks; ValueError where a structure does not fit the table."""
        with single_blas:
            for K, shape in self._order():
                self._own(shape, K)
                self._from_below(shape, K, always=True)
            for K, shape in reversed(self._order()):
                self._from_above(shape, K)
            for K, shape in self._order():
                self._from_below(shape, K, always=False)
        return self.cells

    def _order(self) -> list[tuple[int, Structure]]:
        return [(K, shape) for K in sorted(self.components) for shape in self.structures]

    def _ground(self, shape: Structure, K: int) -> Ground:
        key = (shape.name, K)
        if key not in self.grounds:
            rng = np.random.RandomState(self.seed)
            self.grounds[key] = prepare(self.rows, shape, K, rng)
        return self.grounds[key]

    def _search(self, shape: Structure, K: int) -> Search:
        ground = self._ground(shape, K)
        _, solver = resolve_solver("auto", ground.model)
        rng = np.random.RandomState(self.seed)
        return Search(
            ground.model, self.rows, ground.open_sweep, self.tol, self.max_iter, rng, solver
        )

    def _own(self, shape: Structure, K: int) -> None:
        try:
            maker = self._ground(shape, K).maker
            outcome = self._search(shape, K).from_starts(maker, "auto", self.n_init)
        except FAILURES:
            return
        self._offer(shape, K, outcome, "own starts")

    def _from_below(self, shape: Structure, K: int, always: bool) -> None:
        """From the models nested in this one; unless `always` only where they stand higher."""
        for small, large in self.pairs:
            if large is not shape or (small.name, K) not in self.cells:
                continue
            below = self.cells[small.name, K]
            if always or below.loglik > self._loglik(shape, K):
                start = embedded(below.params, small, large)
                self._climb(shape, K, start, small.name, below)
        fewer = self.cells.get((shape.name, K - 1))
        if fewer is None:
            return
        if always:
            self._split(shape, K, fewer)
        if fewer.loglik > self._loglik(shape, K):
            self._climb(shape, K, doubled(fewer.params, shape), f"{K - 1} components", fewer)

    def _from_above(self, shape: Structure, K: int) -> None:
        """From the models this one is nested in: the M-step of their groups."""
        model = self._ground(shape, K).model
        for small, large in self.pairs:
            if small is shape and (above := self.cells.get((large.name, K))) is not None:
                other = self._ground(large, K).model
                resp = responsibilities(other, self.rows, above.params)
                self._start(shape, K, resp, large.name)
        more = self.cells.get((shape.name, K + 1))
        if more is not None:
            joint = model.log_joint(self.rows.X, more.params)
            self._start(shape, K, without(joint, self.rows), f"{K + 1} components")

    def _split(self, shape: Structure, K: int, fewer: Cell) -> None:
        """From the best split of one component of the next smaller mixture."""
        smaller = self._ground(shape, K - 1).model
        best = best_split(self._ground(shape, K), self.rows, smaller, fewer.params, self.tol)
        if best is not None:
            self._climb(shape, K, best, "a split")

    def _m_step(self, shape: Structure, K: int, resp: Array) -> MixtureParams:
        ground = self._ground(shape, K)
        return ground.model.start(self.rows.X, self.rows.sample_weight, resp, ground.maker.base)

    def _start(self, shape: Structure, K: int, resp: Array, origin: str) -> None:
        try:
            start = self._m_step(shape, K, resp)
        except FAILURES:
            return
        self._climb(shape, K, start, origin)

    def _climb(
        self, shape: Structure, K: int, start: MixtureParams, origin: str, same: Cell | None = None
    ) -> None:
        """Climb from `start`, which is the cell `same` in other words where that is given."""
        search = self._search(shape, K)
        with suppress(*FAILURES):
            self._offer(shape, K, search.climb(start), origin)
        if same is not None and same.loglik > self._loglik(shape, K):
            # A larger model that has no better regular optimum is the smaller one.
            self._take(shape, K, start, same.loglik, f"{origin} as it is")

    def _offer(self, shape: Structure, K: int, outcome: Outcome, origin: str) -> None:
        if not outcome.penalised and not outcome.floored:
            climb = outcome.climb
            self._take(shape, K, climb.params, climb.summary.loglik, origin)

    def _take(
        self, shape: Structure, K: int, params: MixtureParams, loglik: float, origin: str
    ) -> None:
        if loglik <= self._loglik(shape, K) + HIGHER:
            return
        model = self._ground(shape, K).model
        smallest = self._smallest(shape, K, params)
        if smallest < self.least:
            return
        self.cells[shape.name, K] = Cell(
            shape.name,
            K,
            params,
            loglik,
            model.n_parameters(params),
            origin,
            smallest,
            float(params.weights.min() * self.rows.weight),
        )
        if self.told is not None:
            self.told(f"{shape.name} {K}: {loglik:.3f} from {origin}")

    def _smallest(self, shape: Structure, K: int, params: MixtureParams) -> float:
        """The least variance in any direction, measured alike for all forms of storage."""
        reference = self._ground(shape, K).model.prior.reference
        means = params.components.means
        dense = shape.form.dense(params.components.covariances, *means.shape)
        whiten = np.linalg.inv(np.linalg.cholesky(reference))
        return float(np.linalg.eigvalsh(whiten @ dense @ whiten.T).min())

    def _loglik(self, shape: Structure, K: int) -> float:
        cell = self.cells.get((shape.name, K))
        return -np.inf if cell is None else cell.loglik


def violations(cells: dict[Key, Cell], slack: float = 2 * HIGHER) -> list[tuple[Cell, Cell]]:
    """(smaller, larger) wherever a model is below one nested in it by more than `slack`."""
    return [
        (one, other)
        for one in cells.values()
        for other in cells.values()
        if _smaller(one, other) and other.loglik < one.loglik - slack
    ]


def _smaller(one: Cell, other: Cell) -> bool:
    shapes = structure(one.covariance_type), structure(other.covariance_type)
    if shapes[0] is shapes[1]:
        return one.n_components < other.n_components
    return one.n_components <= other.n_components and nested(*shapes)
