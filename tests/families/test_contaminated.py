"""Mixtures of contaminated normal components."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator

import mixtura
from mixtura import (
    Block,
    Contaminated,
    ContaminatedMixture,
    GaussianMixture,
    Mixture,
    Product,
    StudentMixture,
)
from mixtura.families.contaminated.records import ContaminatedParams
from mixtura.families.contaminated.tails import GOOD, MOST
from mixtura.families.gaussian.prior import no_prior
from mixtura.families.heavy.family import TYPES
from mixtura.families.heavy.prior import HeavyPrior
from mixtura.fitting import crowds
from mixtura.fitting.noise import in_crowds
from mixtura.models.mixture import Mixture as Model
from mixtura.models.mixture_params import MixtureParams
from mixtura.records import AnyArray, Array, Chunk

ALPHA, ETA = (0.9, 0.8), (40.0, 15.0)
CENTRES = np.array([[0.0, 0.0], [9.0, 3.0]])
SHAPES = np.array([[[1.0, 0.5], [0.5, 1.0]], [[1.0, -0.3], [-0.3, 0.5]]])


def planted(n: int = 450, seed: int = 0) -> tuple[Array, AnyArray, AnyArray]:
    """(rows, groups, which are bad), two thirds of them of the first group."""
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1], [2 * n // 3, n - 2 * n // 3])
    bad = rng.uniform(size=n) > np.take(ALPHA, groups)
    y = rng.normal(size=(n, 2)) * np.where(bad, np.sqrt(np.take(ETA, groups)), 1.0)[:, None]
    roots = np.linalg.cholesky(SHAPES)
    return CENTRES[groups] + np.einsum("nij,nj->ni", roots[groups], y), groups, bad


def loglik(X: Array, weights: Array, p: ContaminatedParams) -> float:
    """By SciPy's normal densities."""
    g, total = p.gaussian, np.zeros(len(X))
    covariances = g.form.dense(g.covariances, *g.means.shape)
    for k, weight in enumerate(weights):
        good = multivariate_normal(g.means[k], covariances[k]).pdf(X)
        bad = multivariate_normal(g.means[k], p.inflations[k] * covariances[k]).pdf(X)
        total += weight * (p.good_shares[k] * good + (1 - p.good_shares[k]) * bad)
    return float(np.log(total).sum())


def test_what_was_planted_comes_back() -> None:
    X, groups, bad = planted(30_000)
    found = ContaminatedMixture(2, random_state=0).fit(X)
    order = np.argsort(found.means_[:, 0])
    # Four standard errors, as if it were known which rows are bad, and as much again.
    np.testing.assert_allclose(found.good_shares_[order], ALPHA, atol=0.02)
    np.testing.assert_allclose(found.inflations_[order] / ETA, 1.0, atol=0.12)
    np.testing.assert_allclose(found.means_[order], CENTRES, atol=0.05)
    np.testing.assert_allclose(found.covariances_[order], SHAPES, atol=0.06)
    assert found.fit_result_.verdict == "interior maximum"
    assert found.fit_result_.n_parameters == 1 + 2 * (2 + 3 + 2)
    labels, p = found.predict(X), found.outlier_probabilities(X)
    np.testing.assert_array_equal(labels == -1, p > 0.5)
    assert p.mean() == pytest.approx(bad.mean(), abs=0.005)
    assert (labels[~bad] == -1).mean() < 0.01
    assert adjusted_rand_score(groups[labels >= 0], labels[labels >= 0]) > 0.98


@pytest.mark.parametrize("kind", [ContaminatedMixture, StudentMixture])
@pytest.mark.parametrize("seed", range(3))
def test_rows_all_about_take_no_component_of_their_own(kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat([0, 1, 2], [300, 180, 120])
    centres = np.array([[0.0, 0, 0], [7, 0, 0], [3.5, 6, 0]])
    X = np.vstack([centres[groups] + rng.normal(size=(600, 3)), rng.uniform(-20, 24, (120, 3))])
    labels = kind(3, random_state=0).fit(X).predict(X)[:600]
    assert adjusted_rand_score(groups, labels) > 0.95


def test_blocks_with_heavy_tails_find_groups_among_outliers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[int] = []

    def counted(Z: Array) -> AnyArray:
        looks.append(len(Z))
        return in_crowds(Z)

    monkeypatch.setattr(crowds, "in_crowds", counted)
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 4, 600)
    X = rng.uniform(-8, 8, (4, 2))[groups] + rng.normal(size=(600, 2))
    counts = rng.poisson(np.array([2.0, 5.0, 9.0, 14.0])[groups])
    clean = rng.random(600) > 0.2
    X[~clean] = rng.uniform(-40, 40, (np.sum(~clean), 2))
    family = Product([Block("student", [0, 1]), Block("poisson", [2])])
    labels = Mixture(family, 4, random_state=0).fit_predict(np.column_stack([X, counts]))
    assert adjusted_rand_score(groups[clean], labels[clean]) > 0.9
    # Once for each of the two frames, not for each start.
    assert looks == [600, 600]


