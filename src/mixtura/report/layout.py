"""Where the nodes of a small network are drawn: springs along edges, all nodes apart."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from mixtura.records import AnyArray, Array

STEPS = 300


def spread(edges: csr_array, labels: AnyArray) -> Array:
    """(n, 2) places by the forces of Fruchterman & Reingold (1991), from a circle sorted by block.

    edges (n, n) symmetric; memory is 16 n^2 bytes. Nodes far from all others are drawn in by a weak
    pull to the middle, so that parts without an edge between them stay on the page.
    """
    n = len(labels)
    joined = (edges.toarray() != 0).astype(np.float64)
    angle = np.empty(n)
    angle[np.argsort(labels, kind="stable")] = 2 * np.pi * np.arange(n) / n
    places = np.column_stack([np.cos(angle), np.sin(angle)])
    ideal = np.sqrt(4.0 / n)
    for step in range(STEPS):
        apart = places[:, None, :] - places[None, :, :]
        distance = np.sqrt((apart**2).sum(axis=2)) + 1e-9
        force = ideal**2 / distance**2 - joined * distance / ideal
        np.fill_diagonal(force, 0.0)
        move = (apart * force[:, :, None]).sum(axis=1) - 0.5 * places
        length = np.sqrt((move**2).sum(axis=1, keepdims=True)) + 1e-12
        # Steps shrink to nothing, so that it comes to rest.
        places = places + move / length * np.minimum(length, 0.15 * (1.0 - step / STEPS))
    return np.asarray(places - places.mean(axis=0))
