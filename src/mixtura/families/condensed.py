"""A table told in fewer numbers, in which EM takes the same steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from mixtura.data.survey import Survey
from mixtura.records import Array, Equation, Statistics


class Condensed(ABC):
    """A table as fewer numbers, where the mixture climbs the same steps, and the way back."""

    @property
    @abstractmethod
    def survey(self) -> Survey:
        """The table and its sample there, in the same order."""

    @property
    @abstractmethod
    def equations(self) -> tuple[Equation, ...]:
        """What all rows of the table have in common."""

    @property
    @abstractmethod
    def held_columns(self) -> tuple[int, ...]:
        """The table's columns with a direction that has no variance of its own."""

    @abstractmethod
    def params(self, components: Any) -> Any:
        """The components that were found there, in the table's own numbers."""

    @abstractmethod
    def statistics(self, stats: Any, within: Any, params: Any) -> Statistics:
        """The statistics there, at the components `within`, as those at `params`."""

    @abstractmethod
    def constant(self, params: Any, counts: Array) -> dict[int, tuple[tuple[int, float], ...]]:
        """As `Prior.constant`, of components in the table's own numbers."""
