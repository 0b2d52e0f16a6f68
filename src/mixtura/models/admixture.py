"""Admixture: every copy of an allele comes from one of K populations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from scipy.special import xlogy

from mixtura.models.base import Model
from mixtura.records import AnyArray, Array, Chunk, Params, Statistics, Summary
from mixtura.supports import Simplex, UnitInterval


@dataclass(frozen=True)
class AdmixtureParams(Params):
    """Q (n, K): shares of each individual; P (M, K): frequencies of the first allele."""

    Q: Annotated[Array, Simplex()]
    P: Annotated[Array, UnitInterval()]

    def free(self, fixed: AnyArray | None = None) -> int:
        """Free parameters, where the shares of `fixed` individuals are given."""
        n, K = self.Q.shape
        unknown = int(n if fixed is None else n - fixed.sum())
        return unknown * (int(K) - 1) + int(self.P.size)


@dataclass(frozen=True)
class Origins(Statistics):
    """Expected copies by population: of each individual, and of each marker and allele."""

    joined: ClassVar[tuple[str, ...]] = ("first", "second")

    shares: Array
    first: Array
    second: Array


@dataclass(frozen=True)
class AdmixtureModel(Model):
    """Rows are markers, columns individuals, numbers the copies of the first of two alleles.

    Individual i carries `ploidy` copies, each from population k with probability q_ik, and there
    the first allele with probability p_jk: x_ij is binomial(ploidy, sum_k q_ik p_jk), up to the
    binomial coefficient, which is left out as in ADMIXTURE (Pritchard, Stephens & Donnelly 2000,
    Genetics 155; Alexander, Novembre & Lange 2009, Genome Research 19, equation 2). This is EM in
    NumPy (FRAPPE: Tang, Peng, Wang & Risch 2005), for `mixtura.fit`; `mixtura.Admixture` has the
    fast passes. The P of a marker is its own row's, so a sweep gives the markers in order.
    """

    ploidy: int = 2

    def e_step(self, chunk: Chunk, params: AdmixtureParams) -> Summary:
        """Expected origins of the copies at these markers."""
        X, Q, P = chunk.X, params.Q, params.P[chunk.where]
        weight = np.ones(len(X)) if chunk.weight is None else chunk.weight
        other, h, g = self.ploidy - X, P @ Q.T, (1.0 - P) @ Q.T
        logs = xlogy(X, h) + xlogy(other, g)
        a = np.divide(X, h, out=np.zeros_like(h), where=X > 0)
        b = np.divide(other, g, out=np.zeros_like(h), where=other > 0)
        shares = Q * ((weight[:, None] * a).T @ P + (weight[:, None] * b).T @ (1.0 - P))
        origins = Origins(shares, P * (a @ Q), (1.0 - P) * (b @ Q))
        return Summary(float(weight @ logs.sum(axis=1)), float(weight.sum()), origins)

    def m_step(self, summary: Summary, params: AdmixtureParams) -> AdmixtureParams:
        """Shares of the copies, and frequencies among them."""
        s = summary.statistics
        assert isinstance(s, Origins)
        whole = s.first + s.second
        P = np.divide(s.first, whole, out=params.P.copy(), where=whole > 0)
        return AdmixtureParams(s.shares / s.shares.sum(axis=1, keepdims=True), P)
