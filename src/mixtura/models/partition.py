"""Hard partitions of a network's nodes, where degrees are kept: objectives of counts between
blocks.

    profile       L = sum_rs m_rs ln(m_rs / (kappa_r kappa_s)), the degree-corrected Poisson block
                  model at its best parameters (Karrer & Newman 2011, equation 14); of directed
                  networks kappa are sums of out- and in-degrees (Zhu, Yan & Moore 2014)
    description   nats that tell the network: minus ln P(A | k, e, b) P(k | e, b) P(e | b) P(b) of
                  the microcanonical block model with a uniform prior of partitions of each size and
                  degrees by their histogram (Peixoto 2017, Nonparametric Bayesian inference of the
                  microcanonical stochastic block model), with degrees or without

m_rs counts edges from block r to s, of undirected networks in both directions, so that an edge
within a block counts twice, and so does a loop.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaln, spence, xlogy

from mixtura.data.networks.network import Network
from mixtura.models.block_model import cells
from mixtura.records import AnyArray, Array

# Up to here numbers of partitions are counted, beyond by their asymptotics.
COUNTED = 1000


def ends_of_loops(network: Network) -> Array:
    """(n,) what loops add to the diagonal of the counts: undirected ones have two ends."""
    return network.loops if network.directed else 2.0 * network.loops


def met_between(network: Network, labels: AnyArray, K: int) -> Array:
    """(K, K) counts m of edges between blocks."""
    n = network.n
    member = csr_array((np.ones(n), (np.arange(n), labels)), shape=(n, K))
    met = (member.T @ (network.edges @ member)).toarray()
    return np.asarray(met + np.diag(np.bincount(labels, ends_of_loops(network), K)))


def profile(met: Array) -> float:
    """Karrer & Newman's L of counts (K, K)."""
    rows, columns = met.sum(axis=1), met.sum(axis=0)
    return float(xlogy(met, met).sum() - xlogy(rows, rows).sum() - xlogy(columns, columns).sum())


def poisson_loglik(network: Network, met: Array) -> float:
    """The log-likelihood (nats) of the degree-corrected Poisson model at its best parameters.

    x_ij has mean k_i k_j m_rs / (kappa_r kappa_s), of a loop in an undirected network half that.
    """
    out, back = network.degrees
    edges, loops = network.values().sum(), np.nan_to_num(network.loops)
    if network.directed:
        spread = xlogy(out, out).sum() + xlogy(back, back).sum() + profile(met)
        return float(spread - edges - network.log_factorials)
    halves = loops.sum() * math.log(2.0)
    spread = xlogy(out, out).sum() + 0.5 * profile(met)
    return float(spread - edges - network.log_factorials - halves)


def description_length(
    network: Network, labels: AnyArray, K: int, corrected: bool, first: int = 0
) -> float:
    """Nats that tell the network by its blocks, with or without degrees; the lower the better.

    first is the number of blocks of the first side of a bipartite network, whose two partitions are
    told one after the other (Yen & Larremore 2020).
    """
    met = met_between(network, labels, K)
    size = np.bincount(labels, minlength=K)
    edges = float(network.values().sum())
    blocks = (first, K - first) if first else (K,)
    places = cells(blocks, network.directed)
    told = _of_edges(network) - _between(met, network.directed)
    told += log_choose(places + edges - 1, edges)
    for n, B in zip(network.sides, blocks, strict=True):
        told += log_choose(n - 1, B - 1) + gammaln(n + 1) + math.log(n)
    told -= gammaln(size + 1).sum()
    out, back = network.degrees
    sums = [met.sum(axis=1), met.sum(axis=0)][: 1 + network.directed]
    ends = [out, back][: 1 + network.directed]
    if not corrected:
        return float(told + sum(xlogy(each, size).sum() for each in sums))
    for each, degree in zip(sums, ends, strict=True):
        told += gammaln(each + 1).sum() - gammaln(degree + 1).sum()
        told += sum(log_partitions(int(m), int(n)) for m, n in zip(each, size, strict=True))
        _, alike = np.unique(np.column_stack([labels, degree]), axis=0, return_counts=True)
        told += gammaln(size + 1).sum() - gammaln(alike + 1).sum()
    return float(told)


def log_choose(n: float, k: float) -> float:
    """ln of n choose k."""
    return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def log_partitions(m: int, n: int) -> float:
    """ln of the number of ways to write m as a sum of at most n positive numbers."""
    n = min(n, m)
    if n < 2:
        return 0.0
    if m <= COUNTED:
        return float(counted_partitions()[m, n])
    if n < m**0.25:
        return log_choose(m - 1, n - 1) - float(gammaln(n + 1))
    f, g = asymptotic(np.array([n / math.sqrt(m)]))
    return float(f[0] - math.log(m) + math.sqrt(m) * g[0])


def asymptotic(u: Array) -> tuple[Array, Array]:
    """f and g of u = n / sqrt(m): ln of the partitions of m in at most n parts is about
    f - ln m + sqrt(m) g (Szekeres 1953, as in Peixoto 2017)."""
    v = u.copy()
    for _ in range(200):
        v = u * np.sqrt(spence(np.exp(-v)))
    rest = -np.expm1(-v)
    f = np.log(v) - 0.5 * np.log(1.0 - np.exp(-v) * (1.0 + 0.5 * u * u))
    f -= 1.5 * math.log(2.0) + np.log(u) + math.log(math.pi)
    return f, 2.0 * v / u - u * np.log(rest)


@cache
def counted_partitions() -> Array:
    """(COUNTED + 1, COUNTED + 1): ln of the partitions of m in at most n parts."""
    ways = np.zeros(COUNTED + 1)
    ways[0] = 1.0
    table = np.empty((COUNTED + 1, COUNTED + 1), dtype=np.float64)
    for n in range(COUNTED + 1):
        if n:
            # Either no part is n, or one is, and the rest is a partition of m - n.
            rows = -(-len(ways) // n)
            padded = np.zeros(rows * n)
            padded[: len(ways)] = ways
            ways = padded.reshape(rows, n).cumsum(axis=0).ravel()[: len(ways)]
        with np.errstate(divide="ignore"):
            table[:, n] = np.log(ways)
    return table


def _between(met: Array, directed: bool) -> float:
    """ln of the orders in which ends between blocks can be joined."""
    if directed:
        return float(gammaln(met + 1).sum())
    above = met[np.triu_indices(len(met), 1)]
    inside = 0.5 * np.diagonal(met)
    return float(gammaln(above + 1).sum() + (gammaln(inside + 1) + inside * math.log(2.0)).sum())


def _of_edges(network: Network) -> float:
    """ln of the orders that parallel edges and loops do not tell apart."""
    loops = 0.0 if network.directed else float(np.nan_to_num(network.loops).sum()) * math.log(2.0)
    return network.log_factorials + loops
