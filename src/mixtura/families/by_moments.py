"""Components straight from a table's moments, by whichever method is made for so many."""

from __future__ import annotations

from mixtura.families.pearson import pearson
from mixtura.families.spectral import spectral
from mixtura.families.spheres import Spheres
from mixtura.records import Array


def by_moments(X: Array, w: Array, K: int, *, one_variance: bool = False) -> Spheres:
    """K components whose moments are the table's; X (n, d) float64, weights w (n,) positive.

    `one_variance` asks for components of one variance. Raises ValueError where no method is made
    for so many components in so many columns, FitError where the moments are of no such mixture.
    """
    d = X.shape[1]
    if d >= K:
        return spectral(X, w, K, one_variance=one_variance)
    if (d, K) == (1, 2):
        return pearson(X[:, 0], w, one_variance=one_variance)
    most = "1 or 2" if d == 1 else f"at most {d}"
    raise ValueError(
        "'moments' finds as many components as there are columns at most, and 2 in one column: "
        f"here {most}, and {K} are asked for. Choose another"
    )
