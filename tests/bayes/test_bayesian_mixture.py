"""`BayesianGaussianMixture` beyond scikit-learn: bound, moves, weights, sources, predictive law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_t
from sklearn.exceptions import ConvergenceWarning

from mixtura import BayesianGaussianMixture, StoreError, load
from mixtura.cli.show import as_document
from mixtura.estimators.document import restore, to_document

TYPES = ("full", "tied", "diag", "spherical", "EII", "EEI", "EEE")
KINDS = ("dirichlet_process", "dirichlet_distribution")


def planted(seed: int, K: int = 10, n: int = 3000, apart: float = 6.0):
    """Rows of K groups in the plane, whose means are `apart` or more."""
    rng = np.random.default_rng(seed)
    means: list[np.ndarray] = []
    while len(means) < K:
        mean = rng.uniform(-20, 20, size=2)
        if all(np.linalg.norm(mean - other) >= apart for other in means):
            means.append(mean)
    labels = rng.choice(K, size=n, p=rng.dirichlet(np.full(K, 20.0)))
    return np.array(means)[labels] + rng.normal(size=(n, 2)), labels


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        *(("full", start, kind) for start in ("one", "kmeans") for kind in KINDS),
        *((name, "kmeans", KINDS[0]) for name in TYPES[1:4]),
        *((name, "one", KINDS[1]) for name in TYPES[4:]),
    ],
)
def test_moves_find_the_number_of_groups(name, start, kind):
    X, labels = planted(1)
    found = BayesianGaussianMixture(
        n_components=40,
        covariance_type=name,
        init_params=start,
        weight_concentration_prior_type=kind,
        random_state=0,
    ).fit(X)
    assert found.n_components_ == 10
    assert len({(a, b) for a, b in zip(labels, found.predict(X), strict=True)}) < 16
    # Those that are gone are the prior's, and no row is theirs.
    assert found.active_.sum() == 10
    assert found.means_.shape == (40, 2)
    np.testing.assert_array_equal(found.means_[10:], np.tile(found.mean_prior_, (30, 1)))
    np.testing.assert_array_equal(found.mean_precision_[10:], 1.0)
    np.testing.assert_array_equal(found.predict_proba(X)[:, 10:], 0.0)
    assert found.weights_.sum() == pytest.approx(1.0)


def test_moves_raise_the_bound_and_nothing_else_removes_components():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(mean, 1.0, (1000, 10)) for mean in (-3.0, 0.0, 3.0)])
    for alpha in (1e-4, 1e3):
        settings = {"n_components": 20, "weight_concentration_prior": alpha, "random_state": 0}
        still = BayesianGaussianMixture(**settings, moves=False).fit(X)
        moved = BayesianGaussianMixture(**settings).fit(X)
        assert still.n_components_ > 10
        assert moved.n_components_ == 3
        assert moved.elbo_ > still.elbo_ + 100.0
        assert moved.fit_result_.moves > 0
        assert still.fit_result_.moves == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_never_falls_and_is_what_the_fit_tells(kind, iris):
    found = BayesianGaussianMixture(
        n_components=6, weight_concentration_prior_type=kind, random_state=0, moves=False
    ).fit(iris)
    assert found.converged_
    trace = np.array(found.fit_result_.trace)
    assert (np.diff(trace) > -1e-9).all()
    assert len(trace) == found.n_iter_ + 1
    assert trace[-1] == found.elbo_ == found.fit_result_.loglik
    assert found.fit_result_.bound
    # At the top both counts of the bound rise by the same.
    np.testing.assert_allclose(np.diff(found.lower_bounds_)[-3:], 0.0, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_without_a_move_the_largest_come_first_too(seed, faithful):
    found = BayesianGaussianMixture(n_components=2, random_state=seed).fit(faithful)
    assert found.fit_result_.moves == 0
    assert found.weights_[0] > found.weights_[1]
    assert found.elbo_ == pytest.approx(-1181.16219, abs=1e-4)


def test_a_small_concentration_leaves_the_two_groups_of_the_geyser(faithful):
    X = (faithful - faithful.mean(axis=0)) / faithful.std(axis=0)
    found = BayesianGaussianMixture(
        n_components=6,
        weight_concentration_prior_type="dirichlet_distribution",
        weight_concentration_prior=1e-3,
        random_state=0,
    ).fit(X)
    assert found.n_components_ == 2
    np.testing.assert_allclose(np.sort(found.weights_)[-2:], [0.357, 0.643], atol=1e-3)


@pytest.mark.parametrize("name", TYPES)
def test_the_predictive_law_is_a_mixture_of_t_densities(name, iris):
    found = BayesianGaussianMixture(
        n_components=3, covariance_type=name, random_state=0, moves=False
    ).fit(iris)
    b, v, d = found.mean_precision_, np.broadcast_to(found.degrees_of_freedom_, 3), 4
    cov = found.covariances_
    dense = [cov if cov.shape == (d, d) else np.eye(d) * cov[k] for k in range(3)]
    if name == "full":
        dense = list(cov)
    terms = [
        w * multivariate_t.pdf(iris, m, S * u * (c + 1) / (c * (u + 1 - d)), df=u + 1 - d)
        for w, m, S, c, u in zip(found.weights_, found.means_, dense, b, v, strict=True)
    ]
    np.testing.assert_allclose(
        found.score_samples(iris, predictive=True), np.log(np.sum(terms, axis=0)), rtol=1e-9
    )
    mean = found.score(iris, predictive=True)
    assert mean == pytest.approx(found.score_samples(iris, predictive=True).mean())
    w = np.arange(len(iris)) % 3
    weighted = found.score(iris, sample_weight=w, predictive=True)
    assert weighted == pytest.approx(found.score(np.repeat(iris, w, axis=0), predictive=True))


def test_the_predictive_law_integrates_to_one(galaxies):
    found = BayesianGaussianMixture(n_components=5, random_state=0).fit(galaxies)

    def mass(predictive: bool) -> float:
        def at(x: float) -> float:
            return float(np.exp(found.score_samples([[x]], predictive=predictive)[0]))

        inner = quad(at, 0, 45, points=found.means_[:, 0], limit=400)[0]
        return inner + quad(at, -np.inf, 0)[0] + quad(at, 45, np.inf)[0]

    assert mass(True) == pytest.approx(1.0, abs=1e-6)
    assert mass(False) < 0.99


@pytest.mark.parametrize("moves", [False, True])
def test_a_weight_of_two_is_the_row_twice(moves, iris):
    settings = {"n_components": 4, "random_state": 0, "moves": moves}
    twice = BayesianGaussianMixture(**settings).fit(np.repeat(iris, 2, axis=0))
    weighed = BayesianGaussianMixture(**settings).fit(iris, sample_weight=np.full(150, 2.0))
    assert weighed.elbo_ == pytest.approx(twice.elbo_, rel=1e-9)
    np.testing.assert_allclose(weighed.covariance_prior_, twice.covariance_prior_)
    np.testing.assert_allclose(weighed.means_, twice.means_, rtol=1e-6)


@pytest.mark.parametrize("name", TYPES[:4])
def test_every_engine_gives_the_same(name, iris):
    found = {
        engine: BayesianGaussianMixture(
            n_components=4, covariance_type=name, random_state=0, engine=engine
        ).fit(iris)
        for engine in ("compiled", "dense", "threads", "local")
    }
    for fit in found.values():
        assert fit.elbo_ == pytest.approx(found["local"].elbo_, rel=1e-9)
        np.testing.assert_allclose(fit.predict_proba(iris), found["local"].predict_proba(iris))


def test_a_file_gives_the_same_as_its_array(iris, tmp_path):
    np.save(tmp_path / "iris.npy", iris)
    settings = {"n_components": 4, "random_state": 0}
    ours = BayesianGaussianMixture(**settings).fit(iris)
    read = BayesianGaussianMixture(**settings).fit(tmp_path / "iris.npy")
    assert read.elbo_ == pytest.approx(ours.elbo_, rel=1e-12)


def test_a_fit_that_was_stopped_goes_on(iris, tmp_path, stopped_after):
    path = tmp_path / "run.checkpoint"
    settings = {"n_components": 4, "random_state": 0, "engine": "dense"}
    whole = BayesianGaussianMixture(**settings).fit(iris)
    stopped_after(5)
    with pytest.raises(KeyboardInterrupt):
        BayesianGaussianMixture(**settings).fit(iris, checkpoint=path)
    stopped_after(10_000)
    with pytest.raises(ValueError, match="mean_precision_prior"):
        BayesianGaussianMixture(**settings, mean_precision_prior=2.0).fit(iris, checkpoint=path)
    again = BayesianGaussianMixture(**settings).fit(iris, checkpoint=path)
    assert not path.exists()
    assert again.elbo_ == whole.elbo_
    np.testing.assert_array_equal(again.means_, whole.means_)


def test_float32_stays(iris):
    found = BayesianGaussianMixture(n_components=3, random_state=0).fit(iris.astype(np.float32))
    assert found.means_.dtype == found.predict_proba(iris.astype(np.float32)).dtype == np.float32
    wide = BayesianGaussianMixture(n_components=3, random_state=0).fit(iris)
    assert found.elbo_ == pytest.approx(wide.elbo_, rel=1e-4)


def test_columns_that_are_sums_of_others_have_a_diagonal_prior():
    X = np.random.default_rng(0).normal(size=(60, 2))
    X = np.column_stack([X, X.sum(axis=1)])
    found = BayesianGaussianMixture(n_components=2, random_state=0).fit(X)
    np.testing.assert_allclose(found.covariance_prior_, np.diag(X.var(axis=0, ddof=1)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"degrees_of_freedom_prior": 0.5}, "greater than 1, but got 0.500"),
        ({"mean_prior": [1.0]}, r"should have the shape of \(2,\)"),
        ({"mean_prior": [1.0, np.inf]}, "mean_prior|infinity"),
        ({"covariance_prior": np.eye(3)}, r"should have the shape of \(2, 2\)"),
        ({"covariance_prior": -np.eye(2)}, "covariance_prior"),
        ({"moves": "yes"}, "moves"),
        ({"weight_concentration_prior": 0.0}, "weight_concentration_prior"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        BayesianGaussianMixture(**settings).fit(np.random.default_rng(0).normal(size=(20, 2)))


def test_tables_that_do_not_fit_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = BayesianGaussianMixture(n_components=2)
    with pytest.raises(ValueError, match=r"constant in column 'x2'.*covariance_prior"):
        model.fit(np.column_stack([X[:, 0], np.ones(20)]))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 1, np.nan, X))
    with pytest.raises(ValueError, match=r"sample_weight sums to 0\.2"):
        model.fit(X, sample_weight=np.full(20, 0.01))
    assert not hasattr(model, "means_")
    with pytest.raises(ValueError, match="predictive must be True or False, got 'no'"):
        model.fit(X).score(X, predictive="no")


def test_warm_starts_go_on_and_refuse_other_shapes(iris):
    model = BayesianGaussianMixture(n_components=8, random_state=0, warm_start=True).fit(iris)
    before, active = model.elbo_, model.active_.sum()
    assert active < 8
    model.fit(iris)
    assert model.elbo_ >= before - 1e-9
    assert model.n_iter_ <= 4
    with pytest.raises(ValueError, match="warm_start: the last fit has means of shape"):
        model.set_params(n_components=5).fit(iris)
    model.set_params(n_components=8, weight_concentration_prior_type=KINDS[1])
    with pytest.raises(ValueError, match="another weight_concentration_prior_type"):
        model.fit(iris)


def test_names_of_one_structure_give_one_posterior(iris):
    for theirs, mclust in (("full", "VVV"), ("tied", "EEE"), ("diag", "VVI"), ("spherical", "VII")):
        one, two = (
            BayesianGaussianMixture(n_components=4, covariance_type=name, random_state=0).fit(iris)
            for name in (theirs, mclust)
        )
        assert one.elbo_ == two.elbo_
    pooled = BayesianGaussianMixture(n_components=3, covariance_type="EEI", random_state=0).fit(
        iris
    )
    active = pooled.covariances_[pooled.active_]
    np.testing.assert_allclose(active, np.broadcast_to(active[0], active.shape))


def test_a_posterior_has_no_information_criteria(iris):
    found = BayesianGaussianMixture(random_state=0).fit(iris)
    assert not hasattr(found, "bic")
    assert not hasattr(found, "aic")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TYPES)
def test_a_file_holds_the_posterior_bit_for_bit(name, kind, iris, tmp_path):
    saved = BayesianGaussianMixture(
        n_components=9,
        covariance_type=name,
        weight_concentration_prior_type=kind,
        mean_prior=[5, 3, 4, 1],
        random_state=0,
        warm_start=True,
    ).fit(iris)
    saved.save(tmp_path / "posterior.json")
    read = load(tmp_path / "posterior.json")
    assert vars(read).keys() == vars(saved).keys()
    for attribute, value in vars(saved).items():
        if attribute.endswith("_"):
            found = getattr(read, attribute)
            assert type(found) is type(value), attribute
            assert np.array_equal(found, value) or repr(found) == repr(value), attribute
    np.testing.assert_array_equal(read.predict_proba(iris), saved.predict_proba(iris))
    np.testing.assert_array_equal(
        read.score_samples(iris, predictive=True), saved.score_samples(iris, predictive=True)
    )
    assert read.summary() == saved.summary()
    assert read.fit(iris).elbo_ == pytest.approx(saved.elbo_, abs=1e-3)


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        (("posterior", "active_"), 7, "active_"),
        (("posterior", "elbo_"), "x", "elbo_"),
        (("posterior", "mean_precision_prior_"), -1.0, "mean_precision_prior_"),
        (("arrays", "degrees_of_freedom_"), np.full(3, 2.0), "degrees_of_freedom_"),
        (("arrays", "mean_precision_"), np.ones(2), "mean_precision_"),
        (("arrays", "covariances_"), np.tile(np.eye(4), (3, 1, 1)), "precisions_cholesky_"),
        (("posterior",), None, "posterior"),
    ],
    ids=str,
)
def test_a_damaged_file_is_refused(part, value, said, iris):
    document = to_document(BayesianGaussianMixture(n_components=3, random_state=0).fit(iris))
    inner = document
    for key in part[:-1]:
        inner = inner[key]
    inner[part[-1]] = value
    with pytest.raises(StoreError, match=said):
        restore(document, BayesianGaussianMixture)


def test_the_report_tells_the_bound_and_only_groups_with_rows(faithful):
    found = BayesianGaussianMixture(n_components=20, random_state=0).fit(faithful)
    text = found.summary()
    assert text.startswith("2 groups in 272 rows")
    assert f"bound            {found.elbo_:.2f} in total" in text
    assert "BIC" not in text
    assert as_document(found)["bound"] == found.elbo_


@pytest.mark.parametrize("name", ["full", "tied", "spherical"])
def test_units_do_not_matter(name, iris):
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.normal(size=(4, 4)))[0] * 1e-4
    if name != "spherical":
        A = A @ np.diag([1.0, 30.0, 0.1, 1e3])
    settings = {"n_components": 8, "covariance_type": name, "init_params": "one"}
    one = BayesianGaussianMixture(**settings, random_state=0).fit(iris)
    two = BayesianGaussianMixture(**settings, random_state=0).fit(iris @ A.T + 7.0)
    shift = 150 * np.linalg.slogdet(A)[1]
    assert two.elbo_ + shift == pytest.approx(one.elbo_, abs=2e-3 if name == "full" else 0.5)
    assert two.n_components_ == one.n_components_


def test_moves_on_a_sample_serve_the_whole_table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 2)) + 6.0 * rng.integers(0, 2, size=(30_000, 2))
    found = BayesianGaussianMixture(n_components=15, random_state=0).fit(X)
    assert found.n_components_ == 4
    assert found.fit_result_.sample_rows == 20_000


def test_of_several_starts_the_highest_bound_stays():
    X, _ = planted(3, n=600)
    settings = {"n_components": 10, "init_params": "random_from_data", "moves": False}
    found = BayesianGaussianMixture(**settings, n_init=4, random_state=0).fit(X)
    ends = [start.loglik for start in found.fit_result_.starts]
    assert len(ends) == 4
    assert found.elbo_ / 600 == max(ends)


def test_few_steps_are_the_steps_themselves(iris):
    with pytest.warns(ConvergenceWarning):
        found = BayesianGaussianMixture(n_components=8, max_iter=9, random_state=0).fit(iris)
    assert found.active_.all()
    assert (found.n_iter_, len(found.lower_bounds_)) == (9, 9)
