"""The gradient of mixtures of factor analysers, by Fisher's identity from the same sums."""

from __future__ import annotations

from mixtura.families.factor.records import FactorParams, FactorStatistics
from mixtura.families.factor.step import posterior
from mixtura.families.factor.structure import FactorAnalytic
from mixtura.records import Array


def score(stats: FactorStatistics, params: FactorParams, kind: FactorAnalytic) -> dict[str, Array]:
    """Of the log-likelihood in means, loadings and noise."""
    d = params.means.shape[1]
    rows, loadings, noise = stats.counts[:, None], params.loadings, params.noise
    factors, cross, inner = stats.of_scores(params.gram)
    inner = inner + rows[:, :, None] * posterior(params.gram)
    # sum r E[(x - m - Lambda z) z'] and, of each column, sum r E[(x - m - Lambda z)^2].
    left = cross - loadings @ inner
    explained = (loadings * (cross + left)).sum(axis=2)
    times = 1.0
    if kind.isotropic:
        times, explained = float(d), explained.sum(axis=1, keepdims=True)
    by_means = (stats.first - (loadings @ factors[:, :, None])[:, :, 0]) / noise
    by_loadings = left / noise[:, :, None]
    by_noise = ((stats.square - explained) / noise - times * rows) / (2.0 * noise)
    if kind.common_loadings:
        by_loadings = by_loadings.sum(axis=0, keepdims=True)
    if kind.common_noise:
        by_noise = by_noise.sum(axis=0, keepdims=True)
    return {"means": by_means, "loadings": by_loadings, "noise": by_noise}
