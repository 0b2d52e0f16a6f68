"""Coefficients that all components share: which numbers are free, and steps along them."""

from __future__ import annotations

import numpy as np

from mixtura.families.design import Design, newton, unit_free
from mixtura.records import Array


def tie(design: Design, common: tuple[int, ...], K: int) -> Array | None:
    """(K q, m): all components' coefficients of z, from the free ones; None where all are free.

    `common` are the places among the columns of those that are shared.
    """
    if not common or K == 1:
        return None
    q, p = design.size, len(design.columns)
    # The coefficients of z are these times those of the centred, standardised columns, of which
    # each tie is about one.
    plain = np.eye(q)
    plain[q - p :, q - p :] = np.linalg.inv(design.root)
    shared = np.zeros(q, dtype=bool)
    shared[[q - p + j for j in common]] = True
    own, both = plain[:, ~shared], plain[:, shared]
    return np.hstack([np.kron(np.eye(K), own), np.tile(both, (K, 1))])


def _blocks(matrices: Array) -> Array:
    """(K q, K q) with these (K, q, q) on the diagonal."""
    K, q, _ = matrices.shape
    whole = np.zeros((K, q, K, q))
    whole[np.arange(K), :, np.arange(K), :] = matrices
    return whole.reshape(K * q, K * q)


def step(information: Array, slopes: Array, tied: Array | None) -> Array:
    """Newton's step (K, q) in the coefficients of z; `information` and `slopes` of the likelihood.

    Along what is tied they are summed over the components.
    """
    if tied is None:
        return newton(information, slopes)
    whole = tied.T @ _blocks(information) @ tied
    return np.asarray((tied @ newton(whole, tied.T @ slopes.ravel())).reshape(slopes.shape))


def free_map(information: Array, turn: Array, tied: Array | None) -> Array:
    """(K q, m): the coefficients that m free numbers add, whose information is the identity."""
    turned = np.kron(np.eye(len(information)), turn)
    if tied is None:
        return np.asarray(turned @ _blocks(unit_free(information)))
    return np.asarray(turned @ tied @ unit_free(tied.T @ _blocks(information) @ tied))
