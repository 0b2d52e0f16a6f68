"""The order of a process's components, and its bound, by enumeration."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

from mixtura import BayesianMixture, GammaPrior
from mixtura.models.weight_priors import StickBreaking


@pytest.mark.parametrize("alpha", [0.01, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("counts", [(1.5, 20.0, 0.0, 7.0), (0.0, 0.0, 20.0, 0.0)], ids=str)
def test_of_all_orders_the_largest_first_has_the_highest_bound(alpha, counts):
    prior = StickBreaking(alpha)
    start = prior.log_norm(prior.posterior(np.zeros(4)))
    values = {}
    for order in permutations(counts):
        n = np.array(order)
        q = prior.posterior(n)
        # What the weights add to the bound: the expected logarithms less the divergence.
        found = n @ prior.expected_log(q) - prior.divergence(q)
        assert found == pytest.approx(prior.log_norm(q) - start, abs=1e-9)
        left = np.cumsum(n[::-1])[::-1]
        whole = gammaln(1 + n).sum() + gammaln(alpha) - gammaln(alpha + n.sum())
        exact = whole + 4 * np.log(alpha) - np.log(alpha + left).sum()
        assert found == pytest.approx(exact, abs=1e-9)
        values[order] = found
    best = tuple(sorted(counts, reverse=True))
    assert values[best] == max(values.values())


def groupings(n: int) -> Iterator[np.ndarray]:
    """The group of each of n rows, every partition once."""
    ends = [[0]]
    for _ in range(n - 1):
        ends = [[*each, new] for each in ends for new in range(max(each) + 2)]
    yield from map(np.array, ends)


def one_group(x: np.ndarray) -> float:
    """ln p(counts of one group) under rates ~ Gamma(1, 1)."""
    return float(gammaln(1 + x.sum()) - (1 + x.sum()) * np.log(1 + len(x)) - gammaln(x + 1).sum())


def test_the_bound_is_one_of_the_whole_process_however_large_its_concentration():
    x, alpha, K = np.random.default_rng(0).poisson(3, size=8).astype(float), 1000.0, 3
    every = []
    for labels in groupings(8):
        sizes = np.bincount(labels)
        groups = [one_group(x[labels == k]) for k in range(len(sizes))]
        # Antoniak (1974), Annals of Statistics 2: the probability of a partition.
        names = len(sizes) * np.log(alpha) + gammaln(sizes).sum()
        every.append(names + gammaln(alpha) - gammaln(alpha + 8) + sum(groups))
    evidence = logsumexp(every)
    prior = GammaPrior(1, 1)
    how = {"prior": prior, "weight_concentration_prior": alpha, "random_state": 0}
    ends = [BayesianMixture("poisson", k, **how).fit(x[:, None]).elbo_ for k in (1, K, 8)]
    assert ends[0] < ends[1] < ends[2] < evidence
    # A last stick that took the whole rest would be another model, of which this is the number
    # with all rows in the last of K components: no bound of the process.
    assert one_group(x) + (K - 1) * np.log(alpha / (alpha + 8)) > evidence
