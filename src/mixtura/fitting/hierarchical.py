"""A start by merging: every row a group at first, then always the two whose union costs least.

Fraley (1998), Algorithms for model-based Gaussian hierarchical clustering, SIAM Journal on
Scientific Computing 20: the cost is what the union takes from the classification likelihood. For
balls of one size (EII) a group counts tr W_k, which is Ward's criterion; for groups of any shape
(VVV) n_k log(|W_k / n_k| + (tr W_k + a) / n_k), where the traces stand in for the volume that a few
rows do not have and a is the table's variance. As in mclust, VVV is applied along the principal
axes of the standardised columns, each divided by the root of its singular value.

Nothing is drawn: the same rows give the same start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mixtura.records import AnyArray, Array

# Merged are at most this many rows, evenly spread over the sample; the others join the group that
# describes them best. Merging takes time and memory by the square of it.
MOST = 1000
# A lesser share of the mean weight counts as this: its inverse must be a number.
LEAST_WEIGHT = 1e-200
# (rows, weights, groups to leave, shaped, variance) -> merges; see `history`.
Merge = Callable[[Array, Array, int, bool, float], AnyArray]


def hierarchical(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """The K groups that merging under any covariances leaves: mclust's default start."""
    return cuts(principal(Z, w), w, [K], shaped=True)[K]


def ward(Z: Array, w: Array, K: int, rng: np.random.RandomState) -> Array:
    """The K groups that merging under equal balls leaves."""
    return cuts(Z, w, [K], shaped=False)[K]


def principal(Z: Array, w: Array) -> Array:
    """The rows along their principal axes, each divided by the root of its singular value."""
    centred = Z - w @ Z / w.sum()
    sd = np.sqrt((w @ centred**2) / w.sum())
    centred /= np.where(sd > 0, sd, 1.0)
    _, values, axes = np.linalg.svd(centred * np.sqrt(w)[:, None], full_matrices=False)
    keep = values > 1e-10 * max(float(values[0]), 1e-300)
    return np.asarray(centred @ axes[keep].T / np.sqrt(values[keep]))


def cuts(
    Z: Array, w: Array, numbers: Sequence[int], shaped: bool, merge: Merge | None = None
) -> dict[int, Array]:
    """One tree of merges cut at several numbers of groups: K -> responsibilities (n, K), 0 or 1.

    `merge` makes the tree; None is `history`.
    """
    some = np.unique(np.linspace(0, len(Z) - 1, min(MOST, len(Z))).astype(np.int64))
    others = np.setdiff1d(np.arange(len(Z)), some)
    known, weights = np.ascontiguousarray(Z[some]), _without_unit(w[some])
    least = min(*numbers, len(some))
    variance = _variance(known, weights)
    pairs = (merge or history)(known, weights, least, shaped, variance)
    found = {}
    for K in numbers:
        labels = labelled(pairs[: len(some) - min(K, len(some))], len(some))
        found[K] = resp = np.zeros((len(Z), K))
        resp[some, labels] = 1.0
        if len(others):
            resp[others, _joined(Z[others], known, weights, labels)] = 1.0
    return found


def labelled(pairs: AnyArray, n: int) -> AnyArray:
    """Labels from 0, in the order of the groups' first rows, after these merges of n rows."""
    member = np.arange(n)
    # Backwards every group already knows where those that it joined ended.
    for i, j in pairs[::-1].tolist():
        member[j] = member[i]
    return np.unique(member, return_inverse=True)[1].ravel()


def _without_unit(w: Array) -> Array:
    """Weights about 1: the criterion adds a variance to what they weigh, and multiplies them."""
    return np.asarray(np.maximum(w / w.max() / np.mean(w / w.max()), LEAST_WEIGHT))


def _variance(Z: Array, w: Array) -> float:
    away = Z - w @ Z / w.sum()
    return float(np.sum(w @ away**2) / (w.sum() * Z.shape[1]))


