"""Bounds and ties in `fixed`: against SciPy's optimisers on the same likelihood."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import logsumexp

from mixtura import GaussianMixture, Mixture, load
from mixtura.fitting.anchors import Anchors
from mixtura.records import Array

RNG = np.random.default_rng(0)
LABELS = RNG.integers(3, size=400)
# EM alone climbs, and slowly.
CLOSE: dict[str, Any] = {"tol": 1e-10, "max_iter": 20_000}
POINTS = (
    np.array([[0.0, 0.0], [4.0, 1.0], [-4.0, 5.0]])[LABELS]
    + RNG.normal(size=(400, 2)) * (np.array([[1.0, 0.3], [1.0, 2.0], [2.0, 0.4]])[LABELS])
)


def loglik(logits: Array, log_p: Array) -> float:
    """The log-likelihood at weights softmax (logits, 0) and log-densities (n, K)."""
    log_w = np.append(logits, 0.0)
    return float(logsumexp(log_p + log_w - logsumexp(log_w), axis=1).sum())


def best(lost: Callable[[Array], float], start: Any, bounds: Any) -> Array:
    """Where a function is smallest within bounds, from there."""
    found = optimize.minimize(
        lost, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "maxfun": 100_000}
    )
    return np.append(found.x, -found.fun)


def softmax_start(mixture: Any) -> Array:
    """The logits of a mixture's weights."""
    return np.asarray(np.log(mixture.weights_[:-1] / mixture.weights_[-1]))


@pytest.mark.parametrize(
    ("name", "parameter", "law", "truth", "low", "high"),
    [
        ("poisson", "rates", lambda x, t: stats.poisson.logpmf(x, t), [2, 9, 25], [0, 11, 11], 20),
        (
            "exponential",
            "means",
            lambda x, t: stats.expon.logpdf(x, scale=t),
            [1, 10, 90],
            [2, 2, 2],
            60,
        ),
    ],
)
def test_rates_within_bounds(
    name: str, parameter: str, law: Any, truth: Any, low: Any, high: float
) -> None:
    rng, scale = np.random.default_rng(1), np.array(truth, dtype=float)[LABELS]
    x = rng.poisson(scale) if name == "poisson" else rng.exponential(scale)
    X = x[:, None].astype(float)
    ends = (np.array(low, dtype=float)[:, None], np.array([[np.nan], [high], [high]]))
    found = Mixture(name, 3, fixed={"bounds": {parameter: ends}}, random_state=0, **CLOSE).fit(X)
    values = found.parameters_[parameter][:, 0]
    box = [(None, None)] * 2 + [
        (max(a, 1e-9), b) for a, b in zip(low, (None, high, high), strict=True)
    ]
    begun = np.concatenate([softmax_start(found), values * [1.02, 1.0, 0.98]])
    told = best(lambda t: -loglik(t[:2], law(X, t[2:])), begun, box)
    assert found.fit_result_.loglik == pytest.approx(told[-1], abs=1e-5)
    np.testing.assert_allclose(values, told[2:-1], rtol=1e-3)
    assert np.isin(values, [*low, high]).any()
    assert found.converged_


def test_probabilities_that_are_tied_and_bounded() -> None:
    p = np.array([[0.1, 0.2, 0.9, 0.5], [0.9, 0.2, 0.2, 0.5], [0.6, 0.9, 0.3, 0.97]])
    X = (np.random.default_rng(2).uniform(size=(400, 4)) < p[LABELS]).astype(float)
    fixed = {"bounds": {"probabilities": (0.15, 0.85)}, "tied": {"probabilities": [[0, 2]]}}
    found = Mixture("bernoulli", 3, fixed=fixed, random_state=0, **CLOSE).fit(X)
    q = found.parameters_["probabilities"]
    assert (q[0] == q[2]).all()
    assert q.min() >= 0.15
    assert q.max() <= 0.85
    assert found.fit_result_.n_parameters == 2 + 8

    def lost(t: Array) -> float:
        of = t[2:].reshape(2, 4)[[0, 1, 0]]
        return -loglik(t[:2], X @ np.log(of.T) + (1 - X) @ np.log1p(-of.T))

    begun = np.concatenate([softmax_start(found), q[:2].ravel()])
    told = best(lost, begun, [(-5, 5)] * 2 + [(0.15, 0.85)] * 8)
    assert found.fit_result_.loglik == pytest.approx(told[-1], abs=1e-4)


