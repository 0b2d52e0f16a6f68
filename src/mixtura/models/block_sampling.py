"""Networks drawn from block models, at a cost of edges rather than pairs where edges are few."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from mixtura.data.networks.matrices import without_diagonal
from mixtura.models.block_model import BlockParams, Edges
from mixtura.models.degree_corrected import CorrectedParams
from mixtura.records import AnyArray, Array

# Every pair of a Gaussian network is drawn: 8 bytes each.
MOST_DENSE = 10_000
Ends = tuple[AnyArray, AnyArray, Array]


def sampled(
    params: BlockParams | CorrectedParams,
    labels: AnyArray,
    directed: bool,
    loops: bool,
    rng: np.random.Generator,
) -> csr_array:
    """(n, n) x between nodes of blocks `labels` (n,), of bipartite models (n1, n2); loops where
    there are `loops`, and of degree-corrected models.

    ValueError for Gaussian edges between more than 10,000 nodes.
    """
    n, first = len(labels), params.first
    if isinstance(params, BlockParams) and params.law is Edges.GAUSSIAN and n > MOST_DENSE:
        raise ValueError(
            f"sample: each of the {n * (n - 1) // 2} pairs of {n} nodes has a value: draw from a "
            f"model of at most {MOST_DENSE} nodes"
        )
    members = [np.flatnonzero(labels == k) for k in range(params.K)]
    parts = list(_drawn(params, members, directed, rng))
    if loops and isinstance(params, BlockParams):
        parts.append(_loops(params, labels, rng))
    rows, columns, values = (np.concatenate([part[q] for part in parts]) for q in range(3))
    drawn = csr_array((values, (rows, columns)), shape=(n, n))
    if first:
        nodes = int((labels < first).sum())
        return csr_array(drawn[:nodes, nodes:])
    if directed:
        return drawn
    # A loop is its own mirror image.
    return csr_array(drawn + without_diagonal(csr_array(drawn.T)))


def _drawn(
    params: BlockParams | CorrectedParams,
    members: list[AnyArray],
    directed: bool,
    rng: np.random.Generator,
) -> Iterator[Ends]:
    for r in range(params.K):
        for s in range(0 if directed else r, params.K):
            same = r == s
            if params.first and (r < params.first) == (s < params.first):
                continue
            if isinstance(params, CorrectedParams):
                yield _by_degrees(params, members[r], members[s], same and not directed, r, s, rng)
            else:
                yield _by_pairs(params, members[r], members[s], same, directed, r, s, rng)


def _by_degrees(
    params: CorrectedParams,
    one: AnyArray,
    other: AnyArray,
    halved: bool,
    r: int,
    s: int,
    rng: np.random.Generator,
) -> Ends:
    """Poisson many edges, each end a node by its degree."""
    count = rng.poisson(params.met[r, s] * (0.5 if halved else 1.0))
    if not count:
        return _none()
    ends = [
        rng.choice(nodes, count, p=degrees[nodes] / degrees[nodes].sum())
        for nodes, degrees in ((one, params.out), (other, params.back))
    ]
    return ends[0], ends[1], np.ones(count)


def _by_pairs(
    params: BlockParams,
    one: AnyArray,
    other: AnyArray,
    same: bool,
    directed: bool,
    r: int,
    s: int,
    rng: np.random.Generator,
) -> Ends:
    pairs = len(one) * len(other) if not same else len(one) * (len(one) - 1) // (2 - directed)
    if not pairs:
        return _none()
    theta = params.matrix[r, s]
    if params.law is Edges.BERNOULLI:
        at = rng.choice(pairs, rng.binomial(pairs, theta), replace=False)
        values = np.ones(len(at))
    elif params.law is Edges.POISSON:
        at = rng.integers(pairs, size=rng.poisson(pairs * theta))
        values = np.ones(len(at))
    else:
        at = np.arange(pairs)
        values = rng.normal(theta, np.sqrt(params.variance), size=pairs)
    rows, columns = _pair(at, len(one), len(other), same, directed)
    return one[rows], other[columns], values


def _loops(params: BlockParams, labels: AnyArray, rng: np.random.Generator) -> Ends:
    """x_ii of every node."""
    nodes = np.arange(len(labels))
    theta = np.diagonal(params.matrix)[labels]
    if params.law is Edges.GAUSSIAN:
        return nodes, nodes, rng.normal(theta, np.sqrt(params.variance))
    counts = rng.poisson(theta).astype(np.float64)
    return nodes[counts > 0], nodes[counts > 0], counts[counts > 0]


def _pair(at: AnyArray, n: int, m: int, same: bool, directed: bool) -> tuple[AnyArray, AnyArray]:
    """The two nodes of pair number `at`, counted within their blocks."""
    if not same:
        return at // m, at % m
    if directed:
        rows, rest = at // (n - 1), at % (n - 1)
        return rows, rest + (rest >= rows)
    rows = np.floor((1.0 + np.sqrt(1.0 + 8.0 * at)) / 2.0).astype(np.int64)
    # The root may round across a whole number.
    rows -= rows * (rows - 1) // 2 > at
    rows += (rows + 1) * rows // 2 <= at
    return rows, at - rows * (rows - 1) // 2


def _none() -> Ends:
    return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
