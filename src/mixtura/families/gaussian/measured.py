"""Rows of Gaussians that were measured with known errors: extreme deconvolution.

A row is what a Gaussian drew, plus an error of its own with a known covariance S_i: it has the
density N(x_i; m_k, V_k + S_i), and what the M-step needs of the number behind it is its mean and
covariance given the row: expected statistics, as for missing cells, which may be among these.
Reference: Bovy, Hogg & Roweis (2011), Extreme deconvolution: inferring complete distribution
functions from noisy, heterogeneous and incomplete observations, Annals of Applied Statistics 5,
equations 14 to 20.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Settled
from mixtura.families.frames import Leading
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.records import LOG_2PI, GaussianParams, GaussianStatistics
from mixtura.records import AnyArray, Array

# Below this share of what rows without errors would tell of a component's width they tell nothing.
NOTHING = 1e-4
# Columns up to which rows are factorised side by side (measured: even at about 16).
FEW = 16


@dataclass(frozen=True)
class MeasuredLook:
    """Densities and expected sums of rows (n, d), whose errors are columns behind them."""

    X: AnyArray
    params: GaussianParams

    @cached_property
    def split(self) -> tuple[Array, Array]:
        """The rows (n, d), NaN where cells are missing, and the covariances of errors (n, d, d)."""
        d = self.params.means.shape[1]
        rows, errors = self.X[:, :d], self.X[:, d:]
        if errors.shape[1] == d * d:
            return rows, errors.reshape(-1, d, d)
        return rows, errors[:, :, None] * np.eye(d)

    @cached_property
    def known(self) -> list[tuple[Array, Array, Array]]:
        """By component: log p of rows (n,), and mean and covariance of y = L^-1 (v - m) given
        each, v the number behind the row and L the component's root."""
        rows, errors = (np.ascontiguousarray(np.moveaxis(each, 0, -1)) for each in self.split)
        there = ~np.isnan(rows)
        # What is missing tells nothing: a one in its place keeps matrices of one size.
        both = there[:, None] & there[None]
        d, cells = len(rows), there.sum(axis=0)
        found = []
        for k in range(len(self.params.means)):
            root = self._root(k)
            total = np.where(both, (root @ root.T)[:, :, None] + errors, 0.0)
            total[range(d), range(d)] += ~there
            away = np.where(there, rows - self.params.means[k][:, None], 0.0)
            beside = np.where(there[:, None], root[:, :, None], 0.0)
            told, log_det = solved(total, np.concatenate([away[:, None], beside], axis=1))
            z, told = told[:, 0], told[:, 1:]
            log_p = -0.5 * (LOG_2PI * cells + (z**2).sum(axis=0)) - log_det
            mean = (told * z[:, None]).sum(axis=0)
            found.append((log_p, mean.T, _left(told)))
        return found

    def _root(self, k: int) -> Array:
        """The root of component k's covariance, dense."""
        form, root = self.params.form, self.params.root
        one: Array = root if form.shared else root[k]
        return one if form.correlates else one * np.eye(self.params.means.shape[1])

    @property
    def log_density(self) -> Array:
        """log p(x_i | k), (n, K)."""
        return np.stack([log_p for log_p, _, _ in self.known], axis=1)

    def told(self, k: int) -> tuple[float, int]:
        """(what the rows tell of the width of component k where that is least, as a share of what
        they would without errors; the column that varies most there).

        Of log v, v the variance in a direction, a row with an error s tells (v / (v + s))^2 / 2.
        """
        _, _, left = self.known[k]
        share = np.eye(left.shape[1]) - left
        values, vectors = np.linalg.eigh(np.mean(share @ share, axis=0))
        away = self._root(k) @ vectors[:, 0]
        unit = np.nanstd(self.split[0], axis=0)
        return float(values[0]), int(np.argmax(np.abs(away) / unit))

    def statistics(self, resp: Array) -> GaussianStatistics:
        """The expected sums at these responsibilities."""
        form, first, seconds = self.params.form, np.empty_like(self.params.means), []
        d = first.shape[1]
        for k, (_, mean, left) in enumerate(self.known):
            r = resp[:, k]
            first[k] = r @ mean
            second = (mean.T * r) @ mean + np.einsum("i,ijl->jl", r, left)
            seconds.append(form.as_second(form.restrict(second), d))
        return GaussianStatistics(resp.sum(axis=0), first, form.gather(seconds))


