"""What a family of one column, or of a response, may tell: its distribution function."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from mixtura.records import AnyArray, Array


@runtime_checkable
class Tailed(Protocol):
    """A family, also of one's own, that brings pseudo-residuals."""

    def log_sides(self, X: AnyArray, params: Any) -> tuple[Array, Array]:
        """log P(x <= x_i | k) and log P(x > x_i | k), (n, K) each, of rows of one column; of a
        regression those of its response given the covariates.

        Both, as 1 less a small number loses its digits; logarithms, as beyond 38 deviations
        float64 holds no tail.
        """