def test_normal_columns_with_a_box_and_tied_centres_and_widths() -> None:
    """Two components about one centre, of which one is as wide as the third."""
    rng = np.random.default_rng(3)
    X = np.array([[0.0, 0.0], [0.0, 0.0], [6.0, 5.0]])[LABELS]
    X = X + np.array([0.3, 2.0, 2.0])[LABELS, None] * rng.normal(size=X.shape)
    fixed = {
        "bounds": {"means": (-9.0, 5.5), "variances": (0.12, None)},
        "tied": {"means": [[0, 1]], "variances": [[1, 2]]},
    }
    found = Mixture("normal", 3, fixed=fixed, random_state=0, **CLOSE).fit(X)
    m, v = found.means_, found.variances_
    np.testing.assert_array_equal(m[0], m[1])
    np.testing.assert_array_equal(v[1], v[2])
    assert m.max() == 5.5
    assert v.min() == 0.12
    assert found.fit_result_.n_parameters == 2 + 4 + 4

    def lost(t: Array) -> float:
        means, widths = t[2:6].reshape(2, 2)[[0, 0, 1]], t[6:].reshape(2, 2)[[0, 1, 1]]
        log_p = stats.norm.logpdf(X[:, None], means, np.sqrt(widths)).sum(axis=2)
        return -loglik(t[:2], log_p)

    begun = np.concatenate([softmax_start(found), m[1:].ravel(), v[:2].ravel()])
    told = best(lost, begun, [(-9, 9)] * 2 + [(-9, 5.5)] * 4 + [(0.12, 9)] * 4)
    assert found.fit_result_.loglik == pytest.approx(told[-1], abs=1e-4)


def turned(angles: Array, values: Array) -> Array:
    """Covariances (K, 2, 2) with these eigenvalues (K, 2), their axes turned by angles (K,)."""
    c, s = np.cos(angles), np.sin(angles)
    axes = np.stack([np.stack([c, -s], 1), np.stack([s, c], 1)], 1)
    return (axes * values[:, None, :]) @ np.swapaxes(axes, 1, 2)


@pytest.mark.parametrize("tied", [False, True])
def test_full_covariances_whose_eigenvalues_have_bounds(tied: bool) -> None:
    fixed: dict[str, Any] = {"bounds": {"covariances": (0.25, 2.0)}}
    fixed |= {"tied": {"covariances": [[0, 2]]}} if tied else {}
    found = GaussianMixture(3, fixed=fixed, random_state=0, **CLOSE).fit(POINTS)
    values, vectors = np.linalg.eigh(found.covariances_)
    assert values.min() == pytest.approx(0.25)
    assert values.max() == pytest.approx(2.0)
    assert found.fit_result_.n_parameters == (14 if tied else 17)
    own = [0, 1] if tied else [0, 1, 2]
    of, K = ([0, 1, 0] if tied else own), len(own)

    def lost(t: Array) -> float:
        covariances = turned(t[8 : 8 + K], t[8 + K :].reshape(K, 2))[of]
        each = zip(t[2:8].reshape(3, 2), covariances, strict=True)
        log_p = [stats.multivariate_normal.logpdf(POINTS, mean, cov) for mean, cov in each]
        return -loglik(t[:2], np.stack(log_p, axis=1))

    angles = np.arctan2(vectors[own, 1, 0], vectors[own, 0, 0])
    begun = [
        softmax_start(found),
        found.means_.ravel(),
        angles,
        np.clip(values[own], 0.25, 2).ravel(),
    ]
    box = [(None, None)] * (8 + K) + [(0.25, 2.0)] * (2 * K)
    told = best(lost, np.concatenate(begun), box)
    assert found.fit_result_.loglik == pytest.approx(told[-1], abs=1e-4)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
