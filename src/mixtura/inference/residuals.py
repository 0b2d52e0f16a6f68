"""Whether an admixture fits: what individuals still have in common when it is taken away."""

from __future__ import annotations

import numpy as np

from mixtura.data.genotypes import Genotypes
from mixtura.records import Array

# A variance of residuals, of the largest, below which they are rounding.
_NOTHING = 1e-12


def residual_correlations(genotypes: Genotypes, Q: Array, P: Array) -> Array:
    """Correlations (n, n) over markers of what is left of genotypes, x_ij - ploidy h_ij.

    1 on the diagonal, near 0 where the model fits; positive between those who share ancestry that
    it lacks, or are relatives (Garcia-Erill & Albrechtsen 2020, Molecular Ecology Resources 20:
    evalAdmix). The fit itself makes residuals of one population correlate by about -1 / n of it.
    Where evalAdmix estimates frequencies anew without each individual, that is taken away here to
    first order: least squares in P leave residuals (I - H) r, H = Q (Q'Q)^+ Q', with covariances
    (I - H) D (I - H), D the diagonal of those that binomials have. Off the diagonal 0 where an
    individual is fitted exactly, as one that is a population alone may be.
    """
    n = genotypes.individuals
    products, known_pairs, binomial = np.zeros((n, n)), np.zeros((n, n)), np.zeros(n)
    markers = np.zeros(n)
    for where, dosages in genotypes.chunks():
        h = P[where] @ Q.T
        known = ~np.isnan(dosages)
        residual = np.where(known, dosages - genotypes.ploidy * h, 0.0)
        products += residual.T @ residual
        known_pairs += known.T.astype(np.float64) @ known
        binomial += np.where(known, genotypes.ploidy * h * (1.0 - h), 0.0).sum(axis=0)
        markers += known.sum(axis=0)
    left = np.eye(n) - Q @ np.linalg.pinv(Q.T @ Q) @ Q.T
    expected = left @ np.diag(binomial / markers) @ left
    between = products / np.maximum(known_pairs, 1.0) - expected + np.diag(np.diag(expected))
    variances = np.diag(between)
    # Of who is fitted exactly rounding is left, which correlates with nothing.
    some = variances > _NOTHING * variances.max()
    spread = np.sqrt(np.where(some, variances, 1.0))
    correlations = np.where(np.outer(some, some), between / np.outer(spread, spread), 0.0)
    np.fill_diagonal(correlations, 1.0)
    return np.asarray(correlations)
