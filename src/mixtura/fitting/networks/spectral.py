"""Starts from the spectrum of a network: nodes as points, then k-means."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from scipy.cluster.vq import kmeans2, vq
from scipy.sparse import csr_array, diags_array, eye_array
from scipy.sparse.linalg import ArpackError, eigsh, svds
from sklearn.cluster import kmeans_plusplus

from mixtura.data.networks.network import Network
from mixtura.fitting.networks.sides import Sizes, joined, spans
from mixtura.records import AnyArray, Array

# Matrices up to this size are decomposed whole.
DENSE = 400
# Rows that k-means looks at; the others go to the nearest centre.
MOST_POINTS, ROUNDS = 20_000, 20
# SciPy's first centres take the square of their number.
MANY = 24
# The Bethe Hessian's lowest eigenvalues lie close together: too dear for larger networks.
MOST_BETHE = 30_000
# Restarts of Lanczos: their price grows with nodes, and a start need not be exact.
_TOLERANCE, _RESTARTS = 1e-2, 1_000_000


def adjacency(network: Network, K: int, seed: int) -> Array:
    """The K eigenvectors of x largest in size, by their roots: dense blocks and empty ones."""
    if network.directed:
        return _two_sided(network.edges, K, seed)
    values, vectors = _ends(network.edges, K, seed, "LM")
    return np.asarray(vectors * np.sqrt(np.abs(values)))


def laplacian(network: Network, K: int, seed: int) -> Array:
    """Rows of length 1 from the regularised Laplacian (Qin & Rohe 2013): directions,
    not degrees."""
    weights = abs(network.edges)
    rows, columns = (np.asarray(weights.sum(axis=axis)).ravel() for axis in (1, 0))
    mean = max(float(rows.mean()), 1e-12)
    left, right = (diags_array(1.0 / np.sqrt(each + mean)) for each in (rows, columns))
    scaled = csr_array(left @ network.edges @ right)
    two = network.directed
    points = _two_sided(scaled, K, seed) if two else _ends(scaled, K, seed, "LM")[1]
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12))


def bethe(network: Network, K: int, seed: int) -> Array:
    """The lowest eigenvectors of the Bethe Hessian (r^2 - 1) I - r A + D, r^2 the mean excess
    degree: those below 0 tell communities down to where they can be told (Saade, Krzakala &
    Zdeborova 2014).
    """
    joined = (network.edges + network.edges.T).astype(bool).astype(np.float64)
    degree = np.asarray(joined.sum(axis=1)).ravel()
    mean = max(float(degree.mean()), 1e-12)
    r = float(np.sqrt(max(float((degree**2).mean()) / mean - 1.0, 1.01)))
    n = network.n
    found = []
    for sign in (r, -r):
        hessian = (r * r - 1.0) * eye_array(n) - sign * joined + diags_array(degree)
        found.append(_ends(csr_array(hessian), K, seed, "SA"))
    values = np.concatenate([each[0] for each in found])
    vectors = np.concatenate([each[1] for each in found], axis=1)
    return np.asarray(vectors[:, np.argsort(values)[:K]])


SPECTRA: dict[str, Callable[[Network, int, int], Array]] = {
    "adjacency": adjacency,
    "laplacian": laplacian,
    "bethe hessian": bethe,
}


def spectra(network: Network) -> list[str]:
    """The spectra that are worth their price: that of the Bethe Hessian is many passes."""
    return [name for name in SPECTRA if name != "bethe hessian" or network.n <= MOST_BETHE]


def clustered(points: Array, K: int, seed: int, tries: int = 1) -> AnyArray:
    """(n,) labels of K clusters of points (n, d): the tightest of so many runs of k-means."""
    rng = np.random.default_rng(seed)
    n = len(points)
    seen = points if n <= MOST_POINTS else points[rng.choice(n, MOST_POINTS, replace=False)]
    if len(np.unique(seen.round(12), axis=0)) < K:
        return rng.integers(K, size=n)
    runs = []
    with warnings.catch_warnings():
        # A cluster that is empty on the way.
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(tries):
            if K > MANY:
                begun = kmeans_plusplus(seen, K, random_state=int(rng.integers(2**31)))[0]
                means, _ = kmeans2(seen, begun, iter=ROUNDS, minit="matrix")
            else:
                means, _ = kmeans2(seen, K, iter=ROUNDS, minit="++", rng=rng)
            runs.append((float(np.square(vq(seen, means)[1]).sum()), means))
    means = min(runs, key=lambda run: run[0])[1]
    return np.asarray(vq(points, means)[0])


def clusters(points: Array, blocks: Sizes, nodes: Sizes, seed: int, tries: int = 1) -> AnyArray:
    """`clustered`, each side of a bipartite network on its own."""
    parts = [
        clustered(points[at], K, seed, tries) if K > 1 else np.zeros(n, dtype=np.int64)
        for at, K, n in zip(spans(nodes), blocks, nodes, strict=True)
    ]
    return joined(parts, blocks)


def _ends(matrix: csr_array, K: int, seed: int, which: str) -> tuple[Array, Array]:
    """K eigenvalues and vectors of a symmetric matrix, roughly where it is large."""
    n = matrix.shape[0]
    if n <= DENSE or n <= K + 1:
        values, vectors = np.linalg.eigh(matrix.toarray())
        order = np.argsort(-np.abs(values) if which == "LM" else values)[:K]
        return values[order], vectors[:, order]
    first = np.random.default_rng(seed).standard_normal(n)
    try:
        values, vectors = eigsh(
            matrix,
            K,
            which=which,
            v0=first,
            tol=_TOLERANCE,
            maxiter=max(_RESTARTS // n, 5),
            ncv=min(2 * K + 20, n),
        )
    except ArpackError as error:
        values, vectors = error.eigenvalues, error.eigenvectors
        if vectors.shape[1] < K:
            # What has not converged is filled up: it is a start.
            more = np.random.default_rng(seed).standard_normal((n, K - vectors.shape[1]))
            vectors = np.hstack([vectors, more / np.sqrt(n)])
            values = np.concatenate([values, np.zeros(K - len(values))])
    return values, vectors


def _two_sided(matrix: csr_array, K: int, seed: int) -> Array:
    """(n, 2 K) singular vectors of both sides by their roots: who sends, and who receives."""
    n = matrix.shape[0]
    if n <= DENSE or n <= K + 1:
        u, s, vt = np.linalg.svd(matrix.toarray())
        u, s, vt = u[:, :K], s[:K], vt[:K]
    else:
        first = np.random.default_rng(seed).standard_normal(n)
        u, s, vt = svds(matrix, K, v0=first, tol=_TOLERANCE)
    return np.asarray(np.hstack([u, vt.T]) * np.sqrt(np.tile(s, 2)))
