"""A mixture beside noise: rows that belong to no component are spread evenly over a volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mixtura.models.chart import MixtureChart, mixture_chart
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.ranges import Finite
from mixtura.records import AnyArray, Array, RandomNumbers, Statistics, Summary

# The label of a row that is noise.
NOISE = -1
# Said where cells are missing.
MARGINAL = (
    "noise: X has missing cells, and a volume that is given or lies along principal axes does not "
    "say how noise is spread over some of the columns: use the box of the columns (noise=True, "
    "--noise)"
)
# Less noise than this share of the rows is none.
LEAST_NOISE = 1e-6


@dataclass(frozen=True)
class Uniform:
    """Where noise lies: its density is 1/V at every row, also at new ones further out.

    log_volume    log V, V in the product of the columns' units
    lower, upper  the corners of a box, (d,), in the coordinates X @ axes; none where V was given
    axes          (d, d), a column for each axis; none where these are the table's columns
    whole         whether the box is all that there is, as with angles, whatever the rows
    """

    log_volume: Finite
    lower: tuple[Finite, ...] = ()
    upper: tuple[Finite, ...] = ()
    axes: tuple[tuple[Finite, ...], ...] = ()
    whole: bool = False

    @property
    def estimated(self) -> bool:
        """Whether the volume is the table's, and so counts as a parameter, as in mclust."""
        return bool(self.lower) and not self.whole

    def log_density(self, X: AnyArray) -> Array:
        """That of the cells that are there of each row of X (n, d), in the table's columns: (n,).

        Spread evenly over a box is spread evenly over any of its sides: 1 over their product.
        ValueError where cells are missing and V is not known column by column.
        """
        # A sum is NaN if one of its terms is, and takes no array of its own.
        if not np.isnan(X.sum()) or not np.isnan(X).any():
            return np.full(len(X), -self.log_volume)
        if self.axes or not self.lower:
            raise ValueError(MARGINAL)
        return np.asarray(~np.isnan(X) @ -np.log(np.subtract(self.upper, self.lower)))

    def fill(self, X: AnyArray, rows: AnyArray, rng: RandomNumbers | None) -> Array:
        """Rows of X with their missing cells in the middle of the box, or drawn from it."""
        middle = np.add(self.lower, self.upper) / 2
        drawn = middle if rng is None else self.draw(len(rows), rng)
        return np.where(np.isnan(X[rows]), drawn, X[rows])

    def draw(self, n: int, rng: RandomNumbers) -> Array:
        """n rows; ValueError where only the volume is known."""
        if not self.lower:
            raise ValueError(
                "noise is known by its volume, not by where it lies, so none can be drawn: fit "
                "with noise=True to draw from the box of the columns"
            )
        Z = rng.uniform(self.lower, self.upper, size=(n, len(self.lower)))
        return Z @ np.array(self.axes).T if self.axes else Z

    def stored(self) -> dict[str, Any]:
        """As plain values, for a model file."""
        return asdict(self)


@dataclass(frozen=True)
class NoiseStatistics(Statistics):
    """The family's sums, and noise (): the expected number of rows that are noise."""

    components: Any
    noise: Array


@dataclass(frozen=True)
class Noisy(Mixture):
    """p(x) = sum_k pi_k p(x | k) + pi_0 / V.

    uniform  what V is
    first    the share of noise that a climb begins with

    Weights (K + 1,) and responsibilities (n, K + 1) have the noise last. E-step and M-step are the
    mixture's: the noise is a component that has a weight and no parameters.
    Reference: Banfield & Raftery (1993), Biometrics 49; Fraley & Raftery (1998), Computer J. 41.
    """

    uniform: Uniform
    first: float = 0.05

    def densities(self, log_density: Array, X: AnyArray) -> Array:
        return np.column_stack([log_density, self.uniform.log_density(X)])

    def of_components(self, resp: Array) -> Array:
        return np.ascontiguousarray(resp[:, :-1])

    def shares(self, params: MixtureParams) -> Array:
        return params.weights[:-1]

    def own(self, summary: Summary) -> Any:
        # Of starts, which are made without noise, there are no others.
        stats = summary.statistics
        return stats.components if isinstance(stats, NoiseStatistics) else stats

    def counts(self, summary: Summary) -> Array:
        stats: Any = summary.statistics
        return np.append(self.family.counts(stats.components), stats.noise)

    def gathered(self, X: AnyArray, resp: Array, params: MixtureParams, own: Any) -> Any:
        return NoiseStatistics(own, np.asarray(resp[:, -1].sum()))

    def begun_at(self, params: MixtureParams) -> MixtureParams:
        params = super().begun_at(params)
        if len(params.weights) > len(next(iter(params.components.arrays().values()))):
            return params
        return replace(params, weights=np.append(params.weights * (1 - self.first), self.first))

    def first_step(
        self, X: AnyArray, sample_weight: Array | None, resp: Array, params: MixtureParams
    ) -> MixtureParams:
        plain = Mixture(self.family, self.prior)
        found = plain.first_step(X, sample_weight, self.of_components(resp), params)
        counts = resp.sum(axis=0) if sample_weight is None else sample_weight @ resp
        return replace(found, weights=counts / counts.sum())

    def edge(self, params: MixtureParams) -> str:
        none = "no row is noise" if params.weights[-1] < LEAST_NOISE else ""
        return "; ".join(filter(None, [none, super().edge(params)]))

    def with_arrays(self, params: MixtureParams, given: Mapping[str, Array]) -> MixtureParams:
        return self.begun_at(super().with_arrays(params, given))

    def chart(self, params: MixtureParams) -> NoisyChart:
        plain = mixture_chart(self.family, self.prior, params, self.shares(params))
        return NoisyChart(plain.family, plain.prior, plain.weights, plain.components, self)

    def transported(self, summary: Summary, before: MixtureParams, after: MixtureParams) -> Summary:
        stats: Any = summary.statistics
        own = self.family.transported(stats.components, before.components, after.components)
        return replace(summary, statistics=replace(stats, components=own))

    def n_parameters(self, params: MixtureParams) -> int:
        """Free parameters: K weights, the family's, and the volume where it is the table's."""
        return super().n_parameters(params) + self.uniform.estimated

    def sample(self, n: int, params: MixtureParams, rng: RandomNumbers) -> tuple[Array, AnyArray]:
        """n independent rows and their labels, NOISE for noise, in random order."""
        weights = np.asarray(params.weights, dtype=np.float64)
        counts = rng.multinomial(n, weights / weights.sum())
        labels = rng.permutation(np.repeat(np.arange(len(weights)), counts))
        labels[labels == len(weights) - 1] = NOISE
        drawn = self.family.sample(labels[labels != NOISE], params.components, rng)
        X = np.empty((n, drawn.shape[1]))
        X[labels != NOISE] = drawn
        if (labels == NOISE).any():
            X[labels == NOISE] = self.uniform.draw(int((labels == NOISE).sum()), rng)
        return X, labels


@dataclass(frozen=True)
class NoisyChart(MixtureChart):
    """As a mixture's: the noise has a weight and no other free number."""

    model: Noisy

    def gradient(self, summary: Summary, params: MixtureParams) -> Array:
        return self.pulled(self.model.counts(summary), self.model.own(summary), params)
