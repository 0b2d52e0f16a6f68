"""Which starts enter a race: more where one says little of the others, few where moves say more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from mixtura.data.known_rows import KnownRows
from mixtura.fitting.columns import BY_COLUMN
from mixtura.fitting.crowds import CROWDS
from mixtura.fitting.exchange import EXCHANGE, MOST, exchange_work
from mixtura.fitting.known import BY_LABELS
from mixtura.fitting.seeding import clusters_work, seeds_work
from mixtura.fitting.spheres import spheres_work
from mixtura.fitting.starts import StartMaker

# How each start is made and in which frame. The first is scikit-learn's default start.
RACE: tuple[tuple[str, int], ...] = (
    ("kmeans", 0),
    ("kmeans", 1),
    ("k-means++", 0),
    ("k-means++", 1),
    ("k-means++", 0),
    ("k-means++", 1),
    ("random_from_data", 0),
    ("random_from_data", 1),
)
# Only the first four where components are many: moves lead further than other starts do.
MANY = 8
# More where rows are fewer than parameters: EM then parts them for good after a step or two, so
# only other starts lead elsewhere. Where components have shapes of their own these are groups by
# exchange, as many as take at most half of what is allowed.
WIDE: tuple[tuple[str, int], ...] = (*RACE, *(("kmeans", 0),) * 6, *(("kmeans", 1),) * 2)
EXCHANGED = (EXCHANGE, 0)
# Where rows are not so many times the parameters two begin as round groups.
HARDLY = 3
ROUND: tuple[tuple[str, int], ...] = (("spheres", 0), ("spheres", 1))
# Multiplications of making a start of so many rows, columns and components.
PRICES: Mapping[str, Callable[[int, int, int], float]] = {
    "kmeans": clusters_work,
    "k-means++": seeds_work,
    "spheres": spheres_work,
    EXCHANGE: exchange_work,
}


@dataclass(frozen=True)
class Entrants:
    """Those of one race, which may take so many multiplications in all."""

    maker: StartMaker
    allowed: float

    @cached_property
    def starts(self) -> tuple[tuple[str, int], ...]:
        """(name, frame) of each."""
        if self.known:
            return ((BY_LABELS, 0), (BY_LABELS, 1), *RACE[:6])
        if self.wide:
            return (*RACE, *(EXCHANGED,) * self._exchanged) if self._exchanged else WIDE
        if self.maker.given:
            return RACE
        field = RACE[:4] if self._K >= MANY else RACE
        if self.maker.far_rows and self.maker.anchors is None:
            half = len(field) // 2  # the others are made without rows far out
            field = (*field[:half], *((CROWDS, i % 2) for i in range(half)))
        if self._parameters * HARDLY > self.maker.rows.n:
            field = (*field, *ROUND)
        return field if self.maker.parted is None else (*field, (BY_COLUMN, 0))

    @property
    def known(self) -> bool:
        """Whether the components of some rows are known."""
        return isinstance(self.maker.rows, KnownRows)

    @cached_property
    def wide(self) -> bool:
        """Whether rows are fewer than parameters: there are many optima, so two starts that agree
        say little."""
        return self._parameters > self.maker.rows.n

    def work(self, name: str) -> float:
        """Multiplications of making a start, beyond those of a pass or two."""
        price = PRICES.get(name)
        return 0.0 if price is None else price(self.maker.rows.n, self.maker.rows.d, self._K)

    @property
    def _K(self) -> int:
        return len(self.maker.base.weights)

    @cached_property
    def _parameters(self) -> int:
        return self.maker.model.n_parameters(self.maker.base)

    @property
    def _exchanged(self) -> int:
        """How many starts by exchange are made."""
        d = self.maker.rows.d
        shaped = self._parameters >= self._K * d * (d + 3) // 2
        return min(MOST, int(0.5 * self.allowed / self.work(EXCHANGED[0]))) if shaped else 0
