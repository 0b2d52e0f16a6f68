"""Draws of parameters: moments against closed forms, and the tree that ArviZ is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from mixtura import BayesianGaussianMixture, GaussianMixture, PoissonMixture
from mixtura.estimators.draws import asked_draws
from mixtura.estimators.exports import parts
from mixtura.records import Array

DRAWS = 20_000


def table(n: int = 300, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.vstack(
        [
            rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], n),
            rng.multivariate_normal([7, 3], [[2, -0.5], [-0.5, 0.5]], n // 2),
        ]
    )


def drawn(mixture: Any, X: Any = None, draws: int = DRAWS) -> dict[str, Array]:
    return asked_draws(mixture, X, None, draws, 1, parts)[0]


def close(draws: Array, mean: Array) -> None:
    """Within five standard errors of the mean of the draws: a false alarm in 2e6 numbers."""
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - mean) <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("process", [False, True])
def test_moments_of_the_posterior(kind: str, process: bool) -> None:
    name = "dirichlet_process" if process else "dirichlet_distribution"
    mixture = BayesianGaussianMixture(
        n_components=4, covariance_type=kind, weight_concentration_prior_type=name, random_state=0
    ).fit(table())
    found, held, d = drawn(mixture), mixture.held_, 2
    if process:
        a, b = mixture.weight_concentration_
        share, left = a / (a + b), b / (a + b)
        weights = share * np.append(1.0, np.cumprod(left)[:-1])
    else:
        weights = stats.dirichlet(mixture.weight_concentration_).mean()
    close(found["weights"], weights[held])
    assert (found["weights"].sum(axis=1) <= 1 + 1e-12).all()
    close(found["means"], mixture.means_[held])
    # The mean of an inverse Wishart law, whose scale is the inverse of W = precision / freedom.
    law = mixture._components_of(held)
    dense = law.form.dense(law.covariances, len(held), d)
    freedom = law.freedom[:, None, None]
    mean = dense * freedom / (freedom - d - 1)
    close(found["covariances"], mean)
    away = found["means"] - mixture.means_[held]
    spread = away[:, :, :, None] * away[:, :, None, :]
    close(spread, mean / law.mean_precision[:, None, None])


def test_precisions_vary_as_a_wishart_law_says() -> None:
    """Each variance's inverse given the others: diagonal entries of precisions are gammas."""
    mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(table())
    found, law = drawn(mixture), mixture._components_of(mixture.held_)
    precision = np.linalg.inv(found["covariances"])
    scale = np.linalg.inv(law.covariances) / law.freedom[:, None, None]
    for k, free in enumerate(law.freedom):
        gamma = stats.chi2(free, scale=scale[k, 0, 0])
        assert stats.kstest(precision[:, k, 0, 0], gamma.cdf).pvalue > 1e-5


def test_one_component_at_maximum_likelihood() -> None:
    X = table()
    n, mixture = len(X), GaussianMixture(1, covariance_type="diag").fit(X)
    found = drawn(mixture, X)
    variance = mixture.covariances_[0]
    np.testing.assert_array_equal(found["weights"], 1.0)
    close(found["means"], mixture.means_)
    close((found["means"] - mixture.means_)[:, 0] ** 2, variance / n)
    dense = found["covariances"][:, 0]
    np.testing.assert_array_equal(dense[:, 0, 1], 0.0)
    logs = np.log(np.diagonal(dense, axis1=1, axis2=2) / variance)
    close(logs**2, np.full(2, 2 / n))


def test_two_components_have_the_inverse_information() -> None:
    """Against second differences of SciPy's log-likelihood in logits, means and log-variances."""
    rng = np.random.default_rng(2)
    X = np.concatenate([rng.normal(0, 1, 400), rng.normal(3.5, 1.2, 300)])[:, None]
    mixture = GaussianMixture(2, random_state=0, tol=1e-12).fit(X)

    def loglik(free: Array) -> float:
        share = 1 / (1 + np.exp(-free[0]))
        dev = np.exp(0.5 * free[3:])
        each = [stats.norm(free[1 + k], dev[k]).pdf(X[:, 0]) for k in range(2)]
        return float(np.log(share * each[0] + (1 - share) * each[1]).sum())

    def free_of(weights: Array, means: Array, covariances: Array) -> Array:
        logits = np.log(weights[..., :1] / weights[..., 1:])
        return np.concatenate([logits, means[..., 0], np.log(covariances[..., 0, 0])], axis=-1)

    here = free_of(mixture.weights_, mixture.means_, mixture.covariances_)
    step, unit = 1e-3, np.eye(5)
    hessian = np.array(
        [
            [
                sum(
                    a * b * loglik(here + step * (a * unit[i] + b * unit[j]))
                    for a in (1, -1)
                    for b in (1, -1)
                )
                / (4 * step**2)
                for j in range(5)
            ]
            for i in range(5)
        ]
    )
    found = drawn(mixture, X)
    away = free_of(found["weights"], found["means"], found["covariances"]) - here
    expected = np.linalg.inv(-hessian)
    # A covariance of 20,000 draws is off by 1 in 100; second differences by less.
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(away.T @ away / len(away) - expected) < 0.06 * scale).all()


def test_what_cannot_be_drawn_is_said() -> None:
    X = table(50)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="give X, the rows that were fitted"):
        drawn(mixture)
    with pytest.raises(ValueError, match="draws must be a whole number from 1 on, got 0"):
        drawn(mixture, X, 0)
    with pytest.raises(ValueError, match="leave X out"):
        drawn(BayesianGaussianMixture(n_components=2, random_state=0).fit(X), X)
    with pytest.raises(ValueError, match="to_arviz: the log-likelihood is flat or rises in some"):
        drawn(mixture, X + 1.0)
    assert not hasattr(PoissonMixture(2), "to_arviz")


def test_weights_of_the_fit_are_asked_for_again() -> None:
    X = table(50)
    mixture = GaussianMixture(2, random_state=0).fit(X, None, np.arange(len(X)) % 3)
    with pytest.raises(ValueError, match="to_arviz: the fit was given sample_weight"):
        drawn(mixture, X)


def test_without_arviz_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "arviz_base", None)
    mixture = BayesianGaussianMixture(n_components=2, random_state=0).fit(table(50))
    with pytest.raises(ValueError, match=r"needs the package arviz-base: .*'mixtura\[arviz\]'"):
        mixture.to_arviz()


def test_the_tree() -> None:
    pytest.importorskip("arviz_base", reason="the extra mixtura[arviz] is not installed")
    import pandas as pd

    frame = pd.DataFrame(table(), columns=["height", "weight"])
    for mixture, X in (
        (BayesianGaussianMixture(n_components=3, random_state=0).fit(frame), None),
        (GaussianMixture(2, covariance_type="tied", random_state=0).fit(frame), frame),
    ):
        posterior = mixture.to_arviz(X, draws=50, random_state=0)["posterior"]
        assert posterior["means"].dims == ("chain", "draw", "component", "column")
        assert posterior["means"].shape == (1, 50, 2, 2)
        assert list(posterior["column"].values) == ["height", "weight"]
        assert posterior["covariances"].dims[-2:] == ("column", "other_column")
        assert posterior.attrs["inference_library"] == "mixtura"
        again = mixture.to_arviz(X, draws=50, random_state=0)["posterior"]
        np.testing.assert_array_equal(again["weights"], posterior["weights"])
