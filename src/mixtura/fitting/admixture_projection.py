"""New individuals in known populations, without the pull to the middle that noise in P makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixtura.data.genotypes import Genotypes
from mixtura.engines.ancestry import Passed, Passes, em_shares, newton_shares
from mixtura.engines.threads import single_blas
from mixtura.records import Array

# EM steps first; how often the correction is made anew; Newton steps between, and halvings.
_FIRST, _ANEW, _STEPS, _HALVED = 5, 4, 20, 6
# Of an individual's curvature at most so much is taken for noise.
_MOST = 0.9
# Of the trace of an individual's curvature: less counts as this much.
_FLAT = 1e-9
# A step this small ends the climb.
_STILL = 1e-7
# Numbers of an array that is made at a time.
_NUMBERS = 1 << 20


def projected(genotypes: Genotypes, Q: Array, P: Array, copies: Array) -> Array:
    """Shares (m, K) of individuals that were not fitted; Q (n, K), P (M, K) are those that were.

    copies (M, K) are those that the fitted individuals were seen to carry, sum_i c_ij q_ik.

    With p known the score in q has mean 0. Estimated frequencies p + e, with the covariance C_j of
    the e at marker j, shrink q: sum_j w_ij (p + e)(p + e)' is larger than it should be, on average
    by B_i = sum_j w_ij C_j, w_ij = ploidy / (h (1 - h)). So B_i q is added to the score and B_i
    taken from the curvature (the corrected score of Nakamura 1990, Biometrika 77, to first order).
    C_j is the inverse of the expected information that the fitted individuals have of p_j.
    """
    somebody = Q.sum(axis=0) > 0.0
    if not somebody.all():
        # Nothing is known of a population that nobody belongs to.
        found = np.zeros((genotypes.individuals, len(somebody)))
        found[:, somebody] = projected(
            genotypes, Q[:, somebody], P[:, somebody], copies[:, somebody]
        )
        return found
    K = Q.shape[1]
    # Jeffreys' half a copy: who carries an allele that nobody had would be impossible everywhere.
    P = (copies * P + 0.5) / (copies + 1.0)
    noise = _noise(Q, P, copies)
    passes = Passes(genotypes)
    shares = np.full((genotypes.individuals, K), 1.0 / K)
    with single_blas:
        for _ in range(_FIRST):
            shares = em_shares(shares, passes.held(shares, P))
        shares = _climbed(passes, shares, P, np.zeros((len(shares), K, K)))
        for _ in range(_ANEW):
            correction = _correction(genotypes, shares, P, noise)
            correction = _bounded(correction, passes.held(shares, P).curve)
            shares = _climbed(passes, shares, P, correction)
    return shares


def _noise(Q: Array, P: Array, copies: Array) -> Array:
    """C (M, K, K): the inverse of sum_i c_ij q_i q_i' / (h_ij (1 - h_ij)).

    Who was seen at marker j is not known any more, only of each population how many copies: the
    sum over all individuals, each of one copy, is brought to them, by the roots of copies_jk /
    sum_i q_ik on both sides. Where everybody was seen that is the sum itself.
    """
    K = Q.shape[1]
    products = (Q[:, :, None] * Q[:, None, :]).reshape(len(Q), K * K)
    information = np.empty((len(P), K * K))
    step = max(1, _NUMBERS // len(Q))
    for start in range(0, len(P), step):
        h = P[start : start + step] @ Q.T
        information[start : start + step] = (1.0 / (h * (1.0 - h))) @ products
    seen = np.sqrt(copies / Q.sum(axis=0))
    whole = information.reshape(-1, K, K) * seen[:, :, None] * seen[:, None, :]
    values, axes = np.linalg.eigh(whole)
    # Of what nothing was seen lies between 0 and 1 all the same: no variance there is above 1/4.
    return np.asarray((axes / np.maximum(values, 4.0)[:, None, :]) @ axes.transpose(0, 2, 1))


def _correction(genotypes: Genotypes, Q: Array, P: Array, noise: Array) -> Array:
    """B (m, K, K) at these shares; markers that an individual lacks tell nothing of it."""
    K = Q.shape[1]
    found = np.zeros((len(Q), K * K))
    flat = noise.reshape(len(P), K * K)
    for where, dosages in genotypes.chunks():
        h = P[where] @ Q.T
        weight = genotypes.known(where, dosages) / (h * (1.0 - h))
        found += weight.T @ flat[where]
    return found.reshape(-1, K, K)


def _bounded(B: Array, curve: Array) -> Array:
    """B, less of it where it would take more than nine tenths of an individual's curvature."""
    K = B.shape[1]
    if K == 1:
        return B
    whole = np.empty_like(B)
    upper = np.triu_indices(K)
    whole[:, upper[0], upper[1]] = whole[:, upper[1], upper[0]] = curve.T
    # Along the simplex: steps from the last population to each of the others.
    along = np.vstack([np.eye(K - 1), -np.ones(K - 1)])
    curved = along.T @ whole @ along
    # Fewer markers than populations leave directions without any curvature.
    curved += (_FLAT * np.trace(curved, axis1=1, axis2=2))[:, None, None] * np.eye(K - 1)
    ratios = np.linalg.solve(curved, along.T @ B @ along)
    most = np.linalg.eigvals(ratios).real.max(axis=1)
    return np.asarray(B * np.minimum(1.0, _MOST / np.maximum(most, _MOST))[:, None, None])


def _climbed(passes: Passes, Q: Array, P: Array, B: Array) -> Array:
    """The top of the log-likelihood plus q_i' B_i q_i / 2, by halved Newton steps."""
    passed, value = _corrected(passes, Q, P, B)
    for _ in range(_STEPS):
        step = newton_shares(Q, passed) - Q
        for _ in range(_HALVED):
            there = Q + step
            found = _corrected(passes, there, P, B)
            if found[1] >= value:
                break
            step = 0.5 * step
        else:
            return Q
        Q, (passed, value) = there, found
        if np.abs(step).max() < _STILL:
            return Q
    return Q


def _corrected(passes: Passes, Q: Array, P: Array, B: Array) -> tuple[Passed, float]:
    """A pass with the correction in its slope and curvature, and the objective."""
    passed = passes.held(Q, P)
    pull = np.einsum("ikl,il->ik", B, Q)
    upper = np.triu_indices(Q.shape[1])
    corrected = replace(
        passed, slope=passed.slope + pull, curve=passed.curve - B[:, upper[0], upper[1]].T
    )
    return corrected, passed.loglik + 0.5 * float(np.sum(pull * Q))
