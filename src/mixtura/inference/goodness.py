"""How far rows lie from a mixture: two statistics, and quantiles of components beside their law's.

One column of normal components: Anderson & Darling (1954), A test of goodness of fit, J. Amer.
Statist. Assoc. 49, of the mixture's distribution function. Else characteristic functions are
compared, as Epps & Pulley (1983), Biometrika 70, and Baringhaus & Henze (1988), Metrika 35, do for
one normal: n |phi_n(t) - phi(t)|^2, averaged over frequencies t. Here each t is made for one
component, drawn by weight: in its whitened units it has a direction uniform on the sphere and a
half-normal length, so that narrow components are looked at as closely as wide ones, and units do
not matter. Of normal components phi is sum_k P(k) exp(i t'm_k - t'S_k t / 2); of others that of
rows drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from scipy.stats import beta, chi2, norm

from mixtura.inference.gaussians import Gaussians
from mixtura.inference.line import line
from mixtura.records import AnyArray, Array

FREQUENCIES = 300
# Of the half-normal length: between what sees tails and skewness best (1) and small groups (2).
LENGTH = 1.5
CHUNK = 4096
# Quantiles of a component are shown at up to so many levels.
MOST_LEVELS = 200
BAND = 0.95

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class ComponentQQ:
    """Rows of one component, weighed by their responsibilities, beside the law they should have.

    Weighed so, rows of the mixture follow component k exactly, however much components overlap:
    E[r_k(X) f(X)] = P(k) E[f(X) | k].

    component  its number
    rows       the sum of the responsibilities
    law        "normal": (x - m) / s of one column; "chi2": squared Mahalanobis distances
    gap        the largest difference between the two distribution functions, from 0 to 1
    expected, observed   quantiles of the law and of the rows, (m,)
    low, high  where 95 % of a component's own draws, as many, have theirs: level by level, the
               parameters taken for known
    """

    component: int
    rows: float
    law: str
    gap: float
    expected: Array = field(repr=False, compare=False)
    observed: Array = field(repr=False, compare=False)
    low: Array = field(repr=False, compare=False)
    high: Array = field(repr=False, compare=False)


def anderson_darling(mixture: Gaussians, x: Array) -> float:
    """A^2 of one column x (n,): both tails keep their digits, as logarithms."""
    on, x, n = line(mixture), np.sort(x), len(x)
    odd = 2 * np.arange(1, n + 1) - 1
    both = on.log_cdf(x) + on.mirrored.log_cdf(-x[::-1])
    return float(-n - odd @ both / n)


def probes(d: int, rng: np.random.RandomState) -> tuple[Array, Array]:
    """Frequencies (M, d) in whitened units, and what draws a component for each, uniform (M,)."""
    directions = rng.standard_normal((FREQUENCIES, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = LENGTH * np.abs(rng.standard_normal((FREQUENCIES, 1)))
    return directions * lengths, rng.uniform(size=FREQUENCIES)


def characteristic_distance(
    X: Array,
    rng: np.random.RandomState,
    weights: Array,
    roots: Array,
    expected: Callable[[Array], Complex],
) -> float:
    """n times the mean of |phi_n(t) - expected(t)|^2 over the frequencies t that `rng` draws.

    roots (K, d, d) are lower and whiten the components that `weights` (K,) draw.
    """
    whitened, uniform = probes(X.shape[1], rng)
    edges = np.cumsum(weights)[:-1] / np.sum(weights)
    owners = np.searchsorted(edges, uniform, side="right")
    t = np.empty_like(whitened)
    for k in np.unique(owners):
        mine = owners == k
        t[mine] = solve_triangular(roots[k], whitened[mine].T, lower=True, trans="T").T
    return float(len(X) * np.mean(np.abs(characteristic(X, t) - expected(t)) ** 2))


def characteristic(X: Array, t: Array) -> Complex:
    """The mean of exp(i t'x) over the rows (n, d), for each of the frequencies (M, d)."""
    out = np.zeros(len(t), dtype=np.complex128)
    for first in range(0, len(X), CHUNK):
        turned = X[first : first + CHUNK] @ t.T
        out += np.cos(turned).sum(axis=0) + 1j * np.sin(turned).sum(axis=0)
    return out / len(X)


def characteristic_of(mixture: Gaussians, t: Array) -> Complex:
    """E exp(i t'X) of normal components, in closed form."""
    out = np.zeros(len(t), dtype=np.complex128)
    for weight, mean, root in zip(mixture.weights, mixture.means, mixture.roots, strict=True):
        out += weight * np.exp(1j * (t @ mean) - 0.5 * np.sum((t @ root) ** 2, axis=1))
    return out


def component_quantiles(mixture: Gaussians, X: Array) -> tuple[ComponentQQ, ...]:
    """Each component beside its law; components without rows are left out."""
    joint = mixture.log_joint(X)
    resp = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    found = []
    for k in np.flatnonzero(resp.sum(axis=0) >= 1):
        y = mixture.whitened(X, int(k))
        one = y.shape[1] == 1
        values = y[:, 0] if one else np.sum(y * y, axis=1)
        found.append(_quantiles(int(k), values, resp[:, k], None if one else y.shape[1]))
    return tuple(found)


def _quantiles(k: int, values: Array, w: AnyArray, degrees: int | None) -> ComponentQQ:
    law = norm() if degrees is None else chi2(degrees)
    order = np.argsort(values)
    values, w = values[order], w[order]
    rows = float(w.sum())
    after = np.cumsum(w) / rows
    level = law.cdf(values)
    gap = max(np.max(after - level), np.max(level - (after - w / rows)))
    m = min(round(rows), MOST_LEVELS)
    levels = (np.arange(m) + 0.5) / m
    # The law of an order statistic of so many uniform draws.
    order_statistic = beta(rows * levels + 0.5, rows * (1 - levels) + 0.5)
    low, high = (law.ppf(order_statistic.ppf(q)) for q in (0.5 - BAND / 2, 0.5 + BAND / 2))
    observed = np.interp(levels, after - 0.5 * w / rows, values)
    name = "normal" if degrees is None else "chi2"
    return ComponentQQ(k, rows, name, float(gap), law.ppf(levels), observed, low, high)
