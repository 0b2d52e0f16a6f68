"""Which mixtures are special cases of which, and how the one becomes a start of the other.

A covariance structure is nested in another where every letter of its name allows no more: I, the
identity, is a case of E, equal among components, and that of V, variable. K components are nested
in K + 1: one of them twice. Both embeddings are exact. The parameters of the smaller mixture are
those of the larger one with the same likelihood, so a larger model that starts there cannot end
below a smaller one, and a table of fits carried along has no such contradiction.

The ways that are not exact are written as responsibilities, whose M-step is the start: splitting a
component, taking one out, or asking what a larger model's groups look like to a smaller one.
"""

from __future__ import annotations

import numpy as np

from mixtura.data.moments import longest_axis
from mixtura.data.rows import Rows
from mixtura.families.gaussian.covariance import Structure
from mixtura.families.gaussian.forms import Form
from mixtura.families.gaussian.records import GaussianParams, gaussian_params
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.models.responsibilities import normalise
from mixtura.records import Array

FREEDOM = {"I": 0, "E": 1, "V": 2}


def nested(small: Structure, large: Structure) -> bool:
    """Whether every mixture of `small` is one of `large`, and not the other way round."""
    if small.letters == large.letters:
        return False
    pairs = zip(small.letters, large.letters, strict=True)
    return all(FREEDOM[one] <= FREEDOM[other] for one, other in pairs)


def freedom(structure: Structure) -> int:
    """A number that is larger for the larger of two nested structures."""
    return sum(FREEDOM[letter] for letter in structure.letters)


def neighbours(small: list[Structure]) -> list[tuple[Structure, Structure]]:
    """(smaller, larger) for nested structures with none of those given in between."""
    pairs = [(one, other) for one in small for other in small if nested(one, other)]
    return [
        (one, other)
        for one, other in pairs
        if not any(nested(one, between) and nested(between, other) for between in small)
    ]


def embedded(params: MixtureParams, small: Structure, large: Structure) -> MixtureParams:
    """The same mixture in the storage of a structure that it is nested in."""
    parts: GaussianParams = params.components
    K, d = parts.means.shape
    dense = small.form.dense(parts.covariances, K, d)
    cov = _stored(dense, large.form)
    return MixtureParams(params.weights, gaussian_params(parts.means, cov, large.form))


def _stored(dense: Array, form: Form) -> Array:
    if form.shared:
        return form.restrict(dense[0])
    return np.stack([form.restrict(matrix) for matrix in dense])


def doubled(params: MixtureParams, structure: Structure) -> MixtureParams:
    """The same mixture with one component more: its heaviest one twice, at half the weight."""
    heaviest = int(np.argmax(params.weights))
    weights = np.append(params.weights, params.weights[heaviest] / 2)
    weights[heaviest] /= 2
    parts: GaussianParams = params.components
    means = np.concatenate([parts.means, parts.means[[heaviest]]])
    cov = parts.covariances
    if not structure.form.shared:
        cov = np.concatenate([cov, cov[[heaviest]]])
    return MixtureParams(weights, gaussian_params(means, cov, structure.form))


def responsibilities(model: Mixture, rows: Rows, params: MixtureParams) -> Array:
    """(n, K), without the row weights."""
    return normalise(model.log_joint(np.asarray(rows.X, dtype=np.float64), params))[1]


def split(resp: Array, frame: Array, rows: Rows, component: int) -> Array:
    """Responsibilities with a component cut in two, across its longest axis: (n, K + 1).

    `frame` (n, q) are the rows free of units and gaps (`Family.frame`).
    """
    mass = resp[:, component] * _weights(rows)
    centred = frame - mass @ frame / mass.sum()
    beyond = resp[:, component] * (centred @ longest_axis(centred, mass) > 0)
    more = np.column_stack([resp, beyond])
    more[:, component] -= beyond
    return more


def without(log_joint: Array, rows: Rows) -> Array:
    """Responsibilities without the component whose rows the others explain best: (n, K - 1)."""
    loss = losses(normalise(log_joint)[1], rows)
    return normalise(np.delete(log_joint, int(np.argmin(loss)), axis=1))[1]


def losses(resp: Array, rows: Rows) -> Array:
    """What taking each component out would cost in log-likelihood, before the others move."""
    return np.asarray(-(_weights(rows) @ np.log1p(-np.minimum(resp, 1 - 1e-12))))


def reduced(params: MixtureParams, structure: Structure, component: int) -> MixtureParams:
    """The mixture without one component; the weights of the others in proportion."""
    weights = np.delete(params.weights, component)
    parts: GaussianParams = params.components
    cov = parts.covariances
    if not structure.form.shared:
        cov = np.delete(cov, component, axis=0)
    means = np.delete(parts.means, component, axis=0)
    return MixtureParams(weights / weights.sum(), gaussian_params(means, cov, structure.form))


def _weights(rows: Rows) -> Array:
    return np.ones(len(rows.X)) if rows.sample_weight is None else rows.sample_weight
