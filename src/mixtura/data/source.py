"""What an engine sweeps over: rows in order, chunk by chunk, as often as it asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar, TypeVar

import numpy as np

from mixtura.records import Chunk

# Weights are summed in runs of so many, so that their sum does not hang on where the rows lie.
RUN = 8192

T = TypeVar("T")


class Source(ABC):
    """n rows of d numbers, float32 or float64, either all with weights or all without.

    Cut into chunks of a given size a table gives the same chunks wherever it lies, so every sum
    over them, taken in order, is the same to the last bit.
    """

    # Whether the rows lie in parts, so that work is sent to each, and whether in other processes.
    apart: ClassVar[bool] = False
    away: ClassVar[bool] = False
    # Rows with a positive weight in the parts of a table before this one.
    before: int = 0

    @property
    @abstractmethod
    def n(self) -> int:
        """Rows."""

    @property
    @abstractmethod
    def d(self) -> int:
        """Columns."""

    @property
    def names(self) -> list[str]:
        """What messages call the columns."""
        return [f"x{j + 1}" for j in range(self.d)]

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[np.floating]:
        """The type of the numbers."""

    @property
    @abstractmethod
    def weight(self) -> float:
        """The sum of the weights; the number of rows when there are none."""

    @property
    @abstractmethod
    def positive(self) -> int:
        """Rows with a positive weight."""

    @abstractmethod
    def chunks(self, size: int) -> Iterator[Chunk]:
        """All rows in order, `size` at a time; the last chunk may be shorter."""

    def reduced(self, work: Callable[[Source], T], combine: Callable[[T, T], T]) -> T:
        """`work` of all parts of the table, each done where that part lies, combined in order.

        Here all rows are one part. Both functions may be run in another process: neither may keep
        anything.
        """
        return work(self)


class Columns(Source):
    """Some columns of another source."""

    def __init__(self, source: Source, columns: tuple[int, ...]) -> None:
        self.source, self.columns = source, columns

    @property
    def n(self) -> int:
        return self.source.n

    @property
    def d(self) -> int:
        return len(self.columns)

    @property
    def names(self) -> list[str]:
        return [self.source.names[j] for j in self.columns]

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return self.source.dtype

    @property
    def weight(self) -> float:
        return self.source.weight

    @property
    def positive(self) -> int:
        return self.source.positive

    def chunks(self, size: int) -> Iterator[Chunk]:
        for chunk in self.source.chunks(size):
            X = np.ascontiguousarray(chunk.X[:, self.columns])
            yield chunk._replace(X=X)

    def reduced(self, work: Callable[[Source], T], combine: Callable[[T, T], T]) -> T:
        columns = self.columns
        return self.source.reduced(lambda part: work(Columns(part, columns)), combine)