def test_the_maximum_is_scipys() -> None:
    """One component in two columns, over all seven parameters at once."""
    X = planted(600)[0][:400]
    found = ContaminatedMixture(tol=1e-13).fit(X)

    def unpacked(free: Array) -> ContaminatedParams:
        root = np.array([[np.exp(free[2]), 0.0], [free[3], np.exp(free[4])]])
        arrays = {"means": free[None, :2], "covariances": (root @ root.T)[None]}
        tails = {"good_shares": 1 / (1 + np.exp(-free[5:6])), "inflations": np.exp(free[6:])}
        return Contaminated().params(arrays | tails)

    started = np.array([0.0, 0, 0, 0.3, 0, 2, 3])
    best = minimize(lambda free: -loglik(X, np.ones(1), unpacked(free)), started, tol=1e-10)
    there = unpacked(best.x)
    assert found.fit_result_.loglik == pytest.approx(-best.fun, abs=1e-6)
    assert found.good_shares_ == pytest.approx(there.good_shares, abs=1e-4)
    assert found.inflations_ == pytest.approx(there.inflations, rel=1e-3)
    np.testing.assert_allclose(found.covariances_, there.gaussian.covariances, atol=1e-3)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "spherical"])
def test_the_two_conditional_steps_are_maxima(covariance_type: str) -> None:
    """Of the expected complete log-likelihood: alpha; m and S at the last eta; eta at the new m, S.

    Expected by SciPy's densities, maximised by moving each parameter alone: no move gains.
    """
    X, groups, _ = planted(300, seed=1)
    kind = Contaminated(covariance_type)
    form = kind.structure.form
    begun = form.restrict(np.cov(X.T))
    before = kind.params(
        {
            "means": CENTRES + 0.5,
            "covariances": form.repeat(begun, 2),
            "good_shares": np.array([0.8, 0.7]),
            "inflations": np.array([20.0, 9.0]),
        }
    )
    resp = np.where(groups[:, None] == np.arange(2), 0.9, 0.1)
    look = kind.look(X, before)
    good, bad = resp * (1 - look.parts.outlying), resp * look.parts.outlying
    prior = HeavyPrior(no_prior(form, 2), "covariances")
    after = kind.maximize(look.statistics(resp), before, prior)

    def expected(p: ContaminatedParams, eta: Array) -> float:
        g, total = p.gaussian, 0.0
        covariances = form.dense(g.covariances, 2, 2)
        for k in range(2):
            own = multivariate_normal(g.means[k], covariances[k]).logpdf(X)
            wide = multivariate_normal(g.means[k], eta[k] * covariances[k]).logpdf(X)
            total += good[:, k] @ (own + np.log(p.good_shares[k]))
            total += bad[:, k] @ (wide + np.log1p(-p.good_shares[k]))
        return float(total)

    arrays, h = after.arrays(), 1e-4
    first, second = expected(after, before.inflations), expected(after, after.inflations)
    assert second > first > expected(before, before.inflations)
    symmetric = np.array([[0.0, 1.0], [1.0, 0.0]])
    directions = {"means": np.eye(4).reshape(4, 2, 2), "good_shares": np.eye(2)}
    if form.correlates:
        both = [np.diag([1.0, 0.0]), np.diag([0.0, 1.0]), symmetric]
        directions["covariances"] = np.array([np.broadcast_to(m, form.shape(2, 2)) for m in both])
    else:
        directions["covariances"] = np.eye(2)
    for name, ways in directions.items():
        for way in (*ways, *-ways):
            moved = kind.params(arrays | {name: arrays[name] + h * way})
            assert expected(moved, before.inflations) < first, name
    for k, way in ((0, h), (1, h), (0, -h), (1, -h)):
        assert expected(after, after.inflations + way * (np.arange(2) == k)) < second


