"""How far out in a component a row lies, and which rows of it are none of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from mixtura.records import AnyArray, Array


class Outlying:
    """A family that says `tells_outliers` has `outlying`: labels of outliers are then -1.

    One that says `tells_distance` has `log_beyond`: its densities fall with a distance.
    """

    tells_outliers: ClassVar[bool] = False
    tells_distance: ClassVar[bool] = False

    def outlying(self, X: AnyArray, params: Any) -> Array:
        """P(outlier | x_i, k), (n, K)."""
        raise NotImplementedError(f"{type(self).__name__} does not tell outliers")

    def log_beyond(self, X: AnyArray, params: Any) -> Array:
        """log P(a row of k lies as far out as x_i), (n, K); all rows have the same cells."""
        raise NotImplementedError(f"{type(self).__name__} has no distance")
