"""Block models: how two nodes are joined hangs on the hidden blocks of both.

    z_i ~ weights,    x_ij | z_i = k, z_j = l ~ f(x; theta_kl)

    bernoulli   theta_kl  chance of an edge        x is 0 or 1
    poisson     theta_kl  expected number of edges x is 0, 1, 2, ...
    gaussian    theta_kl  mean; one variance       x is any number, 0 where no edge is listed

(Holland, Laskey & Leinhardt 1983; Mariadassou, Robin & Vacher 2010.) The bound that is climbed,
with memberships t (rows sum to one) of independent nodes, is that of Daudin, Picard & Robin (2008):

    J = sum_i sum_k t_ik (ln weights_k - ln t_ik) + sum_pairs sum_kl t_ik t_jl ln f(x_ij; theta_kl)

In bipartite networks nodes are of two sides, each with blocks of its own, and pairs lie between the
sides: the latent block model of Govaert & Nadif (2003).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaln, logsumexp, xlog1py, xlogy

from mixtura.records import AnyArray, Array

# Densities of pairs that are looked at together: so many numbers at once.
PIECE = 1 << 22


class Edges(StrEnum):
    """The laws of edges, in the order in which the kernels count them."""

    BERNOULLI = "bernoulli"
    POISSON = "poisson"
    GAUSSIAN = "gaussian"


@dataclass(frozen=True)
class NewPairs:
    """Pairs of new nodes with the fitted ones, each (m, n) sparse: x,
    and 1 where a pair is missing."""

    edges: csr_array
    missing: csr_array

    def among(self, n: int, start: int) -> NewPairs:
        """The same among n fitted nodes, where those that are met begin at `start`."""
        wide = [
            csr_array((each.data, each.indices + start, each.indptr), shape=(each.shape[0], n))
            for each in (self.edges, self.missing)
        ]
        return NewPairs(*wide)


@dataclass(frozen=True)
class BlockParams:
    """weights (K,) shares of nodes, matrix (K, K) theta, variance of Gaussian edges
    (units of x^2); first is the number of blocks of the first side of a bipartite network (theta
    within a side is 0), else 0."""

    law: Edges
    weights: Array
    matrix: Array
    variance: float = math.nan
    first: int = 0

    @property
    def K(self) -> int:
        """Blocks."""
        return len(self.weights)

    def log_density(self, x: Array) -> Array:
        """(m, K, K): ln f(x; theta_kl) of each x (m,)."""
        x, t = x[:, None, None], self.matrix
        if self.law is Edges.BERNOULLI:
            return np.asarray(xlogy(x, t) + xlog1py(1.0 - x, -t))
        if self.law is Edges.POISSON:
            return np.asarray(xlogy(x, t) - t - gammaln(x + 1.0))
        return np.asarray(
            -0.5 * math.log(2 * math.pi * self.variance) - 0.5 * (x - t) ** 2 / self.variance
        )

    def natural(self, origin: float = 0.0) -> tuple[Array, Array]:
        """H and Z, each (K, K): ln f(x) - ln f(0) = x H + h(x), where h hangs on no block;
        ln f(0). Of Gaussian edges x and 0 are counted from `origin`."""
        t = self.matrix - origin
        if self.law is Edges.BERNOULLI:
            return np.log(t) - np.log1p(-t), np.log1p(-t)
        if self.law is Edges.POISSON:
            return np.log(t), -t
        return t / self.variance, -0.5 * t**2 / self.variance

    def means(self, rows: AnyArray, columns: AnyArray, memberships: Array) -> Array:
        """(m,) expected x of pairs (rows, columns) of nodes with memberships (n, K)."""
        own = memberships[rows] @ np.diagonal(self.matrix)
        joined = (memberships[rows] @ self.matrix * memberships[columns]).sum(axis=1)
        return np.asarray(np.where(rows == columns, own, joined))

    def pair_log_density(
        self, rows: AnyArray, columns: AnyArray, x: Array, memberships: Array
    ) -> Array:
        """(m,) ln sum_kl t_ik t_jl f(x; theta_kl) of such pairs."""
        found = np.empty(len(x))
        with np.errstate(divide="ignore"):
            logs = np.log(memberships)
        size = max(1, PIECE // self.K**2)
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            i, j = rows[part], columns[part]
            density = self.log_density(x[part])
            joint = logs[i][:, :, None] + logs[j][:, None, :] + density
            own = logs[i] + np.diagonal(density, axis1=1, axis2=2)
            apart = logsumexp(joint, axis=(1, 2))
            found[part] = np.where(i == j, logsumexp(own, axis=1), apart)
        return found

    def place(self, out: NewPairs, back: NewPairs | None, memberships: Array) -> Array:
        """(m, K) memberships of new nodes by their pairs with the fitted ones."""
        # Far from 0 the squares of Gaussian means would leave no digit for what tells blocks apart.
        origin = float(self.matrix.mean()) if self.law is Edges.GAUSSIAN else 0.0
        joined, apart = self.natural(origin)
        total = memberships.sum(axis=0)

        def speaks(pairs: NewPairs, edges: Array, zero: Array) -> Array:
            seen = total - pairs.missing @ memberships
            met = pairs.edges @ memberships - origin * seen
            return np.asarray(met @ edges.T + seen @ zero.T)

        evidence = speaks(out, joined, apart)
        if back is not None:
            evidence = evidence + speaks(back, joined.T, apart.T)
        with np.errstate(divide="ignore"):
            return placed(np.log(self.weights), evidence)

    @property
    def shown(self) -> Array:
        """`matrix`, of bipartite networks from the first side's blocks to the other's."""
        return self.matrix[: self.first, self.first :] if self.first else self.matrix

    def reordered(self, order: Array) -> BlockParams:
        """The same with the blocks in another order."""
        matrix = self.matrix[np.ix_(order, order)]
        return BlockParams(self.law, self.weights[order], matrix, self.variance, self.first)

    def facing(self, side: int) -> BlockParams:
        """Blocks of one side of a bipartite network (matrix rows) as they meet the other's."""
        own, other = facing(self.K, self.first, side)
        return BlockParams(self.law, self.weights[own], self.matrix[own, other], self.variance)


