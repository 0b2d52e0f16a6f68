"""How probable each number of components is, against all ways to share out the rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import pytest
from evidence import log_labels
from scipy.special import gammaln, logsumexp
from scipy.stats import nbinom

from mixtura import BayesianGaussianMixture, BayesianMixture, GammaPrior, StoreError, load
from mixtura.estimators.document import restore, to_document
from mixtura.models.weight_priors import Dirichlet, StickBreaking

PROCESS, FINITE = "dirichlet_process", "dirichlet_distribution"


def partitions(n: int) -> Iterator[np.ndarray]:
    """All ways to share out n rows, labels in order of appearance."""
    labels = [0] * n

    def on(i: int, groups: int) -> Iterator[np.ndarray]:
        if i == n:
            yield np.array(labels)
            return
        for k in range(groups + 1):
            labels[i] = k
            yield from on(i + 1, max(groups, k + 1))

    return on(0, 0)


def log_rows(cells: np.ndarray, shape: float, rate: float) -> float:
    """Each given those before it: negative binomial."""
    total = 0.0
    for x in cells:
        total += nbinom.logpmf(x, shape, rate / (rate + 1.0))
        shape, rate = shape + x, rate + 1.0
    return float(total)


def exact(x: np.ndarray, most: int, alpha: float, kind: str) -> np.ndarray:
    """P(number of groups | rows), by all partitions; the prior of counts is Gamma(1, 0.1)."""
    known: dict[tuple[float, ...], float] = {}
    terms: dict[int, list[float]] = {}
    n = len(x)
    for labels in partitions(n):
        k = int(labels.max()) + 1
        if k > most:
            continue
        sizes, total = np.bincount(labels), 0.0
        for group in range(k):
            own = tuple(x[labels == group])
            if own not in known:
                known[own] = log_rows(np.array(own), 1.0, 0.1)
            total += known[own]
        if kind == PROCESS:
            total += k * np.log(alpha) + gammaln(alpha) - gammaln(alpha + n)
            total += gammaln(sizes).sum()
        else:
            total += log_labels(labels, most, Dirichlet(alpha, most))
            total += np.log(len(list(permutations(range(most), k))))
        terms.setdefault(k, []).append(float(total))
    logs = [logsumexp(terms[k]) if k in terms else -np.inf for k in range(most + 1)]
    return np.exp(np.array(logs) - logsumexp(logs))


def fitted(x: np.ndarray, most: int, alpha: float, kind: str) -> BayesianMixture:
    return BayesianMixture(
        "poisson",
        most,
        prior=GammaPrior(1.0, 0.1),
        weight_concentration_prior_type=kind,
        weight_concentration_prior=alpha,
        random_state=0,
    ).fit(x[:, None])


@pytest.mark.parametrize(("law", "names"), [(Dirichlet(0.7, 5), 5), (StickBreaking(0.4), 20)])
def test_copies_are_the_same_groups_under_all_other_names(law, names):
    labels = np.repeat([0, 1, 2], [4, 3, 2])
    every = [log_labels(np.array(p)[labels], names, law) for p in permutations(range(names), 3)]
    own = log_labels(labels, names, law) + law.log_copies(np.array([4.0, 3.0, 2.0]))
    assert own == pytest.approx(logsumexp(every), abs=1e-6)


@pytest.mark.parametrize(
    ("cells", "kind", "alpha", "off"),
    [
        # Groups that leave no doubt, and a table that may be one or two.
        ([0, 1, 0, 12, 15, 11, 60, 66], PROCESS, 1.0, 0.01),
        ([0, 1, 0, 12, 15, 11, 60, 66], FINITE, 0.3, 0.01),
        ([1, 2, 3, 5, 6, 8, 9, 12], PROCESS, 0.3, 0.35),
        ([1, 2, 3, 5, 6, 8, 9, 12], FINITE, 0.3, 0.3),
        ([4, 5, 3, 6, 4, 5, 7, 4], FINITE, 0.3, 0.2),
    ],
)
def test_probabilities_of_numbers_are_near_those_of_all_partitions(cells, kind, alpha, off):
    x = np.array(cells, dtype=float)
    truth, found = exact(x, 3, alpha, kind), fitted(x, 3, alpha, kind).n_components_posterior_
    assert found.shape == (4,)
    assert found.sum() == pytest.approx(1.0)
    assert 0.5 * np.abs(found - truth).sum() < off
    # Doubt is told.
    assert (found.max() < 0.8) == (truth.max() < 0.8)


def test_numbers_are_told_and_kept(faithful, tmp_path):
    settings = {"n_components": 20, "weight_concentration_prior_type": FINITE, "random_state": 0}
    found = BayesianGaussianMixture(**settings).fit(faithful)
    posterior = found.n_components_posterior_
    assert posterior.shape == (21,)
    assert posterior[0] == 0.0
    assert 0.1 < posterior[3] < posterior[2] < 0.9
    assert f"groups           2 with {100 * posterior[2]:.1f}%, 3 with" in found.summary()
    found.save(tmp_path / "m.json")
    read = load(tmp_path / "m.json")
    np.testing.assert_array_equal(read.n_components_posterior_, posterior)
    assert read.summary() == found.summary()
    document = to_document(found)
    told = document["posterior"] | {"n_components_posterior_": [0.5, 0.5]}
    with pytest.raises(StoreError, match="n_components_posterior_"):
        restore(document | {"posterior": told}, BayesianGaussianMixture)
    still = BayesianGaussianMixture(**settings, moves=False).fit(faithful)
    assert still.n_components_posterior_ is None
    assert "groups    " not in still.summary()


def test_the_odds_of_two_numbers_are_those_of_their_fits(faithful):
    """With room for two under one prior: of one component, and of two."""
    scale = np.cov(faithful.T)
    settings = {"covariance_prior": scale, "weight_concentration_prior_type": FINITE}
    settings |= {"weight_concentration_prior": 0.5, "random_state": 0, "tol": 1e-9}
    found = BayesianGaussianMixture(n_components=2, **settings).fit(faithful[::9])
    one = BayesianGaussianMixture(n_components=2, **settings, init_params="one", moves=False).fit(
        faithful[::9]
    )
    assert found.n_components_ == 2
    assert one.n_components_ == 1
    odds = found.n_components_posterior_[2] / found.n_components_posterior_[1]
    # Two names each: 2! / 1! and 2! / 0!.
    assert np.log(odds) == pytest.approx(found.elbo_ - one.elbo_, abs=1e-3)
