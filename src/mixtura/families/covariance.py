"""The covariance structures as one table: name -> form of storage, M-step, free parameters.

Nothing outside this file asks what a covariance is called. A new structure is a new row.

Source of the four: Celeux & Govaert (1995), Gaussian parsimonious clustering models, Pattern
Recognition 28, where full, tied, diag, spherical are [lambda_k D_k A_k D_k'], [lambda D A D'],
[lambda_k B_k] and [lambda_k I].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mixtura.families.forms import Form
from mixtura.families.matrices import Full, Tied
from mixtura.families.prior import CovariancePrior
from mixtura.families.variances import Diagonal, Spherical
from mixtura.records import Array

Estimate = Callable[[Array, Array, CovariancePrior], Array]


@dataclass(frozen=True)
class Structure:
    """One row of the table.

    estimate(scatter, counts, prior) -> covariances, all in the form's shape and in the whitened
    units of the current parameters; scatter is about the new means, counts is (K,).
    """

    name: str
    form: Form
    estimate: Estimate
    # None: as many as the form stores. A structure that ties what its form stores apart says less.
    count: Callable[[int, int], int] | None = None

    def n_parameters(self, K: int, d: int) -> int:
        """Free parameters of the covariances of K components over d columns."""
        if self.count is not None:
            return self.count(K, d)
        return self.form.support.size(self.form.shape(K, d))


def _each(scatter: Array, counts: Array, prior: CovariancePrior) -> Array:
    """(W_k + 2aS) / (n_k + 2a) for each component: the penalised maximum, ML at a = 0."""
    a = prior.strength
    shape = (-1,) + (1,) * (scatter.ndim - 1)
    total = (counts + 2 * a).reshape(shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        cov = (scatter + 2 * a * prior.target) / total
    return np.asarray(cov + prior.held + prior.absolute)


def _shared(scatter: Array, counts: Array, prior: CovariancePrior) -> Array:
    a = prior.strength
    cov = (scatter + 2 * a * prior.target) / (counts.sum() + 2 * a)
    return np.asarray(cov + prior.held + prior.absolute)


STRUCTURES: dict[str, Structure] = {
    row.name: row
    for row in (
        Structure("full", Full(), _each),
        Structure("tied", Tied(), _shared),
        Structure("diag", Diagonal(), _each),
        Structure("spherical", Spherical(), _each),
    )
}


def structure(name: str) -> Structure:
    """The structure of that name; ValueError names the known ones."""
    if name not in STRUCTURES:
        raise ValueError(f"covariance_type must be one of {sorted(STRUCTURES)}, got {name!r}")
    return STRUCTURES[name]
