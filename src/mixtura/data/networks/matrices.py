"""Matrices and lists of pairs into a `Network`: directions, loops, missing pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import block_array, coo_array, csr_array, issparse

from mixtura.data.networks.network import Network, NetworkError, possible
from mixtura.records import AnyArray, Array

Pairs = tuple[AnyArray, AnyArray, Array]

# Two directions of a pair that differ by less than so much of the largest entry are one number.
ROUNDING = 1e-10


def from_matrix(given: Any, directed: bool | None, observed: Any) -> Network:
    """The network of an adjacency matrix (n, n), dense or sparse; NaN is a missing pair.

    Its diagonal holds the loops, each once. directed None: whether the matrix is not symmetric.
    """
    matrix = coo_array(given) if issparse(given) else _dense(given)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        sides = "bipartite=True if its rows and columns are two kinds of nodes, or "
        raise NetworkError(
            f"network: an array of shape {matrix.shape} is no adjacency matrix, which is square: "
            f"give {sides if matrix.ndim == 2 else ''}"
            "edge lists as a pandas or Polars frame"
        )
    pairs = _entries(matrix)
    names = np.arange(matrix.shape[0])
    whole = _summed(pairs, len(names))
    alike = not directed and _symmetric(whole, within=ROUNDING)
    if alike:
        # Correlations, say, differ in the last place: what is meant is one number.
        entries = csr_array(0.5 * (whole + whole.T)).tocoo()
        pairs = entries.row, entries.col, entries.data
    if directed is None:
        _refuse_half_missing(whole)
        directed = not alike
    elif not directed and not alike:
        raise NetworkError(
            "network: directed=False, and the matrix is not symmetric: give directed=True, or "
            "A + A.T"
        )
    return assembled(pairs, names, directed, observed)


def from_biadjacency(given: Any, observed: Any) -> Network:
    """The bipartite network of a matrix (n1, n2): rows are one side, columns the other."""
    matrix = coo_array(given) if issparse(given) else _dense(given)
    rows, columns, values = _entries(matrix)
    n1, n2 = matrix.shape
    names = np.concatenate([np.arange(n1), np.arange(n2)])
    return between((rows, columns + n1, values), n1, names, observed)


def between(pairs: Pairs, first: int, names: AnyArray, observed: Any) -> Network:
    """The bipartite network of edges from the `first` nodes to the others; observed (n1, n2)."""
    n1, n2 = first, len(names) - first
    if not n1 or not n2:
        raise NetworkError(
            f"network: its sides have {n1} and {n2} nodes, and a bipartite network has some in each"
        )
    if observed is not None:
        mask = _mask(observed, (n1, n2), f"a bipartite network of {n1} and {n2} nodes")
        observed = block_array([[None, mask], [mask.T, None]])
    return assembled(_mirrored(pairs), names, False, observed, first)


def split(pairs: Pairs, second: AnyArray, names: AnyArray, observed: Any) -> Network:
    """The bipartite network of edges between nodes that are `second` (n,) and others."""
    rows, columns, values = pairs
    wrong = np.flatnonzero(second[rows] == second[columns])
    if len(wrong):
        told = names.tolist()
        one, other = told[rows[wrong[0]]], told[columns[wrong[0]]]
        raise NetworkError(
            f"network: an edge joins {one!r} and {other!r}, which are of one side: a bipartite "
            "network has edges between its sides only"
        )
    order = np.argsort(second, kind="stable")
    place = np.argsort(order)
    ends = np.sort([place[rows], place[columns]], axis=0)
    return between((ends[0], ends[1], values), int((~second).sum()), names[order], observed)


def from_pairs(pairs: Pairs, names: AnyArray, directed: bool, observed: Any) -> Network:
    """The network of listed edges (from, to, x); edges listed several times add up.

    In undirected networks (a, b) and (b, a) are one pair.
    """
    if not directed:
        pairs = _mirrored(pairs)
    return assembled(pairs, names, directed, observed)


def _mirrored(pairs: Pairs) -> Pairs:
    rows, columns, values = pairs
    apart = rows != columns
    return (
        np.concatenate([rows, columns[apart]]),
        np.concatenate([columns, rows[apart]]),
        np.concatenate([values, values[apart]]),
    )


def assembled(
    pairs: Pairs, names: AnyArray, directed: bool, observed: Any, first: int = 0
) -> Network:
    """A network of pairs that are listed in both directions where it is undirected."""
    n = len(names)
    if n < 2:
        raise NetworkError(f"network: a network of {n} nodes has no pairs: give two nodes or more")
    summed = _summed(pairs, n)
    _refuse_infinite(summed, names)
    entries = summed.tocoo()
    loops = _without_residues(summed.diagonal(), entries.data)
    apart = (entries.row != entries.col) & (entries.data != 0)
    row, column, data = entries.row[apart], entries.col[apart], entries.data[apart]
    missing = np.isnan(data)
    listed = _pattern(row[missing], column[missing], n)
    edges = csr_array((data[~missing], (row[~missing], column[~missing])), shape=(n, n))
    complete = True
    if observed is not None:
        edges, loops, listed, complete = _limited(edges, loops, listed, observed, directed, first)
    if not np.nan_to_num(loops).any():
        # Without loops there are no pairs (i, i), and none is missing.
        loops = np.zeros(n)
    network = Network(edges, loops, listed, complete, directed, names, first)
    if network.n_pairs == 0:
        raise NetworkError("network: every pair is missing: there is nothing to fit")
    return network


def _without_residues(loops: Array, values: Array) -> Array:
    """The diagonal with 0 for what arithmetic has left of one, as in np.corrcoef(X) - I."""
    known = values[~np.isnan(values)]
    largest = np.abs(known).max(initial=0.0)
    return np.where(np.abs(loops) < ROUNDING * largest, 0.0, loops)


def _dense(given: Any) -> coo_array:
    """A dense matrix with NaN among what it stores."""
    array = np.asarray(given)
    if array.ndim != 2:
        raise NetworkError(
            f"network: an array of shape {array.shape} is no adjacency matrix, which is square"
        )
    if array.dtype.kind not in "fiub":
        raise NetworkError(f"network: an array of type {array.dtype}: its entries are numbers")
    return coo_array(array)


def _entries(matrix: coo_array) -> Pairs:
    try:
        return matrix.row, matrix.col, np.asarray(matrix.data, dtype=np.float64)
    except (TypeError, ValueError):
        raise NetworkError(
            f"network: a matrix of type {matrix.dtype}: its entries are numbers"
        ) from None


def _summed(pairs: Pairs, n: int) -> csr_array:
    """The matrix of these entries, without zeros: no edge, whether or not it is written down."""
    rows, columns, values = pairs
    found = csr_array((values, (rows, columns)), shape=(n, n), dtype=np.float64)
    found.eliminate_zeros()
    return found


def without_diagonal(matrix: csr_array) -> csr_array:
    """The same but for its diagonal, of which nothing is left."""
    entries = matrix.tocoo()
    apart = entries.row != entries.col
    kept = entries.data[apart], (entries.row[apart], entries.col[apart])
    return csr_array(kept, shape=matrix.shape)


def _pattern(row: AnyArray, column: AnyArray, n: int) -> csr_array:
    return csr_array((np.ones(len(row)), (row, column)), shape=(n, n))


def _symmetric(matrix: csr_array, within: float = 0.0) -> bool:
    """Whether it equals its transpose, missing pairs included, within a share of its largest."""
    mirrored = matrix.T.tocsr()
    mirrored.sort_indices()
    matrix.sort_indices()
    if not (
        np.array_equal(matrix.indptr, mirrored.indptr)
        and np.array_equal(matrix.indices, mirrored.indices)
    ):
        return False
    one, other = matrix.data, mirrored.data
    apart = (one != other) & ~(np.isnan(one) & np.isnan(other))
    if not apart.any():
        return True
    with np.errstate(invalid="ignore"):
        largest = np.nanmax(np.abs(one))
        return bool((np.abs(one - other)[apart] <= within * largest).all())


def _refuse_half_missing(matrix: csr_array) -> None:
    """NetworkError for one that is symmetric but for pairs that are missing one way only."""
    gone = np.isnan(matrix.data)
    if not gone.any() or _symmetric(matrix):
        return
    entries = matrix.tocoo()
    missing = _pattern(entries.row[gone], entries.col[gone], matrix.shape[0])
    either = csr_array(missing + missing.T)
    rest = csr_array((np.nan_to_num(entries.data), (entries.row, entries.col)), shape=matrix.shape)
    seen = csr_array(rest - rest.multiply(either.astype(bool)))
    seen.eliminate_zeros()
    if _symmetric(seen):
        raise NetworkError(
            "network: the matrix is symmetric but for pairs that are NaN one way only: store NaN "
            "both ways, or give directed=True"
        )


def _refuse_infinite(matrix: csr_array, names: AnyArray) -> None:
    bad = np.flatnonzero(np.isinf(matrix.data))
    if len(bad):
        row = int(np.searchsorted(matrix.indptr, bad[0], side="right")) - 1
        one, other = names[[row, int(matrix.indices[bad[0]])]].tolist()
        raise NetworkError(
            f"network: an infinite value between nodes {one!r} and {other!r}: leave it out, or "
            "store NaN for a pair that was not observed"
        )


def _limited(
    edges: csr_array, loops: Array, missing: csr_array, observed: Any, directed: bool, first: int
) -> tuple[csr_array, Array, csr_array, bool]:
    """Edges, loops and listed pairs where `observed` is true: the shorter list of the two."""
    n = edges.shape[0]
    mask = _mask(observed, (n, n), f"a network of {n} nodes")
    if not directed and not _symmetric(mask.astype(np.float64)):
        raise NetworkError(
            "observed: the mask of an undirected network is symmetric, and this is not: give "
            "observed | observed.T"
        )
    seen = mask.diagonal()
    mask = without_diagonal(mask.astype(np.float64))
    mask = csr_array(mask - mask.multiply(missing))
    mask.eliminate_zeros()
    kept = csr_array(edges.multiply(mask))
    kept.eliminate_zeros()
    loops = np.where(seen, loops, np.nan)
    if mask.nnz <= possible(n, first) // 2:
        return kept, loops, mask, False
    dense = np.ones((n, n)) - mask.toarray()
    np.fill_diagonal(dense, 0.0)
    if first:
        dense[:first, :first] = dense[first:, first:] = 0.0
    return kept, loops, csr_array(dense), True


def _mask(observed: Any, shape: tuple[int, int], whose: str) -> csr_array:
    """A mask of this shape as a sparse one; NetworkError for anything else."""
    if not issparse(observed):
        observed = np.asarray(observed)
    told = observed.data if issparse(observed) else observed
    if told.dtype.kind not in "biuf" or not np.isin(told, (0, 1)).all():
        raise NetworkError(
            "observed: a mask holds True and False (or 1 and 0), and this holds other values: give "
            "~np.isnan(x), or what tells the pairs that were looked at"
        )
    mask = csr_array(observed).astype(bool)
    if mask.shape != shape:
        raise NetworkError(f"observed: a mask of shape {mask.shape} for {whose}: give {shape}")
    return mask
