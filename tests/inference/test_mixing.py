"""Lindsay's gradient bound: known nonparametric maxima, a dense grid, and what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm, poisson

import mixtura
from mixtura import GaussianMixture, MixingBound, PoissonMixture, mixing_bound
from mixtura.records import Array


def climbed(x: Array, weights: Array, means: Array, sd: float) -> tuple[GaussianMixture, float]:
    """EM with a known standard deviation, written out."""
    for _ in range(50_000):
        joint = weights * norm.pdf(x, means, sd)
        resp = joint / joint.sum(axis=1, keepdims=True)
        before, means = means, (resp * x).sum(axis=0) / resp.sum(axis=0)
        weights = resp.mean(axis=0)
        if np.abs(means - before).max() < 1e-12:
            break
    found = GaussianMixture.from_parameters(
        weights / weights.sum(), means[:, None], [[sd**2]], covariance_type="tied"
    )
    return found, float(np.log((weights * norm.pdf(x, means, sd)).sum(axis=1)).sum())


# Of galaxies / 1000 with a known sd: the nonparametric maximum, found by others on a grid of
# atoms, the best of few components, and the bound there.
@pytest.mark.parametrize(
    ("sd", "top", "atoms", "known"),
    [
        (
            1.0,
            -199.3424,
            [9.71, 16.175, 20.002, 23.104, 26.231, 33.044],
            {4: (-211.6337, None), 5: (-204.9424, 235.28)},
        ),
        (2.0, -211.5017, [9.735, 20.966, 23.608, 33.016], {3: (-212.4510, 35.00)}),
    ],
)
def test_components_proposed_one_by_one_end_at_the_nonparametric_maximum(
    galaxies: Array, sd: float, top: float, atoms: list[float], known: dict[int, tuple]
) -> None:
    weights, means = np.ones(1), galaxies.mean(axis=0)
    for K in range(1, 9):
        mixture, loglik = climbed(galaxies, weights, means, sd)
        bound = mixing_bound(mixture, galaxies)
        assert bound.bound >= top - loglik - 1e-3
        if K in known:
            best, expected = known[K]
            assert loglik == pytest.approx(best, abs=1e-4)
            assert expected is None or bound.bound == pytest.approx(expected, abs=0.01)
        if bound.proved:
            break
        # What it says that the next component gains, it gains.
        weights = np.append(mixture.weights_ * (1 - bound.weight), bound.weight)
        means = np.append(mixture.means_[:, 0], bound.place)
        joined = np.log((weights * norm.pdf(galaxies, means, sd)).sum(axis=1)).sum()
        assert joined - loglik == pytest.approx(bound.gain, abs=1e-6)
        assert 0 < bound.gain <= bound.bound
    assert bound.proved
    assert bound.summary().startswith("proved")
    assert loglik == pytest.approx(top, abs=1e-4)
    np.testing.assert_allclose(np.sort(mixture.means_[:, 0]), atoms, atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_between_grid_points_is_missed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(size=30), rng.normal(8, 3, size=20), [60.0 * seed]])[:, None]
    w = rng.integers(0, 4, size=len(x)).astype(float)
    mixture = GaussianMixture.from_parameters([1.0], [[2.0]], [[0.5]], covariance_type="tied")
    bound = mixing_bound(mixture, x, sample_weight=w)
    grid = np.linspace(x.min() - 1, x.max() + 1, 40_001)
    log_ratio = norm.logpdf(x, grid, np.sqrt(0.5)) - norm.logpdf(x, 2.0, np.sqrt(0.5))
    height = (logsumexp(log_ratio, axis=0, b=w[:, None]) - np.log(w.sum())) * w.sum()
    assert height.max() <= bound.bound + 1e-9
    assert bound.bound == pytest.approx(height.max(), rel=1e-4)
    assert bound.place[0] == pytest.approx(grid[height.argmax()], abs=1e-2)


def test_more_columns_tell_a_direction_or_none(iris: Array) -> None:
    one = GaussianMixture(1, random_state=0).fit(iris)
    bound = mixing_bound(one, iris)
    assert np.isnan(bound.bound)
    assert not bound.proved
    log_ratio = multivariate_normal.logpdf(iris, bound.place, one.covariances_[0])
    log_ratio = np.exp(log_ratio - one.score_samples(iris)) - 1
    assert bound.gain == pytest.approx(np.log1p(bound.weight * log_ratio).sum())
    assert bound.gain > 0
    # Rows with one thing in them: no direction is there to be found.
    same = np.random.default_rng(0).normal(size=(200, 2))
    wide = GaussianMixture.from_parameters([1.0], [same.mean(0)], 2 * np.eye(2)[None])
    assert "no direction found" in mixing_bound(wide, same).summary()


# Spells of illness of 602 children, 0 to 24 of them (Boehning, Schlattmann & Lindsay 1992,
# Biometrics 48), and the nonparametric maximum, found by others.
SPELLS = [120, 64, 69, 72, 54, 35, 36, 25, 25, 19, 18, 18, 13, 4, 3, 6, 6, 5, 1, 3, 1, 2, 0, 1, 2]
TOP = -1553.8102


def test_four_poisson_components_are_proved_the_highest_of_all() -> None:
    x, w = np.arange(25.0)[:, None], np.array(SPELLS, dtype=float)
    for K in (1, 2, 3, 4):
        fitted = PoissonMixture(K, random_state=0, tol=1e-13).fit(x, sample_weight=w)
        bound = mixing_bound(fitted, x, sample_weight=w)
        assert bound.bound >= TOP - fitted.fit_result_.loglik - 1e-4
        assert bound.proved == (K == 4)
        log_ratio = poisson.logpmf(x, np.linspace(1e-3, 24, 24_001))
        log_ratio -= fitted.score_samples(x)[:, None]
        heights = 602 * (logsumexp(log_ratio, axis=0, b=w[:, None]) - np.log(602))
        assert bound.bound == pytest.approx(heights.max(), abs=1e-5, rel=1e-4)
        assert heights.max() <= bound.bound + 1e-9
    assert fitted.fit_result_.loglik == pytest.approx(TOP, abs=1e-4)
    np.testing.assert_allclose(
        np.sort(fitted.rates_[:, 0]), [0.1434, 2.8173, 8.1642, 16.1558], atol=1e-4
    )
    assert "no mixture of this family" in bound.summary()
    assert mixtura.audit(fitted, x, sample_weight=w, n_init=1).bound.proved


def test_an_audit_reports_it(galaxies: Array) -> None:
    tied = GaussianMixture(2, covariance_type="tied", random_state=0).fit(galaxies)
    found = mixtura.audit(tied, galaxies)
    assert isinstance(found.bound, MixingBound)
    assert f"{found.bound.bound:.4f} nats" in found.summary()
    assert found.to_dict()["bound"]["bound"] == found.bound.bound
    free = GaussianMixture(2, random_state=0).fit(galaxies)
    assert mixtura.audit(free, galaxies, n_init=1).bound is None


def test_what_is_known_in_advance_is_bounded_too(galaxies: Array) -> None:
    known = {"covariances": [[1.0]]}
    settings = {"covariance_type": "tied", "fixed": known, "tol": 1e-10, "random_state": 0}
    found = mixtura.audit(GaussianMixture(6, **settings).fit(galaxies), galaxies, n_init=1)
    assert found.best.loglik == pytest.approx(-199.3424, abs=1e-4)
    assert "proved: no mixture with this covariance" in found.summary()
    with_prior = GaussianMixture(2, covariance_type="tied", prior="fraley-raftery", random_state=0)
    bound = mixing_bound(with_prior.fit(galaxies), galaxies)
    free = GaussianMixture(2, covariance_type="tied", random_state=0).fit(galaxies)
    assert bound.bound > free.score(galaxies) * 82 - with_prior.score(galaxies) * 82
    noisy = GaussianMixture(1, noise=True, random_state=0).fit(galaxies)
    with pytest.raises(ValueError, match="knows no noise"):
        mixing_bound(noisy, galaxies)


def test_what_it_refuses(galaxies: Array) -> None:
    with pytest.raises(ValueError, match="must be a fitted mixture"):
        mixing_bound(3, galaxies)
    free = GaussianMixture(2, random_state=0).fit(galaxies)
    with pytest.raises(ValueError, match="covariances of their own"):
        mixing_bound(free, galaxies)
    one = GaussianMixture(1).fit(galaxies)
    with pytest.raises(ValueError, match="non-zero"):
        mixing_bound(one, galaxies, np.zeros(len(galaxies)))
