"""What a family is told of its components in advance: values that are known, bounds and ties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mixtura.records import Array


class Pins(Protocol):
    """`Family.pinned`: `families.limits.Limits`, or `families.gaussian.pinned.Pinned` of more."""

    @property
    def means(self) -> Array | None:
        """(K, d), NaN where a cell is free; None where all are."""

    @property
    def roots(self) -> Array | None:
        """Of known covariances, NaN where one is free; None where all are."""

    @property
    def common(self) -> bool:
        """Whether all components have one mean, which is free."""

    @property
    def whole(self) -> bool:
        """Whether nothing is free."""

    @property
    def alike(self) -> bool:
        """Whether the same is known of all components, so that it is known of any number."""

    def shapes(self, K: int) -> list[int]:
        """The components whose covariance is known: they cannot collapse."""

    def places(self, name: str) -> Array | None:
        """About where components lie in the parameter of this name, NaN where that is not said."""

    def roles(self, K: int) -> list[tuple[Any, ...]]:
        """What bounds and ties ask of each of K components: alike of those they treat alike."""

    def freed(self, family: Any) -> Any:
        """The family without bounds and ties."""

    def imposed(self, params: Any) -> Any:
        """The parameters with what is known in its place, within bounds and ties."""

    @property
    def log_densities(self) -> Callable[[Array, int, Array], Array] | None:
        """Of rows, were a component of known covariance there; None where none is known."""

    def free(self, chart: Any) -> Any:
        """A basis of what is free in the chart, sparse (its size, free numbers); None for all."""

    def given(self) -> Mapping[str, Array]:
        """All of it as arrays by name: what tells one from another."""