def test_boxes_of_means_and_floors_of_variances_without_correlations(kind: str) -> None:
    fixed = {"bounds": {"covariances": (0.25, 2.0), "means": (-3.0, 3.0)}}
    found = GaussianMixture(3, covariance_type=kind, fixed=fixed, random_state=0, **CLOSE)
    found.fit(POINTS)
    assert np.abs(found.means_).max() == 3.0

    def lost(t: Array) -> float:
        widths = np.sqrt(t[8:].reshape(3, -1))
        log_p = stats.norm.logpdf(POINTS[:, None], t[2:8].reshape(3, 2), widths).sum(axis=2)
        return -loglik(t[:2], log_p)

    parts = softmax_start(found), found.means_.ravel(), found.covariances_.ravel().clip(0.25, 2)
    box = [(None, None)] * 2 + [(-3, 3)] * 6 + [(0.25, 2.0)] * parts[2].size
    told = best(lost, np.concatenate(parts), box)
    assert found.fit_result_.loglik == pytest.approx(told[-1], abs=1e-4)


def test_limits_that_hold_nothing_are_the_plain_fit_and_files_keep_them(tmp_path: Path) -> None:
    plain = GaussianMixture(3, random_state=0, tol=1e-10).fit(POINTS)
    wide = {"bounds": {"covariances": (None, 1e9)}}
    found = GaussianMixture(3, random_state=0, tol=1e-10, fixed=wide).fit(POINTS)
    assert found.fit_result_.loglik == pytest.approx(plain.fit_result_.loglik, abs=1e-5)
    tied = {"tied": {"covariances": [[0, 1, 2]]}, "bounds": {"covariances": (0.1, None)}}
    found = GaussianMixture(3, random_state=0, tol=1e-10, fixed=tied).fit(POINTS)
    common = GaussianMixture(3, covariance_type="tied", random_state=0, tol=1e-10).fit(POINTS)
    assert found.fit_result_.loglik == pytest.approx(common.fit_result_.loglik, abs=1e-5)
    assert found.fit_result_.n_parameters == common.fit_result_.n_parameters
    found.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert again.fixed["tied"] == tied["tied"]
    assert again.bic(POINTS) == pytest.approx(found.bic(POINTS))