def _left(told: Array) -> Array:
    """I - T'T of each row's T, of `told` (d, d, n): what it leaves open, (n, d, d)."""
    if len(told) > FEW:
        rows = np.ascontiguousarray(np.moveaxis(told, -1, 0))
        return np.asarray(np.eye(len(told)) - np.swapaxes(rows, 1, 2) @ rows)
    out = np.tile(np.eye(len(told))[:, :, None], told.shape[2])
    for row in told:
        out -= row[:, None] * row
    return np.moveaxis(out, -1, 0)


def solved(matrices: Array, right: Array) -> tuple[Array, Array]:
    """(L^-1 B, log det L) of matrices (d, d, n) with the roots L and of B (d, m, n).

    All rows at once, column by column: LAPACK's calls for each row take longer than their
    arithmetic where d is `FEW` or less. LinAlgError where one is not positive definite.
    """
    d, log_det = len(matrices), np.zeros(matrices.shape[2])
    if d > FEW:
        root = np.linalg.cholesky(np.moveaxis(matrices, -1, 0))
        log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        found = np.linalg.solve(root, np.moveaxis(right, -1, 0))
        return np.ascontiguousarray(np.moveaxis(found, 0, -1)), log_det
    factor, out = np.empty_like(matrices), np.empty_like(right)
    for i in range(d):
        for j in range(i + 1):
            rest = matrices[i, j] - (factor[i, :j] * factor[j, :j]).sum(axis=0)
            if i > j:
                factor[i, j] = rest / factor[j, j]
                continue
            if not (rest > 0).all():
                raise np.linalg.LinAlgError("a covariance with its errors is not positive definite")
            factor[i, i] = np.sqrt(rest)
        log_det += np.log(factor[i, i])
        out[i] = (right[i] - (factor[i, :i, None] * out[:i]).sum(axis=0)) / factor[i, i]
    return out, log_det


@dataclass(frozen=True)
class Measured(Gaussian):
    """`Gaussian` for rows whose errors stand in columns behind them, of every structure.

    columns says how many are the rows' own; variances of d errors follow, or d x d covariances.
    """

    columns: int = 0
    # Some of the rows, with their errors.
    surveyed: AnyArray | None = field(default=None, repr=False, compare=False)
    # An M-step without a row is not known in closed form.
    follows_noise = False

    def settled(self, survey: Survey, K: int) -> Settled:
        plain = Gaussian(self.structure, self.reg_covar, gaps=self.gaps)
        found = plain.settled(survey.restricted(tuple(range(self.columns))), K)
        if found.prior.equations:
            raise ValueError(
                "error: a column of X is constant or a sum of others, so nothing tells its errors "
                "from its scatter: leave it out"
            )
        frames = tuple(Leading(frame, self.columns) for frame in found.frames)
        own = replace(self, surveyed=survey.sample.X)
        return replace(found, family=own, frames=frames, alike=None)

    def frame(self, X: AnyArray) -> Array:
        return super().frame(X[:, : self.columns])

    def look(self, X: AnyArray, params: GaussianParams) -> MeasuredLook:
        return MeasuredLook(X, params)

    def log_density(self, X: AnyArray, params: GaussianParams) -> Array:
        return MeasuredLook(X, params).log_density

    def statistics(self, X: AnyArray, resp: Array, params: GaussianParams) -> GaussianStatistics:
        return MeasuredLook(X, params).statistics(resp)

    def edge(self, params: GaussianParams) -> str:
        """Where errors explain all of a component's width: its likeliest variance is 0 there."""
        assert self.surveyed is not None
        look = MeasuredLook(self.surveyed, params)
        for k in range(len(params.means)):
            share, column = look.told(k)
            if share < NOTHING:
                return (
                    f"in component {k} the errors explain the whole width of column {column} "
                    "(counted from 0), or of a sum of columns with it: its own variance runs to 0"
                )
        return ""

    def condensed(self, survey: Survey) -> None:
        return None
