"""Free coordinates for a mixture: a softmax around the current weights, and the family's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.families.base import Family
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array, Chart, Summary

# A weight below this is scaled as if it were this.
LEAST_WEIGHT = 1e-12
# How far a logit may go from the centre.
LOGIT_RADIUS = 30.0


@dataclass(frozen=True)
class MixtureChart(Chart):
    """pi = softmax(log pi0 + B z), then the components' coordinates.

    B = diag(pi0)^-1/2 Q with Q an orthonormal basis of the complement of sqrt(pi0): the
    complete-data information of z, B' (diag pi0 - pi0 pi0') B, is then the identity. The gradient
    in the logits is n_k - n pi_k (Jordan & Xu 1995, Neural Networks 8).
    """

    family: Family
    prior: Any
    centre: MixtureParams
    basis: Array
    components: Any

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many free numbers there are."""
        return int(self.basis.shape[1] + self.components.size)

    @property
    def radius(self) -> Array:
        weights = np.full(self.basis.shape[1], LOGIT_RADIUS)
        return np.concatenate([weights, self.components.radius])

    def params(self, free: Array) -> MixtureParams:
        cut = self.basis.shape[1]
        logits = self.centre.log_weights + self.basis @ free[:cut]
        odds = np.exp(logits - logits.max())
        return MixtureParams(odds / odds.sum(), self.components.params(free[cut:]))

    def coordinates(self, params: MixtureParams) -> Array:
        both = (params.weights > 0) & (self.centre.weights > 0)
        ratio = np.zeros(len(both))
        np.divide(params.weights, self.centre.weights, out=ratio, where=both)
        np.log(ratio, out=ratio, where=both)
        # B is diag(pi0)^-1/2 Q, so diag(pi0) B is the transpose of its left inverse.
        free = self.basis.T @ (self.centre.weights * ratio)
        return np.concatenate([free, self.components.coordinates(params.components)])

    def gradient(self, summary: Summary, params: MixtureParams) -> Array:
        counts = self.family.counts(summary.components)
        weights = self.basis.T @ (counts - counts.sum() * params.weights)
        parts = self.components.gradient(summary.components, params.components, self.prior)
        return np.concatenate([weights, parts])


def mixture_chart(family: Family, prior: Any, params: MixtureParams) -> MixtureChart:
    """The chart around `params`."""
    root = np.sqrt(params.weights)
    # A Householder reflection that sends the last axis to sqrt(pi0): its other columns are Q.
    mirror = root.copy()
    mirror[-1] += 1.0
    reflection = np.eye(len(root)) - 2.0 * np.outer(mirror, mirror) / (mirror @ mirror)
    basis = reflection[:, :-1] / np.sqrt(np.maximum(params.weights, LEAST_WEIGHT))[:, None]
    return MixtureChart(
        family, prior, params, basis, family.chart(params.components, params.weights)
    )
