"""Groups within groups: what is far narrower than the table is searched in its own scale."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.stats import norm

from benchmarks.hard_tables import Cell
from mixtura import DegenerateWarning, GaussianMixture, HiddenMarkov, Mixture
from mixtura.fitting.climbs import Climbs
from mixtura.fitting.outcome import Outcome
from mixtura.records import Array


def nested(d: int, far: float, seed: int) -> tuple[Array, Array]:
    """(four groups of unit variance in pairs `far` apart, their means)."""
    means = np.zeros((4, d))
    means[1, 0], means[2:], means[3, -1] = 8.0, far, far + 8.0
    rng = np.random.default_rng(seed)
    return np.repeat(means, 200, axis=0) + rng.normal(size=(800, d)), means


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("form", ["full", "diag", "spherical", "tied", "VVE"])
def test_pairs_far_apart_are_parted(form: str, far: float) -> None:
    X, means = nested(2, far, 0)
    found = GaussianMixture(4, covariance_type=form, random_state=0).fit(X)
    near = np.abs(found.means_[:, None] - means).max(axis=2).min(axis=0)
    assert near.max() < 1.0
    assert found.converged_


@pytest.mark.parametrize("gap", [100.0, 300.0])
def test_many_pairs_none_of_which_is_far_narrower_than_the_table(gap: float) -> None:
    means = np.array([[k * gap + side] for k in range(10) for side in (0.0, 10.0)])
    X = np.repeat(means, 60, axis=0) + np.random.default_rng(0).normal(size=(1200, 1))
    found = GaussianMixture(20, random_state=0).fit(X)
    assert np.abs(np.sort(found.means_[:, 0]) - means[:, 0]).max() < 1.0


def test_where_the_race_asks_for_a_finer_scale_no_climb_is_made_in_the_table_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[float] = []
    climb = Climbs.climb

    def noted(self: Climbs, *args: Any, **how: Any) -> Outcome:
        begun.append(float(np.max(self.model.prior.scale)))
        return climb(self, *args, **how)

    monkeypatch.setattr(Climbs, "climb", noted)
    X, _ = nested(2, 1e4, 0)
    found = GaussianMixture(4, random_state=0).fit(X)
    assert found.converged_
    # The table is 1e4 wide, a component 1.
    assert begun[0] < 10.0


def test_three_scales() -> None:
    # A penalty of the table's width would make each of these mostly penalty.
    means = np.array([[a + b + c] for a in (0, 1e7) for b in (0, 1e3) for c in (-4, 4)])
    X = np.repeat(means, 100, axis=0) + np.random.default_rng(1).normal(size=(800, 1))
    found = GaussianMixture(8, random_state=0).fit(X)
    assert np.abs(np.sort(found.means_[:, 0]) - np.sort(means[:, 0])).max() < 1.0


def test_values_that_repeat_are_no_scale() -> None:
    X = np.repeat([0.0, 1.0, 50.0], 60)[:, None]
    with pytest.warns(DegenerateWarning, match="only the penalty keeps them from collapsing"):
        found = GaussianMixture(3, random_state=0).fit(X)
    assert len(found.fit_result_.floored) == 3


def test_an_ordinary_table_is_searched_once() -> None:
    X, _ = nested(2, 20.0, 2)
    found = GaussianMixture(4, random_state=0).fit(X)
    again = GaussianMixture(4, random_state=0).fit(X * [1e3, 1e-3])
    # Equivariant: the same steps in other units.
    assert found.fit_result_.passes == again.fit_result_.passes


@pytest.mark.parametrize("form", ["full", "diag", "VEV", "spherical", "tied"])
def test_groups_a_hundred_million_widths_apart(form: str) -> None:
    # Sums about the table's mean hold no digit of what is inside a group: only its own do.
    rng = np.random.default_rng(1)
    X = np.repeat(1e8 * rng.normal(size=(6, 2)), 250, axis=0) + rng.normal(size=(1500, 2))
    found = GaussianMixture(6, covariance_type=form, random_state=0).fit(X)
    entropy = 1 + np.log(2 * np.pi) + np.log(6)
    assert found.score(X) == pytest.approx(-entropy, abs=0.05)
    assert not found.fit_result_.floored


def test_few_rows_are_a_spike_in_a_finer_scale_too() -> None:
    # Thirty components are narrow beside the table; what is narrow beside them was counted alone.
    X = Cell("overlapping", 3_000, 2, 30, 4.0).table()
    found = GaussianMixture(30, random_state=1).fit(X)
    share = [eigh(each, np.cov(X.T), eigvals_only=True)[0] for each in found.covariances_]
    few = len(X) * found.weights_ < 6
    assert not (few & (np.array(share) < 1e-3)).any()
    assert found.score(X) > -5.02  # The best regular optimum known has -5.0093.


def along_one_axis(d: int, far: float) -> tuple[Array, Array]:
    """(three groups of unit variance that lie apart in the first column alone, their means)."""
    means = np.zeros((3, d))
    means[:, 0] = far * np.array([0.0, 1.0, 2.5])
    rng = np.random.default_rng(1)
    return np.repeat(means, 200, axis=0) + rng.normal(size=(600, d)), means


@pytest.mark.parametrize(("d", "far"), [(2, 3e7), (5, 3e7), (5, 1e9), (2, 1e11)])
@pytest.mark.parametrize(
    "form", ["full", "tied", "diag", "spherical", "VVE", "EEV", "VEV", "EVV", "EEI"]
)
def test_groups_far_apart_along_one_axis(form: str, d: int, far: float) -> None:
    X, means = along_one_axis(d, far)
    found = GaussianMixture(3, covariance_type=form, random_state=0).fit(X)
    begin = {"weights_init": np.full(3, 1 / 3), "means_init": means, "random_state": 0}
    truth = GaussianMixture(3, covariance_type=form, **begin).fit(X)
    entropy = d / 2 * (1 + np.log(2 * np.pi)) + np.log(3)
    assert found.score(X) >= truth.score(X) - 1e-6
    assert found.score(X) == pytest.approx(-entropy, abs=0.1)
    assert not found.fit_result_.floored


@pytest.mark.parametrize("family", ["full", "diag", "tied"])
@pytest.mark.parametrize("far", [3e7, 1e8, 1e10])
def test_states_far_apart(family: str, far: float) -> None:
    rng = np.random.default_rng(0)
    states = np.repeat(rng.integers(3, size=60), 10)
    X = along_one_axis(2, far)[1][states] + rng.normal(size=(600, 2))
    found = HiddenMarkov(family, 3, random_state=0).fit(X)
    assert not found.fit_result_.floored
    np.testing.assert_array_equal(found.predict(X), states)
    assert np.abs(found.means_[:, 1]).max() < 0.5


def test_rows_on_a_plane_are_no_scale() -> None:
    X, _ = along_one_axis(2, 1e9)
    X = np.column_stack([X, X.sum(axis=1)])
    found = GaussianMixture(3, covariance_type="full", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.fit(X)
    assert found.fit_result_.floored


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_rows_on_one_value_but_for_rounding_are_no_scale(offset: float) -> None:
    values = np.repeat([0.1, 1.1, 50.3], 60) + offset
    X = values[:, None] * (1 + 2e-16 * np.random.default_rng(0).integers(-1, 2, (180, 1)))
    with pytest.warns(DegenerateWarning, match="only the penalty keeps them from collapsing"):
        found = GaussianMixture(3, random_state=0).fit(X)
    assert len(found.fit_result_.floored) == 3


def beside_wide_ones(narrow: Array) -> tuple[Array, float]:
    """(two groups of unit widths and one of these between them, the truth's mean log-density)."""
    means, widths = np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 1.0]]), np.ones((3, 2))
    widths[2] = narrow
    noise = np.random.default_rng(0).normal(size=(600, 2))
    X = np.repeat(means, 200, axis=0) + noise * np.repeat(widths, 200, axis=0)
    each = [norm.logpdf(X, m, s).sum(axis=1) for m, s in zip(means, widths, strict=True)]
    return X, float(np.logaddexp.reduce(each, axis=0).mean() - np.log(3))


