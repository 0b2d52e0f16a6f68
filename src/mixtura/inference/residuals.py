"""Whether an admixture fits: what individuals still have in common when it is taken away."""

from __future__ import annotations

import numpy as np

from mixtura.data.genotypes import Genotypes
from mixtura.data.haploid import MEN
from mixtura.records import Array

# A variance of residuals, of the largest, below which they are rounding.
_NOTHING = 1e-12


def residual_correlations(genotypes: Genotypes, Q: Array, P: Array) -> Array:
    """Correlations (n, n) over markers of what is left of the c_ij copies, x_ij - c_ij h_ij.

    1 on the diagonal, near 0 where the model fits; positive between those who share ancestry that
    it lacks, or are relatives (Garcia-Erill & Albrechtsen 2020, Molecular Ecology Resources 20:
    evalAdmix). The fit itself makes residuals of one population correlate by about -1 / n of it.
    Where evalAdmix estimates frequencies anew without each individual, that is taken away here to
    first order: least squares in P leave residuals (I - H) r, H = C Q (Q'C Q)^+ Q', of covariance
    (I - H) D (I - H)', D the diagonal of those that binomials of c_ij copies have, and C that of
    the copies: where men carry one copy they weigh half. Off the diagonal 0 where an individual is
    fitted exactly, as one that is a population alone may be.
    """
    n = genotypes.individuals
    products, known_pairs = np.zeros((n, n)), np.zeros((n, n))
    # By whether men carry one copy.
    binomial, markers = np.zeros((2, n)), np.zeros(n)
    for where, dosages in genotypes.chunks():
        h, copies = P[where] @ Q.T, genotypes.known(where, dosages)
        residual = copies * (np.nan_to_num(dosages) / genotypes.ploidy - h)
        products += residual.T @ residual
        known = copies > 0
        known_pairs += known.T.astype(np.float64) @ known
        markers += known.sum(axis=0)
        men = genotypes.haploid[where] == MEN if genotypes.haploid is not None else h[:, 0] < 0.0
        variances = copies * h * (1.0 - h)
        binomial += [variances[~men].sum(axis=0), variances[men].sum(axis=0)]
    expected = np.zeros((n, n))
    half = np.ones(n) if genotypes.single is None else 1.0 - 0.5 * (genotypes.single == 1)
    for copied, sums in zip((np.ones(n), half), binomial, strict=True):
        weighed = copied[:, None] * Q
        left = np.eye(n) - weighed @ np.linalg.pinv(Q.T @ weighed) @ Q.T
        expected += left @ np.diag(sums / markers) @ left.T
    between = products / np.maximum(known_pairs, 1.0) - expected + np.diag(np.diag(expected))
    variances = np.diag(between)
    # Of who is fitted exactly rounding is left, which correlates with nothing.
    some = variances > _NOTHING * variances.max()
    spread = np.sqrt(np.where(some, variances, 1.0))
    correlations = np.where(np.outer(some, some), between / np.outer(spread, spread), 0.0)
    np.fill_diagonal(correlations, 1.0)
    return np.asarray(correlations)
