"""One orientation for all components: the M-step of EVE and VVE.

Given the axes' variances the best rotation D minimises sum_k tr(W_k D A_k^-1 D'). With those
variances at their best for each D, what is left depends on D alone, through the scatters
m_kj = (D' W_k D)_jj along its axes:

    VVE   sum_k n_k sum_j log m_kj                     (Flury 1984, JASA 79: common principal axes)
    EVE   n d log sum_k exp(mean_j log m_kj)

Browne & McNicholas (2014), Estimating common principal components in high dimensions, Advances in
Data Analysis and Classification 8, majorise the first of them by a linear function of D, whose
minimum is a singular value decomposition away, from either side of the product. That never
overshoots, and crawls at the end. So a turn here is one such step from either side, then Newton's
rotation in all planes at once, halved until it descends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.errors import IllDefined
from mixtura.families.gaussian.spectrum import spectrum
from mixtura.records import Array

# The search ends where Newton's next step promises less than DONE per row, which is rounding. After
# FEW turns LITTLE is enough, and after TURNS whatever is left: a generalised M-step still raises
# the likelihood, and the next one goes on from there. With FEW = 1 a search over EVE and VVE on
# iris takes half the time, to the same maxima, but hard EM ends before its last digits.
DONE, LITTLE = 1e-13, 1e-6
FEW, TURNS = 8, 25
# At the end so many more of Newton's steps bring the last digits of the axes.
POLISH = 16
# A rotation is cut to LONGEST radians in every plane, and halved at most HALVINGS times.
LONGEST, HALVINGS = 0.5, 12
# Newton's curvature is trusted where it is this share of the part that cannot be negative.
TRUSTED = 0.1
# Where one axis is longer than another by more than this, only rotations plane by plane turn them:
# a singular value decomposition is orthogonal to the last digits of the longest alone.
COMPARABLE = 1e6
# Below this share of the rows per radian squared a plane has no curvature: the axes are equal.
ROUND, TINY = 1e-12, 1e-300


def common_axes(W: Array, n: Array, before: Array, same_volume: bool) -> Array:
    """D (d, d) for scatters W (K, d, d) of n rows each; IllDefined where an axis has none.

    Begins at the axes of `before`, or at those of the pooled scatter where these are better.
    """
    problem = _Problem(W, n, same_volume, np.asarray(np.linalg.eigvalsh(W)[:, -1]))
    axes = _Axes(problem, _shared_axes(n, before)).better(spectrum(W.sum(axis=0))[1])
    for turn in range(TURNS):
        angles, promise = axes.newton()
        if promise <= DONE * n.sum():
            return axes.polished(angles, promise)
        if turn >= FEW and promise <= LITTLE * n.sum():
            break
        if axes.comparable:
            axes = axes.better(axes.majorised_left())
            axes = axes.better(axes.majorised_right())
        axes = axes.rotated()
    return axes.D


def _shared_axes(n: Array, before: Array) -> Array:
    """The axes common to all of `before`, which no single one with equal variances would show."""
    size = np.trace(before, axis1=1, axis2=2)
    # Shares that are not in simple proportion: their sum keeps apart what the parts keep apart.
    share = n * np.sqrt(np.arange(2.0, len(n) + 2.0)) / size
    return spectrum((share[:, None, None] * before).sum(axis=0))[1]


@dataclass(frozen=True)
class _Problem:
    """What does not change during a search; largest are the scatters' largest eigenvalues."""

    W: Array
    n: Array
    same_volume: bool
    largest: Array