def history(Z: Array, w: Array, K: int, shaped: bool, variance: float) -> AnyArray:
    """(n - K, 2): at each merge the group that stays, the first of the two, and that which joins.

    Z (n, d) are rows of weights w (n,), `variance` is a of the criterion.
    """
    groups = _Groups.of(Z, w, shaped, variance)
    left, pairs = np.arange(len(Z)), []
    price = np.full((len(Z), len(Z)), np.inf)
    for i in left[:-1]:
        price[i, i + 1 :] = groups.price(i, left[i + 1 :])
    price = np.minimum(price, price.T)
    partner = price.argmin(axis=1)
    for _ in range(len(Z) - K):
        one = left[price[left, partner[left]].argmin()]
        i, j = sorted((int(one), int(partner[one])))
        groups.merge(i, j)
        pairs.append((i, j))
        left = left[left != j]
        price[j], price[:, j] = np.inf, np.inf
        others = left[left != i]
        price[i, others] = price[others, i] = groups.price(i, others)
        # Who lost a partner looks for another; for the rest only the new group is new.
        lost = left[(partner[left] == i) | (partner[left] == j) | (left == i)]
        partner[lost] = price[lost].argmin(axis=1)
        nearer = others[price[others, i] < price[others, partner[others]]]
        partner[nearer] = i
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@dataclass
class _Groups:
    """Every group's rows, distinct rows, mean, scatter and value; of merged ones the first counts.

    shaped says which criterion; variance is a.
    """

    rows: Array
    distinct: AnyArray
    means: Array
    scatter: Array
    traces: Array
    values: Array
    shaped: bool
    variance: float

    @classmethod
    def of(cls, Z: Array, w: Array, shaped: bool, variance: float) -> _Groups:
        """Every row by itself."""
        n, d = Z.shape
        groups = cls(
            w.astype(np.float64),
            np.ones(n, dtype=np.int64),
            Z.astype(np.float64),
            np.zeros((n, d, d)),
            np.zeros(n),
            np.zeros(n),
            shaped,
            variance,
        )
        groups.values = groups._value(groups.rows, groups.traces, np.zeros(n))
        return groups

    def price(self, i: int, others: AnyArray) -> Array:
        """What the union of group i with each of the others costs."""
        rows, traces, volumes = self._unions(i, others)
        own = self.values[i] + self.values[others]
        return np.asarray(self._value(rows, traces, volumes) - own)

    def merge(self, i: int, j: int) -> None:
        """Group i takes in group j."""
        rows, traces, volumes = self._unions(i, np.array([j]))
        self.values[i] = self._value(rows, traces, volumes)[0]
        self.scatter[i] = self._scatters(i, np.array([j]))[0]
        self.means[i] += (self.means[j] - self.means[i]) * self.rows[j] / rows[0]
        self.rows[i], self.traces[i] = rows[0], traces[0]
        self.distinct[i] += self.distinct[j]

    def _unions(self, i: int, others: AnyArray) -> tuple[Array, Array, Array]:
        """(rows, traces, |W / n|) of the unions; fewer than d + 1 distinct rows have no volume."""
        rows = self.rows[i] + self.rows[others]
        apart = self.means[others] - self.means[i]
        between = self.rows[i] * self.rows[others] / rows
        traces = self.traces[i] + self.traces[others] + between * np.sum(apart**2, axis=1)
        volumes = np.zeros(len(others))
        if self.shaped:
            solid = self.distinct[i] + self.distinct[others] > self.means.shape[1]
            scatter = self._scatters(i, others[solid])
            volumes[solid] = np.linalg.det(scatter / rows[solid, None, None])
        return rows, traces, volumes

    def _scatters(self, i: int, others: AnyArray) -> Array:
        apart = self.means[others] - self.means[i]
        between = self.rows[i] * self.rows[others] / (self.rows[i] + self.rows[others])
        moved = (between[:, None] * apart)[:, :, None] * apart[:, None, :]
        return np.asarray(self.scatter[i] + self.scatter[others] + moved)

    def _value(self, rows: Array, traces: Array, volumes: Array) -> Array:
        if not self.shaped:
            return traces
        inside = np.maximum(volumes, 0.0) + (traces + self.variance) / rows
        return np.asarray(rows * np.log(inside))


def _joined(Z: Array, known: Array, w: Array, labels: AnyArray) -> AnyArray:
    """The group whose Gaussian, made a little round, makes each row most probable."""
    d, joint = Z.shape[1], []
    round_off = np.diag(w @ (known - w @ known / w.sum()) ** 2 / w.sum()) / d
    for k in range(labels.max() + 1):
        x, mass = known[labels == k], w[labels == k]
        mean = mass @ x / mass.sum()
        cov = (((x - mean).T * mass) @ (x - mean) + round_off) / (mass.sum() + 1.0 / d)
        far = np.einsum("ij,ij->i", (Z - mean) @ np.linalg.inv(cov), Z - mean)
        joint.append(np.log(mass.sum()) - 0.5 * (np.linalg.slogdet(cov)[1] + far))
    return np.asarray(np.argmax(joint, axis=0))
