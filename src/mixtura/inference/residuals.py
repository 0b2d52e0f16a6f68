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

    1 on the diagonal, near 0 where the model fits, near 1 between copies of one individual;
    positive between those who share ancestry that it lacks, or are relatives (Garcia-Erill &
    Albrechtsen 2020, Molecular Ecology Resources 20: evalAdmix). The fit itself makes residuals of
    one population correlate by about -1 / n of it. Where evalAdmix estimates frequencies anew
    without each individual, that is taken away here to first order: frequencies fitted by least
    squares with weights D^-1, D the binomials' variances, leave residuals of covariance
    D - F V F', F = C Q, V = (F'D^-1 F)^+ (generalised least squares; C the copies: where men carry
    one they weigh half; who is seen at few markers weighs little). So F V F' is given back, to
    variances as to covariances: a sum of two Gram matrices, no correlation of which is beyond 1.
    Gaps break that, as pairs are seen at different markers, and what they put beyond is cut there.
    Off the diagonal 0 where an individual is fitted exactly, as one that is a population alone.
    """
    n = genotypes.individuals
    products, known_pairs = np.zeros((n, n)), np.zeros((n, n))
    # By whether men carry one copy: variances and genotypes that are seen, sums over markers.
    binomial, seen, markers = np.zeros((2, n)), np.zeros((2, n)), np.zeros(2)
    for where, dosages in genotypes.chunks():
        h, copies = P[where] @ Q.T, genotypes.known(where, dosages)
        residual = copies * (np.nan_to_num(dosages) / genotypes.ploidy - h)
        products += residual.T @ residual
        known = copies > 0
        known_pairs += known.T.astype(np.float64) @ known
        men = genotypes.haploid[where] == MEN if genotypes.haploid is not None else h[:, 0] < 0.0
        variances = copies * h * (1.0 - h)
        for kind, those in enumerate((~men, men)):
            binomial[kind] += variances[those].sum(axis=0)
            seen[kind] += known[those].sum(axis=0)
            markers[kind] += np.count_nonzero(those)
    half = np.ones(n) if genotypes.single is None else 1.0 - 0.5 * (genotypes.single == 1)
    common = products / np.maximum(known_pairs, 1.0)
    for kind, copied in enumerate((np.ones(n), half)):
        if markers[kind] > 0:
            fitted = _fitted(copied[:, None] * Q, binomial[kind], seen[kind] / markers[kind])
            common += fitted / markers.sum()
    variances = np.diag(common)
    # Of who is fitted exactly rounding is left, which correlates with nothing.
    some = variances > _NOTHING * variances.max()
    spread = np.sqrt(np.where(some, variances, 1.0))
    correlations = np.where(np.outer(some, some), common / np.outer(spread, spread), 0.0)
    np.fill_diagonal(correlations, 1.0)
    return np.asarray(np.clip(correlations, -1.0, 1.0))


def _fitted(F: Array, binomial: Array, share: Array) -> Array:
    """F V F' summed over markers: what frequencies took of individuals' binomial variances (sums),
    each of whom is seen at a share of them."""
    # Who varies nowhere settles a frequency for good.
    least = max(_NOTHING * binomial.max(), np.finfo(np.float64).tiny)
    spread = np.sqrt(np.maximum(binomial, least)) / share
    whitened = F / spread[:, None]
    # As a projection, which stays one where shares hang together.
    return np.asarray((whitened @ np.linalg.pinv(whitened, 1e-10)) * np.outer(spread, spread))
