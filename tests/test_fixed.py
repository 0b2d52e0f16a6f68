"""Parameters known in advance: they stay, what is free is at its best beside them, and counted."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, poisson
from sklearn.base import clone

from mixtura import EigenvalueRatio, GaussianMixture, Mixture, PoissonMixture, load
from mixtura.data.moments import table_moments
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.prior import no_prior, table_prior
from mixtura.families.gaussian.records import gaussian_params
from mixtura.models.fixed import FixedWeights
from mixtura.models.mixture import Mixture as Model
from mixtura.models.mixture_params import MixtureParams
from mixtura.store import StoreError, read_document, write_document
from mixtura.testing import check_model

NAN = np.nan
CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
FREE = np.full((2, 2), NAN)
WEIGHTS = [0.5, 0.3, 0.2]


def clouds(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    z = rng.choice(3, size=n, p=WEIGHTS)
    return CENTRES[z] + rng.normal(size=(n, 2)) @ np.array([[1.0, 0.4], [0.0, 0.9]])


X = clouds()
# What is known, and how many of the 17 numbers of three full Gaussians in two columns are free.
KNOWN = {
    "equal": ({"weights": "equal"}, 15),
    "weights": ({"weights": WEIGHTS}, 15),
    "one weight": ({"weights": [NAN, 0.3, NAN]}, 16),
    "means": ({"means": CENTRES}, 11),
    "one mean": ({"means": [[NAN, NAN], [4.0, 0.0], [NAN, NAN]]}, 15),
    "cells": ({"means": [[0.0, NAN], [NAN, NAN], [NAN, 4.0]]}, 15),
    "common": ({"means": "common"}, 13),
    "one shape": ({"covariances": np.stack([np.eye(2), FREE, FREE])}, 14),
    "one component": (
        {"means": [[0.0, 0.0], [NAN, NAN], [NAN, NAN]], "covariances": [np.eye(2), FREE, FREE]},
        12,
    ),
}


def fitted(fixed, **settings) -> GaussianMixture:
    settings = {"random_state": 0, "tol": 1e-9} | settings
    return GaussianMixture(3, fixed=fixed, **settings).fit(X)


@cache
def known(name: str) -> GaussianMixture:
    """The fit beside one of `KNOWN`."""
    return fitted(KNOWN[name][0])


def loglik(weights, means, covariances) -> float:
    parts = zip(np.log(weights), means, covariances, strict=True)
    return logsumexp([w + multivariate_normal(m, c).logpdf(X) for w, m, c in parts], axis=0).sum()


def slopes(mixture: GaussianMixture, fixed: dict) -> list[float]:
    """Central differences of SciPy's log-likelihood along whatever is free."""
    w, m, c = mixture.weights_, mixture.means_, mixture.covariances_
    ways = []
    given = fixed.get("weights", [NAN] * 3)
    free = [] if isinstance(given, str) else np.flatnonzero(np.isnan(given))
    for j, k in itertools.pairwise(free):
        ways.append((np.eye(3)[k] - np.eye(3)[j], 0 * m, 0 * c))
    if isinstance(fixed.get("means"), str):
        ways += [(0 * w, np.tile(np.eye(2)[j], (3, 1)), 0 * c) for j in range(2)]
    else:
        for k, j in np.argwhere(np.isnan(np.array(fixed.get("means", np.full((3, 2), NAN))))):
            ways.append((0 * w, np.eye(3)[k][:, None] * np.eye(2)[j], 0 * c))
    given = np.array(fixed.get("covariances", [FREE] * 3))
    for k, (i, j) in itertools.product(range(3), [(0, 0), (0, 1), (1, 1)]):
        if np.isnan(given[k]).all():
            one = np.zeros_like(c)
            one[k, i, j] = one[k, j, i] = 1.0
            ways.append((0 * w, 0 * m, one))
    h = 1e-5
    found = []
    for dw, dm, dc in ways:
        up = loglik(w + h * dw, m + h * dm, c + h * dc)
        down = loglik(w - h * dw, m - h * dm, c - h * dc)
        found.append((up - down) / (2 * h))
    return found


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_free_is_at_its_best(name):
    fixed, free = KNOWN[name]
    mixture = known(name)
    steps = slopes(mixture, fixed)
    assert len(steps) == free
    assert np.abs(steps).max() < 0.02
    assert mixture.fit_result_.n_parameters == free
    expected = -2 * mixture.fit_result_.loglik + free * np.log(len(X))
    assert mixture.bic(X) == pytest.approx(expected, abs=1e-6)
    assert mixture.fit_result_.loglik == pytest.approx(
        loglik(mixture.weights_, mixture.means_, mixture.covariances_), abs=1e-8
    )


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_stays(name):
    fixed, _ = KNOWN[name]
    mixture = known(name)
    for each, attribute in (("weights", "weights_"), ("means", "means_")):
        given = fixed.get(each)
        found = getattr(mixture, attribute)
        if isinstance(given, str):
            given = np.full(3, 1 / 3) if given == "equal" else np.tile(found[0], (3, 1))
        if given is not None:
            held = ~np.isnan(given)
            np.testing.assert_array_equal(found[held], np.array(given)[held])
    if "covariances" in fixed:
        np.testing.assert_allclose(mixture.covariances_[0], np.eye(2), atol=1e-14)


