"""The C kernels against a slow, obvious NumPy version of the same mathematics."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mixtura.engines import native
from mixtura.engines.gaussian import passes
from mixtura.engines.gaussian.climbing import gaussian_em

FORMS = ("full", "tied", "diag", "spherical")
LOG_2PI = np.log(2.0 * np.pi)


def make_covariances(rng, form, K, d):
    roots = rng.normal(size=(K, d, d)) / np.sqrt(d) + 1.5 * np.eye(d)
    full = roots @ roots.transpose(0, 2, 1)
    if form == "full":
        return full
    if form == "tied":
        return full[0].copy()
    if form == "diag":
        return rng.uniform(0.3, 3.0, size=(K, d))
    return rng.uniform(0.3, 3.0, size=K)


def whitening(covariances, form, K, d):
    """Whitening arrays and log norms of covariances."""
    if form in ("full", "tied"):
        whiten = np.ascontiguousarray(np.tril(np.linalg.inv(np.linalg.cholesky(covariances))))
        diagonal = np.diagonal(whiten, axis1=-2, axis2=-1)
        log_det = np.broadcast_to(np.log(diagonal).sum(axis=-1), (K,))
    else:
        whiten = 1.0 / np.sqrt(covariances)
        log_det = np.log(whiten).sum(axis=1) if form == "diag" else d * np.log(whiten)
    return whiten, log_det - 0.5 * d * LOG_2PI


def whitened(X, means, whiten, form):
    """(n, K, d): every row in every component's coordinates."""
    y = X.astype(np.float64)[:, None, :] - means
    if form == "full":
        return np.einsum("kjl,nkl->nkj", whiten, y)
    if form == "tied":
        return y @ whiten.T
    return y * (whiten if form == "diag" else whiten[:, None])


def slow_rows(X, log_weights, means, whiten, log_norm, form):
    y = whitened(X, means, whiten, form)
    component = log_norm - 0.5 * (y**2).sum(axis=2)
    joint = component + log_weights
    best = joint.max(axis=1)
    log_density = best + np.log(np.exp(joint - best[:, None]).sum(axis=1))
    return y, component, joint, log_density, np.exp(joint - log_density[:, None])


def slow_pass(X, sample_weight, log_weights, means, whiten, log_norm, form):
    weight = np.ones(len(X)) if sample_weight is None else sample_weight
    X, weight = X[weight != 0], weight[weight != 0]
    y, _, _, log_density, r = slow_rows(X, log_weights, means, whiten, log_norm, form)
    return (weight * log_density).sum(), *sums_of(y, r * weight[:, None], form)


def sums_of(y, r, form):
    """(counts, first, second) of whitened rows (n, K, d) with weighted responsibilities (n, K)."""
    K, d = y.shape[1:]
    first = np.einsum("nk,nkj->kj", r, y)
    second = np.zeros((K, d, d))
    for k in range(K):
        second[k] = (y[:, k] * r[:, k, None]).T @ y[:, k]
    if form == "tied":
        second = second.sum(axis=0)
    elif form == "diag":
        second = np.einsum("kjj->kj", second)
    elif form == "spherical":
        second = np.einsum("kjj->k", second)
    return r.sum(axis=0), first, second


def make(form, n, d, K, dtype=np.float64, seed=0, spread=2.0):
    rng = np.random.default_rng(seed)
    means = spread * rng.normal(size=(K, d))
    X = (means[rng.integers(K, size=n)] + rng.normal(size=(n, d))).astype(dtype)
    weights = rng.dirichlet(np.full(K, 3.0))
    covariances = make_covariances(rng, form, K, d)
    whiten, log_norm = whitening(covariances, form, K, d)
    return X, weights, means, covariances, whiten, np.ascontiguousarray(log_norm)


def assert_sums(got, want, rtol=1e-12):
    """Sums agree relative to the size of what was added up."""
    assert got[0] == pytest.approx(want[0], rel=rtol, abs=1e-9)
    for g, w in zip(got[1:], want[1:], strict=True):
        assert g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * max(1.0, np.abs(w).max()))


