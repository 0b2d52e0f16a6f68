"""The peaks of a mixture's density, of which there may be fewer or more than components.

Every critical point of the density is a point

    x(a) = (sum_k a_k P_k)^-1 sum_k a_k P_k m_k,   a on the simplex, P_k = Sigma_k^-1

and a peak is a fixed point of the mean-shift map x -> x(responsibilities at x), which never lowers
the density (Carreira-Perpinan 2000, Mode-finding for mixtures of Gaussian distributions, IEEE PAMI
22; Ray & Lindsay 2005, The topography of multivariate normal mixtures, Annals of Statistics 33,
for the first statement and for two components, whose peaks all lie on one curve). Climbs begin at
every mean, at the peaks along the curves between near neighbours, amid three near neighbours, and
at random points x(a). They go by Newton's method with the absolute values of the curvature, which
leads uphill everywhere, or by mean shift where that leads higher. Every end must have a
negative definite Hessian; what ended elsewhere is pushed off and goes on. No finite number of
starts is a proof that no peak was missed; on a line the starts come from a fine grid besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from mixtura.inference.gaussians import Gaussians
from mixtura.inference.line import line
from mixtura.records import AnyArray, Array

# Curves are drawn from each mean to so many of its nearest, and looked at in so many places.
NEIGHBOURS, PLACES = 8, 17
ROUND_TRIPLES, RANDOM_STARTS = 4, 50
STEPS, PUSHES = 500, 3
# The longest step of Newton's, in the components' standard deviations.
REACH = 0.5
# A climb is over when its next step is this short, squared, in the density's own units.
STILL = 1e-20
# A peak is curved at least by this share of the components' own curvature. Two that are about to
# merge are flatter, and closer than SAME.
FLAT, ROUNDING = 1e-6, 1e-12
# Ends closer than this, in the components' standard deviations, are one peak.
SAME = 1e-3


class Modes(NamedTuple):
    """The peaks of a density, highest first.

    points        (m, d)
    log_density   (m,), log P(x) at each
    of_component  (K,), the peak to which the climb from each component's mean leads
    """

    points: Array
    log_density: Array
    of_component: AnyArray


@dataclass(frozen=True)
class Spot:
    """The density at points: log P(x) (n,), gradient (n, d), Hessian and mean precision (n, d, d)
    of log P(x)."""

    height: Array
    gradient: Array
    hessian: Array
    precision: Array

    def curvature(self) -> tuple[Array, Array]:
        """Eigenvalues (n, d), rising, and directions (n, d, d) of the Hessian, free of units.

        In units of the mean precision: -1 in the middle of a lonely component.
        """
        root = np.linalg.cholesky(self.precision)
        inverse = np.linalg.inv(root)
        values, vectors = np.linalg.eigh(inverse @ self.hessian @ np.swapaxes(inverse, 1, 2))
        return values, np.swapaxes(inverse, 1, 2) @ vectors


@dataclass(frozen=True)
class Landscape:
    """The log-density of a mixture and its derivatives."""

    mixture: Gaussians
    precisions: Array

    def at(self, X: Array) -> Spot:
        joint = self.mixture.log_joint(X)
        height = logsumexp(joint, axis=1)
        resp = np.exp(joint - height[:, None])
        pulls = np.einsum("kde,nke->nkd", self.precisions, self.mixture.means - X[:, None])
        gradient = np.einsum("nk,nkd->nd", resp, pulls)
        apart = pulls - gradient[:, None]
        precision = np.tensordot(resp, self.precisions, axes=1)
        hessian = np.einsum("nk,nkd,nke->nde", resp, apart, apart, optimize=True) - precision
        return Spot(height, gradient, hessian, precision)

    def between(self, shares: Array) -> Array:
        """x(a) for shares a (n, K) on the simplex."""
        pulled = np.einsum("kde,ke->kd", self.precisions, self.mixture.means)
        return _solved(np.tensordot(shares, self.precisions, axes=1), shares @ pulled)

    def climbed(self, X: Array) -> Array:
        """Where climbs from the rows of X end."""
        X, todo = X.copy(), np.arange(len(X))
        for _ in range(STEPS):
            x = X[todo]
            spot = self.at(x)
            values, directions = spot.curvature()
            slopes = np.einsum("nde,nd->ne", directions, spot.gradient)
            # Newton's step, uphill also where the density is hollow.
            lengths = slopes / np.maximum(np.abs(values), ROUNDING)
            left = (slopes * lengths).sum(axis=1)
            # Short, so that a climb ends at its own peak.
            size = np.linalg.norm(lengths, axis=1)
            lengths *= np.minimum(1.0, REACH / np.maximum(size, REACH))[:, None]
            new = x + np.einsum("nde,ne->nd", directions, lengths)
            shifted = x + _solved(spot.precision, spot.gradient)
            height = self.mixture.log_density(new), self.mixture.log_density(shifted)
            lower = (height[0] < height[1]) & (left > STILL)
            new[lower] = shifted[lower]
            X[todo] = new
            todo = todo[left > STILL]
            if not len(todo):
                break
        return X


def modes(mixture: Gaussians) -> Modes:
    """All peaks that climbs from many starts lead to; the highest is among them."""
    some = mixture.weights > 0
    centre, unit = _frame(mixture)
    scaled = Gaussians(
        mixture.weights[some],
        (mixture.means[some] - centre) / unit,
        mixture.roots[some] / unit[:, None],
    )
    inverses = np.linalg.inv(scaled.roots)
    ground = Landscape(scaled, np.swapaxes(inverses, 1, 2) @ inverses)
    # A component without weight has a mean, from which a climb leads to some peak.
    begin = np.concatenate([(mixture.means - centre) / unit, _starts(ground)])
    ends = ground.climbed(begin)
    for _ in range(PUSHES):
        values, vectors = ground.at(ends).curvature()
        off = values[:, -1] > FLAT  # saddles and hollows
        if not off.any():
            break
        push = 1e-3 * vectors[off, :, -1]
        ends = np.concatenate([ends, ground.climbed(ends[off] - push)])
        ends[: len(off)][off] = ground.climbed(ends[: len(off)][off] + push)
    peaks, belongs = _distinct(ground, ends)
    height = ground.mixture.log_density(peaks) - np.log(unit).sum()
    return Modes(centre + unit * peaks, height, belongs[: len(mixture.weights)])


def _frame(mixture: Gaussians) -> tuple[Array, Array]:
    """The mixture's mean and its standard deviation in each column: climbs are free of units."""
    centre = mixture.weights @ mixture.means
    variance = (mixture.roots**2).sum(axis=2) + (mixture.means - centre) ** 2
    return centre, np.sqrt(mixture.weights @ variance)


