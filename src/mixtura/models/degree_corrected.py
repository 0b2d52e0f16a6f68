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

from mixtura.models.block_model import NewPairs, facing, placed
from mixtura.models.partition import profile
from mixtura.records import AnyArray, Array

# A pair of blocks without an edge counts as so much of one where new nodes are placed.
FAINT = 0.5
# A sum less its parts is taken for nothing below so much of it.
ROUNDING = 1e-12


@dataclass(frozen=True)
class CorrectedParams:
    """weights (K,) shares of nodes, met (K, K) ends m_rs, out and back (n,) degrees; first as in
    `BlockParams`.

    Where pairs are missing (not `complete`), met and degrees are those that would be expected if
    all had been looked at.
    """

    weights: Array
    met: Array
    out: Array
    back: Array
    directed: bool = False
    first: int = 0
    complete: bool = True

    @property
    def K(self) -> int:
        """Blocks."""
        return len(self.weights)

    @property
    def profile(self) -> float:
        """Karrer & Newman's L (nats)."""
        return profile(self.met)

    @property
    def shown(self) -> Array:
        """What is told of the blocks: `met`, of bipartite networks from the first side's to
        others."""
        return self.met[: self.first, self.first :] if self.first else self.met

    def affinity(self, least: float = 0.0) -> Array:
        """(K, K): m_rs / (kappa_r kappa_s), counts at `least`; 0 where a block has no edge."""
        met = np.maximum(self.met, least)
        both = np.outer(met.sum(axis=1), met.sum(axis=0))
        return np.divide(met, both, out=np.zeros_like(met), where=both > 0)

    def facing(self, side: int) -> CorrectedParams:
        """Blocks of one side of a bipartite network (met rows) as they meet the other's."""
        own, other = facing(self.K, self.first, side)
        return CorrectedParams(self.weights[own], self.met[own, other], self.out, self.back)

    def ratios(self) -> Array:
        """(K, K): edges between blocks as a multiple of what degrees alone would give."""
        if self.first:
            across = self.facing(0)
            return np.asarray(across.affinity() * across.met.sum())
        return np.asarray(self.affinity() * self.met.sum())

    def means(
        self, rows: AnyArray, columns: AnyArray, memberships: Array, least: float = 0.0
    ) -> Array:
        """(m,) expected x of pairs (rows, columns) of nodes with memberships (n, K)."""
        joined = memberships[rows] @ self.affinity(least)
        shared = (joined * memberships[columns]).sum(axis=1)
        ends = np.where((rows == columns) & (not self.directed), 0.5, 1.0)
        return np.asarray(self.out[rows] * self.back[columns] * shared * ends)

    def pair_log_density(
        self, rows: AnyArray, columns: AnyArray, x: Array, memberships: Array
    ) -> Array:
        """(m,) ln P(x) of such pairs; blocks that never met have half of an edge."""
        means = self.means(rows, columns, memberships)
        nowhere = np.flatnonzero((means == 0) & (x > 0))
        means[nowhere] = self.means(rows[nowhere], columns[nowhere], memberships, FAINT)
        return np.asarray(xlogy(x, means) - means - gammaln(x + 1.0))

    def place(self, out: NewPairs, back: NewPairs | None, memberships: Array) -> Array:
        """(m, K) memberships of new nodes, each of the degree that it shows.

        Of x edges to fitted nodes, of which a part was looked at, the likelihood at the degree that
        is the most likely is prod_j omega_rj^x_j / (sum over those of k_j omega_rj)^x.
        """
        omega = np.maximum(self.affinity(FAINT), np.finfo(np.float64).tiny)
        evidence = _spoken(out, memberships, omega, self.back)
        if back is not None:
            evidence = evidence + _spoken(back, memberships, omega.T, self.out)
        return placed(np.log(self.weights), evidence)


def _spoken(pairs: NewPairs, memberships: Array, omega: Array, degrees: Array) -> Array:
    """(m, K) log-likelihood of each block of new nodes, but for what is the same in all."""
    found = np.asarray(pairs.edges @ memberships @ np.log(omega).T)
    if not pairs.missing.nnz:
        return found
    ends = memberships * degrees[:, None]
    total = ends.sum(axis=0)
    seen = total - pairs.missing @ ends
    # Of a block that was not looked at only rounding is left.
    seen[seen < ROUNDING * total] = 0.0
    share = (seen @ omega.T) / (total @ omega.T)
    x = np.asarray(pairs.edges.sum(axis=1)).reshape(-1, 1)
    return np.asarray(found - x * np.log(np.maximum(share, np.finfo(np.float64).tiny)))