def facing(size: int, first: int, side: int) -> tuple[slice, slice]:
    """Where what belongs to one side lies among `size`, the first side's before, and the
    other's."""
    both = slice(0, first), slice(first, size)
    return both[side], both[1 - side]


def shares(weights: Array, first: int) -> Array:
    """Weights (K,) as shares of the nodes of each side."""
    if not first:
        return weights
    return np.concatenate([part / part.sum() for part in (weights[:first], weights[first:])])


def n_parameters(law: Edges, blocks: tuple[int, ...], directed: bool) -> int:
    """Free parameters, with so many blocks on each side: weights, matrix, and the variance of
    Gaussian edges."""
    return sum(K - 1 for K in blocks) + _matrix_parameters(law, blocks, directed)


def icl(
    complete: float,
    law: Edges,
    blocks: tuple[int, ...],
    directed: bool,
    nodes: tuple[int, ...],
    pairs: int,
) -> float:
    """The integrated complete-data likelihood of Daudin, Picard & Robin (2008), the higher the
    better; with two sides that of Keribin, Brault, Celeux & Govaert (2015).

    complete is the expected complete-data log-likelihood, the bound without its entropy (nats):
    minus (K - 1)/2 ln nodes of each side, minus 1/2 ln pairs for each parameter of edges.
    """
    edges = _matrix_parameters(law, blocks, directed)
    free = sum((K - 1) * math.log(n) for K, n in zip(blocks, nodes, strict=True))
    return complete - 0.5 * (edges * math.log(pairs) + free)


def entropy(memberships: Array) -> float:
    """Minus the sum of t ln t (nats)."""
    return float(-xlogy(memberships, memberships).sum())


def placed(log_weights: Array, evidence: Array) -> Array:
    """Memberships (m, K) of nodes whose edges speak for the blocks by `evidence` (m, K),
    in nats."""
    scores = log_weights + evidence
    return np.asarray(np.exp(scores - logsumexp(scores, axis=1, keepdims=True)))


def cells(blocks: tuple[int, ...], directed: bool) -> int:
    """Numbers of a block matrix that are free."""
    if len(blocks) > 1:
        return math.prod(blocks)
    return blocks[0] ** 2 if directed else blocks[0] * (blocks[0] + 1) // 2


def _matrix_parameters(law: Edges, blocks: tuple[int, ...], directed: bool) -> int:
    return cells(blocks, directed) + (law is Edges.GAUSSIAN)
