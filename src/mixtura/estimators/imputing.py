"""Missing cells as a fitted mixture expects them, or draws of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from mixtura.data.refusal import whole
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.estimators.answering import answers
from mixtura.models.noise import Noisy
from mixtura.records import AnyArray, Array, Seed


def imputed(mixture: Any, rows: Source, draws: int | None, random_state: Seed) -> Array:
    """The rows with means, (n, d), or with so many draws, (draws, n, d), in their missing cells."""
    if draws is not None:
        draws = whole("draws", draws)
    if not isinstance(rows, Rows):
        raise ValueError("impute: X is read in pieces: give rows in memory, a part at a time")
    model, params = mixture._fitted()
    if not (model.family.allows_gaps or model.family.fills_gaps):
        raise ValueError(f"impute: components of family {model.family.name!r} fill no gaps")
    if "error" in mixture.__dict__.get("told_", ()):
        warnings.warn(
            "impute: the fit was told error of its rows; here X is taken for the numbers "
            "themselves, as if measured without error",
            stacklevel=3,
        )
    X, family, parts = rows.X, model.family, params.components
    resp = np.asarray(answers(mixture, rows, "responsibilities", wide=True), dtype=np.float64)
    K = resp.shape[1] - isinstance(model, Noisy)
    noise = model.uniform if isinstance(model, Noisy) and np.isnan(X).any() else None
    if draws is None:
        means = sum(resp[:, [k]] * family.filled(X, parts, k) for k in range(K))
        if noise is not None:
            means = means + resp[:, [K]] * noise.fill(X, np.arange(len(X)), None)
        return np.asarray(np.where(np.isnan(X), means, X), dtype=np.float64)
    rng = check_random_state(random_state)

    def drawn() -> Array:
        labels = _labels(resp, rng)
        found = np.asarray(family.completed(X, np.minimum(labels, K - 1), parts, rng))
        if noise is not None:
            rest = np.flatnonzero(labels == K)
            found[rest] = noise.fill(X, rest, rng)
        return found

    return np.stack([drawn() for _ in range(draws)])


def _labels(resp: Array, rng: np.random.RandomState) -> AnyArray:
    upto = np.cumsum(resp, axis=1)
    return np.asarray((rng.uniform(size=(len(resp), 1)) * upto[:, -1:] > upto[:, :-1]).sum(axis=1))
