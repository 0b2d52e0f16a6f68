"""Free coordinates for factor analysers: means, loadings without their rotation, log-noise.

Loadings are known up to a rotation of the factors, so a matrix of them has q (q - 1) / 2 numbers
too many, along which the likelihood is flat. They are left out here: in units of the noise, and
turned so that its columns are orthogonal, B = U S, a change V of B has no part along B Omega for
any antisymmetric Omega. Each other matrix near by is a rotation of exactly one such point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from mixtura.families.factor.prior import NoisePrior
from mixtura.families.factor.records import FactorParams, FactorStatistics, factor_params
from mixtura.families.factor.score import score
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.records import AnyArray, Array

# A component with less than this share of the rows is scaled as if it had it; a factor weaker
# than this, in squared units of the noise, as if it were as strong.
LEAST_SHARE, LEAST_SIGNAL = 1e-8, 1e-2
# How far from the chart's point its units are trusted: means in standard deviations, loadings in
# those of the noise, noise in logarithms of the variance.
MEAN_RADIUS, LOADING_RADIUS, NOISE_RADIUS = 10.0, 3.0, 6.0


@dataclass(frozen=True)
class Rotated:
    """One matrix of loadings in units of noise, B = U S turn', and the changes it may undergo.

    deviation (d,)  the units
    qr, tau         U's Householder reflections, whose product begins with U but for `sign`
    values (q,)     S;  turn (q, q)
    scale           what the free numbers are multiplied by: roots of their information
    """

    deviation: Array
    qr: Array
    tau: Array
    sign: Array
    values: Array
    turn: Array
    scale: Array

    def change(self, free: Array) -> Array:
        """The change of the loadings (d, q), in the table's units, at these numbers."""
        d, q = self.qr.shape
        free = free / self.scale
        change = np.empty((d, q), order="F")
        change[:q] = self.sign[:, None] * self._symmetric(free[: q * (q + 1) // 2])
        change[q:] = free[q * (q + 1) // 2 :].reshape(d - q, q)
        return (self._apply("N", change) @ self.turn.T) * self.deviation[:, None]

    def reduced(self, change: Array, *, gradient: bool = False) -> Array:
        """The free numbers of a change of the loadings; or the gradient in them of one in these."""
        q = len(self.values)
        units = self.deviation[:, None]
        turned = (change * units if gradient else change / units) @ self.turn
        parts = self._apply("T", np.asfortranarray(turned))
        above = self._folded(self.sign[:, None] * parts[:q])
        free = np.concatenate([above, parts[q:].ravel()])
        return free / self.scale if gradient else free * self.scale

    def aligned(self, loadings: Array, centre: Array) -> Array:
        """`loadings` in the rotation in which they lie nearest to the centre's."""
        units = self.deviation[:, None] ** 2
        left, _, right = np.linalg.svd((loadings / units).T @ centre)
        return np.asarray(loadings @ (left @ right))

    def _apply(self, trans: str, matrix: Array) -> Array:
        work = max(1, 64 * matrix.shape[1])
        out, _, info = lapack.dormqr("L", trans, self.qr, self.tau, matrix, work)
        assert info == 0
        return np.asarray(out)

    def _pairs(self) -> tuple[AnyArray, AnyArray, Array, Array]:
        """(i, j, cos, sin) of the pairs i < j: A_ij = cos a, A_ji = sin a is no rotation."""
        i, j = np.triu_indices(len(self.values), 1)
        first, second = self.values[i], self.values[j]
        length = np.hypot(first, second)
        safe = np.where(length > 0, length, 1.0)
        root = np.sqrt(0.5)
        return (
            i,
            j,
            np.where(length > 0, second / safe, root),
            np.where(length > 0, first / safe, root),
        )

    def _symmetric(self, free: Array) -> Array:
        q = len(self.values)
        square = np.diag(free[:q])
        i, j, cos, sin = self._pairs()
        square[i, j], square[j, i] = cos * free[q:], sin * free[q:]
        return square

    def _folded(self, square: Array) -> Array:
        i, j, cos, sin = self._pairs()
        return np.concatenate([np.diagonal(square), cos * square[i, j] + sin * square[j, i]])


def rotated(loadings: Array, deviation: Array, share: float) -> Rotated:
    """The chart of one matrix of loadings (d, q), for a share of the rows."""
    d, q = loadings.shape
    left, values, turn = np.linalg.svd(loadings / deviation[:, None], full_matrices=False)
    qr, tau, _, _ = lapack.dgeqrf(left)
    # The information of rows of known label, were the noise known.
    signal = np.maximum(values**2, LEAST_SIGNAL)
    i, j = np.triu_indices(q, 1)
    along = 2.0 * signal / (1.0 + signal) ** 2
    between = (signal[i] + signal[j]) / ((1.0 + signal[i]) * (1.0 + signal[j]))
    across = np.tile(signal / (1.0 + signal), d - q)
    scale = np.sqrt(share * np.concatenate([along, between, across]))
    sign = np.where(np.diagonal(qr) < 0, -1.0, 1.0)
    return Rotated(deviation, qr, tau, sign, values, turn.T, scale)


@dataclass(frozen=True)
class FactorChart:
    """Means in whitened units of the centre, then loadings by `Rotated`, then log-noise.

    Numbers are multiplied by the root of their information, as in `families.chart`.
    """

    centre: FactorParams
    kind: FactorAnalytic
    matrices: tuple[Rotated, ...]
    axes: tuple[tuple[Array, Array, Array], ...]
    mean_scale: Array
    noise_scale: Array

    @property
    def size(self) -> int:
        """How many free numbers there are."""
        loadings = sum(len(matrix.scale) for matrix in self.matrices)
        return int(self.centre.means.size + loadings + self.centre.noise.size)

    @property
    def radius(self) -> Array:
        """Half the width of the box around the centre."""
        means = np.broadcast_to(MEAN_RADIUS * self.mean_scale, self.centre.means.shape)
        loadings = [
            LOADING_RADIUS * (1.0 + matrix.values.max()) * matrix.scale for matrix in self.matrices
        ]
        noise = np.broadcast_to(NOISE_RADIUS * self.noise_scale, self.centre.noise.shape)
        return np.concatenate([means.ravel(), *loadings, noise.ravel()])

    def params(self, free: Array) -> FactorParams:
        """The parameters at these coordinates."""
        shift, loadings, noise = self._cut(free)
        moved = self._whitened(shift / self.mean_scale, back=True)
        changes = [m.change(part) for m, part in zip(self.matrices, loadings, strict=True)]
        return factor_params(
            self.centre.means + moved,
            self.centre.loadings + np.stack(changes),
            self.centre.noise * np.exp(noise / self.noise_scale),
        )

    def coordinates(self, params: FactorParams) -> Array:
        """Where `params` lie."""
        shift = self._whitened(params.means - self.centre.means, back=False) * self.mean_scale
        loadings = [
            matrix.reduced(matrix.aligned(there, here) - here)
            for matrix, there, here in zip(
                self.matrices, params.loadings, self.centre.loadings, strict=True
            )
        ]
        noise = np.log(params.noise / self.centre.noise) * self.noise_scale
        return np.concatenate([shift.ravel(), *loadings, noise.ravel()])

    def gradient(self, stats: FactorStatistics, params: FactorParams, prior: NoisePrior) -> Array:
        """The gradient at `params`, which `self.params` made, or at the centre."""
        slope = score(stats, params, self.kind)
        slope |= {name: slope[name] + part for name, part in prior.score(params).items()}
        deviation = np.sqrt(self.centre.noise)
        means = self._stretched(slope["means"] * deviation, back=True) / self.mean_scale
        loadings = [
            matrix.reduced(part, gradient=True)
            for matrix, part in zip(self.matrices, slope["loadings"], strict=True)
        ]
        noise = slope["noise"] * params.noise / self.noise_scale
        return np.concatenate([means.ravel(), *loadings, noise.ravel()])

    def _cut(self, free: Array) -> tuple[Array, list[Array], Array]:
        K, d = self.centre.means.shape
        ends = np.cumsum([K * d, *(len(matrix.scale) for matrix in self.matrices)])
        parts = np.split(free, ends)
        return parts[0].reshape(K, d), parts[1:-1], parts[-1].reshape(self.centre.noise.shape)

    def _whitened(self, shift: Array, *, back: bool) -> Array:
        """Sigma_k^-1/2 times each shift (K, d), or Sigma_k^1/2 to go back."""
        deviation = np.sqrt(self.centre.noise)
        if back:
            return self._stretched(shift, back=True) * deviation
        return self._stretched(shift / deviation, back=False)

    def _stretched(self, shift: Array, *, back: bool) -> Array:
        """(I + B_k B_k')^1/2 times each shift, or its inverse."""
        out = np.empty_like(shift)
        for k, (left, longer, shorter) in enumerate(self.axes):
            extra = longer if back else shorter
            out[k] = shift[k] + left @ (extra * (left.T @ shift[k]))
        return out


def factor_chart(params: FactorParams, weights: Array, kind: FactorAnalytic) -> FactorChart:
    """The chart around `params` for components with these shares of the rows (K,)."""
    K, d = params.means.shape
    share = np.maximum(weights, LEAST_SHARE)
    inverse = np.broadcast_to(1.0 / params.noise, (len(params.noise), d))
    if kind.common_loadings:
        inverse = inverse.mean(axis=0, keepdims=True)
    inverse = np.broadcast_to(inverse, (len(params.loadings), d))
    owners = np.ones(1) if kind.common_loadings else share
    matrices = tuple(
        rotated(loadings, 1.0 / np.sqrt(line), float(part))
        for loadings, line, part in zip(params.loadings, inverse, owners, strict=True)
    )
    weighed = params.loadings / np.sqrt(params.noise)[:, :, None]
    axes = []
    for one in weighed:
        left, values, _ = np.linalg.svd(one, full_matrices=False)
        length = np.sqrt(1.0 + values**2)
        axes.append((left, length - 1.0, 1.0 / length - 1.0))
    rows = np.ones(1) if kind.common_noise else share
    information = 0.5 * (d if kind.isotropic else 1)
    return FactorChart(
        params,
        kind,
        matrices,
        tuple(axes * (K // len(axes))),
        np.sqrt(share)[:, None],
        np.sqrt(rows * information)[:, None],
    )
