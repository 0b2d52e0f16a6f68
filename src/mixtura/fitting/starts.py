"""Where climbs begin: scikit-learn's four ways, mclust's and moments: first splits of the rows.

Every start is made in standardised coordinates, so that it does not depend on units, and ends as
responsibilities whose M-step is the starting mixture: no start is a spike on a single row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.exceptions import ConvergenceWarning

from mixtura.data.known_rows import KnownRows
from mixtura.data.rows import Rows
from mixtura.errors import FAILURES
from mixtura.families.by_moments import by_moments
from mixtura.fitting.anchors import Anchors
from mixtura.fitting.columns import BY_COLUMN, by_column
from mixtura.fitting.crowds import CROWDS, by_crowd, crowd
from mixtura.fitting.exchange import EXCHANGE, Exchanges, exchange
from mixtura.fitting.hierarchical import hierarchical, ward
from mixtura.fitting.known import BY_LABELS, as_told, by_labels
from mixtura.fitting.roles import Roles, matched
from mixtura.fitting.seeding import clusters, nearest, seeds
from mixtura.fitting.spheres import spheres
from mixtura.fitting.tied import tied
from mixtura.models.base import Labelled
from mixtura.models.responsibilities import normalise, one_hot
from mixtura.records import AnyArray, Array, Chunk

# Of up to so many columns, and up to so many products of a row's numbers with centres, k-means is
# our own: products of matrices are quicker than it beyond.
_COLUMNS, _SMALL = 64, 1 << 18
# At most so many rows tell which group has which role.
_STEPPED = 1 << 11

# (standardised rows (n, d), weights (n,), K, random state) -> responsibilities (n, K)
Start = Callable[[Array, Array, int, np.random.RandomState], Array]


def kmeans(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """The clusters of one run of k-means."""
    if _ours(Z, K):
        return one_hot(clusters(Z, w, seeds(Z, w, min(K, len(Z)), rng)), K)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Fewer distinct rows than components leave the last components empty.
        found = KMeans(min(K, len(Z)), n_init=1, random_state=rng).fit(Z, sample_weight=w)
    return one_hot(found.labels_, K)


def kmeans_seeds(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """Each row to the nearest of K centres drawn by k-means++ (Arthur & Vassilvitskii 2007)."""
    if _ours(Z, K):
        centres = seeds(Z, w, min(K, len(Z)), rng)
    else:
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


def moments(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """What spherical components with the moments of the rows say of them; `families.by_moments`.

    A variance that sampling error turned negative is the average.
    """
    found = by_moments(Z, w, min(K, len(Z)))
    least = np.finfo(np.float64).eps * (1.0 + (Z**2).mean())
    variances = np.maximum(np.where(found.variances > 0, found.variances, found.common), least)
    apart = cdist(Z, found.means, "sqeuclidean") / variances
    with np.errstate(divide="ignore"):
        joint = np.log(found.weights) - 0.5 * (apart + Z.shape[1] * np.log(variances))
    return np.pad(normalise(joint)[1], ((0, 0), (0, K - joint.shape[1])))


STARTS: dict[str, Start] = {
    "kmeans": kmeans,
    "k-means++": kmeans_seeds,
    "random": random,
    "random_from_data": random_from_data,
    "hierarchical": hierarchical,
    "ward": ward,
    "moments": moments,
    EXCHANGE: exchange,
    "spheres": spheres,
    "tied": tied,
}


def _ours(Z: Array, K: int) -> bool:
    """Whether scikit-learn would take longer, to the same outcome."""
    return Z.shape[1] <= _COLUMNS or Z.size * K <= _SMALL


@dataclass(frozen=True)
class StartMaker:
    """Makes starting mixtures from a sample of the table.

    rows       the sample
    base       parameters of the right shape, in the table's units
    frames     the ways in which the family makes rows free of units
    given      parameters the caller fixed at the start, by name; they replace those found
    fewer      parameters as `base` of so many components, for the parts of a mixture
    anchors    what is known of components in advance
    far_rows   whether rows far out of all groups are expected
    """

    model: Labelled
    rows: Rows
    base: Any
    frames: tuple[Callable[[AnyArray], Array], ...]
    given: Mapping[str, Array]
    fewer: Callable[[int], Any]
    anchors: Anchors | None = None
    far_rows: bool = False

    @property
    def weights(self) -> Array:
        """The weights of the sample's rows."""
        w = self.rows.sample_weight
        return np.ones(len(self.rows.X)) if w is None else w

    @cached_property
    def parted(self) -> Array | None:
        """Responsibilities by one column in which groups lie far apart; None without one."""
        return by_column(self.unit_free(0), len(self.base.weights))

    @cached_property
    def _framed(self) -> dict[int, Array]:
        return {}

    def unit_free(self, frame: int) -> Array:
        """The sample in one of the frames, made once: not to be written into."""
        if frame not in self._framed:
            self._framed[frame] = self.frames[frame](self.rows.X)
        return self._framed[frame]

    @cached_property
    def _exchanges(self) -> dict[int, Exchanges]:
        return {}

    def _start(self, name: str, frame: int) -> Start:
        if name != EXCHANGE:
            return STARTS[name]
        return self._exchanges.setdefault(frame, Exchanges()).start

    @cached_property
    def _crowds(self) -> dict[int, AnyArray]:
        return {}

    def _crowd(self, frame: int, rng: np.random.RandomState) -> AnyArray:
        """The rows that lie in crowds of that frame, looked for once: neighbours are dear."""
        if frame not in self._crowds:
            Z, K = self.unit_free(frame), len(self.base.weights)
            self._crowds[frame] = crowd(Z, self.weights, K, rng)
        return self._crowds[frame]

    def split(self, name: str, frame: int, rng: np.random.RandomState) -> Array:
        """The first responsibilities (n, K), by STARTS[name] in one of the frames."""
        seek = frame % 2 == 1
        frame %= len(self.frames)
        Z, K = self.unit_free(frame), len(self.base.weights)
        means = self.given.get("means")
        known = self.rows.known if isinstance(self.rows, KnownRows) else None
        if name == BY_LABELS:
            assert known is not None
            return by_labels(Z, self.weights, known, STARTS["k-means++"](Z, self.weights, K, rng))
        if name == CROWDS:
            return by_crowd(Z, self.weights, K, self._crowd(frame, rng), rng)
        resp = (
            self.parted
            if name == BY_COLUMN and self.parted is not None
            else self._start(name, frame)(Z, self.weights, K, rng)
            if means is None
            else one_hot(nearest(Z, self.frames[frame](means)), K)
        )
        if known is not None:
            return as_told(resp, self.weights, known, match=means is None)
        if self.anchors is None:
            return resp
        own = self.frames[frame]
        placed = self.anchors.placed(resp, self.rows.X, self.weights, own, seek=seek)
        return self.in_roles(placed)

    def in_roles(self, resp: Array) -> Array:
        """The groups (n, K) in the order that is worth most, where components are unlike."""
        return matched(resp, self.roles, self._one_step) if self.roles else resp

    @property
    def roles(self) -> Roles:
        """Alike where bounds and ties treat components alike; none where they do so of all."""
        return () if self.anchors is None else self.anchors.roles

    def _one_step(self, resp: Array) -> float:
        """The log-likelihood after one M-step from responsibilities (n, K), of some of the rows."""
        some = slice(None, None, 1 + len(resp) // _STEPPED)
        X, w = np.asarray(self.rows.X[some], dtype=np.float64), self.weights[some]
        try:
            params = self.model.first_step(X, w, resp[some], self.base)
            return float(self.model.e_step(Chunk(X, w), params).loglik)
        except FAILURES:
            return -np.inf

    def make(self, name: str, frame: int, rng: np.random.RandomState) -> Any:
        """The start that follows from `split`, with the given parameters in their places."""
        resp = self.split(name, frame, rng)
        found = self.model.first_step(self.rows.X, self.rows.sample_weight, resp, self.base)
        return self.replaced(found)

    def replaced(self, params: Any) -> Any:
        """`params` with the given parameters put in their places."""
        if not self.given:
            return params
        return self.model.with_arrays(params, self.given)
