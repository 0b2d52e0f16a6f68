"""How far apart two Gaussians or two mixtures are, and how uncertain a mixture is.

    KL(p || q) = E_p log(p / q)            >= 0, in nats, not symmetric
    Hellinger  = sqrt(1 - int sqrt(p q))   in [0, 1], symmetric
    overlap    = int min(p, q)             in [0, 1], 1 where they are equal

Two Gaussians have closed forms for the first two, and for the overlap on a line or where the
covariances are equal; elsewhere their overlap is an average over rows drawn from sqrt(p q), which
is a Gaussian too. For mixtures the averages are over rows drawn half from p and half from q: with
t = p / (p + q) the terms of the Hellinger distance and the overlap are then functions of t between
0 and 1, so that no single row decides (the balance heuristic: Veach & Guibas 1995). The terms of
KL are made non-negative, with the same mean, by adding q/p - 1, whose mean is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, logsumexp, ndtr

from mixtura.inference.gaussians import LOG_2PI, Estimate, Gaussians
from mixtura.records import Array

# Eigenvalues this near to one are one: given numbers are equal up to their rounding.
EQUAL = 1e-9


class Pair(NamedTuple):
    """Two Gaussians where one has variances `ratio` (d,) about `shift` (d,), the other 1 about 0.

    Coordinates in which both covariances are diagonal: nothing asked here depends on them.
    """

    ratio: Array
    shift: Array


def pair(p: Gaussians, q: Gaussians) -> Pair:
    """The first components of two mixtures."""
    inner = np.linalg.solve(q.roots[0], p.roots[0])
    turn, scale, _ = np.linalg.svd(inner)
    return Pair(scale**2, turn.T @ np.linalg.solve(q.roots[0], p.means[0] - q.means[0]))


def gaussian_kl(two: Pair) -> float:
    """KL(first || second) in closed form."""
    excess = two.ratio - 1
    return float(0.5 * (excess - np.log1p(excess) + two.shift**2).sum())


def gaussian_hellinger(two: Pair) -> float:
    """The Hellinger distance in closed form, from the Bhattacharyya coefficient's logarithm."""
    return math.sqrt(max(-math.expm1(_log_affinity(two)), 0.0))


def _log_affinity(two: Pair) -> float:
    """log int sqrt(p q)."""
    middle = (1 + two.ratio) / 2
    terms = 0.25 * np.log(two.ratio) - 0.5 * np.log(middle) - two.shift**2 / (8 * middle)
    return float(terms.sum())


def gaussian_error(two: Pair, share: float, n: int, rng: np.random.RandomState) -> Estimate:
    """int min(share p, (1 - share) q): how often the better guess of the component is wrong.

    Closed where the covariances are equal or there is one column; half the overlap at 1/2.
    """
    if share <= 0 or share >= 1:
        return Estimate(0.0, 0.0)
    if np.all(np.abs(two.ratio - 1) <= EQUAL):
        return Estimate(_equal_error(float(np.linalg.norm(two.shift)), share), 0.0)
    if len(two.ratio) == 1:
        return Estimate(_line_error(math.sqrt(two.ratio[0]), float(two.shift[0]), share), 0.0)
    return _drawn_error(two, share, n, rng)


def _drawn_error(two: Pair, share: float, n: int, rng: np.random.RandomState) -> Estimate:
    """The same by draws from sqrt(p q): min(a p, b q) = sqrt(a b p q) exp(-|log a p / b q| / 2).

    The terms lie between 0 and 1 and the factor before them is as small as the answer is.
    """
    spread = 2 * two.ratio / (1 + two.ratio)
    centre = two.shift / (1 + two.ratio)
    X = centre + np.sqrt(spread) * rng.standard_normal((n, len(spread)))
    log_ratio = 0.5 * ((X**2 - (X - two.shift) ** 2 / two.ratio) - np.log(two.ratio)).sum(axis=1)
    terms = np.exp(-0.5 * np.abs(log_ratio + logit(share)))
    size = math.sqrt(share * (1 - share)) * math.exp(_log_affinity(two))
    return Estimate(size * float(terms.mean()), size * float(terms.std(ddof=1)) / math.sqrt(n))


def _equal_error(distance: float, share: float) -> float:
    """The error of Fisher's rule, whose statistic is normal with mean and variance distance^2."""
    if distance == 0:
        return min(share, 1 - share)
    tilt = float(logit(share)) / distance
    half = distance / 2
    return float(share * ndtr(-half - tilt) + (1 - share) * ndtr(-half + tilt))


