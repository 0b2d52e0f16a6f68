"""Published and other people's fits, looked at: numbers from R's mclust and scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as Theirs

from mixtura import GaussianMixture, PoissonHMM, PoissonMixture, audit
from mixtura.errors import LikelihoodFell
from mixtura.fitting.hierarchical import hierarchical
from mixtura.records import Array

DATA = Path(__file__).parent / "data"
# mclust 6.0.0, VVV with three groups: log-likelihood -2303.49556, its default and only start.
MCLUST = {
    "weights": [0.536897411611684, 0.26501285526146, 0.198089733126856],
    "means": [
        [90.9623945226421, 357.790834050342, 163.748582247811],
        [104.533479586811, 494.825895516417, 309.558290036181],
        [229.421364299202, 1098.25990138067, 81.6000145382728],
    ],
    "covariances": [
        [
            [57.1804385689403, 75.8320553940772, 14.7319864414656],
            [75.8320553940772, 2101.76552881148, 322.822939537296],
            [14.7319864414656, 322.822939537296, 2416.9907375969],
        ],
        [
            [185.029025244996, 1282.33982199434, -509.731326060929],
            [1282.33982199434, 14039.2834305389, -2559.02507261015],
            [-509.731326060929, -2559.02507261015, 23835.7277667914],
        ],
        [
            [5529.25004326319, 20389.0877975207, -2486.20842576031],
            [20389.0877975207, 83132.4764849183, -10393.0039032002],
            [-2486.20842576031, -10393.0039032002, 2217.53331591225],
        ],
    ],
}


def faithful() -> Array:
    return np.loadtxt(DATA / "faithful.csv", delimiter=",", skiprows=1)


def as_it_stands() -> Array:
    """The diabetes table with the slip that mclust was given."""
    return np.genfromtxt(DATA / "diabetes.csv", delimiter=",", skip_header=1)[:, :3]


def stopped_as_mclust(X: Array, resp: Array) -> tuple[dict[str, Array], float]:
    """EM from responsibilities until a step gains less than 1e-5 of the log-likelihood."""
    last = -np.inf
    while True:
        counts = resp.sum(axis=0)
        means = resp.T @ X / counts[:, None]
        covariances = np.array([np.cov(X.T, aweights=r, ddof=0) for r in resp.T])
        joint = np.log(counts / len(X)) + np.transpose(
            [multivariate_normal.logpdf(X, m, S) for m, S in zip(means, covariances, strict=True)]
        )
        rows = logsumexp(joint, axis=1)
        loglik = float(rows.sum())
        if loglik - last < 1e-5 * (1 + abs(loglik)):
            found = {"weights": counts / len(X), "means": means, "covariances": covariances}
            return found, loglik
        last, resp = loglik, np.exp(joint - rows[:, None])


def test_mclust_on_diabetes(diabetes: Array) -> None:
    found = audit(MCLUST, as_it_stands())
    # mclust prints the log-likelihood before its last M-step.
    assert found.loglik == pytest.approx(-2303.49556, abs=1e-2)
    assert found.verdict == "the best known"
    # Its start for two groups, a tree of merges, leads to the lower of two optima.
    lower = GaussianMixture(2, init_params="hierarchical").fit(diabetes)
    found = audit(lower, diabetes)
    assert found.verdict == "a lower optimum"
    assert found.gain == pytest.approx(0.0, abs=1e-3)
    assert found.missing == pytest.approx(12.627, abs=0.01)
    assert found.best.loglik == pytest.approx(-2343.0117, abs=1e-3)
    assert found.mixture.score(diabetes) * 145 == pytest.approx(found.best.loglik)
    # Where mclust itself stops there, by its rule: its bootLRT prints a ratio of 369.985.
    stopped, loglik = stopped_as_mclust(diabetes, hierarchical(diabetes, np.ones(145), 2, None))
    one = multivariate_normal.logpdf(diabetes, diabetes.mean(axis=0), np.cov(diabetes.T, ddof=0))
    assert 2 * (loglik - one.sum()) == pytest.approx(369.985, abs=1e-3)
    found = audit(stopped, diabetes)
    assert found.verdict == "a lower optimum"
    assert found.missing == pytest.approx(12.66, abs=1e-3)


def test_scikit_learn_in_small_units_is_no_optimum() -> None:
    # Its reg_covar of 1e-6 is in the units of the columns.
    X = faithful() * 1e-3
    found = audit(Theirs(2, random_state=0).fit(X), X)
    assert found.verdict == "not an optimum"
    assert found.gain == pytest.approx(191.36, abs=0.01)
    assert "gains 191.36" in found.summary()


def test_a_spike_is_called_collapsed_and_the_best_is_regular() -> None:
    X = np.random.default_rng(0).normal(size=(80, 2))
    spike = np.stack([np.eye(2), 1e-8 * np.eye(2)])
    found = audit({"weights": [0.98, 0.02], "means": [[0, 0], X[3]], "covariances": spike}, X)
    assert found.verdict == "collapsed"
    assert not found.best.floored


def test_weights_count_rows_and_a_stopped_fit_of_another_family_is_seen() -> None:
    rng = np.random.default_rng(1)
    X = rng.poisson(np.where(rng.uniform(size=200) < 0.5, 3, 12))[:, None]
    twice = np.r_[X, X[:50]]
    weights = np.r_[np.full(50, 2), np.ones(150)]
    with pytest.warns(match="converge"):
        stopped = PoissonMixture(2, max_iter=1, random_state=0).fit(X)
    one, other = audit(stopped, X, sample_weight=weights), audit(stopped, twice)
    assert one.verdict == other.verdict == "not an optimum"
    assert (one.loglik, one.weight) == pytest.approx((other.loglik, 250))
    assert one.best.loglik == pytest.approx(other.best.loglik, abs=1e-3)
    assert stopped.n_iter_ == 1


def test_what_is_no_mixture_is_refused() -> None:
    X = faithful()
    with pytest.raises(ValueError, match="this object is none"):
        audit(object(), X)
    with pytest.raises(ValueError, match="this dict is none: it has no covariances"):
        audit({"weights": [1.0], "means": [[0, 0]]}, X)
    one = {"weights": [1.0], "means": [[3.5, 71]], "covariances": [np.cov(X.T)]}
    with pytest.raises(ValueError, match="holds 'name' beside weights"):
        audit({**one, "name": "x"}, X)
    with pytest.raises(ValueError, match="sample_weight"):
        audit(one, X, sample_weight=np.ones(20))
    with pytest.raises(ValueError, match="this PoissonHMM is none"):
        audit(PoissonHMM(2, random_state=0).fit(np.arange(20)[:, None] % 5), np.ones((9, 1)))
    with pytest.raises(ValueError, match="fitted"):
        audit(GaussianMixture(2), X)
    with pytest.raises(ValueError, match="X has 1 features, but GaussianMixture is expecting 2"):
        audit(GaussianMixture(2).fit(X), X[:, :1])


def test_columns_are_those_that_it_was_fitted_to() -> None:
    frame = pd.DataFrame(faithful(), columns=["a", "b"])
    theirs = Theirs(2, random_state=0).fit(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert audit(theirs, frame).verdict == "the best known"
    with pytest.raises(ValueError, match="feature names"):
        audit(theirs, frame[["b", "a"]])


def test_what_print_rounds_away_is_no_fault() -> None:
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(at, 1, (20_000, 2)) for at in (0, 4, 8)])
    fitted = GaussianMixture(3, random_state=0).fit(X)
    printed = {
        "weights": [0.33, 0.33, 0.33],
        "means": fitted.means_.round(2),
        "covariances": fitted.covariances_.round(2),
    }
    found = audit(printed, X, n_init=1)
    assert found.verdict == "the best known"
    assert not found.mixture.warm_start


def test_a_climb_that_fails_is_told_of_and_the_search_goes_on(monkeypatch) -> None:
    X = faithful()
    mixture = GaussianMixture(2, random_state=0).fit(X)

    def fitted(estimator, X, sample_weight):
        if estimator.warm_start:
            raise LikelihoodFell(1.0, 0.0)
        return estimator.fit(X, sample_weight=sample_weight)

    monkeypatch.setattr("mixtura.selection.audit._fitted", fitted)
    found = audit(mixture, X)
    assert found.verdict == "not climbed"
    assert found.failure.startswith("the log-likelihood fell")
    assert found.search_failure == ""
    assert found.search is not None
    assert "fails: the log-likelihood fell" in found.summary()
