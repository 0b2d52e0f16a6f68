"""What is asked of populations once they are estimated: which is which, and how far apart."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.records import AnyArray, Array


def matching(Q: Array, reference: Array) -> AnyArray:
    """The order of the populations of Q (n, K) in which they are those of `reference` (n, L).

    Each of the L goes to the one that overlaps it most, all in all (`sum_i q_ik r_il` over the
    lengths of both, as in CLUMPP's and pong's pairings; Kuhn's assignment, by SciPy). Those that
    are left over come last, by falling size; of an L above K some find none.
    """
    lengths = np.linalg.norm(Q, axis=0)[:, None] * np.linalg.norm(reference, axis=0)
    overlap = (Q.T @ reference) / np.maximum(lengths, 1e-300)
    ours, theirs = linear_sum_assignment(-overlap)
    paired = ours[np.argsort(theirs)]
    left = [k for k in np.argsort(-Q.sum(axis=0), kind="stable") if k not in set(paired)]
    return np.concatenate([paired, np.array(left, dtype=paired.dtype)])


def fst(P: Array) -> Array:
    """Fst between each two populations of frequencies P (K, M): (K, K), 0 on its diagonal.

    Hudson's, a ratio of sums over markers, of frequencies that are known: sum (p - r)^2 over sum
    p (1 - r) + r (1 - p) (Bhatia, Patterson, Sankararaman & Price 2013, Genome Research 23,
    equation 10, without the correction for sample size: the noise of estimated frequencies adds to
    it). 0 where no marker varies in either.
    """
    squares = (P**2).sum(axis=1)
    apart = squares[:, None] + squares - 2.0 * P @ P.T
    between = P.sum(axis=1)[:, None] + P.sum(axis=1) - 2.0 * P @ P.T
    out = np.zeros(apart.shape)
    np.divide(apart, between, out=out, where=between > 0)
    np.fill_diagonal(out, 0.0)
    return np.asarray(np.maximum(out, 0.0))
