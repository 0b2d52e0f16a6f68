"""A network: who is joined with whom, how often or how strongly,
and which pairs nobody looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.special import gammaln

from mixtura.records import AnyArray, Array


class NetworkError(ValueError):
    """A network that cannot be used; the message says what was found and what to do."""


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes and their pairs.

    edges     (n, n) sparse float64: x of the pairs with an edge, symmetric unless `directed`;
              without a diagonal and without NaN
    loops     (n,) x of the pairs (i, i), 0 where there is none, NaN where it is missing
    listed    (n, n) sparse, an entry for each pair that is missing (`complete`) or for each that
              was observed (not `complete`); without a diagonal
    complete  whether all pairs were observed but for those listed
    directed  whether x_ij and x_ji are two pairs
    names     (n,) what the nodes are called
    first     nodes of the first side of a bipartite network, which come first, and within a side
              there are no pairs; 0 where any two nodes are a pair
    shift, unit   x is shift + unit * what `edges` and `loops` hold (shift also where they hold
              nothing)
    """

    edges: csr_array
    loops: Array
    listed: csr_array
    complete: bool
    directed: bool
    names: AnyArray
    first: int = 0
    shift: float = 0.0
    unit: float = 1.0

    @property
    def n(self) -> int:
        """Nodes."""
        return int(self.edges.shape[0])

    @property
    def sides(self) -> tuple[int, ...]:
        """Nodes of each side; all in one but in bipartite networks."""
        return (self.first, self.n - self.first) if self.first else (self.n,)

    @cached_property
    def has_loops(self) -> bool:
        """Whether any node is joined with itself: then pairs (i, i) count,
        else they do not exist."""
        return bool(np.nan_to_num(self.loops).any())

    @cached_property
    def n_edges(self) -> int:
        """Pairs with an x that is not 0."""
        stored = self.edges.nnz if self.directed else self.edges.nnz // 2
        return int(stored + np.count_nonzero(np.nan_to_num(self.loops)))

    @cached_property
    def n_pairs(self) -> int:
        """Observed pairs, with those of a node and itself where the network has loops."""
        listed = int(self.listed.nnz)
        ordered = possible(self.n, self.first) - listed if self.complete else listed
        pairs = ordered if self.directed else ordered // 2
        return int(pairs + (np.isfinite(self.loops).sum() if self.has_loops else 0))

    @property
    def fully_observed(self) -> bool:
        """Whether no pair is missing."""
        return self.complete and self.listed.nnz == 0 and bool(np.isfinite(self.loops).all())

    @cached_property
    def degrees(self) -> tuple[Array, Array]:
        """(n,) out- and in-degrees; equal where the network is undirected,
        and loops then count twice."""
        loops = np.nan_to_num(self.loops) * (1 if self.directed else 2)
        return self.edges.sum(axis=1) + loops, self.edges.sum(axis=0) + loops

    def values(self) -> Array:
        """x of every edge once, loops among them."""
        kept = self.edges if self.directed else upper(self.edges)
        loops = np.nan_to_num(self.loops)
        return np.concatenate([kept.data, loops[loops != 0]])

    @cached_property
    def log_factorials(self) -> float:
        """The sum of ln x! over all pairs."""
        return float(gammaln(self.values() + 1.0).sum())

    @cached_property
    def squares(self) -> float:
        """The sum of x^2 over all pairs."""
        return float(np.square(self.values()).sum())


def possible(n: int, first: int = 0) -> int:
    """Pairs of n nodes in both orders, of bipartite networks between the first ones and others."""
    return 2 * first * (n - first) if first else n * (n - 1)


def upper(matrix: csr_array) -> coo_array:
    """The entries above the diagonal."""
    entries = matrix.tocoo()
    above = entries.row < entries.col
    return coo_array(
        (entries.data[above], (entries.row[above], entries.col[above])), shape=matrix.shape
    )
