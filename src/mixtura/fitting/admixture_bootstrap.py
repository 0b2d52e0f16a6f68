"""Standard errors of shares: blocks of markers drawn again, and the climb repeated."""

from __future__ import annotations

import numpy as np

from mixtura.data.genotypes import Genotypes
from mixtura.engines.ancestry import Passes
from mixtura.engines.threads import single_blas
from mixtura.fitting.admixture_climb import AdmixtureSolver
from mixtura.records import Array

# How far a repeated climb begins from the edge.
_AWAY = 1e-3


def bootstrap_errors(
    genotypes: Genotypes,
    Q: Array,
    P: Array,
    solver: AdmixtureSolver,
    replicates: int,
    blocks: int,
    rng: np.random.RandomState,
) -> Array:
    """Standard errors of Q (n, K), from climbs begun at (Q, P (M, K)).

    Neighbouring markers are linked, so `blocks` stretches of equally many of them are drawn with
    replacement, as ADMIXTURE does (Alexander, Novembre & Lange 2009; Künsch 1989, Annals of
    Statistics 17).
    """
    K, M = Q.shape[1], genotypes.markers
    block = np.arange(M) * blocks // M
    total, squares = np.zeros_like(Q), np.zeros_like(Q)
    with single_blas:
        for _ in range(replicates):
            times = np.bincount(rng.randint(blocks, size=blocks), minlength=blocks)
            passes = Passes(genotypes, times[block].astype(np.float64))
            start = (1 - _AWAY) * Q + _AWAY / K, (1 - _AWAY) * P + _AWAY / 2
            moved = solver(passes, *start).Q - Q
            total += moved
            squares += moved**2
    mean = total / replicates
    variance = np.maximum(squares / replicates - mean**2, 0.0) * replicates / (replicates - 1)
    return np.asarray(np.sqrt(variance))
