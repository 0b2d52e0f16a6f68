"""`GaussianMixture` with covariances of factors: attributes, files, streams, search, command."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from test_awkward import rows
from typer.testing import CliRunner, Result

import mixtura
from mixtura import FactorAnalytic, GaussianMixture, GaussianMixtureSearch
from mixtura.cli import app
from mixtura.families.factor.structure import LETTERS
from mixtura.records import Array


def groups(n: int = 600, d: int = 9, seed: int = 0) -> tuple[Array, Array]:
    """Two groups of two factors each, and which rows are whose."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    means, loadings = 2.0 * rng.normal(size=(2, d)), rng.normal(size=(2, d, 2))
    scores = rng.normal(size=(n, 2))
    X = means[labels] + np.einsum("ndq,nq->nd", loadings[labels], scores)
    return X + rng.normal(size=(n, d)) * rng.uniform(0.6, 1.2, size=(2, d))[labels], labels


X, LABELS = groups()


@pytest.fixture(scope="module")
def fitted() -> GaussianMixture:
    return GaussianMixture(2, covariance_type=FactorAnalytic(2), random_state=0).fit(X)


def test_a_fit_finds_the_groups_and_says_what_it_is(fitted: GaussianMixture) -> None:
    agreed = (fitted.predict(X) == LABELS).mean()
    assert max(agreed, 1 - agreed) > 0.99
    assert fitted.loadings_.shape == (2, 9, 2)
    assert fitted.noise_variance_.shape == (2, 9)
    # A weight, the means, and 2 (9 x 2 - 1) + 2 x 9 of McNicholas & Murphy's table.
    assert fitted.fit_result_.n_parameters == 1 + 18 + 34 + 18
    text = " ".join(fitted.summary().split())
    assert "UUU:2: own 2 factors and own noise, one variance per column" in text
    assert "threads" in text
    same = GaussianMixture(2, covariance_type="UUU:2", random_state=0).fit(X)
    np.testing.assert_array_equal(same.loadings_, fitted.loadings_)


def test_covariances_are_made_when_asked_for(fitted: GaussianMixture) -> None:
    assert not {"covariances_", "precisions_"} & set(vars(fitted))
    dense = fitted.loadings_ @ fitted.loadings_.transpose(0, 2, 1)
    dense += fitted.noise_variance_[:, :, None] * np.eye(9)
    np.testing.assert_allclose(fitted.covariances_, dense, atol=1e-12)
    np.testing.assert_allclose(fitted.precisions_ @ dense, np.eye(9)[None] + 0 * dense, atol=1e-10)
    factor = fitted.precisions_cholesky_
    np.testing.assert_allclose(factor @ factor.transpose(0, 2, 1), fitted.precisions_, atol=1e-10)
    joint = [
        np.log(w) + multivariate_normal(m, c).logpdf(X)
        for w, m, c in zip(fitted.weights_, fitted.means_, dense, strict=True)
    ]
    np.testing.assert_allclose(fitted.score_samples(X), np.logaddexp(*joint), rtol=1e-10)
    with pytest.raises(AttributeError, match="no attribute 'loading'"):
        _ = fitted.loading


def test_the_parts_of_a_fit_are_those_of_the_dense_mixture(fitted: GaussianMixture) -> None:
    full = GaussianMixture.from_parameters(fitted.weights_, fitted.means_, fitted.covariances_)
    some = fitted.marginal([0, 3, 4])
    np.testing.assert_allclose(
        some.score_samples(X[:, [0, 3, 4]]), full.marginal([0, 3, 4]).score_samples(X[:, [0, 3, 4]])
    )
    given = {0: 1.0, 5: -1.0}
    np.testing.assert_allclose(fitted.condition(given).means_, full.condition(given).means_)
    draws, _ = fitted.sample(20_000, random_state=1)
    # Five standard errors of each of 9 variances: a false alarm in 2e5.
    variance = np.diagonal(np.cov(draws.T))
    exact = full.view().weights @ (full.view().portrait.variances + full.means_**2)
    exact = exact - (fitted.weights_ @ fitted.means_) ** 2
    np.testing.assert_allclose(variance, exact, rtol=5 * np.sqrt(2 / 20_000))


