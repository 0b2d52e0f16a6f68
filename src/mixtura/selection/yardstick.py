"""How far a table is from a mixture, and how far tables drawn from it are from their own fits."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from mixtura.data.tables import NamedRows
from mixtura.errors import FAILURES, FitError
from mixtura.estimators.after import AfterFit
from mixtura.estimators.climbed import ClimbedMixture
from mixtura.estimators.noisy import noise_of
from mixtura.inference.goodness import (
    anderson_darling,
    characteristic,
    characteristic_distance,
    characteristic_of,
)
from mixtura.records import Array

# Rows drawn where a family's characteristic function has no closed form.
FEWEST, MOST = 2_000, 100_000
# A scale on which no column varies.
FAR = 1e300


@dataclass(frozen=True)
class Yardstick:
    """The statistic of a table under a mixture, and of draws from it; `seed` is that of all."""

    seed: int

    def of(self, mixture: ClimbedMixture, X: Array, place: int = 0) -> float:
        """The statistic of the rows X (n, d); `place` numbers the tables drawn from 1 on."""
        # The frequencies are one and the same for all tables.
        fixed = np.random.RandomState(self.seed)
        if plain_normal(mixture):
            g = mixture._gaussians()
            if X.shape[1] == 1:
                return anderson_darling(g, X[:, 0])
            return characteristic_distance(
                X, fixed, g.weights, g.roots, lambda t: characteristic_of(g, t)
            )
        drawn, labels = mixture.sample(
            int(np.clip(10 * len(X), FEWEST, MOST)), random_state=self._own(place, 1)
        )
        weights, roots = _scales(np.asarray(drawn, dtype=np.float64), labels)
        return characteristic_distance(X, fixed, weights, roots, lambda t: characteristic(drawn, t))

    def drawn(
        self, mixture: ClimbedMixture, n: int, place: int, refit: bool = True, apart: int = 0
    ) -> float:
        """The statistic of n rows drawn from the mixture; infinite where they cannot be fitted.

        The mixture that is refitted is one of these rows, or of `apart` other ones where that is
        not 0.
        """
        own = self._own(place, 0)
        X = np.ascontiguousarray(mixture.sample(n, random_state=own)[0])
        if not refit:
            return self.of(mixture, X, place)
        again = clone(mixture).set_params(random_state=own, warm_start=False, verbose=0)
        names = getattr(mixture, "feature_names_in_", None)
        Y = X
        if apart:
            Y = np.ascontiguousarray(mixture.sample(apart, random_state=self._own(place, 2))[0])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                again.fit(Y if names is None else NamedRows(Y, tuple(names), None))
        except (FitError, *FAILURES):
            return float("inf")
        return self.of(again, X, place)

    def _own(self, place: int, use: int) -> int:
        sequence = np.random.SeedSequence(self.seed, spawn_key=(place, use))
        return int(sequence.generate_state(1)[0])


def plain_normal(mixture: ClimbedMixture) -> bool:
    """Whether all that a row may come from is a normal component."""
    return isinstance(mixture, AfterFit) and noise_of(mixture) is None


def _scales(drawn: Array, labels: Any) -> tuple[Array, Array]:
    """(weights, roots) of components as rows drawn show them, column by column."""
    weights, roots = [], []
    for k in np.unique(labels):
        mine = drawn[labels == k]
        sds = mine.std(axis=0)
        weights.append(len(mine))
        # A column that does not vary inside a component is not looked at there.
        roots.append(np.diag(np.where(sds > 0, sds, FAR)))
    return np.array(weights, dtype=np.float64), np.array(roots)
