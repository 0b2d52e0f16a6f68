"""What the steps of sequences are worth to states, as the kernel is told, and what it sums."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from mixtura.data.kinds import Kinds
from mixtura.engines.native.stretches import Emission, table_emission
from mixtura.families.base import Look
from mixtura.records import AnyArray, Array, Statistics


class Steps(ABC):
    """All steps at some parameters."""

    @abstractmethod
    def emission(self) -> tuple[Emission, Any]:
        """For one call: as the kernel takes it, and where its sums go."""

    @abstractmethod
    def statistics(self, sums: list[Any]) -> Statistics:
        """The family's, of the sums of all calls in order."""


class TableSteps(Steps):
    """log_density (n, K) of every step; states are all that is asked for, so nothing is summed."""

    def __init__(self, log_density: Array) -> None:
        self.log_density = log_density

    def emission(self) -> tuple[Emission, Any]:
        return table_emission(self.log_density), None

    def statistics(self, sums: list[Any]) -> Statistics:
        raise NotImplementedError("states were asked for, and no sums")


class KindSteps(Steps):
    """Rows of which many are equal, of any family: each kind is looked at once.

    log_density (kinds, K) is that of the kinds, told by `looks` at some of them each. As a weight
    is copies of a row, a row of each kind that weighs what is expected of its state has the sums of
    all.
    """

    def __init__(self, kinds: Kinds, log_density: Array, looks: Sequence[tuple[Any, Look]]) -> None:
        self.kinds, self.log_density, self.looks = kinds, log_density, looks

    def emission(self) -> tuple[Emission, AnyArray]:
        hits = np.empty(self.log_density.shape)
        return table_emission(self.log_density, self.kinds.code, hits), hits

    def statistics(self, sums: list[Any]) -> Statistics:
        hits = np.sum(sums, axis=0)
        return reduce(operator.add, [look.statistics(hits[where]) for where, look in self.looks])
