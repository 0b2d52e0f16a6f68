"""Maxima of the likelihood known from several programs and computed independently.

Figures: mclust 6.1.3's vignette and high-precision runs from many starts (tolerance 1e-3 nats).
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from mixtura import GaussianMixture

DATA = Path(__file__).parent / "data"

# (table, covariance type, components, log-likelihood, initialisations that find it surely)
MAXIMA = [
    ("faithful", "full", 2, -1130.264, 1),
    ("faithful", "tied", 3, -1126.3159, 5),
    ("iris", "full", 2, -214.3547, 1),
    ("iris", "full", 3, -180.1855, 1),
    ("iris", "tied", 3, -256.354, 1),
    ("acidity", "tied", 2, -185.9493, 1),
    ("acidity", "full", 2, -184.6447, 1),
    ("acidity", "full", 3, -178.7544, 10),
    ("galaxies", "full", 3, -203.1792, 5),
    ("galaxies", "full", 4, -197.4538, 40),
    ("diabetes", "full", 1, -2540.664, 1),
    ("diabetes", "full", 2, -2343.0117, 5),
    ("diabetes", "full", 3, -2295.0935, 5),
]


@pytest.mark.parametrize(("table", "covariance", "K", "loglik", "n_init"), MAXIMA)
def test_maximum(
    table: str, covariance: str, K: int, loglik: float, n_init: int, request: pytest.FixtureRequest
) -> None:
    X = request.getfixturevalue(table)
    fitted = GaussianMixture(
        K, covariance_type=covariance, n_init=n_init, tol=1e-9, max_iter=20_000, random_state=0
    ).fit(X)
    assert fitted.fit_result_.loglik == pytest.approx(loglik, abs=1e-3)
    assert fitted.fit_result_.floored == ()
    assert fitted.lower_bound_ == pytest.approx(fitted.score(X), abs=1e-12)


def test_the_number_of_parameters_makes_the_published_bic(
    faithful: np.ndarray, iris: np.ndarray
) -> None:
    # mclust's BIC has the opposite sign: -2314.296 and -574.018.
    tied = GaussianMixture(3, covariance_type="tied", n_init=5, random_state=0).fit(faithful)
    assert tied.bic(faithful) == pytest.approx(2314.296, abs=2e-3)
    assert GaussianMixture(2, random_state=0).fit(iris).bic(iris) == pytest.approx(
        574.018, abs=2e-3
    )


def test_a_singular_fit_on_three_points_is_flagged_not_returned(diabetes: np.ndarray) -> None:
    """Started on a spike (three nearly collinear rows), EM at maximum likelihood would stay."""
    rows = diabetes[[0, 1, 2]]
    spike = np.cov(rows.T, bias=True) + 1e-6 * np.eye(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = GaussianMixture(
            2,
            weights_init=[142 / 145, 3 / 145],
            means_init=[diabetes.mean(axis=0), rows.mean(axis=0)],
            precisions_init=np.linalg.inv([np.cov(diabetes.T), spike]),
        ).fit(diabetes)
    # With the penalty, and without it from where that led, as long as no component is a spike.
    assert fitted.fit_result_.penalised or fitted.fit_result_.verdict == "interior maximum"
    assert fitted.weights_.min() * len(diabetes) > 8
    assert np.linalg.eigvalsh(fitted.covariances_).min() > 0
    if fitted.fit_result_.floored:
        assert any("only the penalty keeps it" in str(w.message) for w in caught)
        assert "penalty" in fitted.summary()


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
def test_never_below_scikit_learn_on_faithful(covariance: str, faithful: np.ndarray) -> None:
    models = json.loads((DATA / "sklearn_gmm_faithful.json").read_text())["models"]
    for K in (1, 2, 3):
        fitted = GaussianMixture(K, covariance_type=covariance, n_init=10, random_state=0)
        loglik = fitted.fit(faithful).fit_result_.loglik
        assert loglik >= models[f"{covariance}/{K}"]["loglik"] - 1e-3
        assert fitted.bic(faithful) <= models[f"{covariance}/{K}"]["bic"] + 2e-3
