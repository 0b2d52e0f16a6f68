"""Which group of rows is which component, where bounds and ties treat components unequally.

Components that are alike may stand in any order: the mixture is the same. Where two of three share
a covariance it is not, and EM seldom leaves the order in which it began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, permutations

import numpy as np

from mixtura.records import Array

# Up to so many components are tried in every order, more by exchanges of two.
ALL = 4

Roles = tuple[int, ...]


def orders(roles: Roles) -> Iterator[list[int]]:
    """Other orders of the groups: all that differ, or of many components those of two exchanged.

    Components of one role are interchangeable.
    """
    K = len(roles)
    if K > ALL:
        for a, b in combinations(range(K), 2):
            if roles[a] != roles[b]:
                order = list(range(K))
                order[a], order[b] = b, a
                yield order
        return
    met = {roles}
    for each in permutations(range(K)):
        held = tuple(roles[k] for k in np.argsort(each))
        if held not in met:
            met.add(held)
            yield list(each)


def matched(resp: Array, roles: Roles, worth: Callable[[Array], float]) -> Array:
    """The groups (n, K) in the order that is worth most; of many the end of one sweep."""
    best, most, few = resp, worth(resp), len(roles) <= ALL
    for order in orders(roles):
        tried = (resp if few else best)[:, order]
        if (found := worth(tried)) > most:
            best, most = tried, found
    return best