SHAPES = [
    (0, 3, 2),
    (1, 1, 1),
    (1, 20, 3),
    (257, 1, 4),
    (300, 2, 3),
    (511, 3, 2),
    (700, 4, 5),
    (129, 5, 3),
    (1000, 6, 1),
    (333, 7, 2),
    (600, 8, 20),
    (415, 9, 3),
    (500, 10, 10),
    (259, 11, 2),
    (261, 12, 4),
    (263, 13, 2),
    (265, 14, 2),
    (267, 15, 3),
    (300, 16, 18),
    (301, 17, 3),
    (250, 24, 2),
    (97, 31, 20),
    (200, 40, 3),
    (395, 67, 2),
    (300, 128, 3),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("n", "d", "K"), SHAPES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pass(form, n, d, K, dtype):
    X, weights, means, _, whiten, log_norm = make(form, n, d, K, dtype)
    log_weights = np.log(weights)
    rng = np.random.default_rng(1)
    sample_weight = rng.exponential(size=n) * (rng.random(n) > 0.2)
    for w in (None, sample_weight):
        got = passes.gaussian_pass(X, w, log_weights, means, whiten, log_norm, form)
        assert_sums(got, slow_pass(X, w, log_weights, means, whiten, log_norm, form))
    if form in ("full", "tied"):
        assert np.array_equal(got[3], np.swapaxes(got[3], -1, -2))


@pytest.mark.parametrize("form", ["full", "tied"])
def test_every_number_of_columns(form):
    """Whole vectors, their rests and what lies beyond them; in float32 with twice as many lanes.
    Far groups are screened from 32 columns on, with bounds that may end one column before the last.
    """
    for d in range(17, 68):
        X, weights, means, _, whiten, log_norm = make(form, 100, d, 3, seed=d)
        model = (np.log(weights), means, whiten, log_norm, form)
        want = slow_pass(X, None, *model)
        assert_sums(passes.gaussian_pass(X, None, *model), want)
        assert_sums(passes.gaussian_pass(X, None, *model, single=True), want, rtol=5e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("n", "d", "K"), SHAPES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows(form, n, d, K, dtype):
    X, weights, means, _, whiten, log_norm = make(form, n, d, K)
    model = (np.log(weights), means, whiten, log_norm, form)
    _, component, joint, log_density, r = slow_rows(X, *model)
    out = {
        "log_density": np.full(n, np.nan, dtype),
        "responsibilities": np.full((n, K), np.nan, dtype),
        "labels": np.full(n, -1),
        "component_log_density": np.full((n, K), np.nan, dtype),
    }
    passes.gaussian_rows(X, *model, **out)
    tol = 1e-6 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(out["log_density"], log_density, rtol=tol, atol=tol)
    np.testing.assert_allclose(out["responsibilities"], r, rtol=1e3 * tol, atol=tol)
    np.testing.assert_allclose(out["component_log_density"], component, rtol=tol, atol=tol)
    np.testing.assert_array_equal(out["labels"], joint.argmax(axis=1))
    for name, together in out.items():
        alone = np.empty_like(together)
        passes.gaussian_rows(X, *model, **{name: alone})
        np.testing.assert_allclose(alone, together, rtol=1e3 * tol, atol=tol)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [3, 8, 20])
def test_dead_component_and_far_rows(form, d):
    X, weights, means, _, whiten, log_norm = make(form, 1000, d, 5)
    X[7] += 1e3
    X[500:520] -= 1e3 * np.arange(1, 21)[:, None]
    log_weights = np.log(weights)
    log_weights[2] = -np.inf
    model = (log_weights, means, whiten, log_norm, form)
    got = passes.gaussian_pass(X, None, *model)
    assert_sums(got, slow_pass(X, None, *model), rtol=1e-11)
    assert got[1][2] == 0.0
    assert not got[2][2].any()
    r, labels = np.empty((1000, 5)), np.empty(1000, np.int64)
    component = np.empty((1000, 5))
    passes.gaussian_rows(X, *model, responsibilities=r, labels=labels)
    assert not r[:, 2].any()
    np.testing.assert_allclose(r.sum(axis=1), 1.0, rtol=1e-14)
    assert not (labels == 2).any()
    passes.gaussian_rows(X, *model, component_log_density=component)
    assert np.isfinite(component).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("d", "K"), [(2, 40), (8, 60), (32, 12), (40, 150)])
def test_sparse_responsibilities(form, d, K):
    """Components far apart: nearly every responsibility is negligible, few rows count."""
    X, weights, means, _, whiten, log_norm = make(form, 3000, d, K, spread=60.0)
    model = (np.log(weights), means, whiten, log_norm, form)
    assert_sums(passes.gaussian_pass(X, None, *model), slow_pass(X, None, *model), rtol=1e-11)


