"""Settings that meet: each is fine alone, together they agree or are refused in a sentence."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

import mixtura
from mixtura import Dirichlet, EigenvalueRatio, GaussianMixture, NormalInverseWishart

RNG = np.random.default_rng(0)
LABELS = np.arange(200) % 2
X = np.where(LABELS, 5.0, 0.0)[:, None] + RNG.normal(size=(200, 2))
SOME = np.where(np.arange(200) < 40, LABELS, -1)


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        ({}, SOME),
        ({"fixed": {"weights": [0.3, 0.7]}}, None),
        ({"fixed": {"means": [[9, 9], [np.nan, np.nan]]}}, None),
        ({"prior": Dirichlet(5.0)}, None),
    ],
)
def test_moments_alone_know_nothing_beside_the_table(settings: Any, labels: Any) -> None:
    asked = GaussianMixture(2, covariance_type="spherical", solver="moments", **settings)
    with pytest.raises(ValueError, match=r"know no (labels or fixed parameters|prior)"):
        asked.fit(X, labels=labels)


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_known_means_of_columns_that_are_constant_are_no_numbers_less(kind: str) -> None:
    wide = np.column_stack([X, np.full(len(X), 3.0)])
    for means, more in (("common", None), ([[0.0, 0.0], [np.nan] * 2], [[0, 0, 3], [np.nan] * 3])):
        plain = GaussianMixture(2, covariance_type=kind, fixed={"means": means}).fit(X)
        held = GaussianMixture(
            2, covariance_type=kind, fixed={"means": means if more is None else more}
        ).fit(wide)
        assert held.fit_result_.n_parameters == plain.fit_result_.n_parameters


def test_a_checkpoint_of_known_means_names_what_differs(tmp_path: Path) -> None:
    rows, path = np.vstack([X] * 4), tmp_path / "c.ckpt"
    known = {"means": [[0.0, 0.0], [np.nan] * 2]}

    class Stop(Exception):
        pass

    def stopped(*_: Any) -> None:
        raise Stop

    first = GaussianMixture(2, fixed=known, random_state=0)
    first._keep = stopped  # type: ignore[method-assign]
    with pytest.raises(Stop):
        first.fit(rows, checkpoint=path)
    for other in ({"reg_covar": 1.0}, {"covariance_type": "tied"}):
        with pytest.raises(mixtura.CheckpointError, match="family"):
            GaussianMixture(2, fixed=known, random_state=0, **other).fit(rows, checkpoint=path)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_clock_ends_trimmed_searches_too() -> None:
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.normal(size=(6000, 4)), rng.uniform(-9, 9, (600, 4))])
    began = time.monotonic()
    found = GaussianMixture(4, trim=0.1, random_state=0).fit(rows, max_seconds=0.05)
    short = time.monotonic() - began
    began = time.monotonic()
    GaussianMixture(4, trim=0.1, random_state=0).fit(rows)
    assert short < max(0.5 * (time.monotonic() - began), 0.5)
    assert found.fit_result_.reason or found.fit_result_.remark


@pytest.mark.filterwarnings("ignore::mixtura.LightWeightsWarning")
@pytest.mark.parametrize("total", [1.0, 0.5])
def test_weights_that_are_shares_count_as_rows_beside_a_prior(total: float) -> None:
    prior = [NormalInverseWishart(shrinkage=5.0, dof=8.0), Dirichlet(4.0)]
    rows = GaussianMixture(2, prior=prior, random_state=0).fit(X)
    shares = GaussianMixture(2, prior=prior, random_state=0).fit(
        X, sample_weight=np.full(200, total / 200)
    )
    np.testing.assert_allclose(shares.means_, rows.means_, rtol=1e-4)
    np.testing.assert_allclose(shares.covariances_, rows.covariances_, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(shares.weights_, rows.weights_, rtol=1e-4)


def test_what_a_fit_was_told_of_its_rows_is_remembered(tmp_path: Path) -> None:
    fits = (
        GaussianMixture(2, random_state=0).fit(X, labels=SOME),
        GaussianMixture(2, random_state=0).fit(X, error=np.full(X.shape, 0.5)),
    )
    for found in fits:
        found.save(tmp_path / "m.json")
        for each in (found, mixtura.load(tmp_path / "m.json")):
            for ask in (mixtura.goodness_of_fit, mixtura.audit, each.bic):
                with pytest.raises(ValueError, match="the fit was told"):
                    ask(*((X,) if ask == each.bic else (each, X)))
        assert np.isfinite(found.fit(X).bic(X))


def test_audits_of_one_covariance_take_what_others_take(tmp_path: Path) -> None:
    pd.DataFrame(X, columns=["a", "b"]).to_csv(tmp_path / "t.csv", index=False)
    tied = GaussianMixture(2, covariance_type="tied", random_state=0).fit(tmp_path / "t.csv")
    assert mixtura.audit(tied, tmp_path / "t.csv").verdict == "the best known"
    assert mixtura.audit(tied, pd.read_csv(tmp_path / "t.csv")).bound is not None
    gaps = X.copy()
    gaps[3, 1] = np.nan
    holed = GaussianMixture(2, covariance_type="tied", random_state=0).fit(gaps)
    assert mixtura.audit(holed, np.ma.masked_invalid(gaps)).bound is None
    equal = GaussianMixture(
        2, covariance_type="tied", fixed={"weights": "equal"}, random_state=0
    ).fit(X)
    # How weights were found is nothing to what another component would add.
    assert mixtura.audit(equal, X).bound.gain > 0


@pytest.mark.parametrize("setting", [{"constraint": EigenvalueRatio(5)}, {"trim": 0.1}])
def test_what_knows_components_alone_says_what_else_there_is(setting: Any) -> None:
    found = GaussianMixture(2, random_state=0, **setting).fit(X)
    told = f"knows no {next(iter(setting))}"
    with pytest.raises(ValueError, match=told):
        mixtura.merge_components(found, X)
    # A bound is told of a mixture, however it was found.
    unbounded = "a bound is known for" if "constraint" in setting else told
    with pytest.raises(ValueError, match=unbounded):
        mixtura.mixing_bound(found, X)


def test_a_mask_over_labels_says_that_nobody_knows() -> None:
    hidden = np.arange(200) >= 40
    told = np.where(hidden, 1 - LABELS, LABELS)
    plain = GaussianMixture(2, random_state=0).fit(X, labels=np.where(hidden, -1, told))
    names = np.array(["low", "up"])[told]
    soft = np.eye(2)[told]
    for labels in (
        np.ma.array(told, mask=hidden),
        np.ma.array(names, mask=hidden),
        np.ma.array(soft, mask=np.column_stack([hidden, hidden])),
        np.where(hidden, "-1", names),
    ):
        found = GaussianMixture(2, random_state=0).fit(X, labels=labels)
        assert found.fit_result_.loglik == pytest.approx(plain.fit_result_.loglik, abs=1e-6)
    chain = mixtura.HiddenMarkov("gaussian", 2, random_state=0)
    masked = chain.fit(X, states=np.ma.array(told, mask=hidden)).fit_result_.loglik
    assert masked == chain.fit(X, states=np.where(hidden, -1, told)).fit_result_.loglik


def test_components_with_one_known_mean_share_the_rows_near_it() -> None:
    rng = np.random.default_rng(0)
    Z = np.concatenate([rng.normal(size=(300, 1)), 5 * rng.normal(size=(300, 1))])
    known = {"means": [[0], [0]], "covariances": [[[1]], [[25]]]}
    found = GaussianMixture(2, fixed=known, random_state=0).fit(Z)

    def fall(share: float) -> float:
        density = share * norm.pdf(Z, 0, 1) + (1 - share) * norm.pdf(Z, 0, 5)
        return -float(np.log(density).sum())

    best = minimize_scalar(fall, bounds=(0.01, 0.99), method="bounded")
    assert found.fit_result_.loglik == pytest.approx(-best.fun, abs=1e-6)
    assert found.weights_[0] == pytest.approx(best.x, abs=1e-4)