@pytest.mark.parametrize("narrow", [(1e-8, 1e-8), (1e-10, 1e-10), (1e-9, 1.0)])
@pytest.mark.parametrize("family", ["full", "diag", "student", "contaminated"])
def test_one_narrow_group_beside_wide_ones(family: str, narrow: tuple[float, float]) -> None:
    X, truth = beside_wide_ones(np.array(narrow))
    found = Mixture(family, 3, random_state=0).fit(X)
    assert found.score(X) == pytest.approx(truth, abs=0.03)
    assert not found.fit_result_.floored


@pytest.mark.parametrize("computed", ["differences of times", "residuals", "steps"])
def test_what_was_rounded_is_no_narrow_group(computed: str) -> None:
    rng = np.random.default_rng(1)
    wide = rng.normal(5.0, 1.0, size=300)
    same = {
        "differences of times": np.diff(np.cumsum(np.full(701, 0.1)) + 1e5),
        "residuals": 1e-15 * rng.normal(size=700),
        "steps": np.round(rng.normal(0.1, 1e-9, size=700), 9),
    }[computed]
    X = np.column_stack([np.concatenate([wide, same]), rng.normal(size=1000)])
    with pytest.warns(DegenerateWarning, match="only the penalty keeps it from collapsing"):
        found = GaussianMixture(2, random_state=0).fit(X)
    assert len(found.fit_result_.floored) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", ["full", "diag", "spherical"])
def test_a_constant_column_says_nothing_of_a_narrow_group(family: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0.0, 1e-9, size=200), rng.normal(1e3, 1.0, size=200)])
    found = GaussianMixture(2, covariance_type=family, random_state=0)
    found.fit(np.column_stack([x, np.ones(400)]))
    assert not found.fit_result_.floored
    np.testing.assert_allclose(np.sort(found.weights_), 0.5, atol=1e-6)
