"""Masked arrays: a masked cell is missing where cells may be; else it is refused, for NumPy drops a
mask silently. Weights have none missing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura import BayesianGaussianMixture, GaussianMixture, GaussianMixtureSearch

ROWS = np.random.default_rng(0).normal(size=(40, 2))
MASKED = np.ma.masked_array(ROWS, mask=np.zeros_like(ROWS, dtype=bool))
MASKED[3, 1] = np.ma.masked
WEIGHTS = np.ma.masked_array(np.ones(40), mask=np.arange(40) < 2)
FITTED = GaussianMixture(1).fit(ROWS)

CALLS: dict[str, Any] = {
    "fit": lambda X, w: GaussianMixture(1).fit(X, sample_weight=w),
    "fit_predict": lambda X, w: GaussianMixture(1).fit_predict(X, sample_weight=w),
    "partial_fit": lambda X, w: GaussianMixture(1).partial_fit(X, sample_weight=w),
    "stream": lambda X, w: mixtura.stream(lambda: iter([X if w is None else (X, w)])),
    "search": lambda X, w: GaussianMixtureSearch([1, 2], covariance_type="EII").fit(
        X, sample_weight=w
    ),
    "compare": lambda X, w: mixtura.compare_solvers(X, 1, solvers=["em"], sample_weight=w),
    "bootstrap": lambda X, w: mixtura.bootstrap_lrt(X, max_resamples=2, sample_weight=w),
    "score": lambda X, w: FITTED.score(X, sample_weight=w),
    "bic": lambda X, w: FITTED.bic(X, sample_weight=w),
    "merge": lambda X, w: mixtura.merge_components(FITTED, X, w),
}


# A masked cell is a missing one, but where it would have to be said that cells may be missing.
WHOLE = ("stream",)


@pytest.mark.parametrize("call", CALLS)
def test_a_mask_is_refused(call: str) -> None:
    if call in WHOLE:
        with pytest.raises(ValueError, match=r"X: .*1 masked value in a masked array: remove"):
            CALLS[call](MASKED, None)
    with pytest.raises(ValueError, match=r"weight.* 2 masked values in a masked array"):
        CALLS[call](ROWS, WEIGHTS)


@pytest.mark.parametrize("name", ["predict", "predict_proba", "score_samples", "score", "aic"])
def test_answers_take_a_mask_for_gaps(name: str) -> None:
    expected = getattr(FITTED, name)(MASKED.filled(np.nan))
    np.testing.assert_array_equal(getattr(FITTED, name)(MASKED), expected)


def test_a_family_without_gaps_refuses_a_mask() -> None:
    with pytest.raises(ValueError, match="1 masked value in a masked array"):
        BayesianGaussianMixture().fit(MASKED)


def test_a_mask_of_nothing_is_fine() -> None:
    plain = np.ma.masked_array(ROWS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = GaussianMixture(1).fit(plain)
    np.testing.assert_array_equal(again.means_, FITTED.means_)
