"""The degree-corrected block model of Karrer & Newman (2011): nodes keep their degrees.

    x_ij ~ Poisson(k_i k_j m_rs / (kappa_r kappa_s)),    r, s the blocks of i and j

k are degrees, m counts of edges between blocks, kappa its sums: the maximum-likelihood estimates,
given the blocks. Of directed networks k_i is the out-degree and k_j the in-degree. A loop of an
undirected network has two ends, and half that mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlogy

from mixtura.models.block_model import NewPairs, placed
from mixtura.models.partition import profile
from mixtura.records import AnyArray, Array

# A pair of blocks without an edge counts as so much of one where new nodes are placed.
FAINT = 0.5


@dataclass(frozen=True)
class CorrectedParams:
    """weights (K,) shares of nodes, met (K, K) ends m_rs, out and back (n,) degrees."""

    weights: Array
    met: Array
    out: Array
    back: Array
    directed: bool = False

    @property
    def K(self) -> int:
        """Blocks."""
        return len(self.weights)

    @property
    def matrix(self) -> Array:
        """(K, K) ends m_rs between blocks."""
        return self.met

    @property
    def profile(self) -> float:
        """Karrer & Newman's L (nats)."""
        return profile(self.met)

    def affinity(self, least: float = 0.0) -> Array:
        """(K, K): m_rs / (kappa_r kappa_s), counts at `least`; 0 where a block has no edge."""
        met = np.maximum(self.met, least)
        both = np.outer(met.sum(axis=1), met.sum(axis=0))
        return np.divide(met, both, out=np.zeros_like(met), where=both > 0)

    def ratios(self) -> Array:
        """(K, K): edges between blocks as a multiple of what degrees alone would give."""
        return np.asarray(self.affinity() * self.met.sum())

    def means(self, rows: AnyArray, columns: AnyArray, memberships: Array) -> Array:
        """(m,) expected x of pairs (rows, columns) of nodes with memberships (n, K)."""
        joined = memberships[rows] @ self.affinity()
        shared = (joined * memberships[columns]).sum(axis=1)
        ends = np.where((rows == columns) & (not self.directed), 0.5, 1.0)
        return np.asarray(self.out[rows] * self.back[columns] * shared * ends)

    def pair_log_density(
        self, rows: AnyArray, columns: AnyArray, x: Array, memberships: Array
    ) -> Array:
        """(m,) ln P(x) of such pairs."""
        means = self.means(rows, columns, memberships)
        return np.asarray(xlogy(x, means) - means - gammaln(x + 1.0))

    def place(self, out: NewPairs, back: NewPairs | None, memberships: Array) -> Array:
        """(m, K) memberships of new nodes, each of the degree that it shows."""
        speaking = np.log(np.maximum(self.affinity(FAINT), np.finfo(np.float64).tiny))
        evidence = out.edges @ memberships @ speaking.T
        if back is not None:
            evidence = evidence + back.edges @ memberships @ speaking
        return placed(np.log(self.weights), evidence)