def _starts(ground: Landscape) -> Array:
    mixture = ground.mixture
    K, d = mixture.means.shape
    starts = [np.empty((0, d))]
    if d == 1:
        starts.append(line(mixture).turning_points()[:, None])
    if K > 1 and d > 1:
        starts.append(_on_curves(ground))
    if K > 2 and d > 1:
        # Peaks without a component of their own lie between few.
        draws = np.random.RandomState(0).standard_gamma(0.5, size=(RANDOM_STARTS, K)) + 1e-12
        shares = np.concatenate([_triples(_nearest(ground, ROUND_TRIPLES)), np.ones((1, K)), draws])
        starts.append(ground.between(shares / shares.sum(axis=1, keepdims=True)))
    return np.concatenate(starts)


def _nearest(ground: Landscape, count: int) -> AnyArray:
    """The components nearest to each mean by their own measure, (K, at most count)."""
    apart = ground.mixture.means[:, None] - ground.mixture.means
    distance = np.einsum("jkd,kde,jke->jk", apart, ground.precisions, apart, optimize=True)
    np.fill_diagonal(distance, np.inf)
    return np.asarray(np.argsort(distance, axis=1)[:, : min(count, len(apart) - 1)])


def _triples(near: AnyArray) -> Array:
    """Equal shares of each component and every two of those near it, (m, K)."""
    K = len(near)
    sets = {frozenset((j, *map(int, two))) for j in range(K) for two in combinations(near[j], 2)}
    out = np.zeros((len(sets), K))
    for row, members in zip(out, sorted(map(sorted, sets)), strict=True):
        row[members] = 1.0
    return out


def _on_curves(ground: Landscape) -> Array:
    """The highest places, each among its neighbours, on the curves from mean to near mean."""
    K, near = len(ground.mixture.means), _nearest(ground, NEIGHBOURS)
    pairs = {(min(j, int(k)), max(j, int(k))) for j in range(K) for k in near[j]}
    first, second = np.array(sorted(pairs)).T
    share = np.linspace(0, 1, PLACES)
    shares = np.zeros((len(first), PLACES, K))
    rows = np.arange(len(first))
    shares[rows, :, first], shares[rows, :, second] = 1 - share, share
    places = ground.between(shares.reshape(-1, K))
    height = ground.mixture.log_density(places).reshape(len(first), PLACES)
    inner = height[:, 1:-1]
    top = np.zeros_like(height, dtype=bool)
    top[:, 1:-1] = (inner >= height[:, :-2]) & (inner >= height[:, 2:])
    return np.asarray(places[top.ravel()])


def _distinct(ground: Landscape, ends: Array) -> tuple[Array, AnyArray]:
    """The different peaks among the ends, highest first, and the nearest one to each end.

    An end that is no peak is left out, except the highest: a density has a highest point, which
    may be flat.
    """
    spot = ground.at(ends)
    shift = np.einsum("nd,nd->n", spot.gradient, _solved(spot.precision, spot.gradient))
    peak = (spot.curvature()[0][:, -1] < -FLAT) & (shift < SAME**4)
    peak[np.argmax(spot.height)] = True
    kept: list[int] = []
    distance = np.empty((len(ends), 0))
    for i in np.argsort(-spot.height, kind="stable"):
        if peak[i] and not (distance[i] < SAME**2).any():
            kept.append(int(i))
            off = ends - ends[i]
            new = np.einsum("nd,de,ne->n", off, spot.precision[i], off)
            distance = np.column_stack([distance, new])
    return ends[kept], distance.argmin(axis=1)


def _solved(matrices: Array, vectors: Array) -> Array:
    return np.asarray(np.linalg.solve(matrices, vectors[:, :, None])[:, :, 0])
