"""Blocks of one side or of two: what is done to labels is done to each side on its own.

`blocks` are the numbers of blocks of the sides, `nodes` those of their nodes; the first side's come
first, and labels count through both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mixtura.records import AnyArray

Sizes = tuple[int, ...]


def first_of(blocks: Sizes) -> int:
    """Blocks of the first side of a bipartite network; 0 where there is one side."""
    return blocks[0] if len(blocks) > 1 else 0


def side_of(blocks: Sizes) -> AnyArray:
    """(K,) the side of each block."""
    return np.repeat(np.arange(len(blocks)), blocks)


def spans(nodes: Sizes) -> Iterator[slice]:
    """Where the nodes of each side lie."""
    start = 0
    for size in nodes:
        yield slice(start, start + size)
        start += size


def parted(labels: AnyArray, blocks: Sizes, nodes: Sizes) -> list[AnyArray]:
    """The labels of each side, counted from 0."""
    offsets = np.cumsum([0, *blocks[:-1]])
    return [labels[at] - offset for at, offset in zip(spans(nodes), offsets, strict=True)]


def joined(parts: Iterable[AnyArray], blocks: Sizes) -> AnyArray:
    """Labels of all nodes from those of each side."""
    offsets = np.cumsum([0, *blocks[:-1]])
    return np.concatenate([part + at for part, at in zip(parts, offsets, strict=True)])


def each_side(
    labels: AnyArray, blocks: Sizes, nodes: Sizes, act: Callable[[AnyArray, int], AnyArray]
) -> AnyArray:
    """The labels after `act` on those of each side and its number of blocks."""
    parts = parted(labels, blocks, nodes)
    return joined((act(part, K) for part, K in zip(parts, blocks, strict=True)), blocks)


def stepped(blocks: Sizes, side: int, by: int) -> Sizes:
    """The numbers with so many more on one side."""
    return tuple(K + by * (number == side) for number, K in enumerate(blocks))
