"""Trimmed fits and the eigenvalue ratio: TCLUST's steps, and what keeps them from falling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from mixtura import EigenvalueRatio, GaussianMixture, GaussianMixtureSearch, load, stream
from mixtura.engines.trimming import kept_weights
from mixtura.families.gaussian.ratio import best_floor
from mixtura.report.figures import draw
from mixtura.report.palette import NOISE_GREY

SHAPES = ["full", "tied", "diag", "spherical"]


def contaminated(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    spread = np.array([[1.0, 0.6], [0.0, 0.5]])
    clouds = [rng.normal(0, 1, (200, 2)), rng.normal(0, 1, (150, 2)) @ spread + 7]
    return np.vstack([*clouds, rng.uniform(-20, 25, (40, 2))])


X = contaminated()
PLANTED = np.arange(len(X)) >= 350
ALPHA = 40 / 390


def log_density(mixture: GaussianMixture, rows: np.ndarray) -> np.ndarray:
    """By SciPy."""
    parts = zip(mixture.weights_, mixture.means_, mixture.covariances_, strict=True)
    return logsumexp(
        [np.log(w) + multivariate_normal(m, c).logpdf(rows) for w, m, c in parts], axis=0
    )


@pytest.fixture(scope="module")
def trimmed() -> GaussianMixture:
    return GaussianMixture(2, trim=ALPHA, random_state=0, tol=1e-10).fit(X)


def test_the_end_is_where_a_concentration_step_leads_back_to(trimmed):
    log_p = log_density(trimmed, X)
    kept = np.argsort(-log_p)[: len(X) - 40]
    assert trimmed.fit_result_.loglik == pytest.approx(log_p[kept].sum(), abs=1e-7)
    assert trimmed.fit_result_.weight == len(kept)
    left = np.setdiff1d(np.arange(len(X)), kept)
    middle = 0.5 * (log_p[kept].min() + log_p[left].max())
    assert trimmed.trim_threshold_ == pytest.approx(middle, abs=1e-9)
    # An ordinary fit to what is kept is the same mixture.
    again = GaussianMixture(2, random_state=0, tol=1e-10).fit(X[kept])
    order, other = np.argsort(trimmed.means_[:, 0]), np.argsort(again.means_[:, 0])
    assert trimmed.means_[order] == pytest.approx(again.means_[other], abs=1e-4)
    assert trimmed.covariances_[order] == pytest.approx(again.covariances_[other], abs=1e-3)


def test_labels_of_what_is_left_out(trimmed):
    labels = trimmed.predict(X)
    assert (labels == -1).sum() == 40
    assert (labels[PLANTED] == -1).mean() >= 0.9
    assert trimmed.predict([[50.0, 50.0]]).tolist() == [-1]
    assert trimmed.predict_proba(X).shape == (len(X), 2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("constraint", [None, EigenvalueRatio(2), EigenvalueRatio(1.2, False)])
@pytest.mark.parametrize("trim", [0.0, 0.07])
def test_the_objective_never_falls_and_the_bounds_hold(shape, constraint, trim):
    settings = {"covariance_type": shape, "trim": trim, "constraint": constraint}
    mixture = GaussianMixture(3, random_state=0, **settings).fit(X)
    fit = mixture.fit_result_
    assert np.diff(fit.trace).min(initial=0.0) > -1e-9 * abs(fit.loglik)
    if constraint is not None and not constraint.scale:
        cov = mixture.covariances_
        values = np.linalg.eigvalsh(cov) if cov.ndim > 1 and shape != "diag" else cov
        assert values.max() / values.min() <= constraint.c * (1 + 1e-9)


def worth(values: np.ndarray, rows: np.ndarray, c: float, log_m: float) -> float:
    kept = np.clip(values, np.exp(log_m), c * np.exp(log_m))
    return float((rows[:, None] * (np.log(kept) + values / kept)).sum())


@pytest.mark.parametrize("seed", range(40))
def test_the_floor_is_the_best_one(seed):
    rng = np.random.default_rng(seed)
    K, d, c = rng.integers(1, 5), rng.integers(2, 5), float(rng.choice([1, 1.5, 3, 12, 50]))
    values, rows = rng.gamma(0.5, 1.0, (K, d)), rng.uniform(0.1, 50.0, K)
    values[0, 0] *= seed % 3 > 0
    grid = np.linspace(-12, 4, 2001)
    i = int(np.argmin([worth(values, rows, c, at) for at in grid]))
    around = grid[max(i - 1, 0)], grid[min(i + 1, 2000)]
    best = minimize_scalar(lambda at: worth(values, rows, c, at), bounds=around, method="bounded")
    assert worth(values, rows, c, np.log(best_floor(values, rows, c))) <= best.fun + 1e-9


def test_no_component_collapses_under_a_ratio():
    rng = np.random.default_rng(3)
    rows = np.concatenate([rng.normal(0, 1, 60), np.zeros(30), rng.normal(5, 1, 60)])[:, None]
    mixture = GaussianMixture(3, constraint=EigenvalueRatio(20), random_state=0).fit(rows)
    assert mixture.fit_result_.floored == ()
    assert mixture.covariances_.max() / mixture.covariances_.min() <= 20 * (1 + 1e-9)


def test_rows_that_lie_together_are_left_out_where_that_is_worth_most():
    rng = np.random.default_rng(5)
    groups = [rng.normal(centre, 1.0, (150, 2)) for centre in ([0, 0], [7, 0], [0, 7])]
    clumps = [rng.normal(centre, 1.0, (30, 2)) for centre in ([25, 25], [-25, 20])]
    rows = np.vstack([*groups, *clumps])
    labels = GaussianMixture(
        3, trim=60 / 510, constraint=EigenvalueRatio(12), random_state=0
    ).fit_predict(rows)
    assert (labels[450:] == -1).mean() > 0.95
    assert [len(set(labels[150 * k : 150 * (k + 1)]) - {-1}) for k in range(3)] == [1, 1, 1]


def test_no_unit_changes_who_is_left_out():
    scale = np.array([1e-3, 5e2])
    settings = {"trim": ALPHA, "constraint": EigenvalueRatio(3), "random_state": 0}
    first = GaussianMixture(2, **settings).fit(X)
    second = GaussianMixture(2, **settings).fit(X * scale)
    assert np.array_equal(first.predict(X), second.predict(X * scale))
    assert first.means_ * scale == pytest.approx(second.means_, rel=1e-6)


def test_a_weight_is_copies_of_the_row():
    w = np.ones(len(X))
    w[::5], w[3::7] = 2.0, 0.0
    weighted = GaussianMixture(2, trim=0.1, random_state=0).fit(X, sample_weight=w)
    copies = GaussianMixture(2, trim=0.1, random_state=0).fit(np.repeat(X, w.astype(int), axis=0))
    assert weighted.fit_result_.loglik == pytest.approx(copies.fit_result_.loglik, abs=1e-6)


def test_whole_weights_lose_a_whole_number():
    kept, least = kept_weights(np.array([-3.0, -1.0, -2.0]), np.array([2.0, 1.0, 4.0]), 0.49)
    assert kept.tolist() == [0.0, 1.0, 3.0]
    assert least == -2.0
    kept, _ = kept_weights(np.array([-3.0, -1.0, np.nan]), np.full(3, 0.5), 0.4)
    assert kept == pytest.approx([0.4, 0.5, 0.0])


SOLVERS = ["em", "squarem", "anderson", "lbfgs", "newton"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_climb_the_trimmed_likelihood(trimmed, solver):
    found = GaussianMixture(2, trim=ALPHA, random_state=0, solver=solver).fit(X)
    assert found.fit_result_.loglik == pytest.approx(trimmed.fit_result_.loglik, abs=1e-3)


def test_a_file_keeps_both(tmp_path):
    mixture = GaussianMixture(
        2, trim=0.1, constraint=EigenvalueRatio(5, scale=False), random_state=0
    ).fit(X)
    mixture.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert again.constraint == mixture.constraint
    assert np.array_equal(again.predict(X), mixture.predict(X))
    assert again.summary() == mixture.summary()
    assert "10% of the rows are left out" in mixture.summary()


def test_a_search_trims_every_cell():
    search = GaussianMixtureSearch(
        [1, 2, 3], covariance_type=["full", "diag"], trim=0.11, random_state=0
    ).fit(X)
    assert search.best_params_["n_components"] == 2
    assert (search.predict(X)[PLANTED] == -1).mean() >= 0.9


REFUSED = [
    ({"trim": 0.5}, X, "'trim' parameter"),
    ({"trim": 0.1, "noise": True}, X, "two ways"),
    ({"trim": 0.1, "solver": "hard"}, X, "solver='auto'"),
    ({"trim": 0.1, "solver": "online"}, X, "solver='auto'"),
    ({"trim": 0.1}, [*X.tolist(), [1.0, np.nan]], "missing cells"),
    ({"constraint": EigenvalueRatio(), "covariance_type": "VEV"}, X, "'full', 'tied'"),
    ({"constraint": EigenvalueRatio(), "reg_covar": 1e-6}, X, "reg_covar=None"),
    ({"constraint": EigenvalueRatio(), "solver": "lbfgs"}, X, "EM's steps alone"),
    ({"constraint": EigenvalueRatio()}, np.c_[X, np.ones(len(X))], "column 2"),
]


def test_rows_with_gaps_are_not_called_outliers_by_a_threshold_of_whole_ones():
    fitted = GaussianMixture(2, trim=0.1, random_state=0).fit(X)
    with pytest.raises(ValueError, match="miss different cells have different units"):
        fitted.predict([[1.0, np.nan]])
    assert fitted.predict_proba([[1.0, np.nan]]).shape == (1, 2)


@pytest.mark.parametrize(("settings", "rows", "said"), REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(settings, rows, said):
    with pytest.raises(ValueError, match=said):
        GaussianMixture(2, random_state=0, **settings).fit(rows)


def test_rows_that_pass_by_cannot_be_trimmed(monkeypatch):
    monkeypatch.setattr("mixtura.data.streamed.SMALL_BYTES", 0)
    with pytest.raises(ValueError, match="in memory"):
        GaussianMixture(2, trim=0.1).fit_table(stream(lambda: iter([X])))


@pytest.mark.filterwarnings("ignore")
def test_a_table_of_a_few_rows_can_be_trimmed():
    rows = np.array([[0.0], [1.0], [2.0], [50.0]])
    mixture = GaussianMixture(2, trim=0.25, constraint=EigenvalueRatio(2), random_state=0).fit(rows)
    assert (mixture.predict(rows) == -1).sum() == 1


def test_a_ratio_below_one_is_none():
    with pytest.raises(ValueError, match="at least 1"):
        EigenvalueRatio(0.5)


@pytest.mark.parametrize("c", ["a", None, True, 0.5, np.inf])
def test_a_ratio_that_is_no_number_is_refused(c: object) -> None:
    with pytest.raises(ValueError, match=r"EigenvalueRatio: c must be a number"):
        EigenvalueRatio(c)  # type: ignore[arg-type]


@pytest.mark.parametrize("start", ["auto", "kmeans"])
def test_a_ratio_without_any_spread_says_so(start: str) -> None:
    rows = X[:30].repeat(2, axis=0)
    settings = {"constraint": EigenvalueRatio(12), "init_params": start, "random_state": 0}
    with pytest.raises(ValueError, match="has 30 different rows: with a component on each"):
        GaussianMixture(30, **settings).fit(rows)
    # One less than rows: some spread stays, and so does a bound.
    assert np.isfinite(GaussianMixture(29, **settings).fit(rows).fit_result_.loglik)


@pytest.mark.parametrize("groups", [2, 3])
def test_ends_are_on_the_scale_of_the_fit_and_races_on_none(groups: int) -> None:
    # Of three groups, the best of 600 rows is met from a larger mixture alone.
    rng = np.random.default_rng(0)
    more = rng.normal(size=(300, 2)), rng.normal(4, 1, (290, 2)), rng.uniform(-20, 20, (60, 2))
    rows = X if groups == 2 else np.vstack(more)
    settings = {"trim": 0.1, "n_init": 4, "random_state": 0}
    fit = GaussianMixture(groups, **settings).fit(rows).fit_result_
    assert fit.landscape[0].mean_loglik == pytest.approx(fit.mean_loglik, abs=1e-6)
    assert ("larger mixture" in fit.landscape[0].hits) == (groups == 3)
    assert all(one.loglik is None for one in fit.starts if not one.finished)


def test_a_share_below_one_row_is_told() -> None:
    with pytest.warns(UserWarning, match="none is left out"):
        GaussianMixture(1, trim=0.001).fit(X)


@pytest.mark.parametrize("seed", range(4))
def test_float32_moves_no_row_over_the_threshold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.normal(0, 1, (350, 2)), rng.uniform(-20, 20, (40, 2))])
    found = GaussianMixture(2, trim=0.1, random_state=0).fit(X.astype(np.float32))
    assert np.count_nonzero(found.predict(X.astype(np.float32)) == -1) == 39
    # However far out, a row is one of those that are left out.
    assert found.predict([[1e200, 1e6]]).tolist() == [-1]


@pytest.mark.parametrize("digits", [0, 1, 6])
def test_predict_leaves_out_the_rows_that_the_fit_left_out(digits: int) -> None:
    rows = np.round(X[:, :1], digits)
    found = GaussianMixture(2, trim=0.1, random_state=0).fit(rows)
    fit, log_p = found.fit_result_, found.score_samples(rows)
    left = found.predict(rows) == -1
    # Of equal rows all stay or all go, however often the same value is there.
    assert np.count_nonzero(left) <= int(0.1 * len(rows))
    assert fit.rows == fit.weight == pytest.approx(len(rows) - int(0.1 * len(rows)))
    assert log_p[left].max() < found.trim_threshold_ < log_p[~left].min()
    # The trimmed likelihood: equal rows have equal terms, so which of them count is no matter.
    assert fit.loglik == pytest.approx(np.sort(log_p)[int(0.1 * len(rows)) :].sum(), abs=1e-9)


def test_equal_rows_share_what_is_left() -> None:
    log_p = np.array([-1.0, -2.0, -2.0 * (1 + 1e-15), -2.0, -9.0])
    kept, least = kept_weights(log_p, None, 0.45)
    assert kept == pytest.approx([1, 2 / 3, 2 / 3, 2 / 3, 0])
    assert least == log_p[2]
    kept, _ = kept_weights(np.array([-1.0, -np.inf, -np.inf]), None, 0.4)
    assert kept.tolist() == [1.0, 0.5, 0.5]


def test_the_figure_marks_the_rows_left_out() -> None:
    found = GaussianMixture(2, trim=ALPHA, random_state=0).fit(X)
    left = found.predict(X) == -1
    settings = {"responsibilities": found.predict_proba(X), "left_out": left}
    figure = draw(found.view(), X, **settings)
    (dots,) = figure.axes[0].collections
    grey = np.isclose(dots.get_facecolors()[:, :3], NOISE_GREY).all(axis=1)
    assert np.array_equal(grey, left)
    assert figure.legends[0].get_texts()[-1].get_text() == "left out"
