"""Labels of some rows: the likelihood they add up to, the order of components, what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, poisson
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)

from mixtura import (
    BayesianGaussianMixture,
    GaussianMixture,
    GaussianMixtureSearch,
    Mixture,
    MixtureRegression,
    MixtureSearch,
    PoissonMixture,
    StudentMixture,
    load,
    stream,
)
from mixtura.data.known_rows import KnownRows, labels_of
from mixtura.data.rows import Rows
from mixtura.engines.choose import open_sweep
from mixtura.errors import FitError
from mixtura.estimators.known import labelled
from mixtura.fitting.sample import sample_rows
from mixtura.report.figures import draw

CENTRES = np.array([[0.0, 0.0], [2.5, 0.0], [0.0, 2.5]])


def clouds(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.choice(3, size=n, p=[0.5, 0.3, 0.2])
    return CENTRES[z] + rng.normal(size=(n, 2)), z


X, Z = clouds()
SOME = np.where(np.arange(300) % 5 == 0, Z, -1)
SOFT = np.full((300, 3), np.nan)
SOFT[::5] = 0.8 * np.eye(3)[Z[::5]] + 0.2 / 3


def log_joint(mixture: GaussianMixture, rows: np.ndarray) -> np.ndarray:
    parts = zip(np.log(mixture.weights_), mixture.means_, mixture.covariances_, strict=True)
    return np.column_stack([w + multivariate_normal(m, c).logpdf(rows) for w, m, c in parts])


@pytest.mark.filterwarnings("ignore::mixtura.estimators.complaints.DegenerateWarning")
def test_the_likelihood_is_the_sum_over_all_labellings():
    rows = np.vstack([X[k == Z][:2] for k in range(3)])
    labels = np.array([0, -1, -1, 1, 2, -1])
    mixture = GaussianMixture(3, reg_covar=0.5, tol=0.1)
    mixture.fit(rows, labels=labels)
    joint = log_joint(mixture, rows)
    every = [
        sum(joint[i, k] for i, k in enumerate(each))
        for each in itertools.product(range(3), repeat=6)
        if all(known in (-1, k) for known, k in zip(labels, each, strict=True))
    ]
    assert len(every) == 27
    assert mixture.fit_result_.loglik == pytest.approx(logsumexp(every), abs=1e-9)


def textbook(evidence: np.ndarray, steps: int = 400) -> tuple[float, np.ndarray]:
    """EM of three full Gaussians with memberships (n, 3), in NumPy and SciPy."""
    given = evidence / evidence.sum(axis=1, keepdims=True)
    told = np.ptp(evidence, axis=1) > 0
    means = np.array([given[told][:, k] @ X[told] / given[told][:, k].sum() for k in range(3)])
    cov, weights = [np.eye(2)] * 3, np.full(3, 1 / 3)
    for _ in range(steps):
        parts = [multivariate_normal(m, c).logpdf(X) for m, c in zip(means, cov, strict=True)]
        with np.errstate(divide="ignore"):
            joint = np.column_stack(parts) + np.log(weights) + np.log(evidence)
        log_p = logsumexp(joint, axis=1)
        resp = np.exp(joint - log_p[:, None])
        counts = resp.sum(axis=0)
        weights, means = counts / len(X), (resp.T @ X) / counts[:, None]
        cov = [(resp[:, k, None] * (X - means[k])).T @ (X - means[k]) / counts[k] for k in range(3)]
    return float(log_p.sum()), means


@pytest.mark.parametrize("labels", [SOME, SOFT], ids=["hard", "soft"])
@pytest.mark.parametrize("engine", ["compiled", "threads"])
def test_a_fit_is_that_of_a_textbook_em(labels, engine):
    evidence = np.where(np.isnan(SOFT), 1.0, SOFT)
    if labels is SOME:
        evidence = np.where((SOME < 0)[:, None], 1.0, np.eye(3)[SOME])
    loglik, means = textbook(evidence)
    mixture = GaussianMixture(3, random_state=0, tol=1e-10, engine=engine).fit(X, labels=labels)
    assert mixture.fit_result_.loglik == pytest.approx(loglik, abs=1e-6)
    np.testing.assert_allclose(mixture.means_, means, atol=1e-4)
    assert mixture.fit_result_.certificate.verdict == "interior maximum"


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_all_rows_labelled_is_discriminant_analysis(kind):
    other = QuadraticDiscriminantAnalysis()
    if kind == "tied":
        other = LinearDiscriminantAnalysis("lsqr", store_covariance=True)
    other.fit(X, Z)
    mixture = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X, labels=Z)
    # Theirs divide by n - 1 in some versions of full ones.
    full = [np.cov(X[k == Z].T, bias=True) for k in range(3)]
    expected = full if kind == "full" else other.covariance_
    np.testing.assert_allclose(mixture.means_, other.means_, atol=1e-10)
    np.testing.assert_allclose(mixture.weights_, other.priors_, atol=1e-10)
    np.testing.assert_allclose(mixture.covariances_, expected, atol=1e-10)


@pytest.mark.parametrize("labels", [np.full(300, -1), [None] * 300, np.full((300, 3), np.nan)])
def test_no_label_known_is_the_plain_fit(labels):
    plain = GaussianMixture(3, random_state=0).fit(X)
    mixture = GaussianMixture(3, random_state=0).fit(X, labels=labels)
    np.testing.assert_array_equal(mixture.means_, plain.means_)
    assert mixture.fit_result_.loglik == plain.fit_result_.loglik


def test_certain_memberships_are_labels_however_they_are_written():
    certain = np.where((SOME < 0)[:, None], np.nan, np.eye(3)[SOME])
    gaps = np.where(SOME < 0, np.nan, SOME)
    mixture = GaussianMixture(3, random_state=0).fit(X, labels=SOME)
    for labels in (
        certain,
        gaps,
        [None if k < 0 else int(k) for k in SOME],
        pd.Series(gaps).astype("Int64"),
        pl.Series(gaps).fill_nan(None).cast(pl.Int64),
    ):
        other = GaussianMixture(3, random_state=0).fit(X, labels=labels)
        np.testing.assert_allclose(other.means_, mixture.means_, atol=1e-10)


@pytest.mark.parametrize("frame", [list, np.array, pd.Series, pd.Categorical])
def test_names_are_remembered_in_order(frame, tmp_path):
    names = np.array(["oak", "elm", "ash"])
    labels = frame([None if k < 0 else str(names[k]) for k in SOME])
    mixture = GaussianMixture(3, random_state=0).fit(X, labels=labels)
    assert mixture.classes_.tolist() == ["ash", "elm", "oak"]
    by_number = GaussianMixture(3, random_state=0).fit(X, labels=np.where(SOME < 0, -1, 2 - SOME))
    np.testing.assert_array_equal(mixture.means_, by_number.means_)
    assert "0 is ash, 1 is elm" in mixture.summary()
    mixture.save(tmp_path / "model.json")
    again = load(tmp_path / "model.json")
    assert again.classes_.tolist() == ["ash", "elm", "oak"]
    for told in (mixture, again):
        assert told.view().called == ("ash", "elm", "oak")
        assert "2: oak" in told.summary()
    figure = draw(again.view(), X, responsibilities=again.predict_proba(X))
    said = [text.get_text().split()[-1] for text in figure.legends[0].get_texts()]
    assert said == ["ash", "elm", "oak"]
    assert not hasattr(mixture.fit(X), "classes_")


def test_components_without_a_name_have_their_number():
    labels = [None if k < 0 else ("2", "elm")[k % 2] for k in SOME]
    mixture = GaussianMixture(4, covariance_type="tied", random_state=0).fit(X, labels=labels)
    assert mixture.view().called == ("2", "elm", "group 2", "3")
    assert [mixture.view().label(k) for k in range(4)] == ["0: 2", "1: elm", "2", "3"]


def test_labels_keep_their_order_and_other_components_follow():
    apart = X + 3 * CENTRES[Z]
    two = np.where(SOME > 0, 3 - SOME, -1)
    mixture = GaussianMixture(3, random_state=0).fit(apart, labels=two)
    np.testing.assert_allclose(mixture.means_, 4 * CENTRES[[0, 2, 1]], atol=0.5)


@pytest.mark.parametrize("solver", ["em", "squarem", "anderson", "lbfgs", "newton", "online"])
def test_solvers_end_at_the_same_optimum(solver):
    best = GaussianMixture(3, random_state=0).fit(X, labels=SOME).fit_result_.loglik
    mixture = GaussianMixture(3, random_state=0, solver=solver).fit(X, labels=SOME)
    assert mixture.fit_result_.loglik == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("engine", ["compiled", "dense"])
def test_a_kernel_sums_what_the_plain_engine_sums(engine):
    from mixtura.data.survey import Survey
    from mixtura.families.registry import family
    from mixtura.models.mixture import Mixture as Model
    from mixtura.models.mixture_params import MixtureParams

    weights = np.random.default_rng(1).integers(0, 3, 300).astype(float)
    for known in (SOME, labels_of(SOFT, 300, 3)[0], Z):
        rows = KnownRows(X, weights, known)
        settled = family("full").settled(Survey(rows, rows), 3)
        model = Model(settled.family, settled.prior)
        base = settled.base.with_arrays({"means": CENTRES})
        params = MixtureParams(np.array([0.5, 0.3, 0.2]), settled.family.params(base.arrays()))
        plain = open_sweep("local", model, rows)(params)
        fused = open_sweep(engine, model, rows)(params)
        assert fused.loglik == pytest.approx(plain.loglik, rel=1e-12)
        for name, array in plain.statistics.arrays().items():
            np.testing.assert_allclose(fused.statistics.arrays()[name], array, atol=1e-9)


def test_a_weight_is_copies_of_the_row():
    w = np.random.default_rng(2).integers(0, 3, 300)
    weighted = GaussianMixture(3, random_state=0).fit(X, labels=SOME, sample_weight=w)
    copies = GaussianMixture(3, random_state=0).fit(np.repeat(X, w, 0), labels=np.repeat(SOME, w))
    np.testing.assert_allclose(weighted.means_, copies.means_, atol=1e-6)


def test_labelled_rows_come_into_the_sample():
    rng = np.random.RandomState(0)
    known = np.full(50_000, -1)
    known[::10_000] = 1
    rows = KnownRows(rng.normal(size=(50_000, 1)), None, known)
    sample = sample_rows(rows, 2, rng)
    assert isinstance(sample, KnownRows)
    assert sample.told.sum() == 5


def test_other_families_beside_noise_and_with_weights_on_columns():
    rng = np.random.default_rng(3)
    counts = rng.poisson(np.array([[2.0, 9.0], [3.0, 6.0]])[Z % 2])
    labels = np.where(np.arange(300) % 4 == 0, Z % 2, -1)
    mixture = PoissonMixture(2, random_state=0).fit(counts, labels=labels)
    joint = np.log(mixture.weights_) + poisson.logpmf(counts[:, None], mixture.rates_).sum(2)
    told = labels >= 0
    expected = logsumexp(joint[~told], axis=1).sum() + joint[told, labels[told]].sum()
    assert mixture.fit_result_.loglik == pytest.approx(expected, abs=1e-8)
    StudentMixture(3, random_state=0).fit(X, labels=SOME)
    noisy = GaussianMixture(3, noise=True, random_state=0).fit(X, labels=SOFT)
    uniform = np.log(noisy.weights_[3]) - noisy.uniform_noise_.log_volume
    with np.errstate(divide="ignore"):
        joint = np.column_stack(
            [
                np.log(w) + multivariate_normal(m, c).logpdf(X) + np.log(np.nan_to_num(s, nan=1.0))
                for w, m, c, s in zip(
                    noisy.weights_, noisy.means_, noisy.covariances_, SOFT.T, strict=False
                )
            ]
        )
    beside = np.where(np.isnan(SOFT[:, 0]), uniform, -np.inf)
    expected = logsumexp(np.column_stack([joint, beside]), axis=1).sum()
    assert noisy.fit_result_.loglik == pytest.approx(expected, abs=1e-8)
    table = np.column_stack([X, Z + rng.normal(size=300)])
    hung = Mixture("full", 3, concomitants=[2], random_state=0).fit(table, labels=SOME)
    np.testing.assert_allclose(hung.gaussian_means_, CENTRES, atol=0.5)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.arange(300) % 4, r"row 3 .* has 3, and the labels are the whole numbers 0 to 2"),
        (SOME[:10], r"labels has shape \(10,\), and X has 300 rows"),
        (["a", "b", "c", "d"] * 75, "4 different names, and there are 3 components"),
        (np.full((300, 2), 0.5), r"have \(300, 3\)"),
        (np.full((300, 3), 0.5), "add up to 1"),
        (["a", 1, 2.5] * 100, "neither all numbers nor all text"),
        (["a", "b", "c", "d"] * 75, "the names are 'a', 'b', 'c', 'd'"),
        (["a", 1, 2.5] * 100, "found 'a' and 1"),
        (["a"] * 7, r"labels has shape \(7,\)"),
    ],
)
def test_labels_that_are_none_are_refused(labels, said):
    with pytest.raises(ValueError, match=said):
        GaussianMixture(3).fit(X, labels=labels)


def test_what_knows_no_labels_says_so():
    for settings in ({"trim": 0.1}, {"solver": "nce"}, {"engine": "mixed"}):
        with pytest.raises(ValueError, match=r"labels: .* knows none"):
            GaussianMixture(3, **settings).fit(X, labels=SOME)
    with pytest.raises(ValueError, match="BayesianGaussianMixture knows none"):
        BayesianGaussianMixture(n_components=3).fit(X, labels=SOME)
    with pytest.raises(ValueError, match="labels need all rows in memory"):
        labelled(GaussianMixture(3), stream(lambda: iter([X])), None, SOME)


def test_a_checkpoint_is_of_its_labels(tmp_path):
    plain = GaussianMixture(3, random_state=0).fit(X, labels=SOME)
    saved = GaussianMixture(3, random_state=0).fit(X, labels=SOME, checkpoint=tmp_path / "point")
    np.testing.assert_array_equal(saved.means_, plain.means_)
    task = saved._task(saved._family(), 2)
    told = [saved._identity(KnownRows(X, None, known), task, 0) for known in (SOME, Z)]
    assert told[0]["labels"] != told[1]["labels"]
    assert "labels" not in saved._identity(Rows(X), task, 0)


@pytest.mark.parametrize("kind", ["names", "a column of names", "memberships"])
def test_a_search_fits_cells_with_the_labels(kind):
    labels = np.array([None if k < 0 else "abc"[k] for k in SOME], dtype=object)
    labels = pd.DataFrame({"of": labels}) if kind == "a column of names" else labels
    if kind == "memberships":
        labels = np.where(SOME[:, None] < 0, np.nan, np.eye(3)[SOME])
    search = GaussianMixtureSearch([1, 2, 3, 4], covariance_type=["EEE"], random_state=0)
    search.fit(X, labels=labels)
    results = search.cv_results_
    # Cells that cannot hold the labelled groups are none.
    assert results["param_n_components"].tolist() == [3, 4]
    alone = GaussianMixture(3, covariance_type="EEE", random_state=0).fit(X, labels=labels)
    assert results["loglik"][0] == pytest.approx(alone.fit_result_.loglik, abs=1e-5)
    assert getattr(search.best_estimator_, "classes_", np.array([])).tolist() == (
        [] if kind == "memberships" else ["a", "b", "c"]
    )
    # What labelled rows are is no uncertainty of ICL.
    p = alone.predict_proba(X)
    unsure = -np.log(p.max(axis=1))[SOME < 0].sum()
    assert results["icl"][0] - results["bic"][0] == pytest.approx(2 * unsure, abs=1e-3)
    with pytest.raises(ValueError, match=r"labels speak of 3 groups|3 different names"):
        GaussianMixtureSearch([1, 2], random_state=0).fit(X, labels=labels)
    with pytest.raises(ValueError, match="knows no labels"):
        GaussianMixtureSearch([3], effort="quick").fit(X, labels=labels)
    with pytest.raises(FitError, match=r"trim=0.1 knows none"):
        GaussianMixtureSearch([3], covariance_type=["EEE"], trim=0.1).fit(X, labels=labels)


def test_a_search_over_families_knows_labels():
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, 120)
    counts = rng.poisson(np.array([2.0, 9.0])[z])[:, None]
    labels = np.where(np.arange(120) % 4 == 0, 1 - z, -1)
    search = MixtureSearch(["poisson"], [1, 2], random_state=0).fit(counts, labels=labels)
    # Component 1 is label 1: the group of the smaller mean.
    means = search.best_estimator_.parameters_["rates"].ravel()
    assert means[0] > means[1]


def test_regressions_know_labels(tmp_path):
    rng = np.random.default_rng(0)
    x, z = rng.uniform(0, 10, 200), rng.integers(0, 2, 200)
    y = np.where(z, 2 + 3 * x, 30 - 2 * x) + rng.normal(size=200)
    names = [("down", "up")[k] if i % 5 == 0 else None for i, k in enumerate(z)]
    found = MixtureRegression(2, random_state=0).fit(x[:, None], y, labels=names)
    assert found.classes_.tolist() == ["down", "up"]
    np.testing.assert_allclose(found.coef_.ravel(), [-2, 3], atol=0.2)
    other = MixtureRegression(2, random_state=0).fit(x[:, None], y, labels=1 - z)
    # All labels known: least squares of each group.
    for k, own in enumerate((z == 1, z == 0)):
        np.testing.assert_allclose(other.coef_[k, 0], np.polyfit(x[own], y[own], 1)[0])
    found.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert again.classes_.tolist() == ["down", "up"]
    for mixture, name in itertools.product((found, again), ("bic", "aic")):
        with pytest.raises(ValueError, match=f"{name}: the fit was told labels of its rows"):
            getattr(mixture, name)(x[:, None], y)
    assert not hasattr(found.fit(x[:, None], y), "classes_")
    fit = found.fit_result_
    expected = fit.n_parameters * np.log(200) - 2 * fit.loglik
    assert found.bic(x[:, None], y) == pytest.approx(expected)


@pytest.mark.parametrize("unknown", [-1, -1.0, np.int64(-1), "-1", "nan", "None", "<NA>", ""])
def test_what_nobody_knows_among_names(unknown):
    labels = np.array([unknown if k < 0 else "abc"[k] for k in SOME], dtype=object)
    known, names = labels_of(labels, 300, 3)
    assert names == ("a", "b", "c")
    np.testing.assert_array_equal(known, SOME)


def test_names_stay_on_one_short_line_of_the_report():
    names = ["a\nb", "c" * 80, "d"]
    labels = np.array([None if k < 0 else names[k] for k in SOME], dtype=object)
    told = dict(GaussianMixture(3, random_state=0).fit(X, labels=labels).view().notes)["labels"]
    assert told.startswith("0 is a b, 1 is ccc")
    assert "\n" not in told
    assert "c" * 80 not in told