@pytest.mark.parametrize("spread", [1.0, 3.0, 8.0])
@pytest.mark.parametrize(("d", "K"), [(33, 5), (70, 12), (128, 8)])
@pytest.mark.parametrize("weighted", [False, True])
def test_screening(spread, d, K, weighted):
    """Many columns and rows: components may skip rows, which must not show."""
    X, weights, means, _, whiten, log_norm = make("full", 2500, d, K, np.float32, spread=spread)
    rng = np.random.default_rng(2)
    sample_weight = rng.exponential(size=2500) * (rng.random(2500) > 0.3) if weighted else None
    log_weights = np.log(weights)
    log_weights[-1] = -np.inf
    X[5] = 1e4
    model = (log_weights, means, whiten, log_norm, "full")
    got = passes.gaussian_pass(X, sample_weight, *model)
    assert_sums(got, slow_pass(X, sample_weight, *model), rtol=1e-12)
    X[2345, 3] = np.nan
    assert np.isnan(passes.gaussian_pass(X, None, *model)[0])


def test_read_only_rows():
    X, weights, means, _, whiten, log_norm = make("full", 100, 2, 3)
    model = (np.log(weights), means, whiten, log_norm, "full")
    want = passes.gaussian_pass(X, None, *model)
    X.flags.writeable = False
    got = passes.gaussian_pass(X, None, *model)
    assert all(np.array_equal(g, w) for g, w in zip(got, want, strict=True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [2, 20])
def test_offset_keeps_its_digits(form, d):
    """Data at 1e7 with unit spread loses nothing beyond the rounding of X itself."""
    X, weights, means, _, whiten, log_norm = make(form, 2000, d, 3)
    X, means = np.round(X * 64) / 64, np.round(means * 64) / 64  # exact after the shift
    model = (whiten, log_norm, form)
    near = passes.gaussian_pass(X, None, np.log(weights), means, *model)
    far = passes.gaussian_pass(X + 1e7, None, np.log(weights), means + 1e7, *model)
    assert_sums(far, near, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spread", [0.2, 1.0, 30.0, 1e5])
def test_near_and_far_means(form, spread):
    """Rows are summed as they lie, or about the means, by how far these are from each other."""
    X, weights, means, _, whiten, log_norm = make(form, 700, 5, 6, spread=spread)
    model = (np.log(weights), means, whiten, log_norm, form)
    got, want = passes.gaussian_pass(X, None, *model), slow_pass(X, None, *model)
    # Rows whitened about a common centre are rounded by how far apart the means are.
    assert_sums(got, want, rtol=1e-12 * max(1.0, spread / 30 if form == "tied" else 1.0))


@pytest.mark.parametrize("form", ["diag", "spherical"])
def test_a_point_away_from_the_origin_keeps_its_digits(form):
    """Raw squares would say of a component's rows only that they lie at 3.9; a row whose square is
    no number has no share."""
    means = np.array([[-3.9] * 3, [3.9] * 3])
    rng = np.random.default_rng(0)
    X = np.repeat(means, 200, axis=0) + np.repeat([1.0, 1e-9], 200)[:, None] * rng.normal(
        size=(400, 3)
    )
    whiten = np.ones((2, 3) if form == "diag" else 2)
    model = (np.log([0.5, 0.5]), means, whiten, np.full(2, -1.5 * LOG_2PI), form)
    want = slow_pass(X, None, *model)
    for rows in (X, np.vstack([X, np.full((1, 3), 1e200)])):
        got = passes.gaussian_pass(rows, None, *model)
        for g, w in zip(got[1:], want[1:], strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [3, 20])
def test_rows_of_zero_weight_may_hold_anything(form, d):
    X, weights, means, _, whiten, log_norm = make(form, 400, d, 3)
    model = (np.log(weights), means, whiten, log_norm, form)
    sample_weight = np.ones(400)
    sample_weight[::3] = 0.0
    want = passes.gaussian_pass(X, sample_weight, *model)
    X[::3] = np.nan
    got = passes.gaussian_pass(X, sample_weight, *model)
    for g, w in zip(got, want, strict=True):
        assert np.array_equal(g, w)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [3, 20])
def test_nan_is_not_hidden(form, d):
    X, weights, means, _, whiten, log_norm = make(form, 400, d, 3)
    X[123, 1] = np.nan
    loglik, count, _, _ = passes.gaussian_pass(
        X, None, np.log(weights), means, whiten, log_norm, form
    )
    assert np.isnan(loglik)
    assert np.isnan(count).all()


@pytest.mark.parametrize("form", FORMS)
def test_threads_and_slices(form):
    X, weights, means, _, whiten, log_norm = make(form, 5000, 6, 4)
    model = (np.log(weights), means, whiten, log_norm, form)

    def chunk(start):
        return passes.gaussian_pass(X[start : start + 617], None, *model)

    starts = range(0, 5000, 617)
    with ThreadPoolExecutor(4) as pool:
        first, again = list(pool.map(chunk, starts)), list(pool.map(chunk, starts))
    for a, b in zip(first, again, strict=True):
        assert all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))
    total = tuple(sum(part[i] for part in first) for i in range(4))
    assert_sums(total, slow_pass(X, None, *model))


