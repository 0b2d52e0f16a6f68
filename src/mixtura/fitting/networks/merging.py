"""Which blocks of a partition are merged: those whose merge lengthens its description least."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, xlogy

from mixtura.data.networks.network import Network
from mixtura.engines.partition import Aim
from mixtura.fitting.networks.sides import Sizes, side_of, spans
from mixtura.models.partition import met_between
from mixtura.records import AnyArray, Array


def shape_of(labels: AnyArray, nodes: Sizes) -> Sizes:
    """How many blocks the nodes of each side lie in."""
    return tuple(len(np.unique(labels[at])) for at in spans(nodes))


def mergeable(labels: AnyArray, network: Network, blocks: Sizes, aim: Aim) -> list[tuple[int, int]]:
    """Pairs of blocks of one side, as `cheapest`."""
    side = side_of(blocks)
    pairs = cheapest(met_between(network, labels, sum(blocks)), labels, network, aim)
    return [pair for pair in pairs if side[pair[0]] == side[pair[1]]]


def without_some(labels: AnyArray, pairs: list[tuple[int, int]], count: int) -> AnyArray:
    """The labels after `count` merges of pairs that share no block."""
    used: set[int] = set()
    new = np.array(labels)
    done = 0
    for r, s in pairs:
        if done == count:
            break
        if r in used or s in used:
            continue
        new[new == s] = r
        used |= {r, s}
        done += 1
    if done < count:
        raise AssertionError(f"{count} merges among {len(pairs)} pairs")
    return np.unique(new, return_inverse=True)[1]


def cheapest(met: Array, labels: AnyArray, network: Network, aim: Aim) -> list[tuple[int, int]]:
    """Pairs of blocks, those first whose merge lowers the objective least;
    priors of sizes aside."""
    K, directed = len(met), network.directed
    worth = np.zeros((K, K))
    for table in [met, met.T][: 1 + directed]:
        each = gammaln(table + 1.0)
        for r in range(K):
            gains = gammaln(table[r] + table + 1.0) - each[r] - each
            gains[:, r] = 0.0
            np.fill_diagonal(gains, 0.0)
            worth[r] += gains.sum(axis=1)
        sums = table.sum(axis=1)
        if aim is Aim.DESCRIPTION_DEGREES:
            worth -= gammaln(np.add.outer(sums, sums) + 1.0)
            worth += np.add.outer(gammaln(sums + 1.0), gammaln(sums + 1.0))
        else:
            size = np.bincount(labels, minlength=K)
            worth -= xlogy(np.add.outer(sums, sums), np.add.outer(size, size))
            worth += np.add.outer(xlogy(sums, size), xlogy(sums, size))
    worth += _inside(met, directed)
    rows, columns = np.triu_indices(K, 1)
    order = np.argsort(-worth[rows, columns], kind="stable")
    return [(int(rows[i]), int(columns[i])) for i in order]


def _inside(met: Array, directed: bool) -> Array:
    """What the counts within a merged block gain over those within and between the two."""
    own = np.diagonal(met)
    both = np.add.outer(own, own) + met + met.T

    def single(x: Array) -> Array:
        if directed:
            return np.asarray(gammaln(x + 1.0))
        return np.asarray(gammaln(0.5 * x + 1.0) + 0.5 * x * math.log(2.0))

    apart = gammaln(met + 1.0) + (gammaln(met.T + 1.0) if directed else 0.0)
    return np.asarray(single(both) - np.add.outer(single(own), single(own)) - apart)
