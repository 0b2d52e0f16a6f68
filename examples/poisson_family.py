"""A family of one's own: what a mixture of counts needs, in the three methods that a family is."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.stats import poisson

import mixtura
from mixtura.supports import Positive


@dataclass(frozen=True)
class Rates(mixtura.Params):
    rates: Annotated[np.ndarray, Positive()]


@dataclass(frozen=True)
class Sums(mixtura.Statistics):
    counts: np.ndarray
    sums: np.ndarray


class Counts(mixtura.Family):
    record = Rates

    def log_density(self, X, params):
        return poisson.logpmf(X[:, None, :], params.rates).sum(axis=2)

    def statistics(self, X, resp, params):
        return Sums(resp.sum(axis=0), resp.T @ X)

    def maximize(self, stats, params, prior):
        return Rates(stats.sums / stats.counts[:, None])


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X = rng.poisson(np.where(rng.uniform(size=(400, 1)) < 0.3, [[2.0, 9.0]], [[6.0, 4.0]]))
    mixture = mixtura.Mixture(Counts(), n_components=2, random_state=0).fit(X)
    print(mixture.weights_.round(2), mixture.rates_.round(1), sep="\n")
    steps = rng.poisson([[2.0, 9.0]] * 60 + [[6.0, 4.0]] * 40 + [[2.0, 9.0]] * 80)
    chain = mixtura.HiddenMarkov(Counts(), n_states=2, random_state=0).fit(steps)
    print(chain.transitions_.round(2))
