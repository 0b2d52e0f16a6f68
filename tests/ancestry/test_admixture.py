"""`Admixture` finds what was simulated, and the published numbers."""

from __future__ import annotations

import numpy as np
import pytest

import mixtura
from mixtura.data.genotypes import from_dosages
from mixtura.engines.ancestry import Passes
from mixtura.fitting import admixture_fit
from mixtura.fitting.admixture_fit import modes_of
from mixtura.inference.populations import matching
from mixtura.models.admixture import AdmixtureModel, AdmixtureParams
from mixtura.result import StartReport, landscape_of
from tests.ancestry.panels import balding_nichols, demo, matched, plain_loglik


def test_one_population_has_a_closed_form():
    """The demo's log-likelihood at K = 1, sum_j of binomial terms at p = mean / 2."""
    found = mixtura.Admixture(1, random_state=0).fit(demo())
    assert found.fit_result_.loglik == pytest.approx(-364256.7044, abs=1e-4)
    assert found.monomorphic_ == 473


def test_seven_populations_are_found():
    """At least the optimum next to the reference run's, -302969.37, which ended at -302981.07."""
    for seed in range(2):
        found = mixtura.Admixture(7, random_state=seed).fit(demo())
        assert found.fit_result_.loglik >= -301829.46
        assert found.converged_
        # As large as each other, where the reference run's hold 7 to 25.
        assert np.abs(found.Q_.sum(axis=0) - 15).max() < 4


def test_starts_that_are_on_one_way_are_climbed_once(monkeypatch):
    X, _, _ = balding_nichols(120, 1500, 4, seed=4)
    found = mixtura.Admixture(4, random_state=0).fit(X).fit_result_
    monkeypatch.setattr(admixture_fit, "ONE_WAY", -1.0)
    each = mixtura.Admixture(4, random_state=0).fit(X).fit_result_
    assert found.loglik == pytest.approx(each.loglik, abs=1e-3)
    # Of eight starts four went on for twelve steps more, and one does now.
    assert len(found.starts) == len(each.starts) == 8
    assert found.passes < each.passes - 36
    with pytest.warns(UserWarning, match="max_seconds"):
        found = mixtura.Admixture(4, random_state=0).fit(X, max_seconds=1e-9)
    assert "0 climbed to the end, 1 stopped before it; ends met" in found.summary()
    cut = found.fit_result_
    assert len(cut.starts) == 1


@pytest.mark.parametrize(("n", "M", "K"), [(60, 2000, 2), (120, 1500, 4)])
def test_simulated_shares_are_recovered(n, M, K):
    X, Q, P = balding_nichols(n, M, K, seed=K)
    found = mixtura.Admixture(K, random_state=0).fit(X)
    assert np.sqrt(np.mean((matched(found.Q_, Q) - Q) ** 2)) < 0.06
    fit = found.fit_result_
    assert fit.loglik == pytest.approx(plain_loglik(X, found.Q_, found.P_.T), rel=1e-12)
    assert fit.loglik > plain_loglik(X, Q, P)
    assert np.diff(fit.trace).min(initial=0.0) >= -1e-7
    assert found.score(X) == pytest.approx(fit.mean_loglik)


def test_the_end_is_a_maximum():
    """Karush-Kuhn-Tucker: no share and no frequency can gain more than rounding."""
    X, _, _ = balding_nichols(40, 500, 3, seed=5)
    found = mixtura.Admixture(3, tol=1e-10, random_state=0).fit(X)
    Q, P = found.Q_, found.P_.T
    h = Q @ P.T
    a = np.divide(X, h, out=np.zeros_like(h), where=X > 0)
    b = np.divide(2 - X, 1 - h, out=np.zeros_like(h), where=X < 2)
    slope_q = a @ P + b @ (1 - P)
    free = slope_q - (Q * slope_q).sum(axis=1, keepdims=True)
    assert free.max() < 1e-2
    slope_p = (a - b).T @ Q
    assert slope_p[P < 1].max() < 1e-2
    assert slope_p[P > 0].min() > -1e-2


def test_em_ends_where_block_relaxation_does():
    X, _, _ = balding_nichols(30, 400, 2, seed=6)
    newton = mixtura.Admixture(2, tol=1e-9, random_state=0).fit(X)
    em = mixtura.Admixture(2, tol=1e-6, max_iter=20000, solver="em", random_state=0).fit(X)
    assert em.fit_result_.loglik == pytest.approx(newton.fit_result_.loglik, abs=0.01)
    assert em.fit_result_.iterations > 5 * newton.fit_result_.iterations