def test_scores_are_the_posterior_means_of_the_factors(fitted: GaussianMixture) -> None:
    scores = fitted.factors(X[:50])
    assert scores.shape == (50, 2, 2)
    for k in range(2):
        # E[z | x] = Lambda' Sigma^-1 (x - m), the regression of the factors on the columns.
        expected = (X[:50] - fitted.means_[k]) @ fitted.precisions_[k] @ fitted.loadings_[k]
        np.testing.assert_allclose(scores[:, k], expected, atol=1e-10)
    with pytest.raises(ValueError, match="factors: covariance_type='full' has none"):
        GaussianMixture(1).fit(X).factors(X)


def test_files_copies_and_continuations(fitted: GaussianMixture, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    fitted.save(path)
    for again in (mixtura.load(path), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        assert again.fit_result_ == fitted.fit_result_
    assert mixtura.load(path).covariance_type == "UUU:2"
    assert clone(fitted).covariance_type == FactorAnalytic(2)
    on = mixtura.load(path).set_params(warm_start=True, tol=1e-9).fit(X)
    assert on.score(X) >= fitted.score(X) - 1e-12
    assert on.fit_result_.starts == ()
    with pytest.raises(ValueError, match="warm_start: the last fit has means, loadings"):
        on.set_params(covariance_type="UUU:3").fit(X)
    on.set_params(covariance_type="diag", warm_start=False).fit(X)
    assert not hasattr(on, "loadings_")
    document = json.loads(path.read_text())
    document["arrays"]["noise_variance_"]["data"][0][0] = -1.0
    path.write_text(json.dumps(document))
    with pytest.raises(mixtura.StoreError, match="'noise_variance' should be positive"):
        mixtura.load(path)


def test_weights_and_streams_are_the_same_rows() -> None:
    w = np.random.default_rng(1).integers(0, 3, size=len(X)).astype(float)
    settings = {"covariance_type": "UCU:2", "random_state": 0}
    weighted = GaussianMixture(2, **settings).fit(X, sample_weight=w)
    copies = GaussianMixture(2, **settings).fit(np.repeat(X, w.astype(int), axis=0))
    np.testing.assert_allclose(weighted.means_, copies.means_, atol=1e-3)
    np.testing.assert_allclose(
        weighted.score(X, sample_weight=w) * w.sum(),
        copies.score(X, sample_weight=w) * w.sum(),
        atol=1e-2,
    )
    pieces = GaussianMixture(2, **settings).fit(lambda: iter(np.array_split(X, 7)))
    whole = GaussianMixture(2, **settings).fit(X)
    np.testing.assert_allclose(pieces.loadings_, whole.loadings_, atol=1e-10)
    half = GaussianMixture(2, **settings).fit(X.astype(np.float32))
    assert half.loadings_.dtype == half.covariances_.dtype == np.float32
    assert half.score(X.astype(np.float32)) == pytest.approx(whole.score(X), abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"solver": "online"}, "sums of different steps cannot be averaged"),
        ({"engine": "compiled"}, "engine='compiled' has no kernel"),
        ({"precisions_init": np.tile(np.eye(9), (2, 1, 1))}, "precisions_init: covariances of"),
        ({"covariance_type": "CUX:1"}, "covariance_type"),
        ({"covariance_type": "UUU:9"}, "use fewer factors than columns"),
    ],
)
def test_what_cannot_be_done_says_so(settings: dict[str, object], said: str) -> None:
    gm = GaussianMixture(2, **{"covariance_type": "UUU:2", "random_state": 0, **settings})
    with pytest.raises(ValueError, match=said):
        gm.fit(X)


def test_partial_fit_and_given_covariances_are_refused() -> None:
    with pytest.raises(ValueError, match="partial_fit: covariance_type='UUU:2' has factors"):
        GaussianMixture(2, covariance_type="UUU:2").partial_fit(X)
    with pytest.raises(ValueError, match="covariances of covariance_type='UUU:1' are found by"):
        GaussianMixture.from_parameters([1.0], [[0, 0]], [np.eye(2)], covariance_type="UUU:1")


