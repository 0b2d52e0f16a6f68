"""The exact evidence of small tables, by other means than the library's."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import betaln, gammaln, logsumexp
from scipy.stats import multivariate_t

from mixtura.families.gaussian.wishart import NormalWishart
from mixtura.models.weight_priors import Dirichlet, WeightPrior


def log_rows(X: np.ndarray, prior: NormalWishart) -> float:
    """log p(rows of one component): each given those before it is a multivariate t.

    Source: Murphy (2007), Conjugate Bayesian analysis of the Gaussian distribution, section 9.
    """
    d = len(prior.mean)
    mean, b, v = prior.mean, prior.mean_precision, prior.freedom
    scale, total = np.asarray(prior.form.dense(prior.scale[None], 1, d))[0], 0.0
    for x in X:
        free = v - d + 1
        total += multivariate_t.logpdf(x, mean, scale * (b + 1) / (b * free), df=free)
        off = x - mean
        scale = scale + b / (b + 1) * np.outer(off, off)
        mean, b, v = (b * mean + x) / (b + 1), b + 1, v + 1
    return float(total)


def log_labels(labels: np.ndarray, K: int, prior: WeightPrior) -> float:
    """log p(labels) with the weights integrated out."""
    counts = np.bincount(labels, minlength=K)
    if isinstance(prior, Dirichlet):
        whole = gammaln(K * prior.alpha) - gammaln(K * prior.alpha + len(labels))
        return float(whole + (gammaln(prior.alpha + counts) - gammaln(prior.alpha)).sum())
    beyond = counts.sum() - np.cumsum(counts)
    alpha: float = prior.alpha  # type: ignore[attr-defined]
    return float((betaln(1 + counts, alpha + beyond) - betaln(1, alpha)).sum())


def log_joint(
    X: np.ndarray, labels: np.ndarray, K: int, prior: NormalWishart, weights: WeightPrior
) -> float:
    """log p(rows, labels)."""
    parts = [log_rows(X[labels == k], prior) for k in range(K)]
    return sum(parts) + log_labels(labels, K, weights)


def log_evidence(X: np.ndarray, K: int, prior: NormalWishart, weights: WeightPrior) -> float:
    """log p(rows), all labels tried; of stick-breaking weights those of the first K alone."""
    every = [np.array(labels) for labels in product(range(K), repeat=len(X))]
    return float(logsumexp([log_joint(X, labels, K, prior, weights) for labels in every]))