def test_one_gaussian_whose_mean_is_known_has_the_scatter_about_it():
    mixture = GaussianMixture(1, fixed={"means": [[0.5, 0.5]]}).fit(X)
    off = X - 0.5
    np.testing.assert_allclose(mixture.covariances_[0], off.T @ off / len(X), atol=1e-10)


def test_one_gaussian_of_whose_mean_a_cell_is_known():
    """The other cell is on the regression at the known value, with divisor n."""
    mixture = GaussianMixture(1, tol=1e-12, fixed={"means": [[0.5, NAN]]}).fit(X)
    S, m = np.cov(X.T, bias=True), X.mean(axis=0)
    other = m[1] + S[1, 0] / S[0, 0] * (0.5 - m[0])
    np.testing.assert_allclose(mixture.means_[0], [0.5, other], atol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical", "EEI", "EEV", "VVE", "VEI"])
@pytest.mark.parametrize("means", [[[0.0, NAN], [NAN, NAN], [0.5, 4.5]], "common"])
def test_em_never_falls(kind, means):
    # A fall is an error: it is checked at every step.
    settings = {"covariance_type": kind, "solver": "em", "init_params": "kmeans", "max_iter": 60}
    mixture = fitted({"means": means}, **settings)
    assert (np.diff(mixture.lower_bounds_) > -1e-9).all()
    held = 4 if means == "common" else 3
    assert mixture.fit_result_.n_parameters == 8 - held + structure(kind).n_parameters(3, 2)


@pytest.mark.parametrize("name", ["equal", "one mean", "cells", "common", "one component"])
@pytest.mark.parametrize("solver", ["squarem", "lbfgs"])
def test_solvers_end_at_the_same_optimum(name, solver):
    best = known(name).fit_result_
    assert best.certificate.verdict == "interior maximum"
    found = fitted(KNOWN[name][0], solver=solver, tol=1e-6).fit_result_
    assert found.loglik == pytest.approx(best.loglik, abs=1e-2)


def test_a_chart_goes_there_and_back_along_what_is_free():
    mixture = known("cells")
    model, params = mixture._fitted()
    chart = model.chart(params)
    assert chart.size == 15
    free = 0.1 * np.random.default_rng(8).normal(size=15)
    moved = chart.params(free)
    np.testing.assert_allclose(chart.coordinates(moved), free, atol=1e-10)
    held = ~np.isnan(KNOWN["cells"][0]["means"])
    np.testing.assert_allclose(moved.components.means[held], params.components.means[held])


def test_what_has_no_coordinates_is_left_to_em():
    with pytest.raises(ValueError, match=r"fixed: .* EM's steps alone"):
        fitted(KNOWN["one weight"][0], solver="lbfgs")
    assert known("one weight").fit_result_.certificate.verdict == "not examined"


@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize(
    ("kind", "weights", "pins"),
    [
        ("full", [0.5, 0.3, 0.2], (None, False, None)),
        ("full", None, (CENTRES, False, np.stack([np.eye(2), FREE, FREE]))),
        ("tied", None, (np.where(np.eye(3)[:, :2] > 0, NAN, CENTRES), False, None)),
        ("diag", None, (None, False, np.array([[1.0, 1.0], [NAN, NAN], [NAN, NAN]]))),
    ],
)
def test_the_contract_of_models(kind, weights, pins, penalised):
    """Sums, engines, a climb that never falls to a top, and the score."""
    form = structure(kind).form
    prior = table_prior(form, table_moments(X, None)) if penalised else no_prior(form, 2)
    family = Gaussian(structure(kind)).with_pins(*pins)
    shares = None if weights is None else FixedWeights(np.array(weights))
    model = Model(family, prior, fixed=shares)
    first = gaussian_params(CENTRES + 0.3, form.repeat(form.restrict(np.eye(2)), 3), form)
    params = model.begun_at(MixtureParams(np.array(WEIGHTS), first))
    check_model(model, X, params)


def test_a_known_width_is_no_collapse():
    rng = np.random.default_rng(4)
    rows = np.vstack([X, rng.normal(3.0, 1e-4, (4, 2))])
    shapes = np.stack([1e-8 * np.eye(2), FREE, FREE])
    means = [[3.0, 3.0], [NAN, NAN], [NAN, NAN]]
    mixture = GaussianMixture(3, random_state=0, fixed={"means": means, "covariances": shapes})
    fit = mixture.fit(rows).fit_result_
    assert not fit.floored
    assert not fit.penalised
    assert mixture.weights_[0] * len(rows) == pytest.approx(4, abs=0.1)


def test_with_gaps_labels_weights_and_trimming():
    holes = X.copy()
    holes[::7, 0], holes[3::7, 1] = NAN, NAN
    means = KNOWN["cells"][0]
    mixture = fitted(means, tol=1e-6).set_params(fixed=means).fit(holes)
    np.testing.assert_allclose(mixture.means_, CENTRES, atol=0.4)
    near = ((X[:, None] - CENTRES) ** 2).sum(axis=2).argmin(axis=1)
    labels = np.where(np.arange(len(X)) % 20 == 0, near, -1)
    mixture = GaussianMixture(3, random_state=0, fixed={"weights": "equal"}).fit(X, labels=labels)
    np.testing.assert_allclose(mixture.means_, CENTRES, atol=0.4)
    w = np.random.default_rng(6).integers(0, 3, len(X))
    weighted = GaussianMixture(3, random_state=0, fixed=means).fit(X, sample_weight=w)
    copies = GaussianMixture(3, random_state=0, fixed=means).fit(np.repeat(X, w, axis=0))
    np.testing.assert_allclose(weighted.means_, copies.means_, atol=1e-4)
    GaussianMixture(3, random_state=0, fixed=means, trim=0.05).fit(X)


def test_other_families_know_weights():
    rng = np.random.default_rng(7)
    counts = rng.poisson(np.array([[2.0, 9.0], [6.0, 3.0]])[rng.integers(0, 2, 300)])
    mixture = PoissonMixture(2, random_state=0, tol=1e-10, fixed={"weights": "equal"}).fit(counts)
    rates = np.array([[2.0, 9.0], [6.0, 3.0]])
    for _ in range(500):
        joint = poisson.logpmf(counts[:, None], rates).sum(axis=2)
        resp = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        rates = resp.T @ counts / resp.sum(axis=0)[:, None]
    order = np.argsort(mixture.rates_[:, 0])
    np.testing.assert_allclose(mixture.rates_[order], rates, atol=1e-4)
    assert mixture.fit_result_.n_parameters == 4
    wide = np.c_[X, np.random.default_rng(8).normal(size=len(X))]
    factors = GaussianMixture(2, covariance_type="UUU:1", fixed={"weights": "equal"}).fit(wide)
    assert factors.bic(wide) == pytest.approx(factors.fit_result_.loglik * -2 + 18 * np.log(len(X)))
    with pytest.raises(ValueError, match="knows only weights"):
        PoissonMixture(2, fixed={"means": [[2.0, 9.0], [NAN, NAN]]}).fit(counts)


@pytest.mark.parametrize("kind", [GaussianMixture, Mixture])
def test_files_clones_and_warm_starts_keep_it(kind, tmp_path):
    fixed = KNOWN["cells"][0] | {"weights": "equal"}
    settings = {"n_components": 3, "random_state": 0, "fixed": fixed, "warm_start": True}
    if kind is Mixture:
        settings["family"] = "full"
    mixture = kind(**settings).fit(X)
    assert clone(mixture).fixed.keys() == fixed.keys()
    mixture.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert again.bic(X) == mixture.bic(X)
    assert again.fixed["weights"] == "equal"
    assert "known" in again.summary()
    assert again.impute(np.array([[NAN, 1.0]])).shape == (1, 2)
    if kind is GaussianMixture:
        assert again.marginal([0]).means_.shape == (3, 1)
        assert np.isfinite(again.outlier_scores(X)).all()
    before = mixture.fit_result_.loglik
    for each in (mixture, again):
        assert each.fit(X).fit_result_.loglik == pytest.approx(before, abs=1e-2)


@pytest.mark.parametrize("fixed", [{"means": np.zeros((1, 2))}, {"widths": np.ones(3)}, [1.0]])
def test_a_file_whose_known_parameters_are_damaged_is_refused(fixed, tmp_path):
    mixture = known("one mean")
    mixture.save(tmp_path / "m.json")
    document = read_document(tmp_path / "m.json")
    document["settings"]["fixed"] = fixed
    write_document(document, tmp_path / "m.json")
    with pytest.raises(StoreError, match="damaged"):
        load(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("fixed", "settings", "said"),
    [
        ({"mean": CENTRES}, {}, "fixed has 'mean'"),
        ({"weights": [0.5, 0.6, NAN]}, {}, "add up to less than 1"),
        ({"weights": [0.5, 0.3, 0.1]}, {}, "add up to 1"),
        ({"weights": "even"}, {}, "'equal' or numbers"),
        ({"weights": [1.0]}, {}, r"shape \(1,\), not \(3,\)"),
        ({"means": "same"}, {}, "'common' or numbers"),
        ({"means": CENTRES[:2]}, {}, r"shape \(2, 2\), not \(3, 2\)"),
        ({"means": CENTRES + np.inf}, {}, "infinite"),
        ({"covariances": [np.eye(2), -np.eye(2), FREE]}, {}, "fixed: covariances"),
        ({"covariances": [[[1, NAN], [NAN, 1]], FREE, FREE]}, {}, "known as a whole"),
        ({"covariances": [np.eye(2)] * 3}, {"covariance_type": "EEV"}, "estimated alone"),
        (
            {"covariances": [np.eye(2)] * 3},
            {"constraint": EigenvalueRatio(5)},
            "estimated alone",
        ),
        ({"means": CENTRES}, {"means_init": CENTRES}, "fixed and means_init do not go together"),
        ({"means": CENTRES}, {"noise": True}, "fixed and noise do not go together"),
        ({"means": CENTRES}, {"covariance_type": "UUU:1"}, "knows only weights"),
        (
            {"weights": WEIGHTS, "means": CENTRES, "covariances": [np.eye(2)] * 3},
            {"solver": "lbfgs"},
            "no parameter is free",
        ),
    ],
)
def test_what_cannot_be_known_is_refused(fixed, settings, said):
    with pytest.raises(ValueError, match=said):
        GaussianMixture(3, fixed=fixed, **settings).fit(X)


def test_nothing_known_is_the_plain_fit():
    plain = GaussianMixture(3, random_state=0).fit(X)
    for fixed in ({}, {"means": np.full((3, 2), NAN), "weights": [NAN] * 3}):
        other = GaussianMixture(3, random_state=0, fixed=fixed).fit(X)
        np.testing.assert_array_equal(other.means_, plain.means_)


@pytest.mark.parametrize("seed", range(4))
def test_starts_find_the_place_of_a_known_narrow_component(seed: int) -> None:
    rng, d = np.random.default_rng(seed), 1 + seed % 3
    place = rng.normal(size=d)
    rows = np.vstack([2 * rng.normal(size=(540, d)), place + 0.05 * rng.normal(size=(60, d))])
    known = np.stack([0.05**2 * np.eye(d), np.full((d, d), NAN)])
    found = GaussianMixture(2, fixed={"covariances": known}, random_state=0).fit(1e3 + rows)
    np.testing.assert_allclose(found.means_[0], 1e3 + place, atol=0.03)
    assert found.weights_[0] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("weights", [None, "equal", [0.2, NAN, 0.3]])
def test_one_covariance_of_all_that_is_known(weights) -> None:
    shape = np.array([[1.0, 0.4], [0.4, 1.0]])
    fixed = {"covariances": shape} | ({} if weights is None else {"weights": weights})
    with np.errstate(divide="raise", invalid="raise"):
        found = fitted(fixed, covariance_type="tied")
    apart = fitted(fixed | {"covariances": np.stack([shape] * 3)})
    assert found.fit_result_.verdict == "interior maximum"
    assert not found.fit_result_.penalised
    assert found.fit_result_.n_parameters == 6 + 2 * (weights is None)
    assert found.fit_result_.loglik == pytest.approx(apart.fit_result_.loglik, abs=1e-5)


def test_the_last_weight_follows() -> None:
    some, all_known = fitted({"weights": [0.5, NAN, 0.2]}), fitted({"weights": [0.5, 0.3, 0.2]})
    np.testing.assert_allclose(some.weights_, [0.5, 0.3, 0.2])
    assert some.fit_result_.n_parameters == all_known.fit_result_.n_parameters == 15
    # With nothing free among them they are no obstacle.
    assert some.fit_result_.verdict == "interior maximum"
    assert some.bic(X) == pytest.approx(all_known.bic(X), abs=1e-6)


@pytest.mark.parametrize("known", [[NAN] * 4, [NAN, 0.3, NAN, NAN]])
def test_a_floor_of_weights_is_the_best_one(known) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.dirichlet([0.3] * 4) * 50
        held = FixedWeights(np.array(known), 0.1)
        found = held.estimated(counts)
        free = np.isnan(known)
        left = 1 - np.nansum(known)

        def lost(w, n=counts[free]):
            return -float(n @ np.log(w))

        begin = np.full(free.sum(), left / free.sum())
        by_scipy = minimize(
            lost,
            begin,
            method="SLSQP",
            bounds=[(0.1, 1.0)] * int(free.sum()),
            constraints={"type": "eq", "fun": lambda w, left=left: w.sum() - left},
            options={"ftol": 1e-12},
        )
        assert found.sum() == pytest.approx(1)
        assert found[free].min() >= 0.1
        assert lost(found[free]) <= by_scipy.fun + 1e-7


def test_no_weight_falls_below_its_floor(tmp_path) -> None:
    plain = GaussianMixture(3, random_state=0).fit(X)
    least = float(np.sort(plain.weights_)[0]) + 0.05
    found = fitted({"least_weight": least})
    assert found.weights_.min() == pytest.approx(least)
    assert found.fit_result_.loglik < plain.fit_result_.loglik
    assert np.diff(found.fit_result_.trace).min() > -1e-9
    assert found.fit_result_.n_parameters == 17
    # A floor that nothing touches changes nothing.
    same = fitted({"least_weight": 0.01}).fit_result_.loglik
    assert same == pytest.approx(fitted(None).fit_result_.loglik, abs=1e-5)
    found.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert clone(again).fit(X).weights_.min() == pytest.approx(least)
    assert (
        PoissonMixture(2, fixed={"least_weight": 0.4}, random_state=0)
        .fit(np.random.default_rng(0).poisson(3, (80, 1)))
        .weights_.min()
        >= 0.4 - 1e-12
    )
    for bad in (0.5, -0.1, "some", [0.1, 0.1]):
        with pytest.raises(ValueError, match="least_weight"):
            fitted({"least_weight": bad})
    with pytest.raises(ValueError, match="that the known ones leave"):
        fitted({"least_weight": 0.3, "weights": [0.6, NAN, NAN]})
    with pytest.raises(ValueError, match="EM's steps alone"):
        fitted({"least_weight": 0.1}, solver="lbfgs")


@pytest.mark.parametrize("known", [None, [0.4, NAN, NAN]])
def test_a_floor_that_leaves_nothing_free_is_the_weights_themselves(known: list[float] | None):
    """Without a warning of NumPy, which the tests make an error."""
    weights = [1 / 3] * 3 if known is None else [0.4, 0.3, 0.3]
    floor = {"least_weight": weights[-1]} | ({"weights": known} if known else {})
    floored = GaussianMixture(3, fixed=floor, random_state=0).fit(X)
    given = GaussianMixture(3, fixed={"weights": weights}, random_state=0).fit(X)
    np.testing.assert_allclose(floored.weights_, weights, rtol=1e-12)
    np.testing.assert_allclose(floored.means_, given.means_, atol=1e-6)
    assert floored.fit_result_.n_parameters == 15


def test_a_known_covariance_that_is_none_is_told_with_its_component():
    wrong = {"covariances": [np.eye(2), FREE, -np.eye(2)]}
    with pytest.raises(ValueError, match="covariances of component 2"):
        GaussianMixture(3, fixed=wrong).fit(X)


@pytest.mark.parametrize("name", ["weights", "least_weight", "means", "covariances"])
def test_none_is_nothing_known(name, tmp_path):
    found = fitted({name: None}, tol=1e-6)
    assert found.fit_result_.loglik == fitted(None, tol=1e-6).fit_result_.loglik
    assert "known" not in found.summary()
    found.save(tmp_path / "m.json")
    assert load(tmp_path / "m.json").summary() == found.summary()
    both = fitted({name: None} | {"weights": "equal"})
    assert "known weights equal: not estimated" in " ".join(both.summary().split())


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_components_of_one_known_width_are_moved(kind, galaxies):
    """Where none is moved 3 of these 10 seeds end 0.52 below."""
    fixed = {"covariances": np.ones((1, 1)) if kind == "tied" else np.ones((5, 1, 1))}
    mixture = GaussianMixture(5, covariance_type=kind, fixed=fixed)
    fits = [clone(mixture).set_params(random_state=seed).fit(galaxies) for seed in range(10)]
    logliks = np.array([fit.fit_result_.loglik for fit in fits])
    assert (logliks > -204.9425).sum() >= 8
    assert any(fit.fit_result_.moves for fit in fits)
    assert all(np.all(fit.covariances_ == 1.0) for fit in fits)
