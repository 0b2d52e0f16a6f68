"""Groups of any shape by annealed exchange of rows: a start where rows are few for their columns.

With few rows a component is drawn to those it has: without a row its covariance says something
else of that row than with it, so EM parts the rows for good after a step or two. Here a row is
judged by what the classification likelihood

    sum_k n_k log(n_k) - n_k / 2 log|W_k / n_k|

of a group with scatter W_k gains when the row joins, or has lost when it is away (Friedman & Rubin
1967, On some invariant criteria for grouping data, JASA 62; Symons 1981, Clustering criteria and
multivariate normal mixtures, Biometrics 37). All rows choose at once, in proportion to
exp(gain / temperature), and the temperature falls to zero (Celeux & Govaert 1992, A classification
EM algorithm for clustering and two stochastic versions, Computational Statistics & Data Analysis
14).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dtrtri

from mixtura.fitting.seeding import clusters, seeds
from mixtura.models.responsibilities import one_hot
from mixtura.records import AnyArray, Array

EXCHANGE = "exchange"
# Turns in which all rows choose, of which the share WARM is warm, and the temperature for each
# column at the first.
TURNS, WARM, HEAT = 40, 0.8, 0.25
# Added to every group's scatter, in the mean variance of the columns: few rows have no volume.
ROUND = 0.01
# Multiplications of a turn, for each row, group and pair of columns; and at least so many.
TURN, LEAST = 8.0, 2e6
# At most so many starts of a race are made like this.
MOST = 24
# Of up to so many columns a turn costs what the interpreter does, and inverses are one call.
_FEW_COLUMNS = 8
# The least rows a group is counted with, for its logarithm.
FEWEST = 1e-9


def exchange(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """The K groups (n, K) that exchanging rows leads to from those of k-means."""
    return one_hot(exchanges(Z, w, K, rng, 1)[0], K)


def exchanges(Z: Array, w: Array, K: int, rng: np.random.RandomState, times: int) -> AnyArray:
    """So many such partitions (times, n), made side by side."""
    Z, w = Z - w @ Z / w.sum(), w / w.mean()
    begun = [clusters(Z, w, seeds(Z, w, min(K, len(Z)), rng)) for _ in range(times)]
    labels: AnyArray = np.stack(begun)
    for turn in range(TURNS):
        heat = HEAT * Z.shape[1] * (1.0 - turn / (WARM * TURNS))
        gains = joining(Z, w, labels, K) / np.maximum(w, FEWEST)
        if heat > 0:
            gains += heat * rng.gumbel(size=gains.shape)
        before, labels = labels, gains.argmax(axis=1)
        if heat <= 0 and (labels == before).all():
            break
    return labels


class Exchanges:
    """Starts by exchange for one table, one after the other.

    A race has MOST of them where they are small. All but the first are then made side by side:
    turns of few rows cost what the interpreter does.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._waiting: list[AnyArray] = []

    def start(self, Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
        """The next one, as `exchange` makes it."""
        if not self._waiting:
            n, d = Z.shape
            small = d <= _FEW_COLUMNS and exchange_work(n, d, K) <= TURNS * LEAST
            times = MOST - 1 if small and self._asked % MOST else 1
            self._waiting = [*exchanges(Z, w, K, rng, times)]
        self._asked += 1
        return one_hot(self._waiting.pop(0), K)


def exchange_work(n: int, d: int, K: int) -> float:
    """Multiplications that a start takes."""
    return TURNS * max(TURN * n * K * d * d, LEAST)


def joining(Z: Array, w: Array, labels: AnyArray, K: int) -> Array:
    """What the likelihood of each group gains by each row (..., K, n), of partitions `labels`
    (..., n): of its own rows, what is lost without them."""
    own = labels[..., None, :] == np.arange(K)[:, None]
    rows, volume, far = _groups(Z, w, own * w)
    sign = np.where(own, -1.0, 1.0)
    other = np.maximum(rows + sign * w, FEWEST)
    # |W +- c u u'| = |W| (1 +- c u' W^-1 u)
    change = np.maximum(1.0 + sign * w * rows / other * far, FEWEST)
    d = Z.shape[1]
    return np.asarray(sign * (_value(other, volume + np.log(change), d) - _value(rows, volume, d)))


def _groups(Z: Array, w: Array, mass: Array) -> tuple[Array, Array, Array]:
    """Rows (..., K, 1) and log|W| (..., K, 1) of each group, and u' W^-1 u of all rows about its
    mean."""
    rows = np.maximum(mass.sum(axis=-1), FEWEST)[..., None]
    apart = Z - (mass @ Z / rows)[..., None, :]
    scatter = np.swapaxes(apart * mass[..., None], -1, -2) @ apart
    unit = (w @ Z**2).sum() / (w.sum() * Z.shape[1])
    scatter += ROUND * (unit or 1.0) * np.eye(Z.shape[1])
    roots = _inverses(np.linalg.cholesky(scatter))
    far = np.square(apart @ np.swapaxes(roots, -1, -2)).sum(axis=-1)
    volume = -2.0 * np.log(np.diagonal(roots, axis1=-2, axis2=-1)).sum(axis=-1)[..., None]
    return rows, volume, far


def _inverses(roots: Array) -> Array:
    """Of triangles (..., d, d)."""
    if roots.shape[-1] <= _FEW_COLUMNS:
        return np.asarray(np.linalg.inv(roots))
    # A general inverse does not see the zeros: of 50 columns that takes 3.5 times as long.
    each = roots.reshape(-1, *roots.shape[-2:])
    return np.stack([dtrtri(root, lower=1)[0] for root in each]).reshape(roots.shape)


def _value(rows: Array, volume: Array, d: int) -> Array:
    """A group's part of the likelihood, by its rows and the logarithm of its scatter's volume."""
    return np.asarray(rows * np.log(rows) - 0.5 * rows * (volume - d * np.log(rows)))
