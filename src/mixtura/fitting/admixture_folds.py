"""Cross-validation of an admixture: genotypes are hidden, one by one, and predicted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import xlogy

from mixtura.data.genotypes import Genotypes
from mixtura.engines.ancestry import Fold, Passes
from mixtura.engines.threads import single_blas
from mixtura.fitting.admixture_climb import AdmixtureSolver
from mixtura.records import Array

# How near to 0 and 1 ADMIXTURE lets a frequency come.
CLIP = 1e-5
# Climbs need not end as near the top as to show there: errors are means of many genotypes.
TOL = 1e-4
# How far starts are taken from the edge, which what was hidden may have put them on.
_AWAY = 1e-3


@dataclass(frozen=True)
class CrossValidation:
    """How well genotypes are predicted that were hidden.

    error       mean of minus log P(genotype) per copy of an allele (nats): 0.69 for a coin, lower
                is better; frequencies are first shrunk as by Jeffreys' prior, by half a copy to the
                copies that are seen of the marker and the population
    spread      its standard error, from the folds
    admixture   ADMIXTURE's "CV error": the mean of x log(x / m) + (2 - x) log((2 - x) / (2 - m))
                with m = 2 sum_k q_ik p_kj (Alexander & Lange 2011, BMC Bioinformatics 12:246)
    folds       each fold's error
    """

    error: float
    spread: float
    admixture: float
    folds: tuple[float, ...]


def cross_validated(
    genotypes: Genotypes, Q: Array, P: Array, solver: AdmixtureSolver, folds: int, seed: int
) -> CrossValidation:
    """Each fold of the genotypes predicted from a fit to the others, begun near (Q, P (M, K)).

    Of whom a fold leaves nothing is predicted from the mean shares of the others, and a marker of
    which it leaves nothing by a half. ValueError for folds without genotypes.
    """
    many = refuse_folds(genotypes, folds)
    parts = [Passes(genotypes, left_out=Fold(i, folds, seed)) for i in range(folds)]
    copies = [_copies(passes) for passes in parts]
    # Sums of logarithms are exact to rounding only.
    if min(copies) < 1e-6:
        raise _too_many(folds, many)
    logliks, clipped = [], 0.0
    solver = replace(solver, tol=max(solver.tol, TOL))
    with single_blas:
        for passes in parts:
            shares, frequencies = _fitted(passes, Q, P, solver)
            # What is hidden or missing tells nothing of a frequency.
            carried = passes.carried(shares)
            shrunk = (carried * frequencies + 0.5) / (carried + 1.0)
            logliks.append(passes.loglik_left_out(shares, shrunk))
            clipped += passes.loglik_left_out(shares, np.clip(frequencies, CLIP, 1 - CLIP))
    errors = -np.array(logliks) / np.array(copies)
    total = sum(copies)
    spread = float(errors.std(ddof=1) / math.sqrt(folds))
    per_genotype = genotypes.ploidy / total
    admixture = (_saturated(genotypes) - clipped) * per_genotype
    return CrossValidation(
        -sum(logliks) / total, spread, admixture, tuple(float(error) for error in errors)
    )


def refuse_folds(genotypes: Genotypes, folds: int) -> int:
    """The number of known genotypes; ValueError for more folds than these, before any work."""
    many = int(genotypes.counted().known.sum())
    if folds > many:
        raise _too_many(folds, many)
    return many


def _too_many(folds: int, many: int) -> ValueError:
    return ValueError(
        f"folds={folds} leaves a fold without any genotype, as there are {many:,} known ones: "
        "take fewer folds"
    )


def _fitted(passes: Passes, Q: Array, P: Array, solver: AdmixtureSolver) -> tuple[Array, Array]:
    """Shares and frequencies from what is seen; what nothing is seen of knows only the rest."""
    K = Q.shape[1]
    individuals, markers = passes.seen()
    given = np.zeros(len(Q), dtype=bool) if solver.fixed is None else solver.fixed
    lost = ~individuals & ~given
    solver = replace(solver, fixed=given | lost)
    end = solver(passes, (1 - _AWAY) * Q + _AWAY / K, (1 - _AWAY) * P + _AWAY / 2)
    shares = np.where(lost[:, None], end.Q[individuals].mean(axis=0), end.Q)
    # Where the climb began was made with the hidden genotypes.
    return shares, np.where(markers[:, None], end.P, 0.5)


def _copies(passes: Passes) -> float:
    """The copies of alleles that are hidden: each is worth log 2 where chances are 1/2."""
    n, M = passes.genotypes.shape
    return -passes.loglik_left_out(np.ones((n, 1)), np.full((M, 1), 0.5)) / math.log(2.0)


def _saturated(genotypes: Genotypes) -> float:
    """sum x log(x / c) + (c - x) log((c - x) / c) over all genotypes of c copies."""
    c = genotypes.ploidy
    share = np.arange(c + 1) / c
    terms = c * (xlogy(share, share) + xlogy(1 - share, 1 - share))
    met = np.zeros(c + 1)
    for _, dosages in genotypes.chunks():
        met += np.bincount(dosages[~np.isnan(dosages)].astype(int), minlength=c + 1)
    return float(met @ terms)