@pytest.mark.parametrize("solver", ["em", "squarem", "lbfgs", "anderson", "hard", "truncated"])
def test_solvers_by_name(solver: str) -> None:
    gm = GaussianMixture(2, covariance_type="UUC:2", solver=solver, random_state=0).fit(X)
    reference = GaussianMixture(2, covariance_type="UUC:2", random_state=0).fit(X)
    assert gm.score(X) == pytest.approx(reference.score(X), abs=1e-3)


def test_the_search_finds_how_many_factors() -> None:
    types = [FactorAnalytic(q, "UUC") for q in (1, 2, 3)]
    search = GaussianMixtureSearch([1, 2, 3], covariance_type=types, tol=1e-4, random_state=0)
    search.fit(X)
    assert search.best_params_["n_components"] == 2
    assert search.best_params_["covariance_type"] == "UUC:2"


@pytest.mark.parametrize("spelt", ["UUU", "uuu:2", "UUX:2", "UUU:-1", FactorAnalytic])
def test_a_name_that_is_none_is_answered_with_those_there_are(spelt: object) -> None:
    said = "'covariance_type' parameter .* 'diag', 'full'.* 'VVV'; or factors, as 'UUU:10' or Fac"
    with pytest.raises(ValueError, match=said) as refused:
        GaussianMixture(2, covariance_type=spelt).fit(X)
    assert all(letters in str(refused.value) for letters in LETTERS)
    assert f"Got {spelt!r}" in str(refused.value)
    assert "mixtura.families" not in str(refused.value).partition("Got")[0]


