"""The shapes a covariance may be stored in, and the linear algebra each one needs.

Everything that depends on the shape lives here: how it is whitened, how scatter is accumulated,
how it is made dense. `root` is the lower Cholesky factor L of the covariance (a standard deviation
for diagonal shapes) and `whiten` its inverse, so that y = whiten (x - mean) has unit covariance.
Statistics are sums of r y and r y y' about the *current* means: exact to rounding where raw
moments lose twice the digits of the offset.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np

from mixtura.records import AnyArray, Array
from mixtura.supports import Support

Name = Literal["full", "tied", "diag", "spherical"]


class Form(ABC):
    """One shape of covariance storage; K components, d columns."""

    name: Name
    support: Support
    correlates: bool  # whether covariances between columns are modelled
    shared: bool = False  # whether one matrix serves all components
    whole: bool = True  # whether each stored column is one column, as steps inside C take it

    @abstractmethod
    def shape(self, K: int, d: int) -> tuple[int, ...]:
        """The shape of the covariances of K components."""

    def columns(self, d: int) -> int:
        """The columns that d stored ones stand for."""
        return d

    @abstractmethod
    def root_of(self, cov: Array) -> Array:
        """The roots; raises IllDefined with the component that is not positive definite."""

    def factorise(self, cov: Array) -> tuple[Array, Array]:
        """(root, whiten); raises as `root_of` does."""
        root = self.root_of(cov)
        return root, self.invert_root(root)

    @abstractmethod
    def invert_root(self, root: Array) -> Array:
        """The inverse of a root, and so also the root of a `whiten`."""

    @abstractmethod
    def half_log_det(self, whiten: Array, d: int) -> Array:
        """-1/2 log det of each covariance, shape (K,) or (1,)."""

    @abstractmethod
    def residuals(self, X: Array, mean: Array, whiten: Array, k: int) -> Array:
        """Whitened residuals y of all rows under component k, shape (n, d)."""

    @abstractmethod
    def second(self, residuals: Array, resp: Array) -> Array:
        """sum_i r_i y_i y_i' in this form, for one component."""

    @abstractmethod
    def gather(self, seconds: list[Array]) -> Array:
        """The K components' second moments as one array (summed where they are shared)."""

    @abstractmethod
    def about(self, counts: Array, shift: Array, second: Array) -> Array:
        """Scatter about the *new* means in whitened units, such that scatter / count is a variance.

        `shift` (K, d) is sum r y / sum r: how far each mean moves.
        """

    @abstractmethod
    def compose(self, root: Array, inner: Array) -> Array:
        """The root of the covariance whose root in whitened units is `inner`."""

    @abstractmethod
    def square(self, root: Array) -> Array:
        """The covariances with these roots."""

    @abstractmethod
    def move(self, root: Array, first: Array) -> Array:
        """Whitened shifts (K, d) back in the table's units."""

    @abstractmethod
    def excess(self, whiten: Array, counts: Array, second: Array, d: int) -> Array:
        """Gradient of the expected log-likelihood with respect to the covariances."""

    @abstractmethod
    def restrict(self, matrix: Array) -> Array:
        """A dense (d, d) matrix in this form, for one component.

        Where nothing correlates its diagonal (d,) is enough.
        """

    @abstractmethod
    def dense(self, cov: Array, K: int, d: int) -> Array:
        """The covariances as (K, d, d)."""

    @abstractmethod
    def variances(self, cov: Array, K: int, d: int) -> Array:
        """The diagonals of the covariances, (K, d)."""

    @abstractmethod
    def among(self, cov: Array, columns: AnyArray) -> Array:
        """The covariances of some columns only, in this form."""

    @abstractmethod
    def whitened(self, whiten: Array, matrix: Array) -> Array:
        """`matrix`, in this form for one component, in each component's whitened units."""

    @abstractmethod
    def trace_within(self, whiten: Array, matrix: Array, d: int) -> float:
        """The traces of the distinct (d, d) matrices that `whitened` makes, added."""

    def as_second(self, matrices: Array, d: int) -> Array:
        """The second moments of one row with these whitened covariances."""
        return matrices

    @abstractmethod
    def pivots(self, root: Array) -> Array:
        """The Cholesky pivots (standard deviations given the columns before), (K or 1, d or 1)."""

    @abstractmethod
    def identity(self, d: int) -> Array:
        """What adding a unit variance to every column adds to one component."""

    @abstractmethod
    def logarithms(self, root: Array) -> Array:
        """A root as free numbers, 0 for the identity: one line per distinct matrix."""

    @abstractmethod
    def exponentials(self, free: Array) -> Array:
        """The inverse of `logarithms`."""

    @abstractmethod
    def information(self, d: int) -> Array:
        """What one row of known label tells of each free number at the identity, per line."""

    @abstractmethod
    def slope(self, inverse: Array, rows: Array, second: Array, d: int) -> Array:
        """Gradient of the expected log-likelihood in the free numbers of a root.

        `inverse` is that root's, second is in the whitened units of the point where it stands,
        rows (K,) or (1,).
        """

    @abstractmethod
    def carried(self, inner: Array, shift: Array, stats: tuple[Array, Array, Array]) -> Array:
        """Second moments in other whitened units, y' = inner y + shift_k.

        stats are (counts, first, second) in the old units; shift is (K, d).
        """

    def repeat(self, single: Array, K: int) -> Array:
        """K components with the same covariance, given in this form for one component."""
        d = len(single) if single.ndim else 1
        return np.broadcast_to(single, self.shape(K, d)).copy()

    def frames(self, covariance: Array) -> list[Array]:
        """Matrices B for which B x is free of units, where the table has `covariance`.

        (d, d), or (d,) for a diagonal one; where nothing correlates variances (d,) are enough.
        Standard deviations become one; where correlations are modelled also the whole covariance
        becomes the identity. A spherical covariance ties the columns' units together, so there
        all columns share one scale.
        """
        frames = [1.0 / np.sqrt(diagonal(covariance))]
        if self.correlates:
            frames.append(np.linalg.inv(np.linalg.cholesky(covariance)))
        return frames

    def pulled(self, whiten: Array, first: Array) -> Array:
        """whiten' first: the means' gradient from the whitened first moments, (K, d)."""
        return self.move(np.swapaxes(whiten, -1, -2) if whiten.ndim > 1 else whiten, first)


def diagonal(matrix: Array) -> Array:
    """The diagonal (d,) of a (d, d) matrix; one that is given alone is returned."""
    return matrix if matrix.ndim == 1 else np.diagonal(matrix)
