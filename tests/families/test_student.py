"""Mixtures of multivariate t components."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_t
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator

import mixtura
from mixtura import Block, GaussianMixture, Mixture, Product, Student, StudentMixture
from mixtura.families.heavy.family import TYPES
from mixtura.records import Array

# Newcomb's measurements of the passage time of light: Stigler (1977), Annals of Statistics 5.
NEWCOMB = np.hstack(
    (
        [28, 26, 33, 24, 34, -44, 27, 16, 40, -2, 29, 22, 24, 21, 25, 30, 23, 29, 31, 19, 24, 20],
        [36, 32, 36, 28, 25, 21, 28, 29, 37, 25, 28, 26, 30, 32, 36, 26, 30, 22, 36, 23, 27, 27],
        [28, 27, 31, 27, 26, 33, 26, 32, 32, 24, 39, 28, 24, 25, 32, 25, 29, 27, 28, 29, 16, 23],
    )
).astype(float)[:, None]


def two_groups(seed: int = 0) -> tuple[Array, Array]:
    """(rows, labels): one group with tails of three degrees of freedom, one of eight."""
    one = multivariate_t([0, 0], [[1, 0.5], [0.5, 1]], df=3, seed=seed).rvs(300)
    two = multivariate_t([6, 2], [[1, -0.3], [-0.3, 0.5]], df=8, seed=seed + 1).rvs(200)
    return np.vstack([one, two]), np.repeat([0, 1], [300, 200])


def test_newcombs_light() -> None:
    """The maximum by direct search over centre, scale and degrees of freedom in SciPy."""
    found = StudentMixture(tol=1e-12).fit(NEWCOMB)
    assert found.fit_result_.loglik == pytest.approx(-215.375904, abs=1e-6)
    assert found.degrees_of_freedom_[0] == pytest.approx(2.13113, abs=1e-4)
    assert found.means_[0, 0] == pytest.approx(27.40175, abs=1e-4)
    assert np.sqrt(found.scales_[0, 0, 0]) == pytest.approx(3.81037, abs=1e-4)
    assert found.fit_result_.verdict == "interior maximum"
    assert found.fit_result_.n_parameters == 3
    fixed = StudentMixture(degrees_of_freedom=2.5, tol=1e-12).fit(NEWCOMB)
    assert fixed.fit_result_.n_parameters == 2
    assert fixed.fit_result_.loglik < found.fit_result_.loglik - 0.01


@pytest.mark.parametrize("covariance_type", sorted(TYPES - {"E", "V"}))
@pytest.mark.parametrize("degrees_of_freedom", ["each", "common"])
def test_every_structure_climbs_and_is_nested_as_it_should_be(
    covariance_type: str, degrees_of_freedom: str
) -> None:
    X, labels = two_groups()
    asked = StudentMixture(
        2,
        covariance_type=covariance_type,
        degrees_of_freedom=degrees_of_freedom,  # type: ignore[arg-type]
        random_state=0,
    )
    found = asked.fit(X)
    assert found.converged_
    # Not with the penalty: no step of the plain climb fell.
    assert not found.fit_result_.penalised
    assert adjusted_rand_score(labels, found.predict(X)) > 0.85
    widest = StudentMixture(2, random_state=0).fit(X)
    assert found.fit_result_.loglik <= widest.fit_result_.loglik + 1e-3
    extra = 2 if degrees_of_freedom == "each" else 1
    gaussian = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
    assert found.fit_result_.n_parameters == gaussian.fit_result_.n_parameters + extra


def test_with_very_many_degrees_it_is_the_gaussian() -> None:
    X, _ = two_groups(3)
    near = StudentMixture(2, degrees_of_freedom=1e9, random_state=0, tol=1e-9).fit(X)
    plain = GaussianMixture(2, random_state=0, tol=1e-9).fit(X)
    assert near.score(X) == pytest.approx(plain.score(X), abs=1e-6)


def test_gaussian_groups_reach_the_most_degrees_and_say_so() -> None:
    rng = np.random.default_rng(1)
    X = np.vstack([rng.uniform(-1, 1, (200, 2)), rng.uniform(5, 7, (200, 2))])
    found = StudentMixture(2, random_state=0).fit(X)
    assert np.all(found.degrees_of_freedom_ == 200.0)
    assert found.fit_result_.certificate.detail == (
        "2 of the degrees of freedom are at a limit, 1 or 200"
    )


@pytest.mark.parametrize("solver", ["squarem", "anderson", "lbfgs", "newton"])
def test_solvers_agree(solver: str) -> None:
    X, _ = two_groups()
    found = StudentMixture(2, random_state=0, solver=solver, tol=1e-10).fit(X)
    default = StudentMixture(2, random_state=0, tol=1e-10).fit(X)
    assert found.score(X) == pytest.approx(default.score(X), abs=1e-8)


def test_outliers_carry_no_group_away() -> None:
    rng = np.random.default_rng(2)
    groups = [rng.normal(0, 1, (150, 2)), rng.normal(6, 1, (150, 2))]
    X = np.vstack([*groups, rng.uniform(-60, 60, (15, 2))])
    found = StudentMixture(2, random_state=0).fit(X)
    centres = found.means_[np.argsort(found.means_[:, 0])]
    np.testing.assert_allclose(centres, [[0, 0], [6, 6]], atol=0.35)
    carried = GaussianMixture(2, random_state=0).fit(X).means_
    assert np.abs(carried[np.argsort(carried[:, 0])] - [[0, 0], [6, 6]]).max() > 1.0


def test_files_products_and_the_registry(tmp_path: Path) -> None:
    X, _ = two_groups()
    found = StudentMixture(
        2, covariance_type="VVE", degrees_of_freedom="common", random_state=0
    ).fit(X)
    found.save(tmp_path / "t.json")
    again = mixtura.load(tmp_path / "t.json")
    assert again.get_params() == found.get_params()
    np.testing.assert_array_equal(again.predict_proba(X), found.predict_proba(X))
    by_number = StudentMixture(2, degrees_of_freedom=4.0, random_state=0).fit(X)
    by_number.save(tmp_path / "four.json")
    assert mixtura.load(tmp_path / "four.json").family_ == Student("full", 4.0)
    counts = np.random.default_rng(0).poisson(np.repeat([2, 9], [300, 200]))[:, None]
    kinds = Product([Block(Student("diag"), [0, 1]), Block("poisson", [2])])
    both = Mixture(kinds, 2, random_state=0).fit(np.hstack([X, counts]))
    assert both.student_scales_.shape == (2, 2)
    assert "degrees of freedom" in found.summary()


def test_what_cannot_be_is_refused() -> None:
    X, _ = two_groups()
    with pytest.raises(ValueError, match=r"column 2 .* is constant or a sum of others"):
        StudentMixture(2).fit(np.column_stack([X, np.ones(len(X))]))
    with pytest.raises(ValueError, match="degrees_of_freedom must be 'each', 'common' or a number"):
        Student(degrees_of_freedom="some")
    with pytest.raises(ValueError, match="degrees_of_freedom must be positive, got -1"):
        Student(degrees_of_freedom=-1)
    with pytest.raises(ValueError, match="covariance_type must be one of"):
        Student("UUU:2")


def test_a_lone_row_is_no_component() -> None:
    rng = np.random.default_rng(2)
    X = np.vstack([rng.normal(0, 1, (60, 2)), [[9.0, 9.0]]])
    with pytest.warns(mixtura.DegenerateWarning, match="only the penalty keeps it"):
        found = StudentMixture(2, random_state=0).fit(X)
    smallest = np.linalg.eigvalsh(found.scales_).min()
    assert smallest > 1e-4


def test_few_rows_many_times_over_collapse_as_gaussians_do() -> None:
    """A component that loses all its rows on the way has no degrees of freedom to be moved."""
    X = np.repeat(np.random.default_rng(1).normal(size=(5, 2)), 20, axis=0)
    with pytest.warns(mixtura.DegenerateWarning, match="only the penalty keeps it"):
        found = StudentMixture(2, random_state=0).fit(X)
    assert found.fit_result_.loglik == pytest.approx(41.639322, abs=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_it_is_an_estimator() -> None:
    checks = check_estimator(StudentMixture(random_state=0), on_fail=None)
    assert not {c["check_name"]: c["exception"] for c in checks if c["status"] == "failed"}


def test_ellipses_hold_what_they_say() -> None:
    """Within four standard errors of a share."""
    params = Student().params(
        {
            "means": np.zeros((1, 2)),
            "scales": np.array([[[1.0, 0.3], [0.3, 2.0]]]),
            "degrees_of_freedom": np.array([3.0]),
        }
    )
    portrait = Student().portrait(params, np.ones(1), ["a", "b"])
    X = Student().sample(np.zeros(20_000, dtype=int), params, np.random.RandomState(0))
    assert portrait.among is not None
    distances = np.einsum("ij,ij->i", X @ np.linalg.inv(portrait.among(np.arange(2))[0]), X)
    for coverage in (0.5, 0.95):
        inside = float((distances <= portrait.radius(0, coverage) ** 2).mean())
        assert inside == pytest.approx(
            coverage, abs=4 * np.sqrt(coverage * (1 - coverage) / 20_000)
        )
