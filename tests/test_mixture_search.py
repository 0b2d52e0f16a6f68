"""`GaussianMixtureSearch`: what it chooses, what it says, and that it can be killed."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone

import mixtura
from mixtura import GaussianMixture, GaussianMixtureSearch, StillRisingWarning
from mixtura.data.rows import Rows
from mixtura.families.gaussian.covariance import structure
from mixtura.inference import criteria
from mixtura.inference.nesting import nested
from mixtura.inference.slope import slope_criterion
from mixtura.records import Array
from mixtura.selection import rounds
from mixtura.selection.points import Point
from mixtura.selection.quick import Quick
from mixtura.selection.trial import Trial

DATA = Path(__file__).parent / "reference" / "data"
MCLUST = json.loads((DATA / "mclust_bic.json").read_text())
FEW = {"n_components": [1, 2, 3], "covariance_type": ["EEE", "VVV"], "random_state": 0}


@pytest.fixture(scope="module")
def clouds() -> Array:
    """Three clouds far apart, 60 rows in 2 columns."""
    rng = np.random.RandomState(0)
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    return np.repeat(centres, 20, axis=0) + rng.standard_normal((60, 2))


@pytest.fixture(scope="module")
def searched(clouds: Array) -> GaussianMixtureSearch:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StillRisingWarning)
        return GaussianMixtureSearch(**FEW).fit(clouds)


def test_results_have_grid_searchs_names_and_agree_with_single_fits(
    searched: GaussianMixtureSearch, clouds: Array
) -> None:
    results, best = searched.cv_results_, searched.best_index_
    assert len(results["params"]) == 6
    assert results["rank_test_score"][best] == 1
    assert searched.best_params_ == results["params"][best]
    assert searched.best_score_ == results["mean_test_score"][best] == max(-results["bic"])
    for params, bic, aic in zip(results["params"], results["bic"], results["aic"], strict=True):
        one = GaussianMixture(**params, random_state=0).fit(clouds)
        assert bic == pytest.approx(one.bic(clouds), abs=1e-3)
        assert aic == pytest.approx(one.aic(clouds), abs=1e-3)


def test_the_best_answers(searched: GaussianMixtureSearch, clouds: Array) -> None:
    best = searched.best_estimator_
    assert (best.n_components, best.covariance_type) == (3, "EEE")
    np.testing.assert_array_equal(searched.predict(clouds), best.predict(clouds))
    np.testing.assert_array_equal(searched.predict_proba(clouds), best.predict_proba(clouds))
    assert searched.score(clouds) == pytest.approx(searched.score_samples(clouds).mean())
    assert searched.sample(5, random_state=1)[0].shape == (5, 2)
    assert sorted(np.bincount(searched.predict(clouds))) == [20, 20, 20]


def test_a_warning_where_the_largest_is_best(clouds: Array) -> None:
    with pytest.warns(StillRisingWarning, match="3, is the largest one tried"):
        GaussianMixtureSearch(**FEW).fit(clouds)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianMixtureSearch(**{**FEW, "n_components": [2, 3, 4]}).fit(clouds)


def test_icl_counts_the_rows_that_are_torn(clouds: Array) -> None:
    near = clouds + 3 * np.random.RandomState(1).standard_normal(clouds.shape)
    search = GaussianMixtureSearch(3, covariance_type="VVV", criterion="icl", random_state=0)
    search.fit(near)
    results = search.cv_results_
    torn = np.log(search.predict_proba(near).max(axis=1)).sum()
    assert torn < -1e-6
    assert results["icl"][0] == pytest.approx(results["bic"][0] - 2 * torn)
    assert search.best_score_ == -results["icl"][0]


def test_aicc_by_hand() -> None:
    assert criteria.aicc(-100.0, 5, 30.0) == pytest.approx(210.0 + 60.0 / 24.0)
    assert criteria.aicc(-100.0, 29, 30.0) == np.inf


def test_heldout_is_the_mean_over_rows_left_out(clouds: Array) -> None:
    search = GaussianMixtureSearch(
        [1, 3, 4], covariance_type="EII", criterion="heldout", cv=3, random_state=0
    ).fit(clouds)
    again = clone(search).fit(clouds)
    assert search.best_params_["n_components"] == 3
    assert search.best_score_ == again.best_score_ == max(search.cv_results_["heldout"])
    # A score of rows unseen: below that of the rows fitted, above that of one cloud for all.
    assert search.cv_results_["heldout"][0] < search.best_score_ < search.score(clouds)
    assert (search.cv_results_["std_test_score"] > 0).all()


def test_rows_of_weight_zero_are_absent_from_fits_and_folds(clouds: Array) -> None:
    weights = np.r_[np.ones(60), np.zeros(10)]
    more = np.vstack([clouds, 100.0 + np.arange(20.0).reshape(10, 2)])
    for criterion in ("bic", "heldout"):
        settings: dict[str, Any] = {"criterion": criterion, "cv": 3, "random_state": 0}
        plain = GaussianMixtureSearch(2, covariance_type="EII", **settings).fit(clouds)
        found = GaussianMixtureSearch(2, covariance_type="EII", **settings)
        found.fit(more, sample_weight=weights)
        assert found.best_score_ == pytest.approx(plain.best_score_, rel=1e-9)


def test_slope_is_found_in_a_line_with_a_bend_and_bad_fits() -> None:
    p = np.arange(5, 125, 5)
    L = np.where(p < 30, 50.0 * (p - 30), 0.0) + 0.8 * p
    L[[10, 17]] -= 30.0
    values, kappa = slope_criterion(L.tolist(), p.tolist())
    assert kappa == pytest.approx(0.8, abs=1e-6)
    assert p[np.argmin(values)] == 30


def test_slope_needs_many_sizes(clouds: Array) -> None:
    with pytest.raises(ValueError, match="at least 10 different numbers of parameters, found 4"):
        GaussianMixtureSearch(**FEW, criterion="slope").fit(clouds)
    with pytest.raises(ValueError, match="does not rise"):
        slope_criterion([-float(i) for i in range(12)], list(range(12)))


def test_slope_chooses_on_a_table(clouds: Array) -> None:
    many = np.vstack([clouds, clouds + np.random.RandomState(1).standard_normal(clouds.shape)])
    search = GaussianMixtureSearch(
        range(1, 12), covariance_type="EII", criterion="slope", random_state=0
    ).fit(many)
    assert search.best_params_["n_components"] == 3
    assert search.slope_ > 0
    assert "pruned" not in search.cv_results_["status"]


@pytest.mark.parametrize("table", MCLUST["tables"])
def test_pruning_keeps_the_winner_of_mclusts_tables(table: str) -> None:
    """The rule itself, on the whole tables as mclust fitted them: 14 structures, 1 to 9 groups."""
    theirs = MCLUST["tables"][table]
    kept = {}
    for model, column in zip(MCLUST["models"], zip(*theirs["bic"], strict=True), strict=True):
        values = [-np.inf if value is None else value for value in column]
        for K in range(1, 10):
            kept[model, K] = values[K - 1]
            if rounds.falling(values[:K]):
                break
    assert len(kept) < 110
    assert max(kept, key=lambda key: kept[key]) == tuple(theirs["best"])


def test_pruned_cells_say_so_and_change_nothing(clouds: Array) -> None:
    grid = {**FEW, "n_components": range(1, 8), "covariance_type": ["EII", "VVV"]}
    pruned = GaussianMixtureSearch(**grid).fit(clouds)
    whole = GaussianMixtureSearch(**grid, prune=False).fit(clouds)
    assert (pruned.cv_results_["status"] == "pruned").sum() >= 2
    assert "pruned" not in whole.cv_results_["status"]
    assert pruned.best_params_ == whole.best_params_
    assert pruned.best_score_ == whole.best_score_


def test_collapsed_mixtures_are_not_chosen() -> None:
    rng = np.random.RandomState(0)
    X = np.vstack([rng.standard_normal((40, 2)), 30.0 + 1e-7 * rng.rand(6, 2)])
    search = GaussianMixtureSearch([1, 2], covariance_type="VVV", random_state=0).fit(X)
    results = search.cv_results_
    assert "collapsed" in results["status"][1]
    assert np.isnan(results["mean_test_score"][1])
    assert results["bic"][1] < results["bic"][0]
    assert search.best_params_["n_components"] == 1


class Killed(Exception):
    pass


def test_finished_cells_are_not_fitted_again(
    clouds: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searched: GaussianMixtureSearch
) -> None:
    class Killer:
        def tried(self, done: int, total: int, trial: Trial) -> None:
            if done == 4:
                raise Killed

    path = tmp_path / "search"
    with pytest.raises(Killed):
        GaussianMixtureSearch(**FEW).fit(clouds, checkpoint=path, listener=Killer())
    path.write_bytes(path.read_bytes()[:-7])  # killed while it wrote the fourth

    fitted = []
    tried = Quick._tried
    monkeypatch.setattr(
        Quick, "_tried", lambda self, given: fitted.append(given[0]) or tried(self, given)
    )
    with pytest.warns(StillRisingWarning):
        again = GaussianMixtureSearch(**FEW).fit(clouds, checkpoint=path)
    assert len(fitted) == 3
    np.testing.assert_array_equal(again.cv_results_["bic"], searched.cv_results_["bic"])
    np.testing.assert_array_equal(again.best_estimator_.means_, searched.best_estimator_.means_)
    GaussianMixtureSearch(**{**FEW, "n_components": range(1, 5)}).fit(clouds, checkpoint=path)
    assert {point.n_components for point in fitted[3:]} == {4}


def test_other_rows_and_other_files_are_refused(clouds: Array, tmp_path: Path) -> None:
    path, one = tmp_path / "search", GaussianMixtureSearch(1, covariance_type="EII", random_state=0)
    one.fit(clouds, checkpoint=path)
    with pytest.raises(mixtura.CheckpointError, match="of other rows"):
        clone(one).fit(clouds + 1.0, checkpoint=path)
    path.write_text("something else\n")
    with pytest.raises(mixtura.CheckpointError, match="not the checkpoint of a search"):
        clone(one).fit(clouds, checkpoint=path)
    assert path.read_text() == "something else\n"


def test_jobs_do_not_change_the_answer(clouds: Array, searched: GaussianMixtureSearch) -> None:
    # In threads, because processes take seconds to begin.
    with pytest.warns(StillRisingWarning), joblib.parallel_config(backend="threading"):
        two = GaussianMixtureSearch(**FEW, n_jobs=2).fit(clouds)
    np.testing.assert_array_equal(two.cv_results_["bic"], searched.cv_results_["bic"])


def test_priors_are_part_of_the_grid(clouds: Array) -> None:
    search = GaussianMixtureSearch(
        3, covariance_type="VVV", reg_covar=[None, 1e-6, 5.0], random_state=0
    ).fit(clouds)
    assert len(search.cv_results_["params"]) == 3
    assert search.cv_results_["loglik"][2] < search.cv_results_["loglik"][1] - 1
    assert search.best_params_["reg_covar"] in (None, 1e-6)


def test_one_column_and_no_refit(clouds: Array, capsys: pytest.CaptureFixture[str]) -> None:
    search = GaussianMixtureSearch([1, 2, 3], refit=False, verbose=1, random_state=0)
    search.fit(clouds[:, :1])
    assert set(search.cv_results_["param_covariance_type"]) == {"E", "V"}
    assert search.best_params_["n_components"] == 2
    assert "[1/6] " in capsys.readouterr().out
    with pytest.raises(AttributeError, match="refit=False"):
        search.predict(clouds[:, :1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"criterion": "BIC"}, "criterion='BIC': choose from bic"),
        ({"n_components": []}, "n_components: nothing to try"),
        ({"n_components": [0, 1]}, "n_components: 0 is no number"),
        ({"n_components": 1.5}, "n_components: 1.5"),
        ({"covariance_type": ["EEE", "XXX"]}, "'XXX' is none of"),
        ({"covariance_type": "V"}, "for a table of one column, found 2"),
        ({"reg_covar": -1.0}, "reg_covar: -1.0 is below 0"),
        ({"cv": 1}, "cv=1: folds are a number from 2"),
        ({"criterion": "heldout", "cv": 61}, "more folds than the 60 rows"),
    ],
)
def test_settings_that_cannot_be(clouds: Array, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixtureSearch(**settings).fit(clouds)


def test_effort_says_what_ran_and_refuses_what_cannot_be(clouds: Array) -> None:
    settings: dict[str, Any] = {"covariance_type": "EEE", "random_state": 0}
    quick = GaussianMixtureSearch([2, 3, 4], **settings).fit(clouds)
    slow = GaussianMixtureSearch([2, 3, 4], effort="thorough", **settings).fit(clouds)
    assert (quick.effort_, slow.effort_) == ("quick", "thorough")
    assert quick.best_params_ == slow.best_params_
    assert quick.best_score_ == pytest.approx(slow.best_score_, abs=1e-4)
    own = GaussianMixtureSearch(2, covariance_type="EEE", solver="em").fit(clouds)
    assert own.effort_ == "thorough"
    for wrong, message in (
        ({"effort": "fast"}, "effort='fast': choose from auto, quick, thorough"),
        ({"effort": "quick", "criterion": "heldout"}, "effort='quick' fits no folds"),
        ({"effort": "quick", "engine": "local"}, "found engine='local'"),
    ):
        with pytest.raises(ValueError, match=message):
            GaussianMixtureSearch(2, **wrong).fit(clouds)
    with pytest.raises(ValueError, match="at most 32 columns and 4,194,304 numbers, found 60 rows"):
        GaussianMixtureSearch(2, effort="quick").fit(np.tile(clouds, 20))


def test_the_winner_is_climbed_to_the_last_digits_and_examined(clouds: Array) -> None:
    search = GaussianMixtureSearch([2, 3, 4], covariance_type=["VII", "VVV"], random_state=0)
    fit = search.fit(clouds).best_estimator_.fit_result_
    assert fit.verdict == "interior maximum"
    assert {start.name for start in fit.starts} >= {"hierarchical", "a split"}
    assert [start.outcome for start in fit.starts].count("kept") == 1
    assert search.best_score_ == -search.cv_results_["bic"][search.best_index_]


def test_no_cell_stays_below_one_nested_in_it(faithful: Array) -> None:
    names, numbers = ["EII", "VII", "VEI", "EEE", "VVE", "VVV"], range(1, 7)
    search = GaussianMixtureSearch(numbers, covariance_type=names, prune=False, random_state=0)
    results = search.fit(faithful).cv_results_
    loglik = {
        tuple(p.values())[:2]: v for p, v in zip(results["params"], results["loglik"], strict=True)
    }
    assert set(results["status"]) == {"fitted"}
    for (name, K), value in loglik.items():
        for (other, L), larger in loglik.items():
            same = name == other and L == K + 1
            if same or (L == K and nested(structure(name), structure(other))):
                assert larger > value - 1e-5, (name, K, other, L)


def test_every_row_counts_in_a_table_longer_than_the_sample() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(21_000, 1)) + 6.0 * rng.integers(2, size=(21_000, 1))
    X = np.hstack([X, rng.normal(size=(21_000, 1))])
    search = GaussianMixtureSearch([2, 3], covariance_type="EII", random_state=0).fit(X)
    assert search.effort_ == "quick"
    best = search.best_estimator_
    assert best.n_components == 2
    assert search.cv_results_["loglik"][0] == pytest.approx(best.score(X) * 21_000, rel=1e-9)


def test_fractional_weights_leave_the_sample_the_whole_table(clouds: Array) -> None:
    # Ten rows' weights of 0.1, added up one by one, are not 1.
    rows = Rows(np.repeat(clouds[:50], 10, axis=0), np.full(500, 0.1))
    settings = {"tol": 1e-6, "max_iter": 100, "random_state": 0, "n_init": 1}
    quick = Quick(rows, settings, [Point("VVV", 2, None)])
    assert quick.few.weight != rows.weight
    assert quick.all is quick.few


def test_weights_are_copies_and_float32_is_near(clouds: Array) -> None:
    weights = np.random.default_rng(0).integers(1, 3, size=60)
    settings: dict[str, Any] = {"covariance_type": ["VEE", "VVE"], "random_state": 0}
    one = GaussianMixtureSearch([2, 3, 4], **settings).fit(clouds, sample_weight=weights)
    two = GaussianMixtureSearch([2, 3, 4], **settings).fit(np.repeat(clouds, weights, axis=0))
    np.testing.assert_allclose(one.cv_results_["bic"], two.cv_results_["bic"], rtol=1e-9)
    single = GaussianMixtureSearch([2, 3, 4], **settings).fit(clouds.astype(np.float32))
    plain = GaussianMixtureSearch([2, 3, 4], **settings).fit(clouds)
    assert single.best_params_ == plain.best_params_
    assert single.best_score_ == pytest.approx(plain.best_score_, rel=1e-5)


def test_structures_that_do_not_fit_the_table_say_so_in_their_cells(clouds: Array) -> None:
    X = np.c_[clouds, np.ones(60)]
    search = GaussianMixtureSearch([2, 3, 4], random_state=0).fit(X)
    results = search.cv_results_
    ranked = results["param_covariance_type"] == "VEI"
    assert all("no variance of its own in column 2" in each for each in results["status"][ranked])
    assert search.best_params_["n_components"] == 3


def test_more_components_than_rows_are_refused_in_their_cells() -> None:
    X = np.random.default_rng(0).normal(size=(12, 2))
    search = GaussianMixtureSearch([1, 11, 13], covariance_type="EII", prune=False, random_state=0)
    status = search.fit(X).cv_results_["status"]
    assert status[0] == "fitted"
    assert "X has only 12 distinct rows: for 13 components" in status[2]


def test_a_thin_line_of_many_rows_is_no_collapse() -> None:
    """One of two groups is a hundredth as wide as long: with 100 rows that is its shape."""
    rng = np.random.default_rng(0)
    line = (rng.normal(size=(100, 2)) * [1, 0.01]) @ np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    X = np.concatenate([line, rng.normal(size=(100, 2)) + 6])
    for effort in ("quick", "thorough"):
        search = GaussianMixtureSearch(
            [1, 2, 3], covariance_type="VVV", effort=effort, random_state=0
        ).fit(X)
        assert search.best_params_["n_components"] == 2, effort


def test_the_race_keeps_the_start_that_finds_a_thin_line() -> None:
    rng = np.random.default_rng(15)
    K, d = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    groups = []
    for _ in range(K):
        rows = rng.normal(size=(80, d)) @ rng.normal(size=(d, d))
        groups.append(rows + rng.normal(size=d) * 4)
    fit = GaussianMixture(K, random_state=0).fit(np.concatenate(groups)).fit_result_
    assert fit.loglik == pytest.approx(-1934.3266, abs=1e-3)
