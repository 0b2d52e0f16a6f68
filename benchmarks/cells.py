"""Structures by numbers of components, a fit in every cell, and no larger model below a smaller.

Every cell is searched from starts that all structures share (see `shared_starts`), from the best
split of its structure's mixture with one component less, and from its neighbours' optima: from the
models nested in it exactly (see `inference.nesting`), from those it is nested in by the M-step of
their groups. Climbs run inside C (see `engines.gaussian.whole`).
Three walks over the table: up from the smallest model, down from the largest, and up again, where
a cell that is below one nested in it takes that one over and climbs on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mixtura.data.rows import Rows
from mixtura.engines.gaussian.whole import Climber, End, narrow
from mixtura.engines.threads import single_blas
from mixtura.families.collapse import SPURIOUS_SPREAD
from mixtura.families.gaussian.covariance import STRUCTURES, Structure, structure
from mixtura.families.gaussian.prior import table_prior
from mixtura.families.registry import family
from mixtura.fitting.mixture_fit import prepare, surveyed
from mixtura.fitting.prepared import Ground
from mixtura.fitting.sample import sample_size
from mixtura.inference.nesting import (
    doubled,
    embedded,
    freedom,
    losses,
    neighbours,
    nested,
    reduced,
    responsibilities,
    without,
)
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array
from mixtura.selection.shared_starts import shared_starts

# What counts as higher, in units of log-likelihood.
HIGHER = 1e-6
# Components taken out by turns, and the gain for which the turns begin anew.
SWAPPED, WORTH = 3, 1e-2


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
    n_init: int = 16
    tol: float = 1e-7
    max_iter: int = 2000
    least: float = SPURIOUS_SPREAD
    told: Callable[[str], None] | None = None
    cells: dict[Key, Cell] = field(default_factory=dict)
    grounds: dict[str, Ground] = field(default_factory=dict)
    climbers: dict[str, Climber] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.RandomState(self.seed)
        self.known = surveyed(self.rows, max(self.components), rng)
        # The same rows once each, where the sample is the whole table.
        self.few = self.known.sample
        whole = self.rows.positive <= sample_size(self.rows.d, max(self.components))
        self.all = self.few if whole else self.rows
        self.starts = shared_starts(self.known, self.components, self.n_init, rng)
        self.structures = sorted((structure(name) for name in self.names), key=freedom)
        self.pairs = neighbours(self.structures)

    def run(self) -> dict[Key, Cell]:
        """Three walks; ValueError where a structure does not fit the table."""
        with single_blas:
            for K, shape in self._order():
                self._own(shape, K)
                self._from_below(shape, K, always=True)
                self._swap(shape, K)
            for K, shape in reversed(self._order()):
                self._from_above(shape, K)
            for K, shape in self._order():
                self._from_below(shape, K, always=False)
                self._swap(shape, K)
        return self.cells

    def _order(self) -> list[tuple[int, Structure]]:
        return [(K, shape) for K in sorted(self.components) for shape in self.structures]

    def _ground(self, shape: Structure) -> Ground:
        if shape.name not in self.grounds:
            rng = np.random.RandomState(self.seed)
            self.grounds[shape.name] = prepare(
                self.rows, family(shape.name), 1, rng, known=self.known
            )
        return self.grounds[shape.name]

    def _climber(self, shape: Structure) -> Climber:
        if shape.name not in self.climbers:
            ground = self._ground(shape)
            units, model = ground.maker.base.components, ground.model.unpenalised()
            self.climbers[shape.name] = Climber(model, units, self.tol, self.max_iter)
        return self.climbers[shape.name]

    def _own(self, shape: Structure, K: int) -> None:
        """From the starts that all structures share, and from the best split."""
        names, starts = self.starts[K]
        climber = self._climber(shape)
        for name, resp in zip(names, starts, strict=True):
            self._offer(shape, K, self._further(climber, climber.from_groups(self.few, resp)), name)
        fewer = self.cells.get((shape.name, K - 1))
        if fewer is not None:
            end, _ = climber.contest(self.few, starts[:0], fewer.params)
            self._offer(shape, K, self._further(climber, end), "a split")

    def _swap(self, shape: Structure, K: int) -> None:
        """Components that cost least are taken out by turns and others split, while that gains."""
        climber = self._climber(shape)
        while K > 2 and (cell := self.cells.get((shape.name, K))) is not None:
            resp = responsibilities(self._model(shape), self.few, cell.params)
            for k in np.argsort(losses(resp, self.few))[:SWAPPED]:
                fewer = reduced(cell.params, shape, int(k))
                end, _ = climber.contest(self.few, self.starts[K][1][:0], fewer)
                self._offer(shape, K, self._further(climber, end), "a swap")
            if self.cells[shape.name, K].loglik <= cell.loglik + WORTH:
                break

    def _further(self, climber: Climber, end: End | None) -> End | None:
        """From the sample's optimum to that of all rows, where the sample is not all."""
        if end is None or self.all is self.few:
            return end
        return climber.from_params(self.all, end.params)

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
        if fewer.loglik > self._loglik(shape, K):
            self._climb(shape, K, doubled(fewer.params, shape), f"{K - 1} components", fewer)

    def _from_above(self, shape: Structure, K: int) -> None:
        """From the models this one is nested in: the M-step of their groups."""
        for small, large in self.pairs:
            if small is shape and (above := self.cells.get((large.name, K))) is not None:
                resp = responsibilities(self._model(large), self.all, above.params)
                self._start(shape, K, resp, large.name)
        more = self.cells.get((shape.name, K + 1))
        if more is not None:
            joint = self._model(shape).log_joint(self.all.X, more.params)
            self._start(shape, K, without(joint, self.all), f"{K + 1} components")

    def _model(self, shape: Structure) -> Mixture:
        return self._ground(shape).model

    def _start(self, shape: Structure, K: int, resp: Array, origin: str) -> None:
        end = self._climber(shape).from_groups(self.all, np.ascontiguousarray(resp))
        self._offer(shape, K, end, origin)

    def _climb(
        self, shape: Structure, K: int, start: MixtureParams, origin: str, same: Cell | None = None
    ) -> None:
        """Climb from `start`, which is the cell `same` in other words where that is given."""
        self._offer(shape, K, self._climber(shape).from_params(self.all, start), origin)
        if same is not None and same.loglik > self._loglik(shape, K):
            # A larger model that has no better regular optimum is the smaller one.
            self._take(shape, K, start, same.loglik, f"{origin} as it is")

    def _offer(self, shape: Structure, K: int, end: End | None, origin: str) -> None:
        if end is None or end.loglik <= self._loglik(shape, K) + HIGHER:
            return
        if not narrow(self.all, self._model(shape), end.params):
            self._take(shape, K, end.params, end.loglik, origin)

    def _take(
        self, shape: Structure, K: int, params: MixtureParams, loglik: float, origin: str
    ) -> None:
        if loglik <= self._loglik(shape, K) + HIGHER:
            return
        model = self._model(shape)
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
        reference = table_prior(STRUCTURES["full"].form, self.known.moments).reference
        assert reference is not None
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
