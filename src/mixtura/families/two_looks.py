"""The plain look of a family at some rows: one for the densities, one for the sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mixtura.records import AnyArray, Array, Statistics


@dataclass(frozen=True)
class TwoLooks:
    """Of families whose densities and sums share no work."""

    family: Any
    X: AnyArray
    params: Any

    @cached_property
    def log_density(self) -> Array:
        """log p(x_i | k), (n, K)."""
        found: Array = self.family.log_density(self.X, self.params)
        return found

    def statistics(self, resp: Array) -> Statistics:
        """The sums at these responsibilities."""
        found: Statistics = self.family.statistics(self.X, resp, self.params)
        return found
