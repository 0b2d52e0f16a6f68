"""A family's law in one column: densities add up to 1, and draws have them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.families.base import Family
from mixtura.inference.one_column import OneColumn
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array
from mixtura.supports import TINY
from mixtura.testing.requiring import require

# How far a sum of probabilities may be from 1.
MASS = 1e-6
# A false alarm of the comparison of draws with the density: one in so many.
ALARM = 1e-6


@dataclass(frozen=True)
class Law:
    """One component of a family of one column, in which rows (n, 1) were seen."""

    family: Family
    params: object
    component: int
    seen: Array

    def log_density(self, x: float) -> float:
        """At one cell; -inf where there can be no such cell."""
        row, family = np.array([[x]]), self.family
        if family.column_kind == "circle" and abs(x) > np.pi:
            return -np.inf
        try:
            family.refuse(row, ["x"])
        except ValueError:
            return -np.inf
        try:
            with np.errstate(all="ignore"):
                found = float(family.log_density(row, self.params)[0, self.component])
        except (ArithmeticError, ValueError) as error:
            raise AssertionError(
                f"log_density: {type(error).__name__} at x = {x:g} ({error}): it is to work in "
                "logarithms, as scipy.special.gammaln does for factorials"
            ) from error
        require(
            not np.isnan(found),
            f"log_density: {family.name} is not a number at x = {x:g}: where there can be no such "
            "cell let `refuse(X, names)` say so, or `least = 0.0` where cells are above 0",
        )
        return found

    def density(self, x: float) -> float:
        """At one cell."""
        return float(np.exp(self.log_density(x)))

    @cached_property
    def values(self) -> AnyArray:
        """Whole numbers that it may take."""
        return np.arange(int(10 * float(np.max(np.abs(self.seen)))) + 1000)

    @cached_property
    def masses(self) -> Array:
        """Their probabilities, if there are no others."""
        return np.array([self.density(float(x)) for x in self.values])

    @cached_property
    def discrete(self) -> bool:
        """Whether it is of whole numbers; where nothing says so its densities do."""
        known = self._counts()
        return abs(self.masses.sum() - 1.0) <= MASS if known is None else known

    def _counts(self) -> bool | None:
        if self.family.column_kind in ("counts", "levels"):
            return True
        if not np.array_equal(self.seen, np.floor(self.seen)):
            return False
        try:
            self.family.refuse(self.seen[:1] + 0.5, ["x"])
        except ValueError:
            return True
        return None

    @cached_property
    def line(self) -> OneColumn:
        """Its density, where it is not discrete."""
        return OneColumn.of(self.log_density, self.seen[:, 0])

    @property
    def total(self) -> float:
        """What its probabilities add up to."""
        if self.discrete:
            return float(self.masses.sum())
        total = self.line.mass()
        if self._counts() is not None:
            return total
        # Neither is 1: the nearer says what is wrong.
        whole = float(self.masses.sum())
        return min(total, whole, key=lambda each: abs(np.log(max(each, TINY))))

    def up_to(self, point: float) -> float:
        """The probability of x <= point."""
        if self.discrete:
            return float(self.masses[: int(point) + 1].sum())
        return self.line.mass(point)

    def drawn(self, n: int, rng: np.random.Generator) -> Array | None:
        """n cells from the density alone; None where its tails hide too much."""
        x, p = (self.values, self.masses) if self.discrete else self.line.points()
        return rng.choice(x, p=p / p.sum(), size=n) if abs(p.sum() - 1.0) <= MASS else None


def seen(column: Array) -> Array:
    """The rows of one column (n, 1) in which it is there."""
    return column[~np.isnan(column[:, 0])]


def check_mass(model: Mixture, params: MixtureParams, rows: Array) -> Law:
    """The densities of one column add up to 1."""
    law = Law(model.family, params.components, 0, rows)
    require(
        abs(law.total - 1.0) <= MASS,
        f"log_density: the probabilities of {model.family.name} add up to {law.total:.8g}, not "
        "to 1",
    )
    return law


def check_cells(law: Law, rng: np.random.Generator) -> None:
    """As many draws lie below a few points as the density implies."""
    drawn = law.family.sample(np.zeros(40_000, dtype=np.int64), law.params, rng)[:, 0]
    # Kolmogorov's distance between draws and distribution function, at a few points.
    points = np.quantile(drawn, [0.1, 0.3, 0.5, 0.7, 0.9])
    # Hoeffding's bound on the distance.
    allowed = float(np.sqrt(np.log(2 * 5 / ALARM) / (2 * len(drawn))))
    for point in np.unique(points):
        share, right = float((drawn <= point).mean()), law.up_to(float(point))
        require(
            abs(share - right) <= allowed,
            f"sample: {share:.3f} of the draws are at most {point:g}, and by log_density "
            f"{right:.3f} should be",
        )


def drawn_from_density(
    model: Mixture, params: MixtureParams, rows: Array, n: int, rng: np.random.Generator
) -> tuple[Array, AnyArray] | None:
    """(rows (n, 1), labels) of a family of one column that draws none itself."""
    labels, X = rng.choice(len(params.weights), p=params.weights, size=n), np.empty((n, 1))
    for k in range(len(params.weights)):
        own = labels == k
        cells = Law(model.family, params.components, k, rows).drawn(int(own.sum()), rng)
        if cells is None:
            return None
        X[own, 0] = cells
    return X, labels
