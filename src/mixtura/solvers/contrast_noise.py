"""The noise of noise-contrastive estimation: whatever draws rows and knows their density."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from mixtura.data.moments import table_moments
from mixtura.data.refusal import row_at
from mixtura.data.rows import Rows
from mixtura.records import AnyArray, Array

# The default noise is wider than the table by this factor in every variance: tails that the noise
# does not reach teach little. Over ten mixtures in 1 to 20 columns, with nu = 1, the asymptotic
# variances are on average 2.33, 2.13, 2.15 and 2.47 times those of maximum likelihood for the
# factors 1, 1.25, 1.5 and 2, and the more columns, the less width is good.
INFLATION = 1.25


@dataclass(frozen=True)
class GaussianNoise:
    """A normal distribution with SciPy's methods: mean (d,), root (d, d) lower triangular."""

    mean: Array
    root: Array

    def logpdf(self, X: AnyArray) -> Array:
        """The log-density of each row, (n,)."""
        y = solve_triangular(self.root, (X - self.mean).T, lower=True)
        log_norm = np.log(np.diagonal(self.root)).sum() + 0.5 * len(y) * math.log(2 * math.pi)
        return np.asarray(-0.5 * np.einsum("ji,ji->i", y, y) - log_norm)

    def rvs(self, size: int, random_state: np.random.RandomState) -> Array:
        """Independent rows, (size, d)."""
        return self.mean + random_state.standard_normal((size, len(self.mean))) @ self.root.T


def default_noise(rows: Rows) -> GaussianNoise:
    """The table's own mean and covariance, a little inflated."""
    moments = table_moments(rows.X, rows.sample_weight)
    try:
        root = np.linalg.cholesky(INFLATION * moments.covariance)
    except np.linalg.LinAlgError:
        raise ValueError(
            "noise=None is a Gaussian with the table's covariance, which is singular: give a noise"
        ) from None
    return GaussianNoise(moments.mean, np.asarray(root, dtype=np.float64))


def methods(noise: Any) -> tuple[Callable[..., Any], ...]:
    """(log-density of rows, draws of rows), named as in SciPy or scikit-learn; () without them."""
    for names in (("logpdf", "rvs"), ("score_samples", "sample")):
        if all(hasattr(noise, name) for name in names):
            return tuple(getattr(noise, name) for name in names)
    return ()


def drawn(draw: Callable[..., Any], size: int, d: int, seed: int) -> Array:
    """Rows of the noise, (size, d); ValueError where it has another number of columns."""
    found = draw(size, random_state=np.random.RandomState(seed))
    # Mixtures give the rows' components too.
    rows = np.asarray(found[0] if isinstance(found, tuple) else found, dtype=np.float64)
    if rows.ndim < 2 and rows.size == size * d:
        # SciPy drops axes of length one.
        rows = rows.reshape(size, d)
    if rows.shape != (size, d):
        raise ValueError(
            f"noise draws {size} rows in the shape {rows.shape}, not ({size}, {d}): give one that "
            "has as many dimensions as X has columns"
        )
    return np.ascontiguousarray(rows)


def log_density(ask: Callable[..., Any], X: AnyArray, heavy: AnyArray, whose: str) -> Array:
    """The noise's log-density (nats) at each row, (n,); ValueError if not finite at heavy ones."""
    found = np.asarray(ask(np.asarray(X, dtype=np.float64)), dtype=np.float64)
    if found.size != len(X):
        raise ValueError(f"noise gives {found.size} log-densities for {len(X)} rows, not one each")
    lost = np.flatnonzero(heavy & ~np.isfinite(found.reshape(len(X))))
    if len(lost):
        raise ValueError(
            f"noise has no finite log-density at {len(lost)} rows of {whose}, {row_at(lost[0])} "
            "the first: give one that can produce every row"
        )
    return found.reshape(len(X))
