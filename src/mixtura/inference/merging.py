"""Components merged into groups, those first that can hardly be told apart.

Baudry, Raftery, Celeux, Lo & Gottardo (2010), Combining mixture components for clustering, J. of
Computational and Graphical Statistics 19. A group that is not Gaussian takes several components.
From the responsibilities r of the mixture chosen, two groups are merged at a time, their
responsibilities added: the two whose merging lowers the entropy - sum_i sum_k r_ik log r_ik most.
The density stays as it is; only what is called a group changes.

The entropy falls fast while components of one group are merged and slowly after, so a number of
groups is suggested where a line of two pieces fits it best (section 4 there): each piece by least
squares, both with the point at which they meet. Against the number of groups this is what mclust's
clustCombiOptim does; against the cumulative number of merged rows large groups weigh more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import xlogy

from mixtura.records import AnyArray, Array


@dataclass(frozen=True)
class Merge:
    """One step: two groups, by the components in them, and what is left after.

    groups    how many there are after it
    first, second   the components of either, in order
    entropy   after it, in nats; drop: what it lost
    rows      those whose most probable group was one of the two, in weight
    """

    groups: int
    first: tuple[int, ...]
    second: tuple[int, ...]
    entropy: float
    drop: float
    rows: float


def merges(resp: Array, w: Array) -> tuple[float, tuple[Merge, ...]]:
    """(the entropy before, every merge down to one group) of responsibilities (n, K).

    Equal drops are decided in favour of the components that come first.
    """
    groups: list[tuple[int, ...]] = [(k,) for k in range(resp.shape[1])]
    z = np.array(resp, dtype=np.float64)
    before = entropy = _entropy(z, w)
    done: list[Merge] = []
    # What merging a pair lowers hangs on these two alone: a merge renews one row of the table.
    drops = {pair: _drop(z, w, *pair) for pair in combinations(range(len(groups)), 2)}
    alive = list(range(len(groups)))
    while len(alive) > 1:
        j, k = max(sorted(drops), key=lambda pair: drops[pair])
        labels = np.array(alive)[z[:, alive].argmax(axis=1)]
        rows = float(w[(labels == j) | (labels == k)].sum())
        entropy, drop = max(0.0, entropy - drops[j, k]), drops[j, k]
        alive.remove(k)
        done.append(Merge(len(alive), groups[j], groups[k], entropy, drop, rows))
        z[:, j] += z[:, k]
        groups[j] = tuple(sorted(groups[j] + groups[k]))
        drops = {pair: value for pair, value in drops.items() if not {j, k} & set(pair)}
        for other in alive:
            if other != j:
                drops[min(j, other), max(j, other)] = _drop(z, w, j, other)
    return before, tuple(done)


def _entropy(z: Array, w: Array) -> float:
    return float(-(w @ xlogy(z, z)).sum())


def _drop(z: Array, w: Array, j: int, k: int) -> float:
    a, b = z[:, j], z[:, k]
    return float(w @ (xlogy(a + b, a + b) - xlogy(a, a) - xlogy(b, b)))


@dataclass(frozen=True)
class Elbow:
    """Two lines that meet in one of the points: `at` is its index, `fitted` the line of each piece
    at its points, (at + 1,) and (n - at,)."""

    at: int
    fitted: tuple[Array, Array]


def elbow(x: Array, y: Array) -> Elbow | None:
    """The best two lines through points in order of x; None where there are fewer than three."""
    best: tuple[float, Elbow] | None = None
    for at in range(1, len(x) - 1):
        pieces = (x[: at + 1], y[: at + 1]), (x[at:], y[at:])
        fitted = _line(*pieces[0]), _line(*pieces[1])
        missed = sum(
            float(((line - v) ** 2).sum()) for line, (_, v) in zip(fitted, pieces, strict=True)
        )
        if best is None or missed < best[0]:
            best = missed, Elbow(at, fitted)
    return None if best is None else best[1]


def _line(x: Array, y: Array) -> Array:
    """The least-squares line at its points; level where all x are equal."""
    u = x - x.mean()
    square = float(u @ u)
    slope = float(u @ y) / square if square > 0 else 0.0
    return np.asarray(y.mean() + slope * u)


def grouping(components: int, steps: tuple[Merge, ...], groups: int) -> AnyArray:
    """The group of each component after merging down to `groups`, numbered by first component."""
    owner = np.arange(components)
    for step in steps:
        if step.groups < groups:
            break
        owner[list(step.second)] = owner[step.first[0]]
    return np.unique(owner, return_inverse=True)[1].reshape(-1)
