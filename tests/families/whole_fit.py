"""A fit as the estimators make it: starts, race, climb, certificate."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixtura.data.rows import Rows
from mixtura.families.registry import family
from mixtura.fitting.mixture_fit import Found, Task, find
from mixtura.records import AnyArray


def fitted(
    spec: Any,
    X: AnyArray,
    K: int,
    *,
    seed: int = 0,
    n_init: int = 1,
    solver: str = "auto",
    weight: AnyArray | None = None,
) -> Found:
    """The best of `n_init` initialisations of K components."""
    chosen = family(spec)
    task = Task(chosen, K, 1e-8, 1000, n_init, "auto", "auto", solver, {}, None, None)
    return find(Rows(np.asarray(X, float), weight), task, np.random.RandomState(seed), None)
