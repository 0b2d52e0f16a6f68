"""Passes over genotypes in C: frequencies improved, and what shares need, in one reading."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from mixtura.data.genotypes import Genotypes
from mixtura.engines.native import Double, Int, Pointer, address, library, run
from mixtura.engines.threads import ordered_map
from mixtura.records import AnyArray, Array

# Individuals that a kernel takes at a time.
_TILE = 64
# Pieces of the markers: fixed, so that sums do not hang on the number of threads.
_PIECES = 16


class _Asked(ctypes.Structure):
    """As in kernels.h."""

    _fields_ = [
        *((name, Pointer) for name in (
            "codes", "first_copies", "second_copies", "haploid", "single", "weight",
            "Q", "P", "to", "slope", "curve",
        )),
        *((name, Int) for name in ("stride", "bits", "n", "ld", "K", "from", "upto", "em")),
        ("seed", ctypes.c_uint64),
        *((name, Int) for name in ("folds", "fold", "inside")),
        ("loglik", Double),
        ("improved", Double),
    ]  # fmt: skip


class _Shares(ctypes.Structure):
    """As in kernels.h."""

    _fields_ = [
        *((name, Pointer) for name in ("Q", "slope", "curve", "to")),
        *((name, Int) for name in ("n", "ld", "K")),
    ]


@dataclass(frozen=True)
class Fold:
    """One of `folds` parts of the genotypes, drawn genotype by genotype with `seed`."""

    number: int
    folds: int
    seed: int

    def holds(self, markers: slice, n: int) -> AnyArray:
        """Whether each genotype of these markers is in it, (markers, n): as `masked` in C draws.

        Hashed by splitmix64 (Steele, Lea & Flood 2014, OOPSLA).
        """
        ld = -(-n // _TILE) * _TILE
        rows: AnyArray = np.arange(markers.start, markers.stop, dtype=np.uint64) * np.uint64(ld)
        z: AnyArray = (rows[:, None] + np.arange(n, dtype=np.uint64)) ^ np.uint64(self.seed)
        z += np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z ^= z >> np.uint64(shift)
            z *= np.uint64(factor)
        z ^= z >> np.uint64(31)
        place = (z >> np.uint64(32)) * np.uint64(self.folds) >> np.uint64(32)
        return np.asarray(place == self.number)


@dataclass(frozen=True)
class Passed:
    """What one pass tells.

    loglik    at the (Q, P) that were given
    improved  at Q and the new P; equal to loglik where P was held
    P         (markers, K): the new ones, or those given
    slope     (n, K): of the log-likelihood in Q there, up to a constant for each individual
    curve     (K (K + 1) / 2, n): minus second derivatives, l >= k row by row of (k, l)
    """

    loglik: float
    improved: float
    P: Array
    slope: Array
    curve: Array


@dataclass
class Passes:
    """Passes over some genotypes, counted.

    weights (markers,) or None: how often each marker counts. `left_out` are genotypes that the
    passes do not see.
    """

    genotypes: Genotypes
    weights: Array | None = None
    left_out: Fold | None = None
    passes: float = field(default=0, init=False)

    def step(self, Q: Array, P: Array, *, em: bool = False) -> Passed:
        """P improved at Q, by Newton's method or EM, and the shares' sums at the new P."""
        return self._run(Q, P, moves=True, em=em)

    def held(self, Q: Array, P: Array) -> Passed:
        """The shares' sums with P held."""
        return self._run(Q, P, moves=False)

    def loglik(self, Q: Array, P: Array) -> float:
        """The log-likelihood of the genotypes that are seen."""
        return self._run(Q, P, moves=False, summed=False).loglik

    def loglik_left_out(self, Q: Array, P: Array) -> float:
        """The log-likelihood of those that are not."""
        assert self.left_out is not None
        return self._run(Q, P, moves=False, summed=False, inside=True).loglik

    def carried(self, Q: Array) -> Array:
        """Copies of genotypes that are seen, by population: sum_i c_ij q_ik, (markers, K)."""
        found = np.empty((self.genotypes.markers, Q.shape[1]))
        for where, dosages in self.genotypes.chunks():
            copies = self.genotypes.known(where, dosages)
            if self.left_out is not None:
                copies[self.left_out.holds(where, len(Q))] = 0.0
            found[where] = copies @ Q
        return found

    def seen(self) -> tuple[AnyArray, AnyArray]:
        """Whether anything is seen of each individual, and of each marker."""
        n, M = self.genotypes.shape
        alike = np.ones((n, 1))
        # At a half each copy adds one to the curvature; an EM step ends at a ratio of counts.
        curve = self.held(alike, np.full((M, 1), 0.5)).curve
        stays = 1.0 / np.pi
        moved = self._run(alike, np.full((M, 1), stays), moves=True, summed=False, em=True).P
        return curve[0] > 0.5 / _PIECES, moved[:, 0] != stays

    def _run(
        self,
        Q: Array,
        P: Array,
        *,
        moves: bool,
        summed: bool = True,
        em: bool = False,
        inside: bool = False,
    ) -> Passed:
        self.passes += 1
        n, K = Q.shape
        M, ld = self.genotypes.markers, -(-n // _TILE) * _TILE
        if P.shape != (M, K) or n != self.genotypes.individuals:
            raise ValueError(f"Q {Q.shape} and P {P.shape} do not fit {self.genotypes.shape}")
        shares = np.full((K, ld), 1.0 / K)
        shares[:, :n] = Q.T
        P = np.ascontiguousarray(P)
        to = np.empty_like(P) if moves else P
        pairs = K * (K + 1) // 2
        keep = _Kept(self, shares, P, to, em, inside)

        def piece(bounds: tuple[int, int]) -> tuple[float, float, Array, Array]:
            slope = np.zeros((K, ld if summed else 0))
            curve = np.zeros((pairs, ld if summed and not em else 0))
            asked = keep.asked(bounds, moves, slope, curve)
            run(library().mixtura_ancestry, asked)
            return asked.loglik, asked.improved, slope, curve

        cuts = np.linspace(0, M, min(_PIECES, M) + 1).astype(int)
        logliks, improved, total = [], [], None
        for one, two, slope, curve in ordered_map(piece, pairwise(cuts)):
            logliks.append(one)
            improved.append(two)
            total = (slope, curve) if total is None else (total[0] + slope, total[1] + curve)
        assert total is not None
        slope, curve = total[0][:, :n].T, total[1][:, :n]
        loglik = float(np.sum(logliks))
        after = float(np.sum(improved)) if moves and not em else loglik
        return Passed(loglik, after, to, slope, curve)


@dataclass
class _Kept:
    """The arrays of one pass, held while C reads them."""

    passes: Passes
    Q: Array
    P: Array
    to: Array
    em: bool
    inside: bool
    held: list[AnyArray] = field(default_factory=list)

    def asked(self, bounds: tuple[int, int], moves: bool, slope: Array, curve: Array) -> _Asked:
        g, fold = self.passes.genotypes, self.passes.left_out
        K, ld = self.Q.shape
        single = np.zeros(ld, dtype=np.uint8)
        if g.single is not None:
            single[: g.individuals] = g.single
        # Nothing else holds them while C runs.
        self.held.append(single)

        def place(array: AnyArray | None) -> int | None:
            return None if array is None or array.size == 0 else address(array)

        return _Asked(
            address(g.codes), address(g.copies[0]), address(g.copies[1]), place(g.haploid),
            address(single), place(self.passes.weights), address(self.Q), address(self.P),
            address(self.to) if moves else None, place(slope), place(curve),
            g.codes.shape[1], g.bits, g.individuals, ld, K, *map(int, bounds), self.em,
            *((fold.seed, fold.folds, fold.number, self.inside) if fold else (0, 0, 0, 0)),
            0.0, 0.0,
        )  # fmt: skip


def newton_shares(Q: Array, passed: Passed) -> Array:
    """Q (n, K) at the top of the quadratic that a pass fitted there, individual by individual."""
    n, K = Q.shape
    given = [np.ascontiguousarray(array) for array in (Q.T, passed.slope.T, passed.curve)]
    to = np.empty((K, n))
    run(library().mixtura_ancestry_shares, _Shares(*map(address, given), address(to), n, n, K))
    return np.ascontiguousarray(to.T)


def em_shares(Q: Array, passed: Passed) -> Array:
    """EM's step (Tang, Peng, Wang & Risch 2005): where each individual's copies came from."""
    copies = Q * passed.slope
    total = copies.sum(axis=1, keepdims=True)
    # Who has no genotype that is seen stays.
    return np.asarray(np.divide(copies, total, out=np.array(Q), where=total > 0))