def roots_of(covariances, form):
    return np.linalg.cholesky(covariances) if form in ("full", "tied") else np.sqrt(covariances)


def square(roots, form):
    return roots @ np.swapaxes(roots, -1, -2) if form in ("full", "tied") else roots**2


def slow_sums(X, sample_weight, weights, means, covariances, form):
    whiten, log_norm = whitening(covariances, form, *means.shape)
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    return slow_pass(X, sample_weight, log_weights, means, whiten, log_norm, form)


def slow_em(X, sample_weight, weights, means, covariances, form, *, passes, a, T, H, r, sums=None):
    """(weights, means, covariances, log-likelihoods after each step, the last sums)."""
    d = means.shape[1]
    if sums is None:
        sums = slow_sums(X, sample_weight, weights, means, covariances, form)[1:]
    logliks = []
    for _ in range(passes):
        n, first, second = sums
        s = np.divide(first, n[:, None], out=np.zeros_like(first), where=n[:, None] > 0)
        outer = n[:, None, None] * s[:, :, None] * s[:, None, :]
        if form in ("full", "tied"):
            L = np.linalg.cholesky(covariances)
            means = (
                means + np.einsum("...jl,kl->kj", L, s)
                if form == "tied"
                else (means + np.einsum("kjl,kl->kj", L, s))
            )
            inner = second - (outer if form == "full" else outer.sum(axis=0))
            S = L @ inner @ np.swapaxes(L, -1, -2)
            mass = n[:, None, None] if form == "full" else n.sum()
            covariances = (S + 2 * a * T) / (mass + 2 * a) + H + r * np.eye(d)
        elif form == "diag":
            means = means + np.sqrt(covariances) * s
            S = covariances * (second - n[:, None] * s**2)
            covariances = (S + 2 * a * T) / (n[:, None] + 2 * a) + H + r
        else:
            means = means + np.sqrt(covariances)[:, None] * s
            S = covariances * (second - n * (s**2).sum(axis=1)) / d
            covariances = (S + 2 * a * T) / (n + 2 * a) + H + r
        weights = n / n.sum()
        total, *sums = slow_sums(X, sample_weight, weights, means, covariances, form)
        logliks.append(total)
    return weights, means, covariances, np.array(logliks), sums


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("n", "d", "K"), [(300, 2, 3), (200, 1, 2), (150, 5, 1), (600, 18, 2)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("strength", [0.0, 1.5])
def test_em(form, n, d, K, weighted, strength):
    X, weights, means, covariances, _, _ = make(form, n, d, K)
    rng = np.random.default_rng(5)
    w = rng.integers(0, 3, size=n).astype(float) if weighted else None
    T = make_covariances(rng, form, 1, d)
    T = T if form == "tied" else T[0]
    H = 0.01 * T
    start = (X, w, weights, means, roots_of(covariances, form), form)
    asked = {"passes": 7, "strength": strength, "target": T, "held": H, "absolute": 1e-3}
    got = gaussian_em(*start, **asked)
    want = slow_em(X, w, weights, means, covariances, form, passes=7, a=strength, T=T, H=H, r=1e-3)
    assert got.failed == -1
    assert_reached(got, want, form)
    # Where the sums are known the steps begin with an M-step, and end at the same place.
    known = gaussian_em(*start, **{**asked, "passes": 0}).sums
    assert_reached(gaussian_em(*start, **asked, sums=known), want, form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("n", "d", "K"), [(300, 2, 3), (200, 1, 2), (600, 18, 3), (200, 40, 4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_em_from_given_responsibilities(form, n, d, K, weighted):
    X, weights, means, covariances, _, _ = make(form, n, d, K)
    rng = np.random.default_rng(6)
    w = rng.integers(0, 3, size=n).astype(float) if weighted else None
    given = np.eye(K)[rng.integers(K, size=n)] if weighted else rng.dirichlet(np.ones(K), size=n)
    zero = np.zeros((d, d) if form in ("full", "tied") else (d,) if form == "diag" else ())
    got = gaussian_em(
        X, w, weights, means, roots_of(covariances, form), form,
        passes=1, strength=0.0, target=zero, held=zero, absolute=1e-3, given=given,
    )  # fmt: skip
    y = whitened(X, means, whitening(covariances, form, K, d)[0], form)
    sums = sums_of(y, given if w is None else given * w[:, None], form)
    want = slow_em(
        X, w, weights, means, covariances, form,
        passes=1, a=0.0, T=zero, H=zero, r=1e-3, sums=sums,
    )  # fmt: skip
    assert got.failed == -1
    assert_reached(got, want, form)


def assert_reached(got, want, form):
    reached = (got.weights, got.means, square(got.roots, form), got.logliks)
    whiten, log_norm = whitening(want[2], form, *want[1].shape)
    for g, x in zip((*reached, *got.sums), (*want[:4], *want[4]), strict=True):
        assert g.shape == np.shape(x)
        np.testing.assert_allclose(g, x, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(got.whiten, whiten, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(got.log_norm, log_norm, rtol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_em_stops_at_a_collapse(form):
    """All rows equal: the scatter is zero, so the first M-step has no positive covariance."""
    X = np.ones((50, 3))
    means = np.array([[1.0, 1.0, 1.0], [9.0, 9.0, 9.0]])
    roots = roots_of(make_covariances(np.random.default_rng(0), form, 2, 3), form)
    weights = np.array([0.4, 0.6])
    zero = np.zeros((3, 3) if form in ("full", "tied") else (3,) if form == "diag" else ())
    keep = X.copy(), roots.copy()
    if form == "tied":
        means[1] = means[0]
    got = gaussian_em(
        X, None, weights, means, roots, form,
        passes=5, strength=0.0, target=zero, held=zero, absolute=0.0,
    )  # fmt: skip
    assert got.failed == 0
    assert len(got.logliks) == 0
    assert np.array_equal(got[0], weights)
    assert np.array_equal(got[1], means)
    assert np.array_equal(got[2], roots)
    assert np.array_equal(X, keep[0])
    assert np.array_equal(roots, keep[1])


@pytest.mark.parametrize("form", FORMS)
def test_em_with_an_empty_component(form):
    X, weights, means, covariances, _, _ = make(form, 200, 2, 3)
    weights = np.array([0.5, 0.5, 0.0])
    zero = np.zeros((2, 2) if form in ("full", "tied") else (2,) if form == "diag" else ())
    got = gaussian_em(
        X, None, weights, means, roots_of(covariances, form), form,
        passes=3, strength=0.0, target=zero, held=zero, absolute=1e-6,
    )  # fmt: skip
    assert got.failed == -1
    assert got[0][2] == 0.0
    assert np.array_equal(got[1][2], means[2])
    if form != "tied":
        assert np.array_equal(got[2][2], roots_of(covariances, form)[2])


def test_em_rejects_a_bad_start():
    X, weights, means, covariances, _, _ = make("full", 50, 2, 3)
    roots = roots_of(covariances, "full")
    roots[1] = -np.eye(2)
    zero = np.zeros((2, 2))
    got = gaussian_em(
        X, None, weights, means, roots, "full",
        passes=3, strength=0.0, target=zero, held=zero, absolute=0.0,
    )  # fmt: skip
    assert got.failed == 1
    assert len(got.logliks) == 0


def test_bad_arguments():
    X, weights, means, _, whiten, log_norm = make("full", 50, 2, 3)
    model = (np.log(weights), means, whiten, log_norm)
    with pytest.raises(ValueError, match="form must be one of"):
        passes.gaussian_pass(X, None, *model, "fulll")
    with pytest.raises(ValueError, match="C-contiguous"):
        passes.gaussian_pass(np.asfortranarray(X), None, *model, "full")
    with pytest.raises(TypeError, match="float64 or float32"):
        passes.gaussian_pass(X.astype(int), None, *model, "full")
    with pytest.raises(ValueError, match="whiten must have shape"):
        passes.gaussian_pass(X, None, *model, "diag")
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        passes.gaussian_pass(X, np.ones(3), *model, "full")


@pytest.mark.skipif(native.variant() == "plain", reason="variants exist on x86-64 only")
@pytest.mark.parametrize("level", ["2", "3"])
def test_other_levels_agree(level):
    """The kernels for older CPUs, run on this one, give the same sums."""
    code = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
import test_native as t
for form in t.FORMS:
    for n, d, K in t.SHAPES:
        X, weights, means, _, whiten, log_norm = t.make(form, n, d, K, np.float32)
        model = (np.log(weights), means, whiten, log_norm, form)
        t.assert_sums(t.passes.gaussian_pass(X, None, *model), t.slow_pass(X, None, *model))
print(t.native.variant())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)],
        env={**os.environ, "MIXTURA_NATIVE_LEVEL": level},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() <= f"v{level}"