@pytest.mark.parametrize("covariance_type", sorted(TYPES - {"E", "V"}))
def test_every_structure_climbs_and_is_nested_as_it_should_be(covariance_type: str) -> None:
    X, groups, _ = planted()
    found = ContaminatedMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    fit = found.fit_result_
    # A fall at any step of the plain climb is an error.
    assert found.converged_
    assert not fit.penalised
    assert fit.loglik == pytest.approx(
        loglik(X, found.weights_, found.family_.params(found.parameters_)), abs=1e-7
    )
    keep = found.predict(X) >= 0
    assert adjusted_rand_score(groups[keep], found.predict(X)[keep]) > 0.85
    gaussian = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    assert fit.n_parameters == gaussian.fit_result_.n_parameters + 4
    assert fit.loglik > gaussian.fit_result_.loglik


@pytest.mark.parametrize("solver", ["squarem", "anderson", "lbfgs", "newton"])
def test_solvers_agree(solver: str) -> None:
    X, _, _ = planted()
    found = ContaminatedMixture(2, random_state=0, solver=solver, tol=1e-10).fit(X)
    default = ContaminatedMixture(2, random_state=0, tol=1e-10).fit(X)
    assert found.score(X) == pytest.approx(default.score(X), abs=1e-8)


def test_units_change_no_flag() -> None:
    X, _, _ = planted()
    labels = ContaminatedMixture(2, random_state=0).fit_predict(X)
    scaled = X * [1e6, 1e-3] + [5.0, -40.0]
    np.testing.assert_array_equal(
        ContaminatedMixture(2, random_state=0).fit_predict(scaled), labels
    )


def test_normal_groups_have_hardly_an_outlier() -> None:
    """With the least inflation next to 1 there are some: little wider is no outlier's law."""
    rng, flagged = np.random.default_rng(5), {4.0: [], 1.001: []}
    for _ in range(3):
        X = np.vstack([rng.normal(0, 1, (200, 2)), rng.normal(7, 1, (150, 2))])
        for least, shares in flagged.items():
            found = ContaminatedMixture(2, least_inflation=least, random_state=0).fit(X)
            shares.append((found.predict(X) == -1).mean())
            assert found.fit_result_.verdict in ("boundary", "interior maximum")
            assert np.all(found.inflations_ >= least * (1 - 1e-12))
    assert np.mean(flagged[4.0]) < 0.005 < np.mean(flagged[1.001])


def test_no_component_shrinks_onto_its_one_good_row() -> None:
    """A sharp good part at a row with all others bad: of more rows than few it does not pay."""
    X = np.vstack([np.random.default_rng(3).normal(0, 1, (60, 2)), [[9.0, 9.0]]])
    kind, form = Contaminated(), Contaminated().structure.form
    spike = kind.params(
        {
            "means": X[:1],
            "covariances": np.array([np.eye(2) / MOST]),
            "good_shares": np.array(GOOD[:1]),
            "inflations": np.array([MOST]),
        }
    )
    model = Model(kind, HeavyPrior(no_prior(form, 2), "covariances"))
    params = MixtureParams(np.ones(1), spike)
    found = ContaminatedMixture(random_state=0).fit(X)
    assert model.e_step(Chunk(X), params).loglik < found.fit_result_.loglik - 20
    two = ContaminatedMixture(2, random_state=0).fit(X)
    assert np.linalg.eigvalsh(two.covariances_).min() > 1e-4


def test_rows_with_gaps() -> None:
    """The cells that are there have a contaminated law too: by SciPy, and EM climbs on it."""
    X, groups, _ = planted(600)
    gone = np.random.default_rng(2).uniform(size=X.shape) < 0.15
    gone[gone.all(axis=1), 0] = False
    holed = np.where(gone, np.nan, X)
    for covariance_type in ("full", "tied", "diag"):
        found = ContaminatedMixture(2, covariance_type=covariance_type, random_state=0).fit(holed)
        assert found.converged_
        keep = found.predict(holed) >= 0
        assert adjusted_rand_score(groups[keep], found.predict(holed)[keep]) > 0.85
        g = found.family_.params(found.parameters_).gaussian
        dense, expected = g.form.dense(g.covariances, 2, 2), np.zeros(len(X))
        for k in range(2):
            for factor, share in ((1.0, 0.0), (found.inflations_[k], 1.0)):
                part = np.abs(share - found.good_shares_[k]) * found.weights_[k]
                for seen in ([True, True], [True, False], [False, True]):
                    rows = (~gone == seen).all(axis=1)
                    law = multivariate_normal(
                        g.means[k][seen], factor * dense[k][np.ix_(seen, seen)]
                    )
                    expected[rows] += part * law.pdf(X[rows][:, seen])
        np.testing.assert_allclose(found.score_samples(holed), np.log(expected), rtol=1e-9)
        imputed = found.impute(holed, draws=2, random_state=0)
        assert np.isfinite(imputed).all()
        assert (imputed[:, ~gone] == holed[~gone]).all()