class _Axes:
    """A rotation, its criterion, and the ways to a better one.

    rows are the criterion's derivatives by each logarithm along an axis, slope those by each
    scatter along an axis, in both cases (K, d).
    """

    def __init__(self, problem: _Problem, D: Array) -> None:
        self.problem, self.D = problem, D
        self.scatter = D.T @ problem.W @ D
        self.along = np.diagonal(self.scatter, axis1=1, axis2=2)
        if not self.along.min() > 0:
            raise IllDefined(int(np.argmin(self.along.min(axis=1))))
        logs, rows = np.log(self.along), problem.n
        if problem.same_volume:
            volumes = np.exp(logs.mean(axis=1))
            rows = rows.sum() * volumes / volumes.sum()
            self.value = float(rows.sum() * len(D) * np.log(volumes.sum()))
        else:
            self.value = float(rows @ logs.sum(axis=1))
        self.rows, self.slope = rows[:, None], rows[:, None] / self.along

    def better(self, D: Array) -> _Axes:
        """The axes D if they are better, else these."""
        other = _Axes(self.problem, D)
        return other if other.value < self.value else self

    @property
    def comparable(self) -> bool:
        """Whether the shortest axis is seen beside the longest by a whole decomposition."""
        lengths = self.along.mean(axis=0)
        return bool(lengths.max() <= COMPARABLE**2 * lengths.min())

    def majorised_left(self) -> Array:
        """Browne & McNicholas's step with the largest eigenvalue of each scatter."""
        bound = self.D * (self.problem.largest @ self.slope)
        return _nearest(self._pull() - bound)

    def majorised_right(self) -> Array:
        """The same with the largest slope of each component."""
        bound = (self.slope.max(axis=1)[:, None, None] * self.problem.W).sum(axis=0)
        return _nearest(self._pull() - bound @ self.D)

    def _pull(self) -> Array:
        """sum_k W_k D C_k, half the criterion's derivative; C_k are the slopes."""
        return np.asarray(((self.problem.W @ self.D) * self.slope[:, None, :]).sum(axis=0))

    def newton(self) -> tuple[Array, float]:
        """(angles (d, d), skew, of Newton's step plane by plane; the gain it promises).

        In each plane the angle is measured by that which would mix the axes evenly where they
        differ in length, narrow = s_i s_j / (s_i^2 + s_j^2): lengths may lie so far apart that the
        derivatives by the angle itself are no numbers.
        """
        M, m, n = self.scatter, self.along, self.rows
        s = np.sqrt(m.mean(axis=0))
        ratio = s[:, None] / s
        narrow = 1.0 / (ratio + ratio.T)
        part = narrow * ratio
        M, m = M / s[:, None] / s, m / s**2
        c = n / m
        pull = (M * c[:, :, None]).sum(axis=0) * part.T
        gradient = 2.0 * (pull - pull.T)
        apart = m[:, None, :] * part.T - m[:, :, None] * part
        apart = (apart * (c[:, :, None] * part.T - c[:, None, :] * part)).sum(axis=0)
        bent = (n[:, :, None] * (M * part / m[:, None, :]) ** 2).sum(axis=0)
        curvature = 2.0 * apart - 4.0 * (bent + bent.T)
        curvature = np.where(curvature > TRUSTED * 2.0 * apart, curvature, 2.0 * apart)
        steps = gradient / np.maximum(curvature, ROUND * narrow**2 * self.problem.n.sum() + TINY)
        return narrow * steps, float(0.25 * np.sum(gradient * steps))

    def rotated(self) -> _Axes:
        """These axes turned by as much of Newton's step as leads down."""
        angles = np.clip(self.newton()[0], -LONGEST, LONGEST)
        for halving in range(HALVINGS):
            other = self.better(self.turned(angles / 2**halving))
            if other is not self:
                return other
        return self

    def polished(self, angles: Array, promise: float) -> Array:
        """The axes where the gradient vanishes: it still knows the way where the criterion ends."""
        axes = self
        for _ in range(POLISH):
            axes = _Axes(self.problem, axes.turned(angles))
            angles, left = axes.newton()
            if left >= promise:
                break
            promise = left
        return axes.D

    def turned(self, angles: Array) -> Array:
        """The axes after a rotation by these angles (Cayley's map)."""
        half, eye = 0.5 * angles, np.eye(len(self.D))
        return np.asarray(self.D @ np.linalg.solve(eye - half, eye + half))


def _nearest(F: Array) -> Array:
    """The rotation D that makes tr(F' D) smallest."""
    left, _, right = np.linalg.svd(F)
    return np.asarray(-left @ right)
