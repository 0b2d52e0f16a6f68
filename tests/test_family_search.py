"""`MixtureSearch`: families and numbers of components, judged alike."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from mixtura import Block, Mixture, MixtureSearch, Product, StillRisingWarning
from mixtura.records import Array

RATES = np.array([[2.0, 9.0], [12.0, 3.0]])


@pytest.fixture(scope="module")
def counts() -> Array:
    rng = np.random.default_rng(0)
    return rng.poisson(RATES[rng.integers(2, size=150)]).astype(np.float64)


def test_each_cell_is_what_mixture_fits(counts: Array) -> None:
    search = MixtureSearch(["poisson", "negativebinomial"], [1, 2, 3], random_state=0).fit(counts)
    assert search.best_params_ == {"family": "poisson", "n_components": 2}
    results = search.cv_results_
    assert results["rank_test_score"][search.best_index_] == 1
    for params, bic in zip(results["params"], results["bic"], strict=True):
        one = Mixture(**params, random_state=0).fit(counts)
        assert bic <= one.bic(counts) + 1e-3
    best = search.best_estimator_
    assert isinstance(best, Mixture)
    np.testing.assert_array_equal(search.predict(counts), best.predict(counts))
    np.testing.assert_allclose(best.rates_[best.rates_[:, 0].argsort()], RATES, rtol=0.15)


def test_a_checkpoint_restores_every_cell(counts: Array, tmp_path: Path) -> None:
    asked = MixtureSearch(["poisson", "negativebinomial"], [1, 2], random_state=0)
    path = tmp_path / "search.ckpt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StillRisingWarning)
        first = clone(asked).fit(counts, checkpoint=path)
        size = path.stat().st_size
        again = clone(asked).fit(counts, checkpoint=path)
    assert path.stat().st_size == size
    np.testing.assert_array_equal(first.cv_results_["bic"], again.cv_results_["bic"])
    np.testing.assert_array_equal(
        first.cv_results_["mean_fit_time"], again.cv_results_["mean_fit_time"]
    )
    np.testing.assert_array_equal(first.best_estimator_.rates_, again.best_estimator_.rates_)


def test_products_have_labels_and_gaps_and_rows_left_out(counts: Array) -> None:
    gappy = counts.copy()
    gappy[::7, 1] = np.nan
    kinds = {
        "apart": Product([Block("poisson", [0]), Block("poisson", [1])]),
        "together": "poisson",
    }
    search = MixtureSearch(kinds, [1, 2], criterion="heldout", cv=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StillRisingWarning)
        search.fit(gappy)
    scores = search.cv_results_["mean_test_score"]
    # The same model, written in two ways.
    np.testing.assert_allclose(scores[:2], scores[2:], rtol=1e-6)
    assert search.best_params_["n_components"] == 2


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (["poisson", "gamma"], "cannot be compared: search among one of them"),
        (["poisson", "multinomial"], "cannot be compared"),
        (["poisson", "poisson"], "'poisson' is there twice: give a dict"),
        ([], "family: nothing to try"),
        ("poison", "family must be one of"),
        ("bernoulli", "family='bernoulli' is for 0 and 1, and column 'x1' holds"),
    ],
)
def test_refusals(counts: Array, family: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MixtureSearch(family, [1, 2]).fit(counts)


def test_what_only_some_families_refuse_is_said_of_their_cells(counts: Array) -> None:
    search = MixtureSearch(["bernoulli", "poisson"], [1, 2, 3], random_state=0).fit(counts)
    assert search.best_params_ == {"family": "poisson", "n_components": 2}
    assert "is for 0 and 1" in search.cv_results_["status"][0]
