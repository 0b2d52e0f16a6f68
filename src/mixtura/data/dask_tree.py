"""The tree in which what is made of the parts of a table is combined, of one shape whoever does it.

It is a binary tree over the numbers of the parts: node i of level l is the sum over the parts from
i 2^l up to (i + 1) 2^l. Two nodes are combined as soon as both are known, so runs of neighbours,
of any lengths and in any hands, make the same sum to the last bit; and of a run of parts no more
nodes are left than twice the levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Node(NamedTuple):
    """What is known of one node."""

    level: int
    at: int
    value: Any


def grown(nodes: Iterable[Node], combine: Callable[[Any, Any], Any], parts: int) -> list[Node]:
    """The nodes of neighbours, in order, and what they make combined: of all `parts` the root."""
    known: list[Node] = []
    for node in nodes:
        while 1 << node.level < parts:
            level, at, value = node
            if at % 2 and known and known[-1][:2] == (level, at - 1):
                value = combine(known.pop().value, value)
            elif at % 2 or (at + 1) << level < parts:
                # The other child is elsewhere, or yet to come.
                break
            node = Node(level + 1, at // 2, value)
        known.append(node)
    return known
