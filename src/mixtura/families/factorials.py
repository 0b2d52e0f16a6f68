"""Logarithms of factorials, mostly of small counts."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from mixtura.records import Array

_SMALL = gammaln(np.arange(1.0, 1025.0))


def log_factorials(counts: Array) -> Array:
    """log x! of each number x >= 0, looked up where all are small whole ones."""
    if counts.size and counts.min() >= 0 and counts.max() < len(_SMALL):
        whole = counts.astype(np.intp)
        if np.array_equal(whole, counts):
            return np.asarray(_SMALL[whole])
    return np.asarray(gammaln(counts + 1.0))
