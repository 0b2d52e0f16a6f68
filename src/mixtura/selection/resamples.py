"""Tables drawn from a mixture, and what one more component gains on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from mixtura.errors import FitError
from mixtura.models.mixture import Mixture
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import Array
from mixtura.selection.likelihood_ratio import Effort, Pair

# Resamples that each worker has waiting: those drawn beyond the last one needed are thrown away.
AHEAD = 4


@dataclass(frozen=True)
class Draw:
    """Resamples of n rows, drawn from a mixture and searched; each has random numbers of its own,
    which hang on the seed, the components and its place alone.

    A mixture that is conditional on some columns is drawn from given the rows that there are, and
    cells are missing where they are in these."""

    effort: Effort
    n: int
    seed: int
    most: int
    n_jobs: int | None
    given: Array | None = None

    def statistics(self, pair: Pair, K: int, known: tuple[float, ...]) -> Iterator[float]:
        """One after the other, in order, `known` ones first; a batch is drawn at a time."""
        yield from known
        workers = effective_n_jobs(self.n_jobs)
        batch = 1 if workers == 1 else AHEAD * workers
        model, params = pair.ground.model, pair.smaller.params
        with Parallel(n_jobs=self.n_jobs) as parallel:
            for first in range(len(known), self.most, batch):
                places = range(first, min(first + batch, self.most))
                yield from parallel(delayed(self.one)(model, params, K, i) for i in places)

    def one(self, model: Mixture, params: MixtureParams, K: int, place: int) -> float:
        """The statistic of one resample; infinite where there is no regular maximum."""
        own = seed_of(self.seed, K, place + 1)
        rng = np.random.RandomState(own)
        if model.family.conditional and self.given is not None:
            X, _ = model.sample_given(self.given, params, rng)
        else:
            X, _ = model.sample(self.n, params, rng)
        if self.given is not None:
            X = np.where(np.isnan(self.given), np.nan, X)
        try:
            logliks = self.effort.pair(np.ascontiguousarray(X), None, K, own).logliks
        except FitError:
            return float("inf")
        return 2 * (logliks[1] - logliks[0])


def seed_of(seed: int, K: int, place: int) -> int:
    return int(np.random.SeedSequence(seed, spawn_key=(K, place)).generate_state(1)[0])
