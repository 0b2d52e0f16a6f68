"""Tables on which it matters where a climb begins: each kind made from a few numbers and a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mixtura.records import Array

# Rows whose linear maps are written out at a time: those of a long table of 50 columns take 2 GB.
ROWS = 2_000


@dataclass(frozen=True)
class Cell:
    """A made-up table and the number of components asked of it.

    kind       a name in `KINDS`
    spread     standard deviation of the centres, in widths of a cloud
    """

    kind: str
    n: int
    d: int
    K: int
    spread: float = 3.0
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.kind} {self.n:,} x {self.d}, {self.K}"

    @property
    def work(self) -> int:
        """Multiplications of a pass, to sort cells by."""
        return self.n * self.K * self.d * (self.d + 1)

    def table(self) -> Array:
        return KINDS[self.kind](self, np.random.default_rng(self.seed))

    def fresh(self, rows: int) -> Array:
        """So many rows of the same mixture that are not in the table.

        A mixture is drawn before its rows, so that a longer table is one of the same mixture. Only
        the centre of what is heavy is that of its rows, and so moves by 0.1 or less.
        """
        return replace(self, n=self.n + rows).table()[self.n :]


def _drawn(cell: Cell, rng: np.random.Generator, weights: Array, shapes: Array) -> Array:
    """Rows of clouds with these weights (K,) and linear maps (K, d, d) of round ones."""
    centres = cell.spread * rng.normal(size=(cell.K, cell.d))
    labels = rng.choice(cell.K, size=cell.n, p=weights)
    noise = rng.normal(size=(cell.n, cell.d))
    for first in range(0, cell.n, ROWS):
        part = slice(first, first + ROWS)
        noise[part] = np.einsum("nij,nj->ni", shapes[labels[part]], noise[part])
    return np.asarray(centres[labels] + noise)


def _shapes(cell: Cell, rng: np.random.Generator, skew: float) -> Array:
    return np.eye(cell.d) + skew * rng.normal(size=(cell.K, cell.d, cell.d)) / cell.d**0.5


def _even(K: int) -> Array:
    return np.full(K, 1.0 / K)


def overlapping(cell: Cell, rng: np.random.Generator) -> Array:
    """Clouds of like shape and uneven weights."""
    return _drawn(cell, rng, rng.dirichlet(np.full(cell.K, 4.0)), _shapes(cell, rng, 0.3))


def unbalanced(cell: Cell, rng: np.random.Generator) -> Array:
    """The largest group holds a hundred times the rows of the smallest."""
    weights = np.geomspace(1.0, 0.01, cell.K)
    return _drawn(cell, rng, weights / weights.sum(), _shapes(cell, rng, 0.3))


def anisotropic(cell: Cell, rng: np.random.Generator) -> Array:
    """Long thin clouds, each in its own direction."""
    scales = np.where(np.arange(cell.d) == 0, 4.0, 0.5)
    turned = np.linalg.qr(rng.normal(size=(cell.K, cell.d, cell.d)))[0]
    return _drawn(cell, rng, _even(cell.K), turned * scales)


def heavy(cell: Cell, rng: np.random.Generator) -> Array:
    """Clouds with the tails of Student's t of three degrees of freedom."""
    X = _drawn(cell, rng, _even(cell.K), _shapes(cell, rng, 0.3))
    centre = X.mean(axis=0)
    tails = np.sqrt(3.0 / rng.chisquare(3, size=(cell.n, 1)))
    return np.asarray(centre + (X - centre) * tails)


def line(cell: Cell, rng: np.random.Generator) -> Array:
    """Clouds at equal distances along the first column."""
    places = np.zeros((cell.n, cell.d))
    places[:, 0] = cell.spread * rng.integers(cell.K, size=cell.n)
    return np.asarray(places + rng.normal(size=(cell.n, cell.d)))


def grid(cell: Cell, rng: np.random.Generator) -> Array:
    """Clouds on a square grid in the first two columns."""
    side = int(np.ceil(cell.K**0.5))
    labels = rng.integers(cell.K, size=cell.n)
    places = np.zeros((cell.n, cell.d))
    places[:, 0], places[:, 1] = cell.spread * (labels % side), cell.spread * (labels // side)
    return np.asarray(places + rng.normal(size=(cell.n, cell.d)))


def nested(cell: Cell, rng: np.random.Generator) -> Array:
    """Clouds around one centre, each three times as wide as the one inside."""
    labels = rng.integers(cell.K, size=cell.n)
    return np.asarray(3.0 ** labels[:, None] * rng.normal(size=(cell.n, cell.d)))


def planted(cell: Cell, rng: np.random.Generator) -> Array:
    """Four groups with 90, 5, 3 and 2 % of the rows."""
    weights = np.array([0.90, 0.05, 0.03, 0.02])
    return _drawn(cell, rng, weights, _shapes(cell, rng, 0.3))


def trap(cell: Cell, rng: np.random.Generator) -> Array:
    """Two near groups and a third far off, in one column (Jin et al. 2016)."""
    centres = np.array([-cell.spread, cell.spread, 10.0 * cell.spread])
    return np.asarray(centres[rng.integers(3, size=cell.n), None] + rng.normal(size=(cell.n, 1)))


KINDS: dict[str, Callable[[Cell, np.random.Generator], Array]] = {
    kind.__name__: kind
    for kind in (
        overlapping,
        unbalanced,
        anisotropic,
        heavy,
        line,
        grid,
        nested,
        planted,
        trap,
    )
}