def test_statistics_move_with_the_parameters() -> None:
    X, _, _ = planted(200)
    for covariance_type in ("full", "tied", "diag", "spherical"):
        kind = Contaminated(covariance_type)
        form, tails = kind.structure.form, {"good_shares": np.array([0.8, 0.9])}
        tails |= {"inflations": np.array([9.0, 20.0])}
        one = kind.params(
            {"means": CENTRES, "covariances": form.repeat(form.restrict(np.eye(2)), 2), **tails}
        )
        other = kind.params(
            {
                "means": CENTRES + 0.3,
                "covariances": form.repeat(form.restrict(SHAPES[0] * 1.7), 2),
                **tails,
            }
        )
        stats = kind.statistics(X, np.full((200, 2), 0.5), one)
        there = kind.transported(kind.transported(stats, one, other), other, one)
        np.testing.assert_allclose(there.bad.second, stats.bad.second, rtol=1e-10)
        np.testing.assert_allclose(there.bad.first, stats.bad.first, rtol=1e-10, atol=1e-10)
        # About other centres sums of bad rows are those that are taken there at the same shares.
        prior = HeavyPrior(no_prior(form, 2), "covariances")
        moved = kind.maximize(kind.transported(stats, one, other), replace(other), prior)
        plain = kind.maximize(stats, one, prior)
        np.testing.assert_allclose(moved.inflations, plain.inflations, rtol=1e-9)
        np.testing.assert_allclose(
            moved.gaussian.covariances, plain.gaussian.covariances, rtol=1e-9
        )


def test_files_reports_and_products(tmp_path: Path) -> None:
    X, _, _ = planted()
    found = ContaminatedMixture(2, covariance_type="VVE", least_inflation=2.0, random_state=0)
    found.fit(X).save(tmp_path / "c.json")
    again = mixtura.load(tmp_path / "c.json")
    assert again.get_params() == found.get_params()
    assert again.family_ == Contaminated("VVE", 2.0)
    np.testing.assert_array_equal(again.predict(X), found.predict(X))
    assert "good rows" in found.summary()
    assert "covariances of bad ones" in found.summary()
    counts = np.random.default_rng(0).poisson(np.repeat([2, 9], [300, 150]))[:, None]
    kinds = Product([Block(Contaminated("diag"), [0, 1]), Block("poisson", [2])])
    both = Mixture(kinds, 2, random_state=0).fit(np.hstack([X, counts]))
    assert both.contaminated_inflations_.shape == (2,)
    flagged = both.predict(np.hstack([X, counts])) == -1
    np.testing.assert_array_equal(flagged, both.outlier_probabilities(np.hstack([X, counts])) > 0.5)
    assert 0.05 < flagged.mean() < 0.2
    search = mixtura.MixtureSearch(["full", "student", "contaminated"], [2, 3], random_state=0)
    assert search.fit(X).best_params_ == {"family": "contaminated", "n_components": 2}


def test_what_cannot_be_is_refused() -> None:
    X, _, _ = planted(60)
    with pytest.raises(ValueError, match=r"family='contaminated': column 2 .* is constant"):
        ContaminatedMixture(2).fit(np.column_stack([X, np.ones(len(X))]))
    with pytest.raises(ValueError, match="least_inflation must be a number above 1"):
        Contaminated(least_inflation=1.0)
    with pytest.raises(ValueError, match="covariance_type must be one of"):
        Contaminated("UUU:2")
    with pytest.raises(ValueError, match="'student' tell no outliers: fit a ContaminatedMixture"):
        StudentMixture(2, random_state=0).fit(X).outlier_probabilities(X)


@pytest.mark.filterwarnings("ignore")
def test_it_is_an_estimator() -> None:
    checks = check_estimator(ContaminatedMixture(random_state=0), on_fail=None)
    assert not {c["check_name"]: c["exception"] for c in checks if c["status"] == "failed"}
