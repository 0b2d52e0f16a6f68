"""Where climbs of an admixture likelihood begin: least squares on smoothed genotypes, or chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixtura.data.genotypes import Genotypes
from mixtura.fitting.admixture_climb import onto_simplex
from mixtura.records import AnyArray, Array

# Alternations of least squares, and the change of Q after which they end.
_TURNS, _STILL = 200, 1e-5
# Axes that are iterated beside those wanted, and how often.
_BESIDE, _POWERS = 10, 12
# How far starts keep from 0 and 1, where EM would stay.
_AWAY = 1e-3


@dataclass(frozen=True)
class AdmixtureGround:
    """What starts are made of, for some markers.

    frequencies  (M,) of the first allele; 1/2 where nobody is known
    axes         (n, r): the leading axes of the individuals, orthonormal
    scores       (M, r): the markers along them, as frequencies
    """

    frequencies: Array
    axes: Array
    scores: Array

    @classmethod
    def of(cls, genotypes: Genotypes, rank: int) -> AdmixtureGround:
        """The `rank` leading axes of the centred genotypes; missing ones lie at the mean."""
        n, M = genotypes.shape
        frequencies, many = np.full(M, 0.5), min(rank + _BESIDE, n)
        axes = np.linalg.qr(np.random.RandomState(0).normal(size=(n, many)))[0]
        for _ in range(_POWERS):
            # Orthogonal iteration: the matrix of n x n products need not fit in memory.
            powers = np.zeros((n, many))
            for where, dosages in genotypes.chunks():
                centred = _centred(dosages, genotypes.ploidy, frequencies[where])
                powers += centred.T @ (centred @ axes)
            turned = np.linalg.eigh(axes.T @ powers)[1][:, ::-1]
            leading = axes @ turned[:, :rank]
            axes = np.linalg.qr(powers)[0]
        scores = np.empty((M, leading.shape[1]))
        for where, dosages in genotypes.chunks():
            scores[where] = _centred(dosages, genotypes.ploidy, frequencies[where]) @ leading
        return cls(frequencies, leading, scores)

    def smoothed(self, K: int, rng: np.random.RandomState, *, half: bool) -> tuple[Array, Array]:
        """(Q, P) by alternating least squares on the smoothed matrix, from random frequencies.

        The matrix is the projection of the genotypes on their leading axes (Cabreros & Storey
        2019, Genetics 212). With `half` on half of the markers, drawn.
        """
        f, S = self.frequencies, self.scores
        seen = (f > 0) & (f < 1)
        if half:
            seen &= rng.rand(len(f)) < 0.5
        if not seen.any():
            return self.drawn(K, rng)
        f, S = f[seen], S[seen]
        P = rng.rand(len(f), K)
        Q = self._shares(P, f, S)
        for _ in range(_TURNS):
            P = _frequencies(Q, self.axes, f, S)
            before, Q = Q, self._shares(P, f, S)
            if np.sqrt(np.mean((Q - before) ** 2)) < _STILL:
                break
        return self._inside(Q, _frequencies(Q, self.axes, self.frequencies, self.scores))

    def drawn(self, K: int, rng: np.random.RandomState) -> tuple[Array, Array]:
        """Q from the uniform distribution on the simplex, and frequencies that fit it."""
        Q = rng.dirichlet(np.ones(K), len(self.axes))
        return self._inside(Q, _frequencies(Q, self.axes, self.frequencies, self.scores))

    def _shares(self, P: Array, f: Array, S: Array) -> Array:
        """Least squares of f 1' + S axes' = P Q' in Q, brought onto the simplex."""
        right = np.ones((len(self.axes), 1)) * (f @ P) + self.axes @ (S.T @ P)
        return onto_simplex(np.asarray(right @ np.linalg.pinv(P.T @ P)))

    def _inside(self, Q: Array, P: Array) -> tuple[Array, Array]:
        """Away from zeros that EM could not leave."""
        K, f = Q.shape[1], self.frequencies[:, None]
        return (1 - _AWAY) * Q + _AWAY / K, (1 - _AWAY) * P + _AWAY * f


def _centred(dosages: Array, ploidy: int, frequencies: Array) -> Array:
    """Dosages as frequencies about their mean, which is written into `frequencies`."""
    known = ~np.isnan(dosages)
    many = known.sum(axis=1)
    sums = np.where(known, dosages, 0.0).sum(axis=1)
    np.divide(sums, ploidy * many, out=frequencies, where=many > 0)
    return np.where(known, dosages / ploidy - frequencies[:, None], 0.0)


def _frequencies(Q: Array, axes: Array, f: Array, S: Array) -> Array:
    """Least squares in P, brought into [0, 1]."""
    inverse = np.linalg.pinv(Q.T @ Q)
    P = f[:, None] * (Q.sum(axis=0) @ inverse) + S @ (axes.T @ Q @ inverse)
    return np.asarray(np.clip(P, 0.0, 1.0))


def spread_markers(markers: int, most: int) -> AnyArray:
    """At most so many of the markers, evenly spread over the file."""
    return np.unique(np.linspace(0, markers - 1, min(markers, most)).astype(int))
