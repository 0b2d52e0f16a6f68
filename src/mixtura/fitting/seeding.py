"""Seeds by k-means++ and clusters by Lloyd's k-means, for the starts of a climb.

Both draw and decide as scikit-learn's `kmeans_plusplus` and `KMeans(n_init=1)` do, and give the
same clusters for the same random state. They are here because a race makes several starts: on a
small table scikit-learn's checks of its input take far longer than their arithmetic, and of few
columns a tile of rows is compared with all centres in registers.
Sources: Arthur & Vassilvitskii (2007), k-means++: the advantages of careful seeding, SODA; Lloyd
(1982), Least squares quantization in PCM, IEEE Trans. Information Theory 28.
"""

from __future__ import annotations

import numpy as np

from mixtura.engines.native.seeding import clusters_from, seeds_drawn
from mixtura.records import AnyArray, Array

# k-means ends where no row changes its cluster, where the centres move by less than this share of
# the columns' mean variance (squared), or after so many turns.
_SETTLED, _TURNS = 1e-4, 300
# Multiplications for each row, centre and column: what `budget.LEAST` would be at the pace at which
# seeds are drawn, and clusters found from them.
_SEEDS, _CLUSTERS = 25.0, 65.0


def seeds(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """K rows (K, d) of Z (n, d), drawn by greedy k-means++ with row weights w (n,).

    Each is the best of 2 + log K rows drawn in proportion to their squared distance from the
    nearest seed so far.
    """
    trials = 2 + int(np.log(K))
    drawn = rng.random_sample(1 + (K - 1) * trials)
    return seeds_drawn(np.ascontiguousarray(Z), np.ascontiguousarray(w), K, drawn, trials)


def clusters(Z: Array, w: Array, centres: Array) -> AnyArray:
    """The cluster of each row (n,), by k-means from these centres (K, d).

    A cluster that loses all its rows begins anew at the row farthest from its own centre.
    """
    found = clusters_from(
        np.ascontiguousarray(Z), np.ascontiguousarray(w), centres, _TURNS, _SETTLED
    )
    return _settled(Z, w, centres) if found is None else found


def seeds_work(n: int, d: int, K: int) -> float:
    """Multiplications that seeds take."""
    return _SEEDS * n * d * K


def clusters_work(n: int, d: int, K: int) -> float:
    """Multiplications that seeds and clusters from them take."""
    return _CLUSTERS * n * d * K


def _settled(Z: Array, w: Array, centres: Array) -> AnyArray:
    """The same where a cluster has lost all its rows."""
    K, d = centres.shape
    weighted = np.concatenate([w[None], w * Z.T]).ravel()
    # One count for the weights and for every column: row j of it begins at bin j K.
    bins = K * np.arange(d + 1)[:, None]
    least = _SETTLED * Z.var(axis=0).mean()
    labels = nearest(Z, centres)
    for _ in range(_TURNS):
        totals = np.bincount((bins + labels).ravel(), weighted, K * (d + 1)).reshape(d + 1, K)
        mass, sums = totals[0], totals[1:]
        if not mass.all():
            _settle_empty(Z, w, labels, centres, (mass, sums))
        moved = np.divide(sums, mass, out=centres.T.copy(), where=mass > 0).T
        shift = (moved - centres).ravel()
        centres, before = moved, labels
        labels = nearest(Z, centres)
        if shift @ shift <= least or (labels == before).all():
            break
    return labels


def nearest(Z: Array, centres: Array) -> AnyArray:
    """The index of the nearest centre of each row."""
    squares = Z @ (-2.0 * centres.T)
    squares += np.einsum("ij,ij->i", centres, centres)
    return np.asarray(squares.argmin(axis=1))


def _settle_empty(
    Z: Array, w: Array, labels: AnyArray, centres: Array, totals: tuple[AnyArray, AnyArray]
) -> None:
    """Gives clusters without rows one of those farthest out each, in mass (K,) and sums (d, K)."""
    mass, sums = totals
    empty = np.flatnonzero(mass == 0)
    far = np.sum((Z - centres[labels]) ** 2, axis=1)
    if far.max() == 0:
        return  # fewer distinct rows than clusters
    for k, i in zip(empty, np.argpartition(far, -len(empty))[: -len(empty) - 1 : -1], strict=True):
        mass[labels[i]] -= w[i]
        sums[:, labels[i]] -= w[i] * Z[i]
        mass[k], sums[:, k] = w[i], w[i] * Z[i]
