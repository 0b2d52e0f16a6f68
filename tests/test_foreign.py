"""Mixtures of other packages as ours and back: scikit-learn answers the same, mclust's are its."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import mixture as theirs

from mixtura import BayesianGaussianMixture, GaussianMixture, from_mclust, from_sklearn, load
from mixtura.report.digits import counted

DATA = Path(__file__).parent / "reference" / "data"
FIXED = json.loads((DATA / "mclust_fixed_start_iris.json").read_text())["models"]
LINE = json.loads((DATA / "mclust_density_1d.json").read_text())
FOUR = ("full", "tied", "diag", "spherical")


def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(0, 1, (60, 3)), rng.normal(5, 2, (40, 3))])


def assert_same(one: Any, other: Any, X: np.ndarray, tol: float = 1e-12) -> None:
    np.testing.assert_allclose(one.score_samples(X), other.score_samples(X), rtol=tol)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=tol)
    assert np.array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize("kind", [*FOUR, "VEV", "EEI", "EII", "UUU:1"])
def test_scikit_learn_answers_as_we_do(kind: str) -> None:
    X = table()
    ours = GaussianMixture(2, covariance_type=kind, random_state=0).fit(X)
    found = ours.to_sklearn()
    assert type(found) is theirs.GaussianMixture
    assert_same(found, ours, X)
    assert found.sample(4)[0].shape == (4, 3)
    again = from_sklearn(found)
    assert np.array_equal(again.precisions_cholesky_, ours.precisions_cholesky_)


@pytest.mark.parametrize("kind", FOUR)
def test_we_answer_as_scikit_learn_does_and_keep_it_in_a_file(kind: str, tmp_path: Path) -> None:
    X = table().astype(np.float32)
    fitted = theirs.GaussianMixture(2, covariance_type=kind, random_state=0).fit(X)
    ours = from_sklearn(fitted)
    assert ours.means_.dtype == np.float32
    X = X.astype(np.float64)
    # There logarithms of determinants are in float32 as well.
    assert_same(ours, fitted, X, 1e-5)
    ours.save(tmp_path / "model.json")
    assert_same(load(tmp_path / "model.json"), ours, X)


@pytest.mark.parametrize("weights", ["dirichlet_process", "dirichlet_distribution"])
@pytest.mark.parametrize("kind", FOUR)
def test_posteriors_both_ways(kind: str, weights: str, tmp_path: Path) -> None:
    X, how = table(), {"covariance_type": kind, "weight_concentration_prior_type": weights}
    fitted = theirs.BayesianGaussianMixture(n_components=3, random_state=0, **how).fit(X)
    ours = from_sklearn(fitted)
    assert_same(ours, fitted, X)
    ours.save(tmp_path / "model.json")
    assert_same(load(tmp_path / "model.json").to_sklearn(), fitted, X)
    assert ours.n_components_ == len(ours.held_)


@pytest.mark.parametrize("kind", FOUR)
def test_weights_of_a_process_go_there_normalised_and_come_back(kind: str) -> None:
    X = table()
    ours = BayesianGaussianMixture(n_components=5, covariance_type=kind, random_state=0).fit(X)
    found = ours.to_sklearn()
    assert found.weights_.sum() == pytest.approx(1.0, abs=1e-15)
    back = from_sklearn(found)
    assert np.array_equal(back.weights_, found.weights_)
    np.testing.assert_allclose(back.score_samples(X), ours.score_samples(X), rtol=1e-12)


def test_what_moves_have_deleted_is_left_out_or_refused() -> None:
    X = table()
    ours = BayesianGaussianMixture(n_components=6, random_state=0).fit(X)
    active = int(ours.active_.sum())
    assert active < 6
    found = ours.to_sklearn()
    assert found.n_components == len(found.weights_) == active
    np.testing.assert_allclose(found.score_samples(X), ours.score_samples(X), rtol=1e-12)
    ours.set_params(weight_concentration_prior_type="dirichlet_distribution").fit(X)
    gone = counted(6 - int(ours.active_.sum()), "component").split()[0]
    with pytest.raises(ValueError, match=f"deleted {gone} of 6 components.*moves=False"):
        ours.to_sklearn()


def test_what_is_more_than_components_or_no_mixture_is_refused() -> None:
    X = table()
    with pytest.raises(ValueError, match="to_sklearn knows no noise: fit without"):
        GaussianMixture(2, noise=True, random_state=0).fit(X).to_sklearn()
    with pytest.raises(ValueError, match="to_onnx knows no trim: fit without"):
        GaussianMixture(2, trim=0.1, random_state=0).fit(X).to_onnx()
    tied = GaussianMixture(2, random_state=0).fit(np.c_[X, X[:, 0] + X[:, 1]])
    with pytest.raises(ValueError, match="knows no columns that are constant or follow"):
        tied.to_sklearn()
    with pytest.raises(ValueError, match=r"from_sklearn: mixture must be .* got dict"):
        from_sklearn({})
    broken = theirs.GaussianMixture(2, random_state=0).fit(X)
    broken.covariances_ = -broken.covariances_
    with pytest.raises(ValueError, match="positive-definite"):
        from_sklearn(broken)


@pytest.mark.parametrize("name", FIXED)
def test_mclust_has_the_log_likelihood_it_says(name: str, iris: np.ndarray) -> None:
    found = FIXED[name]["converged"]
    best = {"modelName": name, "G": 3, "d": 4, "pro": found["pro"], "mean": found["mean"]}
    ours = from_mclust({"colnames": list("abcd"), "best": best | {"variance": found}})
    assert ours.covariance_type == name
    assert list(ours.feature_names_in_) == list("abcd")
    del ours.feature_names_in_
    # mclust tells the log-likelihood before its last M-step.
    assert ours.score(iris) * 150 == pytest.approx(found["loglik"], abs=1e-5)


@pytest.mark.parametrize("name", LINE)
def test_mclust_on_a_line_from_a_file(name: str, tmp_path: Path) -> None:
    told = LINE[name]
    model = {"modelName": "V", "G": len(told["pro"]), "d": 1, "pro": told["pro"]}
    model |= {"mean": told["mean"], "variance": {"sigmasq": told["sigmasq"]}}
    (tmp_path / "model.json").write_text(json.dumps(model))
    ours = from_mclust(tmp_path / "model.json")
    density = np.exp(ours.score_samples(np.reshape(told["grid"], (-1, 1))))
    np.testing.assert_allclose(density, told["density"], atol=1e-12)


def test_one_group_loses_its_brackets_on_the_way() -> None:
    model = {"modelName": "X", "G": 1, "d": 1, "pro": 1, "mean": 2.0}
    found = from_mclust(model | {"variance": {"sigmasq": 4}})
    assert (found.covariance_type, found.means_.item(), found.covariances_.item()) == ("E", 2, 4)


GIVEN: dict[str, Any] = {"modelName": "VVV", "G": 2, "d": 2, "pro": [0.5, 0.5]}
GIVEN |= {"mean": [[0, 0], [1, 1]], "variance": {"sigma": [np.eye(2).tolist()] * 2}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modelName": "ABC"}, "modelName is 'ABC'"),
        ({"pro": [0.4, 0.4, 0.2]}, "the last is noise"),
        ({"mean": [[0, 0, 0], [1, 1, 1]]}, r"mean is not an array of shape \(2, 2\)"),
        ({"variance": {"sigma": "text"}}, "variance is not an array"),
        ({"variance": {}}, "not laid out"),
        ({"d": None}, "not laid out"),
        ({"pro": [1.5, -0.5]}, "pro must be shares of 0 or more whose sum is 1"),
        ({"mean": None}, r"mean is not an array .* it holds nothing"),
        ({"modelName": "EEE", "variance": {"sigma": [[[1, 0], [0, 1]]] * 2}, "pro": [1, 1]}, "sum"),
    ],
)
def test_what_mclust_does_not_write_is_refused(change: dict[str, Any], message: str) -> None:
    assert from_mclust(GIVEN).n_components == 2
    with pytest.raises(ValueError, match=message):
        from_mclust(GIVEN | change)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json is not JSON"):
        from_mclust(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no JSON object, but list"):
        from_mclust(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "sigma"),
    [
        ("EEE", [np.eye(2), 2 * np.eye(2)]),
        ("VVI", [np.eye(2), [[1, 0.5], [0.5, 1]]]),
        ("VII", [np.eye(2), np.diag([1.0, 2.0])]),
        ("XXX", [np.eye(2)] * 2),
    ],
)
def test_variances_that_contradict_the_name_are_refused(name: str, sigma: Any) -> None:
    change = {"modelName": name, "variance": {"sigma": np.array(sigma).tolist()}}
    with pytest.raises(ValueError, match=r"from_mclust: .*(are not of|is of one group)"):
        from_mclust(GIVEN | change)


def test_variances_on_a_line_that_contradict_the_name_are_refused() -> None:
    model = {"modelName": "E", "G": 2, "d": 1, "pro": [0.5, 0.5], "mean": [0, 1]}
    with pytest.raises(ValueError, match="covariances are not of covariance_type='E'"):
        from_mclust(model | {"variance": {"sigmasq": [1, 2]}})
    two = {"modelName": "V", "G": 2, "d": 1, "pro": [0.5, 0.5], "mean": [0, 4]}
    with pytest.raises(ValueError, match=r"from_mclust: variance of component 1, .* is -2, and"):
        from_mclust(two | {"variance": {"sigmasq": [1, -2]}})


def test_what_is_no_model_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"from_mclust: model must be the path .* got list"):
        from_mclust([1])  # type: ignore[arg-type]
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(FileNotFoundError, match=r"from_mclust: model: .* is no file"):
            from_mclust(path)
    with pytest.raises(ValueError, match="got GaussianMixture itself"):
        from_sklearn(theirs.GaussianMixture)
