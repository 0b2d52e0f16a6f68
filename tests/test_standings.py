"""How sound each component of a fit is, and what is said where one is not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from mixtura import (
    BayesianGaussianMixture,
    BayesianHiddenMarkov,
    BayesianMixture,
    Block,
    ContaminatedMixture,
    DegenerateWarning,
    EigenvalueRatio,
    GaussianMixture,
    Mixture,
    Product,
    StudentMixture,
    VariationalGaussianHMM,
)
from mixtura.records import Array
from mixtura.result import Fit


def test_components_of_a_sound_fit_are_regular():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(0, 1, (80, 2)), rng.normal(6, [1.0, 0.5], (40, 2))])
    mixture = GaussianMixture(2, random_state=0).fit(X)
    found = mixture.fit_result_.standings
    assert [each.verdict for each in found] == ["regular"] * 2
    assert not any(each.held_up for each in found)
    assert [each.rows for each in found] == pytest.approx(list(120 * mixture.weights_))
    # The smallest eigenvalue against the table's covariance, by NumPy.
    table = np.cov(X.T, bias=True)
    for each, cov in zip(found, mixture.covariances_, strict=True):
        least = np.linalg.eigvals(np.linalg.solve(table, cov)).min()
        assert each.spread == pytest.approx(least, rel=0.3)


def _collapses_without_penalty(x: Array, mixture: GaussianMixture) -> bool:
    """Plain EM in one column from where a fit ended, in a few lines of NumPy."""
    w, m, v = mixture.weights_, mixture.means_.ravel(), mixture.covariances_.ravel()
    for _ in range(2000):
        joint = np.log(w) - 0.5 * np.log(2 * np.pi * v) - 0.5 * (x - m) ** 2 / v
        p = np.exp(joint - joint.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        n = p.sum(axis=0)
        w, m = n / len(x), (p * x).sum(axis=0) / n
        v = (p * (x - m) ** 2).sum(axis=0) / n
        if v.min() < 1e-8 * x.var():
            return True
    return False


@pytest.mark.parametrize(("seed", "zeros"), [(5, 19), (11, 14), (21, 10), (28, 24), (40, 14)])
def test_what_collapses_without_the_penalty_is_told(seed, zeros):
    # The penalty is but 4 to 40 percent of these variances, and yet all that keeps them.
    rng = np.random.default_rng(1000 + seed)
    assert rng.integers(4, 40) == zeros
    rows = np.concatenate([rng.normal(0, 1, 60), np.zeros(zeros), rng.normal(5, 1, 60)])[:, None]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        mixture = GaussianMixture(3, means_init=[[0.3], [0.0], [5.0]]).fit(rows)
    assert _collapses_without_penalty(rows, mixture)
    verdicts = [each.verdict for each in mixture.fit_result_.standings]
    assert sorted(verdicts) == ["collapsed", "regular", "regular"]
    assert "only the penalty keeps it from collapsing" in str(said[0].message)
    # A search has a regular end to take.
    found = GaussianMixture(3, random_state=seed).fit(rows)
    assert not _collapses_without_penalty(rows, found)


@pytest.mark.parametrize("seed", range(4))
def test_many_equal_values_among_others_are_a_collapsed_component(seed):
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.normal(0, 1, 60), np.zeros(30), rng.normal(5, 1, 60)])[:, None]
    with pytest.warns(DegenerateWarning, match="only the penalty keeps it from collapsing"):
        fit = GaussianMixture(3, means_init=[[0.3], [0.0], [5.0]]).fit(rows).fit_result_
    assert [each.verdict for each in fit.standings].count("collapsed") == 1
    (part,) = fit.floored
    assert fit.standings[part.component].held_up
    assert 25 < part.count < 40
    assert fit.verdict == "boundary"


def test_a_few_rows_close_together_are_said_to_be_spurious():
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 1, (60, 2))
    rows[:4] = [1.0, 1.0] + 0.05 * rng.normal(size=(4, 2))
    settings = {
        "means_init": [[0.0, 0.0], [1.0, 1.0]],
        "precisions_init": [np.eye(2), 400 * np.eye(2)],
        "weights_init": [0.93, 0.07],
    }
    with pytest.warns(DegenerateWarning, match="component 1 looks spurious"):
        mixture = GaussianMixture(2, **settings).fit(rows)
    one = mixture.fit_result_.standings[1]
    assert (one.verdict, one.held_up) == ("spurious", False)
    assert "some few rows always lie close together" in " ".join(mixture.summary().split())


def test_a_floor_or_a_bound_that_is_active_is_told():
    rng = np.random.default_rng(2)
    rows = np.vstack([rng.normal(0, 1, (50, 1)), rng.normal(9, 0.05, (50, 1))])
    floor = GaussianMixture(2, reg_covar=0.05, random_state=0).fit(rows).fit_result_
    bound = GaussianMixture(2, constraint=EigenvalueRatio(5), random_state=0).fit(rows).fit_result_
    for fit in (floor, bound):
        assert sorted(each.held_up for each in fit.standings) == [False, True]
    plain = GaussianMixture(2, random_state=0).fit(rows).fit_result_
    assert not any(each.held_up for each in plain.standings)


TWO = np.vstack(
    [
        np.random.default_rng(3).normal(0, 1, (60, 2)),
        np.random.default_rng(4).normal(5, [1.0, 0.6], (40, 2)),
    ]
)


def _t_scatter(X: Array) -> Array:
    """That of a t with 3 degrees of freedom (Kent & Tyler 1991), by iteration."""
    centre, scatter, d = X.mean(axis=0), np.cov(X.T), X.shape[1]
    for _ in range(500):
        far = np.einsum("ij,jk,ik->i", X - centre, np.linalg.inv(scatter), X - centre)
        u = (3 + d) / (3 + far)
        centre = u @ X / u.sum()
        scatter = ((X - centre).T * u) @ (X - centre) / u.sum()
    return scatter


@pytest.mark.parametrize(
    "mixture",
    [
        GaussianMixture(2, reg_covar=1e-9, random_state=0),
        GaussianMixture(2, constraint=EigenvalueRatio(1e6), random_state=0),
        GaussianMixture(2, covariance_type="diag", reg_covar=1e-9, random_state=0),
        GaussianMixture(2, covariance_type="tied", prior="fraley-raftery", random_state=0),
        StudentMixture(2, degrees_of_freedom=1e9, random_state=0),
        StudentMixture(2, covariance_type="VVI", random_state=0),
        ContaminatedMixture(2, random_state=0),
        Mixture(Product([Block("poisson", [2]), Block("full", [0, 1])]), 2, random_state=0),
    ],
    ids=lambda mixture: repr(mixture)[:70],
)
def test_whatever_has_a_width_tells_its_share_of_the_table(mixture):
    counts = np.random.default_rng(5).poisson(3, (100, 1))
    X = np.hstack([TWO, counts]) if isinstance(mixture, Mixture) else TWO
    if type(mixture) in (StudentMixture, ContaminatedMixture):
        X = TWO
    fit = mixture.fit(X).fit_result_
    table = _t_scatter(TWO)
    name = next(
        name
        for name in ("gaussian_covariances_", "scales_", "covariances_")
        if hasattr(mixture, name)
    )
    cov = getattr(mixture, name)
    if cov.ndim == 2 and mixture.covariance_type in ("diag", "VVI"):
        table, cov = np.diag(TWO.var(axis=0)), [np.diag(each) for each in cov]
    elif cov.ndim == 2:
        cov = [cov, cov]
    for one, matrix in zip(fit.standings, cov, strict=True):
        least = np.linalg.eigvals(np.linalg.solve(table, matrix)).min()
        assert one.spread == pytest.approx(least, rel=0.02)
        assert (one.verdict, one.held_up) == ("regular", False)


def test_a_prior_holds_up_what_is_mostly_prior():
    # A covariance's prior is worth 8 rows here: few beside 60, more than three rows have.
    X = np.vstack([TWO[:60], [[9.0, 9.0], [9.3, 9.1], [9.1, 8.8]]])
    fit = GaussianMixture(2, prior="fraley-raftery", random_state=0).fit(X).fit_result_
    few = [each.rows < 10 for each in fit.standings]
    assert sorted(few) == [False, True]
    assert [each.held_up for each in fit.standings] == few
    posterior = BayesianGaussianMixture(n_components=4, random_state=0).fit(TWO)
    told = posterior.fit_result_.standings
    assert [each.held_up for each in told] == [False, False, True, True]
    assert [each.rows for each in told] == pytest.approx([60, 40, 0, 0], abs=1)


def test_a_spike_in_a_block_of_a_product_is_told():
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 1, (60, 2))
    rows[:4] = [1.0, 1.0] + 0.1 * rng.normal(size=(4, 2))
    hits = np.where(np.arange(60) < 4, 60.0, 1.0)[:, None]
    kinds = Product([Block("poisson", [0]), Block("full", [1, 2])])
    with pytest.warns(DegenerateWarning, match="looks spurious"):
        fit = Mixture(kinds, 2, random_state=0).fit(np.hstack([hits, rows])).fit_result_
    assert sorted(each.verdict for each in fit.standings) == ["regular", "spurious"]


@pytest.mark.parametrize("n", [1, 10])
def test_a_floor_is_told_in_shares_of_the_table(n):
    # In a thousandfold unit the floor of 4 is nothing of the table's ten millions.
    rng = np.random.default_rng(0)
    rows = 1000 * np.concatenate([rng.normal(0, 1, 60), np.full(n, 9.0)])[:, None]
    share = f"{4.0 / rows.var():.1g}"
    mixture = GaussianMixture(2, covariance_type="diag", reg_covar=4.0, random_state=0)
    with pytest.warns(DegenerateWarning, match=f"a smallest variance {share} of the table's"):
        mixture.fit(rows)
    assert sorted(each.verdict for each in mixture.fit_result_.standings) == [
        "collapsed",
        "regular",
    ]
    assert "next to nothing but reg_covar" in " ".join(mixture.summary().split())


def test_chunks_tell_too():
    fit = GaussianMixture(2, random_state=0).partial_fit(TWO).fit_result_
    assert sum(each.rows for each in fit.standings) == pytest.approx(100)
    assert all(each.spread > 0.01 for each in fit.standings)


def test_families_without_a_width_tell_their_rows():
    rows = np.random.default_rng(0).poisson([[2.0]] * 50 + [[9.0]] * 50)
    fit = Mixture("poisson", 2, random_state=0).fit(rows).fit_result_
    assert [each.spread for each in fit.standings] == [None, None]
    assert sum(each.rows for each in fit.standings) == pytest.approx(100)


def test_a_fit_keeps_them_through_a_file():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    fit = GaussianMixture(1).fit(rows).fit_result_
    assert Fit.from_dict(fit.to_dict()).standings == fit.standings


@pytest.mark.parametrize("seed", [0, 1, 18])
def test_a_race_is_not_won_by_what_the_fit_would_warn_of(seed):
    # Four components on a cloud and a handful of rows: some few rows always lie on a plane.
    rng = np.random.default_rng(seed)
    rows = np.vstack([rng.normal(4 * rng.normal(size=3), 1.0, (n, 3)) for n in (400, 16)])
    fit = GaussianMixture(4, random_state=seed).fit(rows[rng.permutation(416)][::2]).fit_result_
    assert {each.verdict for each in fit.standings} == {"regular"}


def test_only_what_is_constant_in_the_rows_is_said_to_be():
    # Beside 1e8 a standard deviation of 1 is nothing, but it is no constant.
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=100), np.full(100, 1e8)])
    rows[:3, 1] = rng.normal(size=3)
    with pytest.warns(DegenerateWarning) as said:
        fit = GaussianMixture(2, random_state=0).fit(rows).fit_result_
    told = " ".join(str(each.message) for each in said)
    assert "all with x2 = 1e+08" in told
    assert "x2 = 0" not in told
    assert sorted(part.constant for part in fit.floored) == [(), ((1, 1e8),)]


@pytest.mark.parametrize(
    "posterior",
    [
        BayesianGaussianMixture(n_components=6, random_state=0),
        BayesianMixture("exponential", n_components=5, random_state=0),
        BayesianHiddenMarkov("exponential", n_states=4, random_state=0),
        VariationalGaussianHMM(n_components=4, random_state=0),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_a_posterior_left_empty_is_told(posterior: Any) -> None:
    X = np.random.default_rng(0).normal(np.repeat([5.0, 60.0], 150))[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # It is no fault.
        found = posterior.fit(X)
        assert "No rows are left" not in found.summary()
    size = len(found.weights_)
    assert found.fit_result_.empty
    assert [*found.fit_result_.empty] == np.setdiff1d(np.arange(size), found.held_).tolist()


@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
@pytest.mark.parametrize("form", ["full", "diag", "UUU:1", "UUC:1"])
@pytest.mark.parametrize("beside", ["nothing", "constant", "sum"])
def test_rows_on_one_value_are_told_under_a_floor_whatever_stands_beside_them(
    form: str, beside: str
) -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4))
    X = np.concatenate([wide, np.tile(rng.normal(size=4) + 20, (60, 1))])
    more = {"nothing": X[:, :0], "constant": np.full((260, 1), 3.0), "sum": X.sum(axis=1)[:, None]}
    X = np.column_stack([X, more[beside]])
    mixture = GaussianMixture(2, covariance_type=form, reg_covar=1e-6, random_state=0)
    with pytest.warns(DegenerateWarning, match="about 60 rows .* next to nothing but reg_covar"):
        mixture.fit(X)
    alike = int(np.argmax(mixture.means_[:, 0]))
    told = [mixture.fit_result_.standings[k] for k in (alike, 1 - alike)]
    assert [(each.verdict, each.held_up) for each in told] == [
        ("collapsed", True),
        ("regular", False),
    ]
    assert told[1].spread > 2e-6


def test_a_row_by_itself_counts_as_one_but_for_rounding() -> None:
    # Responsibilities sum to 0.9999999999998 there as well as to 1.00005.
    rng = np.random.default_rng(25)
    X = (rng.normal(size=(15, 5)) * 1.5)[rng.integers(15, size=20)] + rng.normal(size=(20, 5))
    with pytest.warns(DegenerateWarning):
        fit = GaussianMixture(15, random_state=0).fit(X).fit_result_
    alone = [each for each in fit.standings if abs(each.rows - 1) < 1e-6]
    assert len(alone) > 3
    assert {each.verdict for each in alone} == {"collapsed"}
    assert {each.component for each in alone} <= {each.component for each in fit.floored}