@pytest.mark.parametrize(
    ("mixture", "fixed", "said"),
    [
        (
            Mixture("poisson", 2),
            {"bounds": {"means": (0, 1)}},
            "no 'means': its parameters",
        ),
        (Mixture("poisson", 2), {"bounds": {"rates": (2, 1)}}, "the first is the smaller one"),
        (Mixture("poisson", 2), {"bounds": {"rates": 3}}, "are a pair"),
        (
            Mixture("poisson", 2),
            {"bounds": {"rates": (-5, -1)}},
            "above 0, and the upper one is -1",
        ),
        (
            Mixture("poisson", 2),
            {"bounds": {"rates": (None, 0)}},
            "above 0, and the upper one is 0",
        ),
        (Mixture("poisson", 2), {"bounds": {"rates": (np.inf, None)}}, "have inf as the lower one"),
        (
            Mixture("poisson", 2),
            {"bounds": {"rates": ([1, 2, 3], None)}},
            r"has the shape \(2, 2\)",
        ),
        (Mixture("poisson", 2), {"tied": {"rates": [[0, 2]]}}, "from 0 to 1"),
        (Mixture("poisson", 2), {"tied": {"rates": [[0]]}}, "two or more components"),
        (Mixture("gamma", 2), {"bounds": {"means": (0, 1)}}, "bounds and ties are for families"),
        (GaussianMixture(2), {"bounds": {"means": (0, 1)}}, "columns do not correlate"),
        (GaussianMixture(2), {"tied": {"means": [[0, 1]]}}, "use {'means': 'common'}"),
        (
            GaussianMixture(2, covariance_type="diag"),
            {"means": [[9, 9], [np.nan] * 2], "bounds": {"means": (-1, 5.0)}},
            "the mean of component 0 is known to be 9 in column 0, outside its bounds -1 and 5",
        ),
        (
            GaussianMixture(2, covariance_type="tied"),
            {"bounds": {"covariances": (0, 1)}},
            "where each is estimated alone",
        ),
        (
            GaussianMixture(2, solver="lbfgs"),
            {"bounds": {"covariances": (0, 1)}},
            "EM's steps alone",
        ),
    ],
)
def test_limits_that_cannot_be_kept(mixture: Any, fixed: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mixture.set_params(fixed=fixed).fit(np.abs(POINTS).round() + 1)


def test_which_components_are_tied_or_bounded_does_not_decide_the_end() -> None:
    rng = np.random.default_rng(0)
    g = rng.integers(0, 3, 300)
    centres, scales = np.array([[0, 0], [3, 1], [8, -2]]), np.array([[1, 0.2], [0.5, 2], [2, 1]])
    x = rng.normal(centres[g], scales[g])
    x[:, 1] += 0.5 * x[:, 0] * (g == 2)

    def ends(limits: Any, seed: int) -> float:
        found = GaussianMixture(3, fixed=limits, random_state=seed).fit(x)
        return float(found.fit_result_.loglik)

    tied = [
        ends({"tied": {"covariances": [pair]}}, seed)
        for pair in ([0, 1], [0, 2], [1, 2])
        for seed in (1, 3)
    ]
    # The best of 100 climbs from random rows.
    np.testing.assert_allclose(tied, -1159.62, atol=0.01)
    low, high = np.array([0.1, 0.5, np.nan]), np.array([1.0, 1.0, 2.0])
    bounded = [
        ends({"bounds": {"covariances": (low[order], high[order])}}, 1)
        for order in map(list, permutations(range(3)))
    ]
    np.testing.assert_allclose(bounded, -1183.78, atol=0.01)


def test_rows_go_to_the_nearest_places_in_a_scale_made_of_what_it_is_given() -> None:
    """As families without affine frames have it."""
    rng = np.random.default_rng(0)
    groups = np.repeat([2, 0, 1], [290, 5, 5])
    x = rng.poisson(np.array([12.0, 60.0, 3.0])[groups])[:, None].astype(float)
    anchors = Anchors(np.full(3, np.nan), np.array([[3.0], [12.0], [60.0]]))
    found = anchors.placed(
        np.eye(3)[groups],
        x,
        np.ones(300),
        lambda rows: (rows - rows.mean(0)) / rows.std(0),
        seek=False,
    )
    assert (found.argmax(axis=1)[:290] == 0).mean() > 0.95


def test_bounds_of_logarithms_are_no_places_of_rows() -> None:
    rng = np.random.default_rng(0)
    x = np.exp(rng.normal(np.repeat([-3.0, 0.0, 3.0], 60), 0.5))[:, None]
    bounds = (np.array([[-4.0], [-1.0], [2.0]]), np.array([[-2.0], [1.0], [4.0]]))
    fixed = {"bounds": {"log_means": bounds}}
    found = Mixture("lognormal", 3, fixed=fixed, random_state=0).fit(x)
    free = Mixture("lognormal", 3, random_state=0).fit(x)
    assert found.fit_result_.loglik == pytest.approx(free.fit_result_.loglik, abs=1e-3)
    assert found.predict(x)[[0, 60, 120]].tolist() == [0, 1, 2]


def test_numbers_of_groups_are_whole() -> None:
    with pytest.raises(ValueError, match="tied rates are groups of two or more"):
        Mixture("poisson", 2, fixed={"tied": {"rates": [[0.7, 1.2]]}}).fit(np.arange(9.0)[:, None])
