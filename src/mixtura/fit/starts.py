"""Where climbs begin: scikit-learn's four ways and mclust's, each as a first split of the rows.

Every start is made in standardised coordinates, so that it does not depend on units, and ends as
responsibilities whose M-step is the starting mixture: no start is a spike on a single row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning

from mixtura.data.rows import Rows
from mixtura.fit.hierarchical import hierarchical, ward
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array

# (standardised rows (n, d), weights (n,), K, random state) -> responsibilities (n, K)
Start = Callable[[Array, Array, int, np.random.RandomState], Array]


def kmeans(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """The clusters of one run of k-means."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Fewer distinct rows than components leave the last components empty.
        found = KMeans(min(K, len(Z)), n_init=1, random_state=rng).fit(Z, sample_weight=w)
    return one_hot(found.labels_, K)


def kmeans_seeds(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """Each row to the nearest of K centres drawn by k-means++ (Arthur & Vassilvitskii 2007)."""
    centres, _ = kmeans_plusplus(Z, min(K, len(Z)), sample_weight=w, random_state=rng)
    return one_hot(nearest(Z, centres), K)


def random(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """Responsibilities drawn at random: every component starts as nearly the whole table."""
    resp = rng.uniform(size=(len(Z), K))
    return np.asarray(resp / resp.sum(axis=1, keepdims=True))


def random_from_data(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """Each row to the nearest of K rows drawn at random."""
    drawn = rng.choice(len(Z), size=min(K, len(Z)), replace=False, p=w / w.sum())
    return one_hot(nearest(Z, Z[drawn]), K)


STARTS: dict[str, Start] = {
    "kmeans": kmeans,
    "k-means++": kmeans_seeds,
    "random": random,
    "random_from_data": random_from_data,
    "hierarchical": hierarchical,
    "ward": ward,
}


def nearest(Z: Array, centres: Array) -> AnyArray:
    """The index of the nearest centre of each row."""
    squares = -2.0 * Z @ centres.T + np.sum(centres**2, axis=1)
    return np.asarray(squares.argmin(axis=1))


def one_hot(labels: AnyArray, K: int) -> Array:
    """Labels as responsibilities, (n, K)."""
    resp = np.zeros((len(labels), K))
    resp[np.arange(len(labels)), labels] = 1.0
    return resp


@dataclass(frozen=True)
class StartMaker:
    """Makes starting mixtures from a sample of the table.

    rows       the sample
    base       parameters of the right shape, in the table's units
    frames     (d, d) matrices that make rows unit-free: standardised, and whitened if that differs;
               (d,) for a diagonal one
    centre     the table's mean (d,)
    given      parameters the caller fixed at the start, by name; they replace those found
    """

    model: Mixture
    rows: Rows
    base: MixtureParams
    frames: tuple[Array, ...]
    centre: Array
    given: Mapping[str, Array]

    @property
    def weights(self) -> Array:
        """The weights of the sample's rows."""
        w = self.rows.sample_weight
        return np.ones(len(self.rows.X)) if w is None else w

    def unit_free(self, frame: int) -> Array:
        """The sample in one of the frames, centred."""
        return self._framed(self.rows.X, frame)

    def _framed(self, X: AnyArray, frame: int) -> Array:
        B = self.frames[frame]
        return np.asarray((X - self.centre) * B if B.ndim == 1 else (X - self.centre) @ B.T)

    def make(self, name: str, frame: int, rng: np.random.RandomState) -> MixtureParams:
        """A start made by STARTS[name] in one of the frames."""
        frame %= len(self.frames)
        Z, K = self.unit_free(frame), len(self.base.weights)
        means = self.given.get("means")
        if means is None:
            resp = STARTS[name](Z, self.weights, K, rng)
        else:
            resp = one_hot(nearest(Z, self._framed(means, frame)), K)
        found = self.model.start(self.rows.X, self.rows.sample_weight, resp, self.base)
        return self.replaced(found)

    def replaced(self, params: MixtureParams) -> MixtureParams:
        """`params` with the given parameters put in their places."""
        if not self.given:
            return params
        return self.model.with_arrays(params, self.given)
