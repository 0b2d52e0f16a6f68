"""Gaussian edges in units of their own: differences of large numbers, and squares of very large or
small ones, would lose their digits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from mixtura.data.networks.network import Network, NetworkError
from mixtura.records import Array

# Means of more standard deviations than this are taken off. Only of networks with an edge in nearly
# every pair can they be: others stay sparse.
FAR = 10.0
# A spread of less than so much of the largest value is rounding.
ROUNDING = 1e-13
# Standard deviations whose squares are numbers.
LEAST, MOST = 1e-150, 1e150


def standardised(network: Network) -> Network:
    """The same network, x = shift + unit * what its edges hold; NetworkError for constant x and for
    x whose variance is no number."""
    values = network.values()
    largest = float(np.abs(values).max())
    values = values / largest
    pairs = network.n_pairs
    mean = float(values.sum()) / pairs
    rest = (pairs - len(values)) * mean**2
    spread = math.sqrt((float(np.square(values - mean).sum()) + rest) / pairs)
    if spread < ROUNDING:
        raise NetworkError(
            f"network: every pair has the same x, {largest * mean:g}, and Gaussian edges have a "
            'variance: use edges="bernoulli" for edges that are there or not'
        )
    if not LEAST < spread * largest < MOST:
        raise NetworkError(
            f"network: x has a standard deviation of {spread * largest:g}, and its square is no "
            "number: give it in other units"
        )
    unit = spread * largest
    if abs(mean) <= FAR * spread:
        edges = csr_array(network.edges / unit)
        return replace(network, edges=edges, loops=network.loops / unit, unit=unit)
    shift = mean * largest
    loops = (network.loops - shift) / unit if network.has_loops else network.loops
    if network.has_loops and not np.nan_to_num(loops).any():
        # Loops of 0 would count as none.
        shift -= unit
        loops = loops + 1.0
    edges = csr_array(np.where(_observed(network), (network.edges.toarray() - shift) / unit, 0.0))
    return replace(network, edges=edges, loops=loops, shift=shift, unit=unit)


def _observed(network: Network) -> Array:
    """(n, n) whether a pair of two nodes was observed."""
    seen = network.listed.toarray() != 0
    if network.complete:
        seen = ~seen
    np.fill_diagonal(seen, False)
    if network.first:
        first = network.first
        seen[:first, :first] = seen[first:, first:] = False
    return np.asarray(seen)