def test_fit_climbs_the_model_too():
    X, Q, P = balding_nichols(25, 200, 2, seed=7)
    start = AdmixtureParams(0.5 * Q + 0.25, 0.9 * P + 0.05)
    fit = mixtura.fit(AdmixtureModel(), X.T, start=start, solver="em", max_iter=3000, tol=1e-4)
    found = mixtura.Admixture(2, tol=1e-9, random_state=0).fit(X)
    assert fit.loglik <= found.fit_result_.loglik + 1e-3
    assert fit.loglik == pytest.approx(found.fit_result_.loglik, abs=2.0)


def test_shares_of_nought_and_one_are_binomial_groups():
    """Labelled individuals are unmixed: P is half the mean of each group."""
    X, _, _ = balding_nichols(40, 300, 3, seed=8)
    y = np.arange(40) % 3
    found = mixtura.Admixture(3).fit(X, y)
    means = np.array([X[y == k].mean(axis=0) / 2 for k in range(3)])
    np.testing.assert_allclose(found.P_, means, atol=1e-9)
    np.testing.assert_array_equal(found.Q_, np.eye(3)[y])


@pytest.mark.parametrize("ploidy", [1, 4])
def test_other_ploidies(ploidy):
    rng = np.random.default_rng(9)
    P = rng.uniform(0.05, 0.95, (2, 800))
    Q = rng.dirichlet([0.3, 0.3], 60)
    X = rng.binomial(ploidy, Q @ P)
    found = mixtura.Admixture(2, ploidy=ploidy, random_state=0).fit(X)
    assert np.sqrt(np.mean((matched(found.Q_, Q) - Q) ** 2)) < 0.06


def test_missing_genotypes_are_left_out():
    X, Q, _ = balding_nichols(60, 1500, 3, seed=10)
    X = X.astype(float)
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    found = mixtura.Admixture(3, random_state=0).fit(X)
    assert found.fit_result_.loglik == pytest.approx(plain_loglik(X, found.Q_, found.P_.T))
    assert np.sqrt(np.mean((matched(found.Q_, Q) - Q) ** 2)) < 0.08


def test_many_starts_make_a_landscape():
    X, _, _ = balding_nichols(40, 300, 3, seed=11)
    fit = mixtura.Admixture(3, n_init=3, random_state=0).fit(X).fit_result_
    assert sum(start.outcome == "kept" for start in fit.starts) == 3
    assert sum(sum(one.hits.values()) for one in fit.landscape) == 3
    assert {start.name for start in fit.starts} == {"smoothed", "random"}


def test_each_optimum_has_its_shares():
    """Climbed from there the likelihood is what the landscape says; `align` turns them all."""
    X, _, _ = balding_nichols(24, 120, 2, seed=4)
    found = mixtura.Admixture(4, n_init=3, tol=1e-4, random_state=0).fit(X)
    met = found.fit_result_.landscape
    np.testing.assert_array_equal(found.modes_[0], found.Q_)
    assert len(found.modes_) == len(met) > 1
    for mode, optimum in zip(found.modes_, met, strict=True):
        np.testing.assert_array_equal(matching(mode, found.Q_), np.arange(4))
        end = mixtura.Admixture(4, random_state=0)
        end._fixed = np.ones(24, dtype=bool)
        climbed = end._climber()(Passes(from_dosages(X)), mode, np.full((120, 4), 0.5), 0)
        assert climbed.trace[-1] / 24 == pytest.approx(optimum.mean_loglik, abs=1e-3)
    turned = found.Q_[:, ::-1]
    np.testing.assert_array_equal(found.align(turned).modes_[0], turned)


def test_shares_of_optima_between_ends_that_did_not_converge():
    heights = {-1.0: False, -1.0 - 1e-12: True, -2.0: False, -3.0: True, -1.0 - 2e-12: False}
    starts = [
        StartReport("random", 9, height, "kept", unfinished=unfinished)
        for height, unfinished in heights.items()
    ]
    ends = [(height, np.array([[height]]), unfinished) for height, unfinished in heights.items()]
    landscape = landscape_of(starts, 0.0)
    modes = modes_of(ends, landscape)
    assert [mode.item() for mode in modes] == [one.mean_loglik for one in landscape]
    assert [mode.item() for mode in modes] == [-1.0, -1.0 - 1e-12, -2.0, -3.0]