def exactly(correlations: Array, n: int) -> Array:
    """n rows with exactly these correlations."""
    raw = np.random.default_rng(0).normal(size=(n, len(correlations)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(raw.T @ raw / n)).T
    return white @ np.linalg.cholesky(correlations).T


def test_a_heywood_case_is_called_one_and_names_its_column() -> None:
    # One factor would explain 0.8 x 0.75 / 0.45 > 1 of the first column's variance.
    upper = np.array([[1, 0.8, 0.75, 0.2], [0, 1, 0.45, 0.1], [0, 0, 1, 0.1], [0, 0, 0, 1]])
    table = exactly(upper + np.triu(upper, 1).T, 300)
    with pytest.warns(UserWarning, match="noise of column 0 .* Heywood .* fewer factors") as said:
        gm = GaussianMixture(1, covariance_type="UUU:1").fit(table)
    assert "fewer components" not in str(said[0].message)
    assert gm.fit_result_.floored[0].columns == (0,)
    assert "Heywood" in gm.summary()


def test_a_slow_way_to_no_noise_is_taken_with_the_penalty() -> None:
    rng = np.random.default_rng(5)
    loadings = rng.normal(size=(8, 3))
    table = rng.normal(size=(500, 3)) @ loadings.T
    table += rng.normal(size=(500, 8)) * np.sqrt(rng.uniform(0.2, 1.5, 8))
    fit = GaussianMixture(1, covariance_type="UUU:4").fit(table).fit_result_
    assert (fit.verdict, fit.converged, fit.penalised) == ("penalised maximum", True, True)
    assert "column 6 (counted from 0) is on a slow way to zero: a Heywood case" in fit.remark


def test_a_search_refuses_more_factors_than_columns_as_a_fit_does() -> None:
    said = "'UUU:9' has 9 factors for 9 columns: use fewer factors"
    with pytest.raises(ValueError, match=said):
        GaussianMixtureSearch([1], covariance_type=["UUU:9", "UUU:1"]).fit(X)
    with pytest.raises(ValueError, match=said):
        GaussianMixture(1, covariance_type="UUU:9").fit(X)
    with pytest.raises(ValueError, match="has 1 factor for 1 column: use 'diag'"):
        GaussianMixture(1, covariance_type="UUU:1").fit(X[:, :1])


def test_scores_of_factors_take_what_predict_takes(fitted: GaussianMixture, tmp_path: Path) -> None:
    np.save(tmp_path / "table.npy", X)
    np.testing.assert_allclose(fitted.factors(str(tmp_path / "table.npy")), fitted.factors(X))


# Rounding once made a likelihood fall in these, or rise without bound: columns in units a billion
# apart, equal to thirteen digits, or with a row ten million deviations out.
AWKWARD = (28, 42, 86, 158, 160, 170, 234, 240, 280, 354, 394, *range(500, 510))


def test_awkward_tables_end_in_an_answer_or_a_refusal() -> None:
    answers = 0
    for seed in AWKWARD:
        rng = np.random.default_rng(seed)
        table = rows(rng)
        if table.shape[1] < 2:
            continue
        name = f"{LETTERS[seed % 8]}:{rng.integers(1, table.shape[1])}"
        K = int(rng.integers(1, 4))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            gm = GaussianMixture(K, covariance_type=name, random_state=0, max_iter=100)
            refused = ""
            try:
                gm.fit(table)
            except ValueError as error:
                refused = str(error)
        if refused:
            assert re.search("ill-defined|distinct row", refused), seed
            continue
        answers += 1
        np.testing.assert_allclose(gm.predict_proba(table).sum(axis=1), 1, err_msg=str(seed))
    # So that it is not refusals alone that pass.
    assert answers >= len(AWKWARD) // 3


def test_the_comparison_of_solvers_and_the_bootstrap_take_factors() -> None:
    settings = {"solvers": ["em", "lbfgs"], "n_starts": 1, "tol": 1e-8, "random_state": 0}
    found = mixtura.compare_solvers(X, 2, covariance_type=FactorAnalytic(2, "UCC"), **settings)
    assert found.covariance_type == "UCC:2"
    assert all(run.converged for run in found.runs)
    assert np.ptp([run.loglik for run in found.runs]) < 1e-3
    settings = {"max_resamples": 8, "init_params": "kmeans", "random_state": 0}
    few = X[:150, :4]
    found = mixtura.bootstrap_lrt(few, max_components=2, covariance_type="CCC:1", **settings)
    assert found.trials[0].resamples == 8


def test_the_command_takes_factors_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savetxt("table.csv", X, delimiter=",", header=",".join("abcdefghi"), comments="")

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    done = run("fit", "table.csv", "--covariance", "factor:2", "--no-figure", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["covariance_type"] == "UUU:2"
    assert run("predict", "table.model.json", "table.csv").stdout.count("\n") == len(X) + 1
    refused = run("fit", "table.csv", "--covariance", "UUU:0", "--no-figure")
    assert refused.exit_code == 2
    assert "n_factors must be an integer from 1" in refused.output


@pytest.mark.parametrize("d", [2, 3, 4, 6, 10])
def test_the_warning_begins_where_loadings_and_noise_say_more_than_a_covariance(d: int) -> None:
    """Ledermann's bound; above it the covariance's slopes in its parameters have fewer dimensions
    than there are parameters."""
    rng = np.random.default_rng(d)
    for q in range(1, d):
        loadings = rng.normal(size=(d, q))
        slopes = [np.diag(unit).ravel() for unit in np.eye(d)]
        for unit in np.eye(d * q).reshape(-1, d, q):
            slopes.append((unit @ loadings.T + loadings @ unit.T).ravel())
        free = FactorAnalytic(q).n_parameters(1, d)
        above = q > d + (1 - np.sqrt(1 + 8 * d)) / 2 + 1e-9
        assert (np.linalg.matrix_rank(np.array(slopes)) < free) == above
        for letters in LETTERS:
            found = FactorAnalytic(q, letters).excess(1, d)
            assert bool(found) == (above and not letters.endswith("C")), (letters, q)


def test_more_factors_than_covariances_determine_are_told_once() -> None:
    X = groups(200, 4)[0]
    with pytest.warns(UserWarning, match=r"Ledermann.* 1.63 factors.*'full' or 'UUU:1'") as told:
        mixture = GaussianMixture(1, covariance_type="UUU:2", random_state=0).fit(X)
    assert len(told) == 1
    assert "Ledermann" in mixture.summary()
    # What the report advises beside fewer groups where the top is a ridge.
    assert mixture.view().portrait.simpler == "fewer factors"
