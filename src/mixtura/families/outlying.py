"""Outliers within a component, of families that tell which rows of it are none of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from mixtura.records import AnyArray, Array


class Outlying:
    """A family that says `tells_outliers` has `outlying`: labels of outliers are then -1."""

    tells_outliers: ClassVar[bool] = False

    def outlying(self, X: AnyArray, params: Any) -> Array:
        """P(outlier | x_i, k), (n, K)."""
        raise NotImplementedError(f"{type(self).__name__} does not tell outliers")
