"""Genotypes for the tests: simulated ones, the demo's, and the likelihood in plain NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.special import xlog1py, xlogy

DEMO = Path(__file__).parents[3] / "shared" / "reference" / "ancestry"


def demo() -> Path:
    """The demo file, 105 individuals at 8,451 markers; a test without it is skipped."""
    if not DEMO.is_dir():
        pytest.skip(f"the reference data are not there: {DEMO}")
    return DEMO / "demo_data.bed"


def balding_nichols(n, M, K, seed, fst=0.1, alpha=0.2):
    """(genotypes (n, M), Q, P (M, K)): p ~ U(.05, .95), f ~ Beta(p (1-F)/F, (1-p) (1-F)/F)."""
    rng = np.random.default_rng(seed)
    p, spread = rng.uniform(0.05, 0.95, (M, 1)), (1 - fst) / fst
    P = rng.beta(p * spread, (1 - p) * spread, (M, K))
    Q = rng.dirichlet(np.full(K, alpha), n)
    return rng.binomial(2, Q @ P.T), Q, P


def plain_loglik(X, Q, P, ploidy=2):
    """sum x log h + (ploidy - x) log(1 - h), P (M, K); NaN is left out."""
    known = ~np.isnan(X)
    h = Q @ P.T
    return (xlogy(X, h) + xlog1py(ploidy - X, -np.minimum(h, 1.0)))[known].sum()


def matched(Q, truth):
    """Q with its populations in the order of those of `truth`."""
    return Q[:, linear_sum_assignment(-(truth.T @ Q))[1]]
