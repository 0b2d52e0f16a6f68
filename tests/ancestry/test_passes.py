"""The passes in C are the sums of the formulas, in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from mixtura.data.genotypes import from_dosages
from mixtura.engines.ancestry import Fold, Passes, em_shares, newton_shares
from tests.ancestry.panels import balding_nichols, plain_loglik


def panel(n, M, K, ploidy=2, seed=0):
    """Genotypes with gaps, and a point inside."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, ploidy + 1, (n, M)).astype(float)
    X[rng.random((n, M)) < 0.1] = np.nan
    return X, rng.dirichlet(np.ones(K), n), rng.uniform(0.1, 0.9, (M, K))


@pytest.mark.parametrize(
    ("n", "M", "K", "ploidy"), [(1, 1, 1, 2), (7, 40, 3, 2), (130, 33, 5, 1), (66, 70, 2, 4)]
)
def test_a_pass_is_the_sums_of_the_formulas(n, M, K, ploidy):
    X, Q, P = panel(n, M, K, ploidy)
    passed = Passes(from_dosages(X, ploidy)).step(Q, P)
    assert passed.loglik == pytest.approx(plain_loglik(X, Q, P, ploidy), rel=1e-12)
    assert passed.improved == pytest.approx(plain_loglik(X, Q, passed.P, ploidy), rel=1e-12)
    assert passed.improved >= passed.loglik
    h = np.clip(Q @ passed.P.T, 1e-150, 1 - 1e-16)
    a, b = np.nan_to_num(X / h), np.nan_to_num((ploidy - X) / (1 - h))
    slope = (a - b) @ passed.P + b.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(passed.slope, slope, rtol=1e-9)
    second = np.nan_to_num(X / h**2 + (ploidy - X) / (1 - h) ** 2)
    pairs = [(k, m) for k in range(K) for m in range(k, K)]
    for row, (k, m) in zip(passed.curve, pairs, strict=True):
        np.testing.assert_allclose(row, second @ (passed.P[:, k] * passed.P[:, m]), rtol=1e-9)


def test_frequencies_of_one_population_are_those_of_the_alleles():
    X, Q, P = panel(50, 30, 1)
    passes = Passes(from_dosages(X))
    for _ in range(30):
        P = passes.step(Q, P).P
    np.testing.assert_allclose(P[:, 0], np.nanmean(X, axis=0) / 2, atol=1e-12)


def test_em_is_that_of_the_model():
    """The pass takes P first and Q at the new P: two half steps of `AdmixtureModel`."""
    from mixtura.models.admixture import AdmixtureModel, AdmixtureParams
    from mixtura.records import Chunk

    rng = np.random.default_rng(1)
    X = rng.integers(0, 3, (40, 60)).astype(float)
    _, Q, P = panel(40, 60, 3)
    model = AdmixtureModel()
    passed = Passes(from_dosages(X)).step(Q, P, em=True)
    first = AdmixtureParams(Q, P)
    P_one = model.m_step(model.e_step(Chunk(X.T), first), first).P
    np.testing.assert_allclose(passed.P, P_one, rtol=1e-10)
    second = AdmixtureParams(Q, P_one)
    Q_two = model.m_step(model.e_step(Chunk(X.T), second), second).Q
    np.testing.assert_allclose(em_shares(Q, passed), Q_two, rtol=1e-10)


def test_newton_finds_the_top_of_the_quadratic():
    """Against SciPy's solver of the same quadratic over the simplex."""
    from scipy.optimize import minimize

    X, _, _ = balding_nichols(12, 300, 4, 0)
    _, Q, P = panel(12, 300, 4)
    passed = Passes(from_dosages(X)).held(Q, P)
    to = newton_shares(Q, passed)
    np.testing.assert_allclose(to.sum(axis=1), 1.0, rtol=1e-12)
    assert to.min() >= 0
    upper = np.triu_indices(4)
    for i in range(len(Q)):
        H = np.zeros((4, 4))
        H[upper] = passed.curve[:, i]
        H = H + H.T - np.diag(np.diag(H))

        def cost(q, i=i, H=H):
            d = q - Q[i]
            return (0.5 * d @ H @ d - passed.slope[i] @ d) / 100

        found = minimize(
            cost, Q[i], bounds=[(0, 1)] * 4, method="SLSQP", options={"ftol": 1e-14},
            constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
        )  # fmt: skip
        assert cost(to[i]) <= found.fun + 1e-7


def test_folds_share_the_genotypes_out():
    X, Q, P = panel(30, 50, 2)
    genotypes = from_dosages(X)
    whole = Passes(genotypes).loglik(Q, P)
    parts = [Passes(genotypes, left_out=Fold(f, 5, 3)) for f in range(5)]
    inside = [part.loglik_left_out(Q, P) for part in parts]
    assert sum(inside) == pytest.approx(whole, rel=1e-12)
    assert parts[0].loglik(Q, P) + inside[0] == pytest.approx(whole, rel=1e-12)
    assert 0.1 < inside[0] / whole < 0.3


def test_a_marker_of_weight_two_is_there_twice():
    X, Q, P = panel(20, 10, 2)
    weights = np.array([0.0, 1.0, 2.0, 1, 1, 1, 1, 1, 1, 3])
    weighted = Passes(from_dosages(X), weights).step(Q, P)
    often = np.repeat(np.arange(10), weights.astype(int))
    repeated = Passes(from_dosages(X[:, often])).step(Q, P[often])
    assert weighted.improved == pytest.approx(repeated.improved, rel=1e-12)
    np.testing.assert_allclose(weighted.slope, repeated.slope, rtol=1e-10)
    np.testing.assert_allclose(weighted.curve, repeated.curve, rtol=1e-10)


def test_the_same_to_the_last_bit_in_one_thread(monkeypatch):
    X, Q, P = panel(90, 200, 3)
    genotypes = from_dosages(X)
    many = Passes(genotypes).step(Q, P)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = Passes(genotypes).step(Q, P)
    assert many.improved == one.improved
    assert np.array_equal(many.slope, one.slope)
    assert np.array_equal(many.P, one.P)


@pytest.mark.parametrize("ploidy", [2, 4])
def test_copies_that_are_seen_are_those_of_the_pass(ploidy):
    """At P = 1/2 each adds one to the curvature: what `carried` counts is what C sees."""
    X, Q, _ = panel(70, 40, 3, ploidy)
    genotypes = from_dosages(X, ploidy)
    known = ploidy * ~np.isnan(X).T
    np.testing.assert_allclose(Passes(genotypes).carried(Q), known @ Q)
    for number in range(3):
        fold = Fold(number, 3, 2**31 - 2)
        passes = Passes(genotypes, left_out=fold)
        seen = np.where(fold.holds(slice(0, 40), 70), 0, known)
        np.testing.assert_allclose(passes.carried(Q), seen @ Q)
        curve = passes.held(np.ones((70, 1)), np.full((40, 1), 0.5)).curve
        np.testing.assert_allclose(curve[0], seen.sum(axis=0))
