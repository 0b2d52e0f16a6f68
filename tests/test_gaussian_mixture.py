"""The estimator's own promises, beyond those scikit-learn's suite checks."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import mixtura
from mixtura import GaussianMixture
from mixtura.engines.choose import ENGINES

TYPES = ["full", "tied", "diag", "spherical"]
every_type = pytest.mark.parametrize("covariance", TYPES)


@every_type
def test_bayes_rule_holds_to_rounding(covariance: str, iris: np.ndarray) -> None:
    """P(k|x) = P(k) p(x|k) / p(x), from four public answers."""
    gm = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(iris)
    joint = np.log(gm.weights_) + gm.component_log_density(iris)
    np.testing.assert_allclose(
        np.log(gm.predict_proba(iris) + 1e-300),
        np.maximum(joint - gm.score_samples(iris)[:, None], np.log(1e-300)),
        atol=1e-9,
        rtol=1e-9,
    )
    np.testing.assert_allclose(np.exp(joint).sum(axis=1), np.exp(gm.score_samples(iris)))
    np.testing.assert_allclose(gm.predict_proba(iris).sum(axis=1), 1.0)
    np.testing.assert_array_equal(gm.predict(iris), gm.predict_proba(iris).argmax(axis=1))


@every_type
def test_lower_bound_belongs_to_the_returned_parameters(covariance: str, iris: np.ndarray) -> None:
    gm = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(iris)
    assert gm.lower_bound_ == pytest.approx(gm.score(iris), abs=1e-12)
    assert gm.lower_bound_ == gm.lower_bounds_[-1] == gm.fit_result_.mean_loglik
    assert len(gm.lower_bounds_) == gm.n_iter_
    assert np.all(np.diff(gm.lower_bounds_) >= -1e-12)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_every_engine_ends_at_the_same_mixture(engine: str, iris: np.ndarray) -> None:
    a = GaussianMixture(3, random_state=0, engine="local").fit(iris)
    b = GaussianMixture(3, random_state=0, engine=engine).fit(iris)
    assert b.fit_result_.engine == engine
    assert b.n_iter_ == a.n_iter_
    np.testing.assert_allclose(b.means_, a.means_, rtol=1e-9)
    np.testing.assert_allclose(b.covariances_, a.covariances_, rtol=1e-7)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_keep_their_names(frame: type, faithful: np.ndarray) -> None:
    X = frame({"eruptions": faithful[:, 0], "waiting": faithful[:, 1]})
    gm = GaussianMixture(2, random_state=0).fit(X)
    assert list(gm.feature_names_in_) == ["eruptions", "waiting"]
    np.testing.assert_array_equal(gm.predict(X), gm.fit_predict(X))
    assert "waiting" in gm.summary()
    assert gm.view().names == ("eruptions", "waiting")


def test_sample_weight_is_copies(iris: np.ndarray) -> None:
    w = np.random.default_rng(0).integers(0, 4, size=len(iris))
    copies = np.repeat(iris, w, axis=0)
    for covariance in TYPES:
        a, b = (GaussianMixture(3, covariance_type=covariance, random_state=1) for _ in "ab")
        a.fit(iris, sample_weight=w)
        b.fit(copies)
        np.testing.assert_allclose(a.means_, b.means_, rtol=1e-6)
        assert a.score(iris, sample_weight=w) == pytest.approx(b.score(copies), rel=1e-9)
        assert a.bic(iris, sample_weight=w) == pytest.approx(b.bic(copies), rel=1e-9)
        assert a.aic(iris, sample_weight=w) == pytest.approx(b.aic(copies), rel=1e-9)


def test_weights_that_are_no_counts_keep_the_optimum(iris: np.ndarray) -> None:
    with pytest.warns(mixtura.LightWeightsWarning):
        a = GaussianMixture(3, random_state=0).fit(iris, sample_weight=np.full(150, 1 / 150))
    b = GaussianMixture(3, random_state=0).fit(iris)
    np.testing.assert_allclose(a.means_, b.means_, rtol=1e-6)
    assert a.fit_result_.weight == pytest.approx(1.0)


def test_sample_weight_is_routed_as_metadata(iris: np.ndarray) -> None:
    from sklearn.model_selection import cross_validate

    with sklearn.config_context(enable_metadata_routing=True):
        gm = (
            GaussianMixture(2, random_state=0)
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True)
        )
        scores = cross_validate(gm, iris, params={"sample_weight": np.ones(150)}, cv=3)
    assert np.isfinite(scores["test_score"]).all()


@every_type
def test_from_parameters_needs_no_fit(covariance: str, iris: np.ndarray) -> None:
    fitted = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(iris)
    for given in ({"covariances": fitted.covariances_}, {"precisions": fitted.precisions_}):
        made = GaussianMixture.from_parameters(
            fitted.weights_, fitted.means_, covariance_type=covariance, **given
        )
        np.testing.assert_allclose(made.score_samples(iris), fitted.score_samples(iris))
        np.testing.assert_allclose(made.precisions_cholesky_, fitted.precisions_cholesky_)
        X, y = made.sample(50, random_state=1)
        assert X.shape == (50, 4)
        assert set(y) <= {0, 1, 2}
        assert "given, not fitted" in made.summary()
        refit = clone(made).set_params(random_state=0).fit(iris)
        assert refit.lower_bound_ == pytest.approx(fitted.lower_bound_, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": [0.5, 0.6]}, "normalized"),
        ({"weights": [0.5, 0.3, 0.2]}, "shape"),
        ({"covariances": None}, "exactly one"),
        ({"covariances": [[[1, 2], [2, 1]], [[1, 0], [0, 1]]]}, "positive-definite"),
        ({"covariances": [[1.0, 1.0], [1.0, 1.0]]}, "shape"),
        ({"means": [[0, np.nan], [1, 1]]}, "NaN|finite"),
        ({"covariance_type": "round"}, "covariance_type"),
        ({"feature_names": ["only one"]}, "feature_names"),
        ({"engine": "steam"}, "engine"),
    ],
)
def test_from_parameters_refuses(arguments: dict, message: str) -> None:
    good = {
        "weights": [0.5, 0.5],
        "means": [[0, 0], [1, 1]],
        "covariances": [np.eye(2), np.eye(2)],
    }
    with pytest.raises(ValueError, match=message):
        GaussianMixture.from_parameters(**(good | arguments))


def test_attributes_set_by_hand_are_used_as_in_scikit_learn(faithful: np.ndarray) -> None:
    fitted = GaussianMixture(2, random_state=0).fit(faithful)
    by_hand = GaussianMixture(2)
    for name in ("weights_", "means_", "precisions_cholesky_", "n_features_in_"):
        setattr(by_hand, name, getattr(fitted, name))
    np.testing.assert_array_equal(by_hand.predict(faithful), fitted.predict(faithful))


@every_type
def test_save_and_load_bit_for_bit(covariance: str, iris: np.ndarray, tmp_path) -> None:
    for X in (iris, iris.astype(np.float32), pd.DataFrame(iris, columns=list("abcd"))):
        gm = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(X)
        gm.save(tmp_path / "model.json")
        back = mixtura.load(tmp_path / "model.json")
        for name, value in vars(gm).items():
            again = getattr(back, name)
            if isinstance(value, np.ndarray):
                assert again.dtype == value.dtype
                np.testing.assert_array_equal(again, value)
            else:
                assert again == value, name
        np.testing.assert_array_equal(back.score_samples(X), gm.score_samples(X))
        assert back.summary() == gm.summary()


def test_save_keeps_given_starts_and_drops_a_generator(iris: np.ndarray, tmp_path) -> None:
    gm = GaussianMixture(
        2, means_init=iris[[0, 100]].tolist(), random_state=np.random.RandomState(0)
    ).fit(iris)
    gm.save(tmp_path / "model.json")
    back = mixtura.load(tmp_path / "model.json")
    np.testing.assert_array_equal(back.means_init, iris[[0, 100]])
    assert back.random_state is None


def test_pickle_and_clone(iris: np.ndarray) -> None:
    gm = GaussianMixture(2, random_state=0).fit(iris)
    again = pickle.loads(pickle.dumps(gm))
    np.testing.assert_array_equal(again.predict(iris), gm.predict(iris))
    assert not hasattr(clone(gm), "means_")


def test_one_failed_start_is_not_the_end(iris: np.ndarray) -> None:
    """scikit-learn raises here: some of the 20 starts lose a component when reg_covar=0."""
    gm = GaussianMixture(8, n_init=20, reg_covar=0, init_params="random_from_data", random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        gm.fit(iris)
    outcomes = [start.outcome for start in gm.fit_result_.starts]
    assert "failed" in outcomes
    assert "kept" in outcomes
    assert "failed" in gm.summary()


def test_a_collapsing_component_is_reported(iris: np.ndarray) -> None:
    """Four identical far rows: the likelihood is unbounded there, and the fit says so."""
    X = np.vstack([iris, np.full((4, 4), 30.0)])
    with pytest.warns(mixtura.DegenerateWarning, match="only the penalty keeps it"):
        gm = GaussianMixture(3, means_init=X[[0, 100, 150]], random_state=0).fit(X)
    (floored,) = gm.fit_result_.floored
    assert floored.count == pytest.approx(4, abs=0.1)
    assert gm.fit_result_.penalised
    assert np.isfinite(gm.lower_bound_)
    assert np.linalg.eigvalsh(gm.covariances_).min() > 0
    assert "penalty" in gm.summary()
    assert gm.lower_bound_ == pytest.approx(gm.score(X), abs=1e-9)


def test_an_interrupted_fit_leaves_the_estimator_as_it_was(
    iris: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    gm = GaussianMixture(2, random_state=0).fit(iris)
    before = gm.means_

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mixtura.estimators.climbed.find", interrupt)
    with pytest.raises(KeyboardInterrupt):
        gm.fit(iris[:, :2])
    assert gm.means_ is before
    assert gm.n_features_in_ == 4
    fresh = GaussianMixture(2)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(iris)
    assert not hasattr(fresh, "n_features_in_")


def test_tol_zero_never_stops_early(faithful: np.ndarray) -> None:
    with pytest.warns(ConvergenceWarning):
        gm = GaussianMixture(2, tol=0.0, max_iter=300, random_state=0).fit(faithful)
    assert gm.n_iter_ == 300
    assert not gm.converged_


def test_a_slow_climb_is_not_called_converged() -> None:
    """Two halves of one normal sample: EM crawls, and a small step is no sign of the top."""
    X = np.random.default_rng(0).normal(size=(500, 1))
    with pytest.warns(ConvergenceWarning):
        gm = GaussianMixture(
            2, means_init=[[-0.5], [0.5]], max_iter=100, tol=1e-8, random_state=0
        ).fit(X)
    far = GaussianMixture(
        2, means_init=[[-0.5], [0.5]], max_iter=200_000, tol=1e-12, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        far.fit(X)
    gap = far.lower_bound_ - gm.lower_bound_
    assert gap > 1e-8
    assert gm.fit_result_.gap > 1e-8


def test_row_order_does_not_matter(iris: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(len(iris))
    a = GaussianMixture(3, random_state=0).fit(iris)
    b = GaussianMixture(3, random_state=0).fit(iris[order])
    np.testing.assert_allclose(a.means_, b.means_, rtol=1e-6)


def test_verbose_prints_scikit_learns_lines(
    iris: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    GaussianMixture(3, verbose=1, verbose_interval=1, random_state=0, n_init=2).fit(iris)
    out = capsys.readouterr().out
    assert out.startswith("Initialization 0\n  Iteration ")
    assert "Initialization converged." in out
    GaussianMixture(3, verbose=2, verbose_interval=1, random_state=0).fit(iris)
    out = capsys.readouterr().out
    assert "time lapse" in out
    assert "ll change" in out
    assert "lower bound" in out


def test_all_settings_are_used(iris: np.ndarray) -> None:
    with pytest.warns(ConvergenceWarning):
        once = GaussianMixture(3, max_iter=1, init_params="random", random_state=0).fit(iris)
    assert once.n_iter_ == 1
    starts = GaussianMixture(3, n_init=3, init_params="kmeans", random_state=0).fit(iris)
    assert len(starts.fit_result_.starts) == 3
    weak = GaussianMixture(3, reg_covar=1.0, random_state=0).fit(iris)
    assert np.linalg.eigvalsh(weak.covariances_).min() >= 1.0
    assert weak.fit_result_.loglik < starts.fit_result_.loglik


@pytest.mark.parametrize(
    ("change", "columns"),
    [({"n_components": 3}, 4), ({"covariance_type": "diag"}, 4), ({}, 2)],
)
def test_warm_start_refuses_what_it_cannot_continue(
    change: dict, columns: int, iris: np.ndarray
) -> None:
    gm = GaussianMixture(2, warm_start=True, random_state=0).fit(iris)
    before = gm.means_
    with pytest.raises(ValueError, match="warm_start=False"):
        gm.set_params(**change).fit(iris[:, :columns])
    assert gm.means_ is before


def test_passes_are_counted_where_they_are_made(
    iris: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mixtura.models.mixture import Mixture

    rows = []
    step = Mixture.e_step

    def counted(self, chunk, params):
        rows.append(len(chunk.X) * len(params.weights))
        return step(self, chunk, params)

    monkeypatch.setattr(Mixture, "e_step", counted)
    fit = GaussianMixture(2, random_state=0, engine="local").fit(iris).fit_result_
    # One row is another's double. A pass of fewer components over fewer rows is that share of one.
    assert 0 <= 300 * fit.passes + 298 * fit.sample_passes - sum(rows) < 298
    assert fit.rows == 150


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6])
def test_one_far_row_does_not_spoil_the_rest(far: float) -> None:
    rng = np.random.default_rng(0)
    good = np.vstack([rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 8])
    X = np.vstack([good, [[far, far]]])
    with pytest.warns(mixtura.DegenerateWarning):
        labels = GaussianMixture(3, random_state=0).fit_predict(X)
    assert sorted(np.bincount(labels)) == [1, 300, 300]


def test_the_example_in_scikit_learns_documentation() -> None:
    """Two columns of three points each: both components are narrow, and still rightly found."""
    X = np.array([[1, 2], [1, 4], [1, 0], [10, 2], [10, 4], [10, 0]])
    for seed in range(10):
        with pytest.warns(mixtura.DegenerateWarning):
            gm = GaussianMixture(n_components=2, random_state=seed).fit(X)
        order = gm.means_[:, 0].argsort()
        np.testing.assert_allclose(gm.means_[order], [[1, 2], [10, 2]], atol=1e-6)
        np.testing.assert_array_equal(gm.predict([[0, 0], [12, 3]]), order)


def test_a_fits_own_precisions_are_a_start_in_any_units() -> None:
    X = np.random.RandomState(4).randn(90, 3) * [1e-5, 1.0, 1e5]
    fitted = GaussianMixture(2, random_state=0).fit(X)
    again = GaussianMixture(
        2,
        weights_init=fitted.weights_,
        means_init=fitted.means_,
        precisions_init=fitted.precisions_,
    ).fit(X)
    assert again.fit_result_.loglik >= fitted.fit_result_.loglik - 1e-6


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("covariance", ["spherical", "VII", "EII"])
def test_a_constant_column_is_no_measure(covariance: str, faithful: np.ndarray) -> None:
    rows = np.column_stack([faithful, np.full(len(faithful), 3.0)])
    found = GaussianMixture(2, covariance_type=covariance, random_state=0).fit(rows)
    assert np.isfinite(found.fit_result_.loglik)
    np.testing.assert_allclose(found.means_[:, 2], 3.0)