def _line_error(sd: float, shift: float, share: float) -> float:
    """On a line the densities cross in at most two points: the roots of their log-ratio."""
    # The log-ratio of share N(shift, sd^2) to (1 - share) N(0, 1) is (a x^2 + 2 b x + c) / 2.
    a = 1 - 1 / sd**2
    b = shift / sd**2
    c = 2 * (float(logit(share)) - math.log(sd)) - (shift / sd) ** 2
    root = b * b - a * c
    inside = np.empty(0)
    if root > 0:
        far = -(b + math.copysign(math.sqrt(root), b))
        inside = np.sort([far / a, c / far])
    edges = np.concatenate([[-np.inf], inside, [np.inf]])
    first = share * np.diff(ndtr((edges - shift) / sd))
    second = (1 - share) * np.diff(ndtr(edges))
    # Differences of the upper tail have no digits where both ends are far out.
    above = edges[:-1] > 0
    second = np.where(above, (1 - share) * -np.diff(ndtr(-edges)), second)
    beyond = edges[:-1] > shift
    first = np.where(beyond, share * -np.diff(ndtr((shift - edges) / sd)), first)
    return float(np.minimum(first, second).sum())


def mixture_kl(p: Gaussians, q: Gaussians, n: int, rng: np.random.RandomState) -> Estimate:
    """KL(p || q)."""
    if len(p.weights) == len(q.weights) == 1:
        return Estimate(gaussian_kl(pair(p, q)), 0.0)
    # 2t log(p/q) + 2(1 - t) - 2t: never below 0.
    return averaged(p, q, lambda s: 2 * (expit(s) * s + expit(-s) - expit(s)), n, rng)


def mixture_hellinger(p: Gaussians, q: Gaussians, n: int, rng: np.random.RandomState) -> Estimate:
    """The Hellinger distance; its standard error is that of its square over twice the distance."""
    if len(p.weights) == len(q.weights) == 1:
        return Estimate(gaussian_hellinger(pair(p, q)), 0.0)
    # 1 - 1 / cosh(s / 2), without the cancellation.
    square, error = averaged(p, q, lambda s: np.tanh(s / 4) ** 2 * (1 + 1 / np.cosh(s / 2)), n, rng)
    distance = math.sqrt(min(float(square), 1.0))
    return Estimate(distance, float(error) / (2 * distance) if distance > 0 else 0.0)


def mixture_overlap(p: Gaussians, q: Gaussians, n: int, rng: np.random.RandomState) -> Estimate:
    """int min(p, q)."""
    if len(p.weights) == len(q.weights) == 1:
        value, error = gaussian_error(pair(p, q), 0.5, n, rng)
    else:
        value, error = averaged(p, q, _lesser, n, rng)
    return Estimate(2 * float(value), 2 * float(error))


def _lesser(s: Array) -> Array:
    """min(t, 1 - t) where t has the log-odds s."""
    return np.asarray(expit(-np.abs(s)))


def averaged(
    p: Gaussians,
    q: Gaussians,
    term: Callable[[Array], Array],
    n: int,
    rng: np.random.RandomState,
) -> Estimate:
    """The mean of term(log p/q) over the equal mixture of p and q."""
    value, variance = 0.0, 0.0
    m = max(n // 2, 2)
    for mixture in (p, q):
        X = mixture.sample(m, rng)
        # Where cosh overflows its inverse is 0, which is what is meant.
        with np.errstate(over="ignore"):
            terms = term(p.log_density(X) - q.log_density(X))
        value += 0.5 * float(terms.mean())
        variance += 0.25 * float(terms.var(ddof=1)) / m
    return Estimate(value, math.sqrt(variance))


def entropy(mixture: Gaussians, n: int, rng: np.random.RandomState) -> Estimate:
    """-E log P(X), in nats.

    That of row and component together, in closed form, minus the expected entropy of the
    responsibilities, which lies between 0 and log K and is all that has to be drawn for.
    """
    d = mixture.means.shape[1]
    log_det = np.log(np.diagonal(mixture.roots, axis1=1, axis2=2)).sum(axis=1)
    own = log_det + 0.5 * d * (1 + LOG_2PI)
    w = mixture.weights
    known = float(w @ own - (w[w > 0] * mixture.log_weights[w > 0]).sum())
    if len(w) == 1:
        return Estimate(known, 0.0)
    joint = mixture.log_joint(mixture.sample(n, rng))
    log_resp = joint - logsumexp(joint, axis=1, keepdims=True)
    unsure = -(np.exp(log_resp) * np.where(np.isneginf(log_resp), 0.0, log_resp)).sum(axis=1)
    return Estimate(known - float(unsure.mean()), float(unsure.std(ddof=1)) / math.sqrt(n))
