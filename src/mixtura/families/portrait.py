"""What reports and figures show of K components: words, the cells of a table, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import xlogy

from mixtura.families.digits import percent, spread_cells
from mixtura.records import AnyArray, Array

# How the cells of a column are drawn: a density over numbers; counts 0, 1, ...; levels of a
# category; one share (of ones, of a total); angles.
Kind = Literal["density", "counts", "levels", "share", "circle"]
# Those with a density, not a probability, of each cell.
DENSITIES: frozenset[Kind] = frozenset({"density", "circle"})
# Values of a column (m,) to densities or probabilities within each component, (m, K).
Curve = Callable[[Array], Array]

# A variance below this share of the column's counts as this share when columns are ranked, so
# that one collapsed component does not decide which columns are shown.
NARROWEST_SHARE = 1e-6
SPREAD = "Mean ± standard deviation within each group."
# Points about the circle at which densities are summed.
AROUND = 720


@dataclass(frozen=True)
class Column:
    """One column within each of K components.

    cells   what the report's table says of each component, and caption what that is
    header  a line below the column's name there, such as "×1e6"; empty for none
    curve   densities or probabilities; None where the family cannot tell those of one column
    means   (K,), and sds (K,) beside them; None where they mean nothing
    levels  what the codes 0, 1, ... are called, where it has levels
    ends    between which values cells lie
    whole   the columns of whose sum it is a share; none for the share of ones
    """

    name: str
    kind: Kind
    cells: tuple[str, ...]
    caption: str = SPREAD
    header: str = ""
    curve: Curve | None = None
    means: Array | None = None
    sds: Array | None = None
    levels: tuple[str, ...] = ()
    ends: tuple[float, float] = (-np.inf, np.inf)
    whole: tuple[int, ...] = ()


@dataclass(frozen=True)
class Lines:
    """What components expect of one column over another, the rest of a row being at its mean.

    over, of  the two columns; curve takes values of the first (m,) to (m, K) of the second
    whole     the column of totals of which `of` is a part: then shares are drawn
    """

    over: int
    of: int
    curve: Curve
    whole: int | None = None


@dataclass(frozen=True)
class Portrait:
    """What is to be seen of K components over d columns.

    name       what the family is called, and in words what its components are
    label      what those words are about
    tells      (d,) how much knowing the component tells about each column, in nats at most, free
               of units; 0 is nothing
    column     the column of that number; made when asked for, of many columns few are
    means      (K, d), and variances (K, d) beside them; None where a column has none
    among      the covariances (K, m, m) of any m columns, for ellipses of pairs of columns; None
               where components are no ellipses
    simpler    what would be a simpler family, where there is one: "a simpler covariance"
    collapse   onto what a component may collapse, and what of it is then small
    lone       what is to be said of columns that collapse by themselves, "{columns}" among it
    excess     what is to be said where a table like this cannot determine it; empty where it can
    one_covariance, correlates   as of the family
    tails      (K,) degrees of freedom of ellipses that are those of t densities; None: normal ones
    lines      of regressions: what is expected over the main covariate
    marked     what rows are that figures mark as of no component
    good_alone whether spreads and ellipses are those of a component's good rows
    """

    name: str
    words: str
    tells: Array
    column: Callable[[int], Column]
    label: str = "family"
    means: Array | None = None
    variances: Array | None = None
    among: Callable[[AnyArray], Array] | None = None
    simpler: str = ""
    collapse: tuple[str, str] = ("a point", "spread")
    lone: str = ""
    excess: str = ""
    one_covariance: bool = False
    correlates: bool = False
    tails: Array | None = None
    lines: Lines | None = None
    marked: str = "left out"
    good_alone: bool = False

    def radius(self, k: int, coverage: float) -> float:
        """Of the ellipse that holds so much of component k in two columns, in deviations."""
        near = np.log1p(-coverage)
        if self.tails is None:
            return float(np.sqrt(-2.0 * near))
        nu = self.tails[k]
        return float(np.sqrt(nu * np.expm1(-2.0 / nu * near)))

    @property
    def columns(self) -> tuple[Column, ...]:
        """All of them, in the table's order."""
        return tuple(map(self.column, range(len(self.tells))))


