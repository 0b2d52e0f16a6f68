"""Starts where the components of some rows are known: component k is label k from the start."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from mixtura.fitting.seeding import nearest
from mixtura.models.known_states import as_known
from mixtura.models.responsibilities import normalise, one_hot
from mixtura.records import AnyArray, Array

# The start that is made of labelled rows, in a race; others follow.
BY_LABELS = "labels"


def memberships(known: AnyArray, K: int) -> tuple[Array, AnyArray]:
    """(memberships (n, K), equal where nobody knows; which rows somebody knows, bool (n,))."""
    told = known >= 0 if known.ndim == 1 else known.any(axis=1)
    return normalise(as_known(np.zeros((len(known), K)), known))[1], np.asarray(told)


def as_told(resp: Array, w: Array, known: AnyArray, *, match: bool = True) -> Array:
    """Responsibilities (n, K) that agree with what is known of rows, of weights w (n,).

    Components are first put in the order in which they hold most of the labelled rows.
    """
    s, told = memberships(known, resp.shape[1])
    if match:
        shared = (s[told] * w[told, None]).T @ resp[told]
        resp = resp[:, linear_sum_assignment(shared, maximize=True)[1]]
    resp = resp.copy()
    resp[told] = s[told]
    return resp


def by_labels(Z: Array, w: Array, known: AnyArray, others: Array) -> Array:
    """Each row to the nearest centre, those of labelled components the means of labelled rows.

    Seeded k-means (Basu, Banerjee & Mooney 2002, Semi-supervised clustering by seeding, ICML),
    without its steps. Components without labelled rows have the centres of `others` (n, K), once
    these are in order.
    """
    K = others.shape[1]
    s, told = memberships(known, K)
    mass = (s[told] * w[told, None]).T
    matched = as_told(others, w, known) * w[:, None]
    centres = matched.T @ Z / np.maximum(matched.sum(axis=0), 1e-300)[:, None]
    rows = mass.sum(axis=1)
    centres[rows > 0] = (mass @ Z[told])[rows > 0] / rows[rows > 0, None]
    return as_told(one_hot(nearest(Z, centres), K), w, known, match=False)