def separation(weights: Array, means: Array, variances: Array) -> Array:
    """How much knowing the component tells about each column, (d,), free of units; 0 is nothing.

    weights (K,), means and variances (K, d). Half the log-ratio of the column's variance to the
    weighted geometric mean of the variances within components: the mean Kullback-Leibler divergence
    of a Gaussian component from the one Gaussian with the mixture's mean and variance. It grows
    with shifts and with differences in spread.
    """
    centre = weights @ means
    variance = weights @ (variances + (means - centre) ** 2)
    safe = np.where(variance > 0, variance, 1.0)
    share = np.maximum(variances / safe, NARROWEST_SHARE)
    return np.asarray(np.where(variance > 0, -0.5 * weights @ np.log(share), 0.0))


def told(weights: Array, probabilities: Array) -> Array:
    """The mutual information of component and outcome in nats, from (K, ..., outcomes)."""
    mixed = np.tensordot(weights, probabilities, 1)
    within = np.tensordot(weights, xlogy(probabilities, probabilities).sum(axis=-1), 1)
    return np.asarray(np.maximum(within - xlogy(mixed, mixed).sum(axis=-1), 0.0))


def told_by_share(weights: Array, shares: Array) -> Array:
    """That of columns (d,) of two outcomes, from the shares (K, d) of one of them."""
    return told(weights, np.stack([shares, 1.0 - shares], axis=-1))


def told_by_angle(weights: Array, curve: Curve) -> float:
    """That of an angle, from its densities."""
    turn = np.linspace(-np.pi, np.pi, AROUND, endpoint=False)
    masses = curve(turn).T
    return float(told(weights, masses / masses.sum(axis=1, keepdims=True)))


def spread_column(
    name: str,
    kind: Kind,
    means: Array,
    sds: Array,
    curve: Curve | None,
    ends: tuple[float, float] = (-np.inf, np.inf),
) -> Column:
    """A column whose cells are "mean ± standard deviation"."""
    header, cells = spread_cells(means.tolist(), sds.tolist())
    return Column(name, kind, tuple(cells), SPREAD, header, curve, means, sds, ends=ends)


def share_portrait(
    name: str,
    words: str,
    caption: str,
    weights: Array,
    names: Sequence[str],
    shares: Array,
    whole: tuple[int, ...],
) -> Portrait:
    """That of components whose columns are shares (K, d): of ones, or of the columns `whole`."""

    def column(j: int) -> Column:
        own = shares[:, j]
        cells = tuple(percent(float(share)) for share in own)
        return Column(names[j], "share", cells, caption, means=own, whole=whole)

    return Portrait(name, words, told_by_share(weights, shares), column)


def normal_portrait(
    name: str,
    words: str,
    weights: Array,
    names: Sequence[str],
    means: Array,
    variances: Array,
    among: Callable[[AnyArray], Array],
    *,
    lone: str = "",
    one_covariance: bool = False,
    correlates: bool = False,
) -> Portrait:
    """That of normal components with these means and variances (K, d)."""

    def column(j: int) -> Column:
        mean, sd = means[:, j], np.sqrt(variances[:, j])

        def curve(x: Array) -> Array:
            width = np.maximum(sd, np.finfo(float).tiny)
            z = (x[:, None] - mean) / width
            return np.asarray(np.exp(-0.5 * z**2) / (width * np.sqrt(2 * np.pi)))

        return spread_column(names[j], "density", mean, sd, curve)

    return Portrait(
        name,
        words,
        separation(weights, means, variances),
        column,
        label="covariance",
        means=means,
        variances=variances,
        among=among,
        simpler="a simpler covariance",
        collapse=("a point or a plane", "variance"),
        lone=lone,
        one_covariance=one_covariance,
        correlates=correlates,
    )
